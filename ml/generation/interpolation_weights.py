"""Interpolation weights: the share of each corner in every image of a path, a loop or a pad."""

from collections.abc import Sequence
from itertools import pairwise

Weights = tuple[tuple[float, ...], ...]  # a row for each image, a weight for each corner


def path(order: Sequence[int], frames: int, *, loop: bool = False) -> Weights:
    """Through the corners in that order at an even pace; a `loop` returns to just before the first corner."""
    legs = list(pairwise([*order, *(order[:1] if loop else ())]))
    rows: list[tuple[float, ...]] = []
    for k in range(frames):
        along = len(legs) * k / (frames if loop else max(frames - 1, 1))
        leg = min(int(along), len(legs) - 1)
        row = [0.0] * (max(order) + 1)
        row[legs[leg][0]] += 1 - (along - leg)
        row[legs[leg][1]] += along - leg
        rows.append(tuple(row))
    return tuple(rows)


def pad(columns: int, rows: int) -> Weights:
    """A grid between four corners (upper left, upper right, lower left, lower right), row by row."""
    across, down = ([k / max(count - 1, 1) for k in range(count)] for count in (columns, rows))
    return tuple(place(x, y) for y in down for x in across)


def place(x: float, y: float) -> tuple[float, float, float, float]:
    """Bilinear weights of the four corners at (x, y) in [0, 1]^2, from the upper left."""
    return ((1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y)
