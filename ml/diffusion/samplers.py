"""Samplers: loops over a grid of noise levels that yield every step.

All take a denoiser, x at the first level (B, C, H, W), the grid (noisiest first, CLEAN last) and a source of fresh
noise, then by name the settings that `ml.specs` lists for them. They yield a `DenoiseStep` per level: `steps + 1` of
them, the last one clean.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from ml import specs
from ml.config import SampleSettings
from ml.diffusion.denoiser import Denoiser, to_eps
from ml.diffusion.guidance import CLIPPINGS, clipped, is_pair
from ml.diffusion.noise import Noise
from ml.diffusion.schedules import Level
from ml.specs import SamplerName, Variance

REPEAT_FROM, REPEAT_TO = 0.3, 15.0  # sigma/alpha; at other levels repeats hardly change the image


class DenoiseStep(NamedTuple):
    """A state of the reverse process: x_t at `level`, and the model's estimate of the clean image."""

    step: int
    level: Level
    x_t: Tensor
    x0_hat: Tensor


def ddim_step(
    x_t: Tensor, x0: Tensor, now: Level, then: Level, noise: Noise, eta: float, variance: Variance = "posterior"
) -> Tensor:
    """Song et al. 2021, eq. 12 and 16, on any path: eta = 0 is DDIM, eta = 1 DDPM with posterior variance.

    `variance="beta"` has DDPM's mean and the larger of its two variances (Ho et al. 2020, section 3.2).
    """
    if then.sigma == 0:
        return then.alpha * x0
    added = max(now.sigma**2 - (now.alpha / then.alpha * then.sigma) ** 2, 0.0)  # variance of q(x_t | x_s)
    u = eta * math.sqrt(added) * then.sigma / now.sigma
    x = then.alpha * x0 + math.sqrt(max(then.sigma**2 - u**2, 0.0)) * to_eps(x0, x_t, now)
    spread = math.sqrt(added) if variance == "beta" else u
    return x + spread * noise() if spread > 0 else x


def noise_again(x: Tensor, now: Level, then: Level, noise: Noise) -> Tensor:
    """The forward process from one noise level to a higher one: q(x_then | x_now)."""
    keep = then.alpha / now.alpha
    return keep * x + math.sqrt(max(then.sigma**2 - (keep * now.sigma) ** 2, 0.0)) * noise()


def times_again(now: Level, then: Level, repeats: int) -> int:
    """How often the step from `now` to `then` is repeated."""
    return repeats if REPEAT_FROM <= now.ratio <= REPEAT_TO and then.sigma > 0 else 0


@torch.no_grad()
def ddim(
    denoise: Denoiser,
    x: Tensor,
    grid: list[Level],
    noise: Noise,
    eta: float = 0.0,
    variance: Variance = "posterior",
    repeats: int = 0,
) -> Iterator[DenoiseStep]:
    """DDIM (Song et al. 2021) for eta in [0, 1]; over a strided grid, eta = 1 is strided DDPM.

    On the flow path eta = 0 is Euler's method: x_s = x_t + (s - t) u. Each step between REPEAT_FROM and REPEAT_TO is
    repeated `repeats` times after adding its noise again (RePaint, Lugmayr et al. 2022), which strengthens guidance.
    The last repetition is the `DenoiseStep`.
    """
    for step, (now, then) in enumerate(pairwise(grid)):
        for _ in range(times_again(now, then, repeats)):
            x = noise_again(ddim_step(x, denoise(x, now), now, then, noise, eta, variance), then, now, noise)
        x0 = denoise(x, now)
        yield DenoiseStep(step, now, x, x0)
        x = ddim_step(x, x0, now, then, noise, eta, variance)
    yield DenoiseStep(len(grid) - 1, grid[-1], x, x)


# With few steps, a step that is longer than the one before is first order, too: the second order would extrapolate
# far beyond the last two estimates.
FEW, LEAST_R = 10, 1.0


@torch.no_grad()
def dpm_solver_2m(
    denoise: Denoiser, x: Tensor, grid: list[Level], noise: Noise, earlier: DenoiseStep | None = None
) -> Iterator[DenoiseStep]:
    """DPM-Solver++(2M), Lu et al. 2022b, algorithm 2: DDIM over x0 extrapolated from the last two estimates.

    `earlier` is the step before x of a continued trajectory.
    """
    before = (earlier.level, earlier.x0_hat) if earlier else None
    few = len(grid) + (earlier.step + 1 if earlier else 0) <= FEW  # counts the steps of the whole trajectory
    for step, (now, then) in enumerate(pairwise(grid)):
        x0 = denoise(x, now)
        yield DenoiseStep(step, now, x, x0)
        extrapolated = x0
        if before is not None and then.sigma > 0:  # first order for the last step, to infinite lambda
            h_before = now.log_snr_half - before[0].log_snr_half
            r = h_before / (then.log_snr_half - now.log_snr_half)
            if r >= LEAST_R or not few:
                extrapolated = x0 + (x0 - before[1]) / (2 * r)
        before = (now, x0)
        x = ddim_step(x, extrapolated, now, then, noise, eta=0.0)
    yield DenoiseStep(len(grid) - 1, grid[-1], x, x)


@torch.no_grad()
def heun(denoise: Denoiser, x: Tensor, grid: list[Level], noise: Noise) -> Iterator[DenoiseStep]:
    """Heun's second-order method (Karras et al. 2022, algorithm 1) on y = x / alpha: dy/dr = (y - x0) / r.

    r = sigma / alpha. Two network calls per step, one in the last.
    """
    for step, (now, then) in enumerate(pairwise(grid)):
        x0 = denoise(x, now)
        yield DenoiseStep(step, now, x, x0)
        euler = ddim_step(x, x0, now, then, noise, eta=0.0)
        if then.sigma > 0 and now.alpha > 0:  # y is infinite in pure noise
            slope = (to_eps(x0, x, now) + to_eps(denoise(euler, then), euler, then)) / 2
            x = then.alpha * (x / now.alpha + (then.ratio - now.ratio) * slope)
        else:
            x = euler
    yield DenoiseStep(len(grid) - 1, grid[-1], x, x)


@torch.no_grad()
def consistency(denoise: Denoiser, x: Tensor, grid: list[Level], noise: Noise) -> Iterator[DenoiseStep]:
    """Multistep consistency sampling (Song et al. 2023, algorithm 1): the clean image, fresh noise, the clean image.

    Made for students, whose first estimate is a sharp image. With other models images are blurred: their estimate is a
    mean.
    """
    for step, (now, then) in enumerate(pairwise(grid)):
        x0 = denoise(x, now)
        yield DenoiseStep(step, now, x, x0)
        x = then.alpha * x0 + (then.sigma * noise() if then.sigma > 0 else 0.0)
    yield DenoiseStep(len(grid) - 1, grid[-1], x, x)


@torch.no_grad()
def ddim_inversion(denoise: Denoiser, x0: Tensor, grid: list[Level], refinements: int = 3) -> Tensor:
    """The noise that DDIM (eta = 0) over `grid` turns into given images (Song et al. 2021, section 4.3).

    DDIM's own step is solved for x_t by fixed-point iteration (Pan et al. 2023): x_t at the higher level depends on
    the estimate there. x0 and the result (B, C, H, W).
    """
    x = grid[-2].alpha * x0
    for then, now in pairwise(reversed(grid[:-1])):
        noisier = x
        for _ in range(1 + refinements):
            estimate = denoise(noisier, now)
            noisier = now.alpha * estimate + now.sigma * to_eps(estimate, x, then)
        x = noisier
    return x


def ddpm_clipped(
    denoise: Denoiser, x: Tensor, grid: list[Level], noise: Noise, variance: Variance = "posterior", repeats: int = 0
) -> Iterator[DenoiseStep]:
    """DDPM with x0_hat clamped to [-1, 1] at every step, as Ho et al. 2020 released it."""
    return ddim(clipped(denoise), x, grid, noise, 1.0, variance, repeats)


@torch.no_grad()
def ddim_clipped(
    denoise: Denoiser, x: Tensor, grid: list[Level], noise: Noise, eta: float = 0.0
) -> Iterator[DenoiseStep]:
    """DDIM with x0_hat clamped to [-1, 1] beside the noise of the estimate before it, as diffusers has it."""
    for step, (now, then) in enumerate(pairwise(grid)):
        x0 = denoise(x, now)
        clamped = x0.clamp(-1, 1)
        yield DenoiseStep(step, now, x, clamped)
        x = ddim_step(x, x0, now, then, noise, eta) + then.alpha * (clamped - x0)
    yield DenoiseStep(len(grid) - 1, grid[-1], x, x)


SAMPLERS: Mapping[SamplerName, Callable[..., Iterator[DenoiseStep]]] = {
    "dpm++": dpm_solver_2m,
    "ddim": ddim,
    "ddim-clip": ddim_clipped,
    "euler": ddim,
    "ddpm": partial(ddim, eta=1.0),
    "ddpm-clip": ddpm_clipped,
    "heun": heun,
    "student": consistency,
}


def run_sampler(
    settings: SampleSettings,
    denoise: Denoiser,
    x: Tensor,
    grid: list[Level],
    noise: Noise,
    earlier: DenoiseStep | None = None,
) -> Iterator[DenoiseStep]:
    """The sampler of the settings, with the settings it uses; `earlier` is the step before x of a continued trajectory.

    Raises KeyError for an unknown sampler.
    """
    spec = specs.SAMPLERS[settings.sampler]
    used = {name: getattr(settings, name) for name in spec.uses}
    if spec.multistep:
        used["earlier"] = earlier
    return SAMPLERS[settings.sampler](CLIPPINGS[settings.clipping](denoise), x, grid, noise, **used)


def called_at(settings: SampleSettings, grid: list[Level]) -> list[Level]:
    """The level of each network call per image over `grid`."""
    spec = specs.SAMPLERS[settings.sampler]
    repeats = settings.repeats if "repeats" in spec.uses else 0
    levels: list[Level] = []
    for now, then in pairwise(grid):
        levels += [now] * (1 + times_again(now, then, repeats))
        levels += [then] * (spec.calls_per_step - 1) if then.sigma > 0 else []
    return levels


def network_calls(settings: SampleSettings, grid: list[Level]) -> int:
    """Network calls per image over `grid`; a guided pair counts as one."""
    return len(called_at(settings, grid))


def network_evaluations(settings: SampleSettings, grid: list[Level]) -> int:
    """Network evaluations per image with a class over `grid`: a guided pair, with the class and without it, is two."""
    return sum(1 + is_pair(settings, level) for level in called_at(settings, grid))
