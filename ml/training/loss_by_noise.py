"""The loss at each noise level."""

import math

import torch
from torch import Tensor

from ml.tracking.metrics_table import NOISE_LEVELS


class LossByNoise:
    """Sums of losses by the noise level of their images."""

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(2, NOISE_LEVELS, device=device)  # of losses, and of their number

    def add(self, noise: Tensor, losses: Tensor) -> None:
        """noise in [0, 1] and losses, (B,)."""
        level = (noise * NOISE_LEVELS).long().clamp_(0, NOISE_LEVELS - 1)
        self.sums.index_add_(1, level, torch.stack([losses.float(), torch.ones_like(noise)]))

    def take(self) -> tuple[float, ...]:
        """The mean loss at each noise level since the last call, nan without a loss there; empty without any loss."""
        sums, counts = self.sums.tolist()
        self.sums.zero_()
        means = (total / count if count else math.nan for total, count in zip(sums, counts, strict=True))
        return tuple(means) if any(counts) else ()
