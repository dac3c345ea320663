"""Learning-rate schedules."""

import math
from collections.abc import Callable

from ml.config import TrainConfig

Curve = Callable[[float], float]  # progress from 0 to 1 in the warm-up or the rest -> share of the highest rate
LEAST = 4e-6


def _linear_warmup(done: float) -> float:
    return done


def _cosine_warmup(done: float) -> float:
    return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * done)) / 2


def _cosine(done: float) -> float:
    return max((1 + math.cos(math.pi * done)) / 2, LEAST)


def _linear(done: float) -> float:
    return max(1 - done, LEAST)


def _constant(_done: float) -> float:
    return 1.0


SCHEDULES: dict[str, tuple[Curve, Curve]] = {
    "onecycle": (_cosine_warmup, _cosine),  # Smith & Topin 2018, with the constants of torch.optim's OneCycleLR
    "cosine": (_linear_warmup, _cosine),
    "linear": (_linear_warmup, _linear),
    "constant": (_linear_warmup, _constant),
}


def lr_factor(config: TrainConfig, progress: float) -> float:
    """The learning rate's share of its maximum at `progress` in [0, 1] of the budget. Raises KeyError."""
    warmup, rest_of_run = SCHEDULES[config.lr_schedule]
    if progress < config.warmup:
        return warmup(progress / config.warmup)
    rest = min((progress - config.warmup) / (1 - config.warmup), 1.0)
    return rest_of_run(rest)
