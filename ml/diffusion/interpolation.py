"""Between images: starting noises and labels, mixed by weights."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ml.config import Corner, Mixing

OPPOSITE = 2e-3  # radians from it that float32 cannot tell: the cosine of 5e-4 is 1 to a last digit


def mixed_noise(noises: Tensor, weights: Tensor, how: Mixing) -> Tensor:
    """Starting noises (corners, ...) by weights (N, corners): (N, ...).

    `slerp` keeps the length that noise has: between two it is Shoemake's spherical interpolation (1985), between more
    the weighted mean stretched to the mean of their lengths. `lerp` is the weighted mean, too short in between.
    """
    flat = noises.flatten(1)
    weights = weights / weights.sum(dim=1, keepdim=True)
    lengths = flat.norm(dim=1)
    rows = []
    for row, shares in zip(weights, weights.tolist(), strict=True):
        used = [corner for corner, share in enumerate(shares) if share]
        if how == "lerp" or len(used) == 1:
            rows.append(row @ flat)
        elif len(used) == 2:
            rows.append(_slerp(flat[used[0]], flat[used[1]], shares[used[1]]))
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
    if angle < 1e-4 or math.pi - angle < OPPOSITE:  # one direction, or no great circle that is the shortest
        mean = (1 - share) * a + share * b
        return mean if angle < 1e-4 else mean * length / mean.norm().clamp(min=1e-12)
    return (math.sin((1 - share) * angle) * ours + math.sin(share * angle) * theirs) * (length / math.sin(angle))


def mixed_labels(corners: tuple[Corner, ...], weights: Tensor, num_classes: int) -> Tensor:
    """What a network is told that knows `num_classes` classes: (N, num_classes + 1), the null label last."""
    labels = [corner.label if corner.label >= 0 else num_classes for corner in corners]
    table = F.one_hot(torch.tensor(labels, device=weights.device), num_classes + 1).to(weights.dtype)
    return weights / weights.sum(dim=1, keepdim=True) @ table
