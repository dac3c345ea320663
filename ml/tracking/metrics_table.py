"""The tables of a run, CSV files in its folder: a row per report, and none beyond the run's step."""

import csv
import math
import os
import re
from collections.abc import Sequence
from io import FileIO, StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.system.files import atomic, write_error

NOISE_LEVELS = 10  # from clean images to pure noise, evenly by the angle between image and noise
LOSS_FILE = "loss.csv"
LOSS_COLUMNS = ("step", "seconds", "loss", "smooth_loss", "lr", "grad_norm", "images_per_s")
NOISE_FILE = "noise.csv"
NOISE_COLUMNS = ("step", *(f"noise {k / NOISE_LEVELS:.1f}-{(k + 1) / NOISE_LEVELS:.1f}" for k in range(NOISE_LEVELS)))
VALIDATION_FILE = "validation.csv"
VALIDATION_COLUMNS = ("step", "loss")
MOST_ROWS = 20_000  # that are read of a table, more than a plot shows
ROW_BYTES = 64  # of a row, about
LONGEST_ROW = 1000  # characters


class Table:
    """A table whose first column is the step; it appears with its first row."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, tuple(columns)
        self._unwritten: list[Sequence[object]] = []

    def add(self, *row: object) -> None:
        """Add a row for the next `write`."""
        self._unwritten.append(row)

    def write(self) -> None:
        """Append the added rows. Raises CannotWrite; the rows are then kept for the next call."""
        if not self._unwritten:
            return
        fresh = not os.path.exists(self.path)
        text = StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self._unwritten] if fresh else self._unwritten)
        try:
            with open(self.path, "ab", buffering=0) as file:
                _append(file, text.getvalue().encode())
        except OSError as error:
            raise write_error(f"write {self.path}", error) from error
        self._unwritten.clear()

    def remove_after(self, step: int) -> None:
        """Remove the rows after a step, and incomplete rows; raises CannotWrite."""
        self._unwritten.clear()
        if os.path.isfile(self.path):
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            kept = [line for line in lines if self._step_of(line) <= step]
            with atomic(self.path) as temporary:
                temporary.write_text("".join([",".join(self.columns), "\n", *kept]), encoding="utf-8")

    def read(self) -> NDArray[np.float64]:
        """The numbers, (columns, rows): of a long table about MOST_ROWS rows, evenly; no rows of an unreadable one."""
        nothing = np.empty((len(self.columns), 0))
        try:
            rows = self._some_rows()
            found = np.loadtxt(rows, delimiter=",", ndmin=2).T if rows else nothing
        except (OSError, ValueError):
            return nothing
        return found if len(found) == len(self.columns) else nothing

    def _some_rows(self) -> list[str]:
        """About MOST_ROWS lines at most below the header, and the last one; raises OSError, ValueError."""
        every = max(1, os.path.getsize(self.path) // (MOST_ROWS * ROW_BYTES))
        rows: list[str] = []
        with open(self.path, encoding="utf-8") as file:
            number, line = 0, file.readline(LONGEST_ROW)
            while following := file.readline(LONGEST_ROW):
                line = following
                if not line.endswith("\n"):
                    break  # it is still being written, or is no row
                if number % every == 0:
                    rows.append(line)
                number += 1
        if rows and line.endswith("\n") and rows[-1] is not line:
            rows.append(line)
        return rows

    def _step_of(self, line: str) -> float:
        """The step of a complete row; infinite for any other line."""
        first, *rest = line.split(",")
        whole = (
            line.endswith("\n") and len(rest) == len(self.columns) - 1 and re.fullmatch(r"\d{1,18}", first, re.ASCII)
        )
        return int(first) if whole else math.inf


def _append(file: FileIO, text: bytes) -> None:
    """Write at the end of a file: all of it, or nothing."""
    size = file.seek(0, os.SEEK_END)
    try:
        while text:
            text = text[file.write(text) :]
    except OSError:
        file.truncate(size)
        raise


def curve(folder: Path) -> NDArray[np.float64]:
    """Steps, losses and smoothed losses of the run in a folder, (3, n); n is 0 where its table cannot be read."""
    return Table(folder / LOSS_FILE, LOSS_COLUMNS).read()[[0, 2, 3]]
