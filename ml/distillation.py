"""Consistency distillation (Song et al. 2023): a student that goes in one step where its teacher takes many."""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from ml import pipeline
from ml.config import DeviceName, SampleSettings, TrainConfig
from ml.data import Dataset
from ml.denoiser import NetworkDenoiser
from ml.pictures import Images
from ml.schedules import Levels, q_sample, schedule_of

LEVELS = 20  # of the teacher's grid, between which the student learns to be consistent
SIGMA_MAX, SIGMA_MIN, PURE = 20.0, 0.05, 1000.0
HUBER = 0.00054  # c of the pseudo-Huber loss, per square root of the number of pixels (Song & Dhariwal 2024)


class Jump(NamedTuple):
    """Noisy images with their labels, and the two neighbouring levels a step of the teacher goes between; B each."""

    x_t: Tensor
    labels: Tensor
    now: Tensor  # (B, 3): t, alpha, sigma
    then: Tensor


class Distilling:
    """Students: wherever on a path of the teacher the student looks, it should see the same clean image.

    The teacher is guided as its own defaults say, so that the student needs no second branch.
    """

    divisible = True

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.images = config, Images(dataset, device)
        teacher = pipeline.load(config.teacher_from, cast(DeviceName, device.type))
        self.teacher = NetworkDenoiser(teacher.network, teacher.config.prediction)
        self.settings = teacher.header.defaults
        self.null = teacher.config.num_classes
        grid = schedule_of(config.model).grid(LEVELS, "karras", SIGMA_MAX, SIGMA_MIN, PURE)
        self.grid = torch.tensor([(level.t, level.alpha, level.sigma) for level in grid], device=device)

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> Jump:
        x0, labels = self.images[chosen]
        if not self.null:
            labels = torch.zeros_like(labels)
        eps = torch.randn(x0.shape, generator=rng, device=x0.device)
        at = torch.randint(LEVELS, (len(x0),), generator=rng, device=x0.device)
        now = self.grid[at]
        levels = _levels(now)
        return Jump(q_sample(x0, eps, levels.alpha, levels.sigma), labels, now, self.grid[at + 1])

    def losses(self, network: nn.Module, batch: Jump, rng: torch.Generator) -> Tensor:
        """Pseudo-Huber distance of what the student sees before and after a step of the teacher (eq. 7): (B,)."""
        student = NetworkDenoiser(network, self.config.model.prediction)
        now, then = _levels(batch.now), _levels(batch.then)
        with torch.no_grad():
            x0 = guided(self.teacher, batch.x_t, now, batch.labels, self.null, self.settings).float()
            x_s = then.alpha * x0 + then.sigma * (batch.x_t - now.alpha * x0) / now.sigma  # DDIM
            seen = student(x_s, then, batch.labels).float()
            wanted = torch.where(then.sigma > 0, seen, x0)
        off = (student(batch.x_t, now, batch.labels).float() - wanted).flatten(1)
        c = HUBER * off.shape[1] ** 0.5
        return (off.square().sum(dim=1) + c**2).sqrt() - c


def guided(
    teacher: NetworkDenoiser, x_t: Tensor, levels: Levels, labels: Tensor, null: int, settings: SampleSettings
) -> Tensor:
    """Classifier-free guidance at a level for each image; see `guidance.classifier_free`."""
    cond = teacher(x_t, levels, labels)
    if settings.guidance == 1 or not null:
        return cond
    uncond = teacher(x_t, levels, torch.full_like(labels, null))
    ratio = levels.sigma / levels.alpha.clamp(min=1e-9)
    within = (ratio >= settings.guidance_from) & (ratio <= settings.guidance_to)
    return torch.where(within, uncond + settings.guidance * (cond - uncond), cond)


def _levels(rows: Tensor) -> Levels:
    t, alpha, sigma = rows.unbind(dim=1)
    return Levels(t, alpha.view(-1, 1, 1, 1), sigma.view(-1, 1, 1, 1))
