"""Optimisers and learning-rate schedules of a run."""

import math
import re

import torch
from torch import nn

from ml.config import TrainConfig

OUTER = re.compile(r"(^|\.)(into|out)\.")  # the first and the last layer


class ConvMuon:
    """torch's Muon (Jordan et al. 2024), which takes matrices only, for convolutions seen as (out, rest) matrices.

    The matrices share the weights' memory, so a step on them is a step on the convolutions.
    """

    def __init__(self, weights: list[nn.Parameter], lr: float, weight_decay: float) -> None:
        self._weights = weights
        self._matrices = [nn.Parameter(self._matrix(w.detach())) for w in weights]
        if any(m.data_ptr() != w.data_ptr() for m, w in zip(self._matrices, weights, strict=True)):
            raise ValueError("convolution weights must be in channels_last memory format")
        self.inner = torch.optim.Muon(self._matrices, lr=lr, weight_decay=weight_decay, nesterov=True)

    def step(self) -> None:
        """One update from the gradients of the convolutions."""
        for matrix, weight in zip(self._matrices, self._weights, strict=True):
            matrix.grad = self._matrix(weight.grad) if weight.grad is not None else None
        self.inner.step()

    @staticmethod
    def _matrix(weight: torch.Tensor) -> torch.Tensor:
        return weight.permute(0, 2, 3, 1).reshape(weight.shape[0], -1)


class Optimizer:
    """The optimiser a run asks for, with one learning rate: `muon` is Muon on inner convolutions, AdamW elsewhere.

    Depth-wise convolutions mix no channels, so there is nothing in them that Muon could make orthogonal.
    """

    def __init__(self, network: nn.Module, config: TrainConfig) -> None:
        parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self._muon: ConvMuon | None = None
        if config.optimizer == "muon":
            inner = {n: p for n, p in parameters.items() if p.ndim == 4 and p.shape[1] > 1 and not OUTER.search(n)}
            self._muon = ConvMuon(list(inner.values()), config.lr, config.weight_decay)
            parameters = {n: p for n, p in parameters.items() if n not in inner}
        kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
        self._adam = kind(parameters.values(), lr=config.lr, weight_decay=config.weight_decay, betas=(0.9, 0.99))
        self.parts: dict[str, torch.optim.Optimizer] = {"adam.": self._adam}
        if self._muon:
            self.parts["muon."] = self._muon.inner

    def step(self, lr: float) -> None:
        """One update with that learning rate, for all parts."""
        for part in self.parts.values():
            for group in part.param_groups:
                group["lr"] = lr
        self._adam.step()
        if self._muon:
            self._muon.step()


def lr_factor(config: TrainConfig, progress: float) -> float:
    """The learning rate's share of its maximum at `progress` in [0, 1] of the budget.

    `onecycle` is Smith & Topin 2018 with torch's own constants (start 1/25, end 4e-6, both ways by a cosine).
    """
    if progress < config.warmup:
        ramp = progress / config.warmup
        return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * ramp)) / 2 if config.lr_schedule == "onecycle" else ramp
    rest = min((progress - config.warmup) / (1 - config.warmup), 1.0)
    if config.lr_schedule in ("onecycle", "cosine"):
        return max((1 + math.cos(math.pi * rest)) / 2, 4e-6)
    return 1.0 if config.lr_schedule == "constant" else max(1 - rest, 4e-6)
