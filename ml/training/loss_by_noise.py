"""Loss by noise level."""

import math

import torch
from torch import Tensor

from ml.tracking.metrics_table import NOISE_LEVELS


class LossByNoise:
    """Adds up losses by how noisy their images were."""

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(2, NOISE_LEVELS, device=device)  # of losses, and how many

    def add(self, noise: Tensor, losses: Tensor) -> None:
        """noise in [0, 1] and losses, (B,)."""
        level = (noise * NOISE_LEVELS).long().clamp_(0, NOISE_LEVELS - 1)
        self.sums.index_add_(1, level, torch.stack([losses.float(), torch.ones_like(noise)]))

    def take(self) -> tuple[float, ...]:
        """The mean at each noise level since the last time, nan where there was none; empty where nothing came."""
        sums, counts = self.sums.tolist()
        self.sums.zero_()
        means = (total / count if count else math.nan for total, count in zip(sums, counts, strict=True))
        return tuple(means) if any(counts) else ()
