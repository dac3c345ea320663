"""Guidance and clipping: functions from denoisers to denoisers."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ml.config import SampleSettings
from ml.diffusion.denoiser import Denoiser, NetworkDenoiser
from ml.diffusion.schedules import Level
from ml.specs import Clipping
from ml.threads import one_thread

STEER_FROM, STEER_TO = 0.1, 15.0  # sigma/alpha between which CLIP guidance is active


def conditional(model: NetworkDenoiser, labels: Tensor) -> Denoiser:
    """The model's estimate for these labels (B,), without guidance."""
    return lambda x_t, level: model(x_t, level, labels)


def classifier_free(model: NetworkDenoiser, labels: Tensor, null: Tensor | int, settings: SampleSettings) -> Denoiser:
    """Classifier-free guidance (Ho & Salimans 2022): u + w (c - u), both branches in one batched forward.

    Applied to x0_hat, which is the same as to eps since both are affine in each other at one x_t. At w = 1, as outside
    the interval of noise levels (see `SampleSettings.w_at`), only the conditional branch runs, and at w = 0 only the
    unconditional one.
    """
    if settings.guidance == 1:
        return conditional(model, labels)
    nothing = torch.as_tensor(null, device=labels.device).expand_as(labels)
    both = torch.cat([labels, nothing])

    def denoise(x_t: Tensor, level: Level) -> Tensor:
        w = settings.w_at(level.ratio)
        if w in (0, 1):
            return model(x_t, level, labels if w else nothing)
        cond, uncond = model(torch.cat([x_t, x_t]), level, both).chunk(2)
        guided = uncond + w * (cond - uncond)
        return rescaled(guided, cond, settings.guidance_rescale) if settings.guidance_rescale else guided

    return denoise


def is_pair(settings: SampleSettings, level: Level) -> bool:
    """Whether classifier-free guidance asks for both branches at a level: the guided estimate of a class is a pair."""
    return settings.w_at(level.ratio) not in (0, 1)


def acting_steps(settings: SampleSettings, grid: Sequence[Level]) -> int:
    """In how many steps over `grid` guidance acts: those whose level is in its interval."""
    return sum(settings.w_at(level.ratio) != 1 for level in grid[:-1])


def clip_guided(denoise: Denoiser, log_probability: Callable[[Tensor], Tensor], scale: float) -> Denoiser:
    """Steer with the gradient of log p(text | x0_hat), taken through the network (Dhariwal & Nichol 2021, algorithm 2).

    E[x0 | x_t, text] = x0_hat + (sigma^2 / alpha) grad log p: Tweedie's formula for the score with the text, whose
    classifier reads the estimate (Bansal et al. 2023) and whose gradient is multiplied by `scale`. It is off where the
    estimate is close to the mean of all images, and where it hardly changes any more.
    """

    def steered(x_t: Tensor, level: Level) -> Tensor:
        if not STEER_FROM <= level.ratio <= STEER_TO or not scale:
            return denoise(x_t, level)
        with torch.enable_grad():
            x = x_t.detach().requires_grad_()
            x0 = denoise(x, level)
            (gradient,) = torch.autograd.grad(log_probability(x0).sum(), x)
        return x0.detach() + scale * level.sigma**2 / level.alpha * gradient

    return steered


def completing(denoise: Denoiser, known: Tensor, mask: Tensor) -> Denoiser:
    """Inpainting: the estimate where mask (1, 1, H, W) is 1, and `known` elsewhere (Lugmayr et al. 2022, eq. 8).

    known (1, C, H, W). With a sampler that repeats steps (`repeats`), this is RePaint.
    """
    return lambda x_t, level: mask * denoise(x_t, level) + (1 - mask) * known


def rescaled(guided: Tensor, cond: Tensor, phi: float) -> Tensor:
    """Guidance rescale (Lin et al. 2024, eq. 15, 16): a share phi in [0, 1] of `guided` gets the contrast of `cond`."""
    factor = _contrasts(cond) / _contrasts(guided)
    return guided * (1 - phi + phi * factor)


def _contrasts(x: Tensor) -> Tensor:
    """The standard deviation of each image, (B, 1, 1, 1); the order of its sum does not depend on the batch."""
    with one_thread():
        return torch.stack([image.std() for image in x]).view(-1, 1, 1, 1)


def clipped(denoise: Denoiser) -> Denoiser:
    """Clamp x0_hat to [-1, 1], the range of the data (Ho et al. 2020, their released sampler)."""
    return lambda x_t, level: denoise(x_t, level).clamp(-1, 1)


def thresholded(denoise: Denoiser, percentile: float = 0.995) -> Denoiser:
    """Dynamic thresholding (Saharia et al. 2022): clamp to s, and divide by s.

    s is the image's own `percentile` of |x0_hat|, at least 1.
    """

    def bounded(x_t: Tensor, level: Level) -> Tensor:
        x0 = denoise(x_t, level)
        s = x0.abs().flatten(1).quantile(percentile, dim=1).clamp(min=1).view(-1, 1, 1, 1)
        return x0.clamp(-s, s) / s

    return bounded


CLIPPINGS: Mapping[Clipping, Callable[[Denoiser], Denoiser]] = {
    "none": lambda denoise: denoise,
    "static": clipped,
    "dynamic": thresholded,
}
