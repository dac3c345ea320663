"""Interpolation: starting noises and labels, mixed by weights."""

import math
from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor

from ml.config import Corner
from ml.specs import Mixing

OPPOSITE = 2e-3  # radians from pi that float32 cannot resolve: the cosine of 5e-4 is 1 up to the last digit


def mixed_noise(noises: Tensor, weights: Tensor, how: Mixing) -> Tensor:
    """Starting noises (corners, ...) by weights (N, corners): (N, ...).

    `slerp` keeps the norm of noise. Between two it is Shoemake's spherical interpolation (1985), between more the
    weighted mean rescaled to the mean norm. `lerp` is the weighted mean, whose norm is too small in between.
    """
    flat = noises.flatten(1)
    weights = weights / weights.sum(dim=1, keepdim=True)
    # A copy of each row has the memory alignment of a single one, on which the rounding of dot products depends.
    rows = [MIXINGS[how](flat, row.clone()) for row in weights]
    return torch.stack(rows).view(len(weights), *noises.shape[1:])


def lerp(noises: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean of (corners, D) by (corners,), whose sum is 1: (D,)."""
    return weights @ noises


def slerp(noises: Tensor, weights: Tensor) -> Tensor:
    """Spherical interpolation of (corners, D) by (corners,): (D,); for more than two, the mean at the mean norm."""
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
    """Directions along the great circle, norms linearly from one to the other."""
    lengths = _length(a), _length(b)
    from_a, from_b = a / lengths[0], b / lengths[1]
    angle = math.acos(max(-1.0, min(1.0, float(from_a @ from_b))))
    length = (1 - share) * lengths[0] + share * lengths[1]
    if angle < 1e-4 or math.pi - angle < OPPOSITE:  # one direction, or opposite ones without a shortest great circle
        mean = (1 - share) * a + share * b
        return mean if angle < 1e-4 else mean * length / _length(mean).clamp(min=1e-12)
    return (math.sin((1 - share) * angle) * from_a + math.sin(share * angle) * from_b) * (length / math.sin(angle))


def _length(x: Tensor) -> Tensor:
    """The Euclidean norm over the last dimension."""
    return cast(Tensor, x.norm(dim=-1))  # pyright: ignore[reportUnknownMemberType]


def mixed_labels(corners: tuple[Corner, ...], weights: Tensor, num_classes: int) -> Tensor:
    """Shares of classes for images between corners: (N, num_classes + 1), the null label last.

    The shares of a class are added in the order of the corners: the rounding of a matrix product depends on the batch.
    """
    shares = weights / weights.sum(dim=1, keepdim=True)
    mixed = torch.zeros(len(weights), num_classes + 1, dtype=weights.dtype, device=weights.device)
    for k, corner in enumerate(corners):
        mixed[:, corner.label if corner.label >= 0 else num_classes] += shares[:, k]
    return mixed
