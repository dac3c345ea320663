"""The table of a run's losses, `loss.csv`: a row per report, and none beyond the run's step."""

import csv
import math
import os
from pathlib import Path

from ml.errors import CannotWrite
from ml.events import TrainStep
from ml.files import atomic

LOSS_FILE = "loss.csv"
COLUMNS = ("step", "seconds", "loss", "smooth_loss", "lr", "grad_norm", "images_per_s")


class LossTable:
    """The table in a run's folder; it appears with its first row."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOSS_FILE

    def add(self, event: TrainStep) -> None:
        """Append a row; raises CannotWrite."""
        seconds, speed = f"{event.elapsed_s:.2f}", f"{event.images_per_s:.1f}"
        row = (event.step, seconds, event.loss, event.smooth_loss, event.lr, event.grad_norm, speed)
        fresh = not os.path.exists(self.path)
        try:
            with open(self.path, "a", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerows([COLUMNS, row] if fresh else [row])
        except OSError as error:
            raise CannotWrite(
                f"Cannot write {self.path}: {error.strerror or error}.", "Make room there, then go on with the run."
            ) from error

    def forget_after(self, step: int) -> None:
        """Take out what a run that was cut off wrote after its last checkpoint, and what is no whole row."""
        if os.path.isfile(self.path):
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            kept = [line for line in lines if _step_of(line) <= step]
            with atomic(self.path) as temporary:
                temporary.write_text("".join([",".join(COLUMNS), "\n", *kept]), encoding="utf-8")


def _step_of(line: str) -> float:
    """The step of a whole row; infinite where it is none."""
    first, *rest = line.split(",")
    whole = line.endswith("\n") and len(rest) == len(COLUMNS) - 1 and first.isdecimal()
    return int(first) if whole else math.inf
