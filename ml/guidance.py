"""Guidance wraps a denoiser and gives a denoiser; samplers do not know."""

import torch
from torch import Tensor

from ml.config import SampleSettings
from ml.denoiser import Denoiser, NetworkDenoiser
from ml.schedules import Level


def conditional(model: NetworkDenoiser, labels: Tensor) -> Denoiser:
    """The model's estimate for these labels (B,), without guidance."""
    return lambda x_t, level: model(x_t, level, labels)


def classifier_free(model: NetworkDenoiser, labels: Tensor, null: int, settings: SampleSettings) -> Denoiser:
    """Classifier-free guidance (Ho & Salimans 2022): u + w (c - u), both branches in one batched forward.

    Applied to x0_hat, which is the same as to eps since both are affine in each other at one x_t. Outside the
    interval of noise levels sigma/alpha (Kynkaanniemi et al. 2024), and at w = 1, only the conditional branch runs.
    """
    w = settings.guidance
    both = torch.cat([labels, torch.full_like(labels, null)])

    def denoise(x_t: Tensor, level: Level) -> Tensor:
        if w == 1 or not settings.guidance_from <= level.ratio <= settings.guidance_to:
            return model(x_t, level, labels)
        cond, uncond = model(torch.cat([x_t, x_t]), level, both).chunk(2)
        return uncond + w * (cond - uncond)

    return denoise


def clipped(denoise: Denoiser) -> Denoiser:
    """Clamp x0_hat to [-1, 1], the range of the data (Ho et al. 2020, their released sampler)."""
    return lambda x_t, level: denoise(x_t, level).clamp(-1, 1)
