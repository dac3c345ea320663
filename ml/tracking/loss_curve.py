"""The loss curve of a run: smoothed, checked for divergence, and written to a table."""

import math

from ml.errors import Diverged
from ml.tracking.metrics_table import Table

SMOOTHING_STEPS = 100
EXPLODED = 10.0  # times the loss of the first step
EVERY_STEP, EVERY_TENTH = 1000, 10_000  # the last steps up to which each one, and each tenth one, has a row


class LossCurve:
    """The losses of consecutive steps. The step alone decides whether it has a row, never the clock.

    So the table of an interrupted and resumed run equals that of an uninterrupted one, except for times and speeds.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.smooth: float | None = None
        self.scale: float | None = None  # the loss of the first step, and 1 at least
        self.since_row: list[float] = []

    def add(self, step: int, loss: float, lr: float, grad_norm: float, elapsed_s: float, images_per_s: float) -> None:
        """Add the mean loss of a step's batch; raises Diverged."""
        if not math.isfinite(loss):
            raise Diverged(f"The loss became {loss} at step {step}.")
        if self.scale is None:
            self.scale = max(loss, 1.0)
        keep = 1 - 1 / min(step, SMOOTHING_STEPS)
        self.smooth = loss if self.smooth is None else keep * self.smooth + (1 - keep) * loss
        if self.smooth > EXPLODED * self.scale:
            raise Diverged(f"The loss exploded to {self.smooth:.3g} at step {step}.")
        self.since_row.append(loss)
        if _has_row(step):
            mean = sum(self.since_row) / len(self.since_row)
            self.table.add(step, f"{elapsed_s:.2f}", mean, self.smooth, lr, grad_norm, f"{images_per_s:.1f}")
            self.since_row.clear()


def _has_row(step: int) -> bool:
    return step % (1 if step <= EVERY_STEP else 10 if step <= EVERY_TENTH else 100) == 0
