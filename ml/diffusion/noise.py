"""Noise that depends on the seed of an image alone."""

from collections.abc import Callable

import torch
from torch import Tensor

Noise = Callable[[], Tensor]  # fresh standard normal noise, (B, C, H, W)


class SeededNoise:
    """Noise from one generator per image, so that it does not depend on the batch."""

    def __init__(self, seeds: list[int], shape: tuple[int, ...], device: torch.device) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._shape, self._device = shape, device

    def continue_from(self, earlier: "SeededNoise", same: list[bool]) -> None:
        """Continue the random generators of `earlier` for the images that are the `same`."""
        pairs = zip(self._generators, earlier._generators, same, strict=True)
        self._generators = [other if kept else own for own, other, kept in pairs]

    def __call__(self) -> Tensor:
        return torch.stack([torch.randn(self._shape, generator=g) for g in self._generators]).to(self._device)
