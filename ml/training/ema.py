"""Exponential moving average of weights, whose memory grows with the run."""

import copy

import torch
from torch import Tensor, nn


class PowerEma:
    """Power-law EMA (Karras et al. 2024, eq. 121): decay (1 - 1/step)^(gamma + 1), so it ramps up by itself.

    At gamma = 5 it averages over about the last sixth of the run so far. Buffers are copied. With a `head_start`, the
    first weights count like those of as many steps: a network that was trained before is not replaced by its first,
    noisy steps, and yet has a share of (head_start / (steps + head_start))^(gamma + 1) only after `steps` steps.
    """

    def __init__(self, network: nn.Module, gamma: float, head_start: int = 0) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.gamma, self.head_start = gamma, head_start

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards `network` after its step number `step`, 1 or more."""
        weight = 1 - (1 - 1 / (step + self.head_start)) ** (self.gamma + 1)
        averages: list[Tensor] = list(self.network.parameters())
        torch._foreach_lerp_(averages, list(network.parameters()), weight)  # pyright: ignore[reportPrivateImportUsage]
        for average, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            average.copy_(buffer)
