"""Between images: starting noises and labels, mixed by weights."""

import math
from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor

from ml.config import Corner
from ml.specs import Mixing

OPPOSITE = 2e-3  # radians from it that float32 cannot tell: the cosine of 5e-4 is 1 to a last digit


def mixed_noise(noises: Tensor, weights: Tensor, how: Mixing) -> Tensor:
    """Starting noises (corners, ...) by weights (N, corners): (N, ...).

    `slerp` keeps the length that noise has: between two it is Shoemake's spherical interpolation (1985), between more
    the weighted mean stretched to the mean of their lengths. `lerp` is the weighted mean, too short in between.
    """
    flat = noises.flatten(1)
    weights = weights / weights.sum(dim=1, keepdim=True)
    rows = [
        MIXINGS[how](flat, row.clone()) for row in weights
    ]  # aligned as if it were alone: dot products round by that
    return torch.stack(rows).view(len(weights), *noises.shape[1:])


def lerp(noises: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean of (corners, D) by (corners,), whose sum is 1: (D,)."""
    return weights @ noises


def slerp(noises: Tensor, weights: Tensor) -> Tensor:
    """The same on the sphere on which noise lies; between more than two, the mean stretched to the mean length."""
    shares = [float(weight) for weight in weights]
    used = [corner for corner, share in enumerate(shares) if share]
    if len(used) == 1:
        return lerp(noises, weights)
    if len(used) == 2:
        return _between_two(noises[used[0]], noises[used[1]], shares[used[1]])
    mean = lerp(noises, weights)
    return mean * (weights @ _length(noises)) / _length(mean).clamp(min=1e-12)


MIXINGS: Mapping[Mixing, Callable[[Tensor, Tensor], Tensor]] = {"slerp": slerp, "lerp": lerp}


def _between_two(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Directions along the great circle, lengths evenly from one to the other."""
    lengths = _length(a), _length(b)
    ours, theirs = a / lengths[0], b / lengths[1]
    angle = math.acos(max(-1.0, min(1.0, float(ours @ theirs))))
    length = (1 - share) * lengths[0] + share * lengths[1]
    if angle < 1e-4 or math.pi - angle < OPPOSITE:  # one direction, or no great circle that is the shortest
        mean = (1 - share) * a + share * b
        return mean if angle < 1e-4 else mean * length / _length(mean).clamp(min=1e-12)
    return (math.sin((1 - share) * angle) * ours + math.sin(share * angle) * theirs) * (length / math.sin(angle))


def _length(x: Tensor) -> Tensor:
    """The Euclidean norm over the last dimension."""
    return cast(Tensor, x.norm(dim=-1))  # pyright: ignore[reportUnknownMemberType]


def mixed_labels(corners: tuple[Corner, ...], weights: Tensor, num_classes: int) -> Tensor:
    """Shares of classes for images between corners: (N, num_classes + 1), the null label last.

    The shares of a class add up in the order of the corners: a matrix product rounds as the number of images has it.
    """
    shares = weights / weights.sum(dim=1, keepdim=True)
    mixed = torch.zeros(len(weights), num_classes + 1, dtype=weights.dtype, device=weights.device)
    for k, corner in enumerate(corners):
        mixed[:, corner.label if corner.label >= 0 else num_classes] += shares[:, k]
    return mixed
