"""The tables of a run, CSV files in its folder: a row per report, and none beyond the run's step."""

import csv
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.errors import CannotWrite
from ml.files import atomic

NOISE_LEVELS = 10  # from clean images to pure noise, evenly by the angle between image and noise
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

    def add(self, *row: object) -> None:
        """Append a row; raises CannotWrite."""
        fresh = not os.path.exists(self.path)
        try:
            with open(self.path, "a", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerows([self.columns, row] if fresh else [row])
        except OSError as error:
            raise CannotWrite(
                f"Cannot write {self.path}: {error.strerror or error}.", "Make room there, then go on with the run."
            ) from error

    def forget_after(self, step: int) -> None:
        """Take out what a run that was cut off wrote after its last checkpoint, and what is no whole row."""
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


def curve(folder: Path) -> NDArray[np.float64]:
    """Steps, losses and smoothed losses of the run in a folder, (3, n); n is 0 where its table cannot be read."""
    table = Table(folder / LOSS_FILE, LOSS_COLUMNS).read()
    return table[[0, 2, 3]] if len(table) == len(LOSS_COLUMNS) else np.empty((3, 0))
