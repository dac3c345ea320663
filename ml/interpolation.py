"""Between images: starting noises and labels mixed by weights, and the weights of lines, loops and pads."""

import math
from itertools import pairwise

import torch
from torch import Tensor

from ml.config import Corner, Mixing

Weights = tuple[tuple[float, ...], ...]  # a row for each image, a weight for each corner


def line(frames: int) -> Weights:
    """From the first of two corners to the second."""
    shares = [k / max(frames - 1, 1) for k in range(frames)]
    return tuple((1 - share, share) for share in shares)


def path(corners: int, frames: int, *, loop: bool = False) -> Weights:
    """Through all corners in turn at an even pace, with `loop` back towards the first, which a next round shows."""
    legs = list(pairwise([*range(corners), *([0] if loop else [])]))
    rows: list[tuple[float, ...]] = []
    for k in range(frames):
        along = len(legs) * k / (frames if loop else max(frames - 1, 1))
        leg = min(int(along), len(legs) - 1)
        first, second = legs[leg]
        row = [0.0] * corners
        row[first] += 1 - (along - leg)
        row[second] += along - leg
        rows.append(tuple(row))
    return tuple(rows)


def pad(columns: int, rows: int) -> Weights:
    """A grid between four corners (upper left, upper right, lower left, lower right), row by row."""
    return tuple(
        corner_weights(column / max(columns - 1, 1), row / max(rows - 1, 1))
        for row in range(rows)
        for column in range(columns)
    )


def corner_weights(x: float, y: float) -> tuple[float, float, float, float]:
    """Bilinear weights of the four corners at (x, y) in [0, 1]^2, from the upper left."""
    return ((1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y)


def mixed_noise(noises: Tensor, weights: Tensor, how: Mixing) -> Tensor:
    """Starting noises (corners, ...) by weights (N, corners): (N, ...).

    `slerp` keeps the length that noise has: between two it is Shoemake's spherical interpolation (1985), between more
    the weighted mean stretched to the mean of their lengths. `lerp` is the weighted mean, too short in between.
    """
    flat = noises.flatten(1)
    weights = weights / weights.sum(dim=1, keepdim=True)
    lengths = flat.norm(dim=1)
    used = weights.count_nonzero(dim=1)
    rows = []
    for row, count in zip(weights, used.tolist(), strict=True):
        at = row.nonzero().flatten()
        if how == "lerp" or count == 1:
            rows.append(row @ flat)
        elif count == 2:
            rows.append(_slerp(flat[at[0]], flat[at[1]], float(row[at[1]])))
        else:
            mean = row @ flat
            rows.append(mean * (row @ lengths) / mean.norm().clamp(min=1e-12))
    return torch.stack(rows).view(len(weights), *noises.shape[1:])


def _slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Directions along the great circle, lengths evenly from one to the other."""
    lengths = a.norm(), b.norm()
    ours, theirs = a / lengths[0], b / lengths[1]
    angle = math.acos(max(-1.0, min(1.0, float(ours @ theirs))))
    length = (1 - share) * lengths[0] + share * lengths[1]
    if angle < 1e-4 or math.pi - angle < 1e-4:  # one direction, or no great circle that is the shortest
        mean = (1 - share) * a + share * b
        return mean if angle < 1e-4 else mean * length / mean.norm().clamp(min=1e-12)
    return (math.sin((1 - share) * angle) * ours + math.sin(share * angle) * theirs) * (length / math.sin(angle))


def mixed_labels(corners: tuple[Corner, ...], weights: Tensor, num_classes: int) -> Tensor:
    """What a network is told that knows `num_classes` classes: (N, num_classes + 1), the null label last."""
    table = torch.zeros(len(corners), num_classes + 1, dtype=weights.dtype, device=weights.device)
    for row, corner in zip(table, corners, strict=True):
        row[corner.label if corner.label >= 0 else num_classes] = 1
    return weights / weights.sum(dim=1, keepdim=True) @ table
