"""The trend of a run's losses: still learning, flat, diverging, or overfitting."""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
State = Literal["begun", "learning", "slow", "flat", "diverging", "by heart"]

FIRST = 200  # steps before there is a trend
WINDOWS = (200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)  # steps whose halves are compared
FLAT_FROM = 500
ROWS = 8  # reports that half a window needs at least
SURE = 3.0  # least standard errors of a change that counts
GOES_ON = 1.5  # the same in the window before, for a fall over a long window to count as continuing
BLOWN_UP = 1.5  # times the lowest loss of a window that counts as diverging
BY_HEART = 1.05  # times the lowest held-out loss that counts as overfitting
HELD_OUT = 4  # the last held-out losses, all of which must be above that


class LossTrend(NamedTuple):
    state: State
    words: str


def find_trend(steps: Numbers, losses: Numbers, held_out: Numbers | None = None) -> LossTrend:
    """Compare the halves of a curve's latest windows, relative to their noise.

    steps and losses (n,): a report's last step, and the mean loss since the report before. held_out (m,): losses of
    images that are not trained on, oldest first.
    """
    fine = np.isfinite(losses)
    steps, losses = steps[fine], losses[fine]
    if not fine.all():
        return LossTrend("diverging", "diverging: lower the learning rate")
    if not len(steps) or steps[-1] < FIRST:
        return LossTrend("begun", "the first steps")
    if _blown_up(steps, losses):
        return LossTrend("diverging", "diverging: lower the learning rate")
    if held_out is not None and len(held_out) > HELD_OUT and held_out[-HELD_OUT:].min() > BY_HEART * held_out.min():
        more = held_out[-HELD_OUT:].mean() / held_out.min() - 1
        return LossTrend("by heart", f"learning by heart: {more:.0%} worse than at best on images it has not seen")
    since, flat, before = steps[-1] - steps[0], 0, 0.0
    for window in WINDOWS:
        if window > since:
            break
        found = _halves(steps, losses, window)
        if found is None:
            continue
        change, sureness = found
        falling = change < 0 and sureness > SURE
        if falling and window > FLAT_FROM and before < GOES_ON:
            break  # the fall ended some time ago
        if falling:
            state: State = "learning" if window <= FLAT_FROM else "slow"
            slowly = "still learning" if state == "learning" else "learning slowly"
            return LossTrend(state, f"{slowly}: {-math.expm1(change):.0%} lower than {window // 2:,} steps ago")
        flat, before = window, sureness if change < 0 else 0.0
    if flat < FLAT_FROM:
        return LossTrend("begun", "too early to say" if since < FLAT_FROM else "hardly changing")
    return LossTrend("flat", f"flat for {flat:,} steps")


def _halves(steps: Numbers, losses: Numbers, window: int) -> tuple[float, float] | None:
    """The change of the log loss from the older half of the last `window` steps to the newer, and its standard errors.

    None for too few reports.
    """
    newer = losses[steps > steps[-1] - window / 2]
    older = losses[(steps > steps[-1] - window) & (steps <= steps[-1] - window / 2)]
    if min(len(newer), len(older)) < ROWS:
        return None
    logs = [np.log(np.maximum(half, 1e-12)) for half in (older, newer)]
    change = float(logs[1].mean() - logs[0].mean())
    error = math.sqrt(sum(float(half.var(ddof=1)) / len(half) for half in logs))
    return change, abs(change) / max(error, 1e-12)


def _blown_up(steps: Numbers, losses: Numbers) -> bool:
    """Whether the losses of the last steps are far above those before; a spike does not count."""
    size = FIRST // 4
    latest = losses[steps > steps[-1] - size]
    before = losses[steps <= steps[-1] - size]
    if len(before) < ROWS or not len(latest):
        return False
    rows = max(1, min(len(latest), len(before)))
    lowest = np.convolve(before, np.ones(rows) / rows, "valid").min()
    return float(np.median(latest)) > BLOWN_UP * lowest and float(latest.mean()) > BLOWN_UP * lowest
