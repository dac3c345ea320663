"""The answer to a classic question in one or two sentences, from its figures."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, sqrt

from ml.experiments.questions import Answer, Row

SAME_VARIETY = 0.02  # a smaller difference is not told


def conclusion(answered: Answer) -> str:
    """What the rows of an answer show; empty for rows without scores."""
    conclude = CONCLUSIONS[answered.name]
    known = all(row.half is not None for row in answered.rows) or all(row.right is not None for row in answered.rows)
    return conclude(answered.rows) if known and len(answered.rows) > 1 else ""


def _right(row: Row) -> int:
    """How many of the judged images are right."""
    return round(row.judged * (row.right or 0))


def _chance(rows: Sequence[Row]) -> int:
    """The difference of two rows below which it can be chance: two standard errors at the best row, at least 2."""
    p, n = max(row.right or 0 for row in rows), rows[0].judged
    return max(2, ceil(2 * sqrt(2 * p * (1 - p) * n)))


def _half(rows: Sequence[Row]) -> str:
    """When half of the image is noise."""
    each = [f"after {row.half:,} steps with “{row.label.split(',')[0]}”" for row in rows]
    return f"Half of the image is noise {' and '.join(each)}."


def _enough(rows: Sequence[Row]) -> str:
    """The first row that is as good as the best."""
    best = max(rows, key=_right)
    first = next(row for row in rows if _right(row) > _right(best) - _chance(rows))
    if first is rows[0]:
        return f"All is there from the first row on: “{first.label}” gets {_right(first)} of {first.judged} right."
    before = rows[rows.index(first) - 1]
    more = f" The most, {_right(best)}, come with “{best.label}”." if best is not first else ""
    return (
        f"“{first.label}” is enough: {_right(first)} of {first.judged} are right, with “{before.label}” only "
        f"{_right(before)}.{more}"
    )


def _change(rows: Sequence[Row]) -> str:
    """What changes from the first row to the last."""
    first, last = rows[0], rows[-1]
    was, now = _right(first), _right(last)
    if abs(now - was) < _chance(rows):
        right = f"the right ones stay about the same, {was} and {now} of {last.judged}"
    else:
        right = f"the right ones {'rise' if now > was else 'fall'} from {was} to {now} of {last.judged}"
    before, after = first.variety or 0, last.variety or 0
    if abs(after - before) < SAME_VARIETY:
        variety = f"the variety stays at {after:.2f}"
    else:
        variety = f"the variety {'rises' if after > before else 'falls'} from {before:.2f} to {after:.2f}"
    return f"From “{first.label}” to “{last.label}” {right}, and {variety}."


def _extremes(rows: Sequence[Row]) -> str:
    """The rows with the most and the fewest right images."""
    best, worst = max(rows, key=_right), min(rows, key=_right)
    if _right(best) - _right(worst) < _chance(rows):
        return (
            f"All rows get about the same number right, {_right(worst)} to {_right(best)} of {best.judged}: so small a "
            "difference can be chance."
        )
    return (
        f"Most are right with “{best.label}”, {_right(best)} of {best.judged}; "
        f"fewest with “{worst.label}”, {_right(worst)}."
    )


CONCLUSIONS: Mapping[str, Callable[[Sequence[Row]], str]] = {
    "schedule": _half,
    "steps": _enough,
    "eta": _change,
    "guidance": _change,
    "guidance-wide": _change,
    "chain": _enough,
    "clipping": _change,
    "samplers": _extremes,
    "student": _extremes,
    "words": _extremes,
}
