"""The tables of a run, CSV files in its folder: a row per report, and none beyond the run's step."""

import csv
import math
import os
from collections.abc import Sequence
from io import FileIO, StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.files import atomic, refusal

NOISE_LEVELS = 10  # from clean images to pure noise, evenly by the angle between image and noise
CONFIG_FILE = "config.json"  # of a run, beside its tables
LOSS_FILE = "loss.csv"
LOSS_COLUMNS = ("step", "seconds", "loss", "smooth_loss", "lr", "grad_norm", "images_per_s")
NOISE_FILE = "noise.csv"
NOISE_COLUMNS = ("step", *(f"noise {k / NOISE_LEVELS:.1f}-{(k + 1) / NOISE_LEVELS:.1f}" for k in range(NOISE_LEVELS)))
VALIDATION_FILE = "validation.csv"
VALIDATION_COLUMNS = ("step", "loss")


class Table:
    """A table whose first column is the step; it appears with its first row."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, tuple(columns)
        self._waiting: list[Sequence[object]] = []

    def add(self, *row: object) -> None:
        """A row, for the next `write`."""
        self._waiting.append(row)

    def write(self) -> None:
        """Append the rows that were added; raises CannotWrite, and then all of them wait for the next time."""
        if not self._waiting:
            return
        fresh = not os.path.exists(self.path)
        text = StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self._waiting] if fresh else self._waiting)
        try:
            with open(self.path, "ab", buffering=0) as file:
                _append(file, text.getvalue().encode())
        except OSError as error:
            raise refusal(f"write {self.path}", error) from error
        self._waiting.clear()

    def forget_after(self, step: int) -> None:
        """Take out what came after a checkpoint that is gone back to, and what is no whole row; raises CannotWrite."""
        self._waiting.clear()
        if os.path.isfile(self.path):
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            kept = [line for line in lines if self._step_of(line) <= step]
            with atomic(self.path) as temporary:
                temporary.write_text("".join([",".join(self.columns), "\n", *kept]), encoding="utf-8")

    def read(self) -> NDArray[np.float64]:
        """What it holds, (columns, rows); no rows where it cannot be read."""
        try:
            rows = self.path.read_text(encoding="utf-8").splitlines()[1:]
            return np.loadtxt(rows, delimiter=",", ndmin=2).T if rows else np.empty((len(self.columns), 0))
        except (OSError, ValueError):
            return np.empty((len(self.columns), 0))

    def _step_of(self, line: str) -> float:
        """The step of a whole row; infinite where it is none."""
        first, *rest = line.split(",")
        whole = line.endswith("\n") and len(rest) == len(self.columns) - 1 and first.isdecimal()
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
    table = Table(folder / LOSS_FILE, LOSS_COLUMNS).read()
    return table[[0, 2, 3]] if len(table) == len(LOSS_COLUMNS) else np.empty((3, 0))
