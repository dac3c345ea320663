"""Learning-rate schedules."""

import math

from ml.config import TrainConfig


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
