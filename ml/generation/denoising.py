"""The steps from noise to images: starting noise, guidance, sampler, branches."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ml.config import SampleRequest
from ml.diffusion.denoiser import Denoiser
from ml.diffusion.guidance import classifier_free, clip_guided, completing
from ml.diffusion.interpolation import mixed_noise
from ml.diffusion.noise import SeededNoise
from ml.diffusion.samplers import DenoiseStep, run_sampler
from ml.diffusion.schedules import Level, q_sample, start_sigma
from ml.generation.plan import BATCH, SamplingPlan
from ml.models.exact import filled_blocks
from ml.models.interruptible import interruptible_denoiser
from ml.system.cores import on_cores

if TYPE_CHECKING:
    from ml.generation.clip_matcher import Matcher


def steps(plan: SamplingPlan, first: int = 0) -> Iterator[DenoiseStep]:
    """The steps of images `first` to `first` + BATCH of a request."""
    part = slice(first, first + BATCH)
    return _steps(plan, part, _noise(plan, part))


def _steps(plan: SamplingPlan, part: slice, noise: SeededNoise) -> Iterator[DenoiseStep]:
    denoise = _denoiser(plan, part)
    if plan.parent:
        return _branch(plan, plan.parent, part, noise, denoise)
    return run_sampler(plan.request, denoise, _first_images(plan, part, noise), plan.grid, noise)


def _noise(plan: SamplingPlan, part: slice) -> SeededNoise:
    """The source of the noise of a part's images; images between corners share one seed."""
    channels, side = plan.model.config.codes
    request = plan.request
    images = range(len(request.labels))[part]
    seeds = [request.seed if request.corners else request.seed_of(k) for k in images]
    return SeededNoise(seeds, (channels, side, side), plan.model.device)


def _first_images(plan: SamplingPlan, part: slice, noise: SeededNoise) -> Tensor:
    """The images at the first level: noise, noise between corners, or a drawing with noise on it."""
    request, level = plan.request, plan.grid[0]
    if plan.corners is None:
        eps = noise()
    else:
        weights = torch.tensor(request.weights[part])
        eps = mixed_noise(plan.corners, weights, request.mixing).to(plan.model.device)
    if plan.source is None:
        start = start_sigma(plan.grid, request) * eps
    else:
        start = q_sample(plan.source, eps, level.alpha, level.sigma)
    return start.contiguous(memory_format=torch.channels_last)


def _branch(
    plan: SamplingPlan, parent: SamplingPlan, part: slice, noise: SeededNoise, denoise: Denoiser
) -> Iterator[DenoiseStep]:
    """The steps of the parent, and from `branch_at` on those of the request."""
    request = plan.request
    images = range(len(request.labels))[part]
    same = [parent.request.seed_of(k) == request.seed_of(k) for k in images]
    parent_noise = noise if all(same) else _noise(parent, part)
    earlier: DenoiseStep | None = None
    for step in _steps(parent, part, parent_noise):
        if step.step == request.branch_at:
            break
        yield step
        earlier = step
    else:
        return
    x, at = step.x_t, step.level
    if not all(same):
        keep = torch.tensor(same, device=x.device).view(-1, 1, 1, 1)
        x = torch.where(keep, x, q_sample(step.x0_hat, noise(), at.alpha, at.sigma))
        noise.continue_from(parent_noise, same)
    x = x.contiguous(memory_format=torch.channels_last)
    for later in run_sampler(request, denoise, x, plan.grid[request.branch_at :], noise, earlier):
        yield later._replace(step=later.step + request.branch_at)


def _denoiser(plan: SamplingPlan, part: slice) -> Denoiser:
    """The network as a denoiser of a part's images, with all that guides it."""
    model, condition, null = plan.model, plan.condition[part], plan.null
    conditional = bool((condition != null).any())
    settings = plan.request if conditional else plan.request.with_changes(guidance=1.0)
    if plan.matcher:
        denoise = _steered(plan, settings, condition, plan.matcher)
    else:
        denoise = classifier_free(model.denoiser, condition, null, settings)
    if plan.source is not None and plan.mask is not None:
        denoise = completing(denoise, plan.source, plan.mask)
    return interruptible_denoiser(denoise)


def _steered(plan: SamplingPlan, settings: SampleRequest, condition: Tensor, matcher: "Matcher") -> Denoiser:
    """The network steered by CLIP.

    On a CPU in blocks of one size, the last of them filled up: the gradient of another number of images is rounded in
    another way.
    """
    model = plan.model

    def steered(condition: Tensor) -> Denoiser:
        denoise = classifier_free(model.denoiser, condition, plan.null, settings)
        return clip_guided(denoise, lambda x0: matcher.log_probability(model.pixels(x0)), settings.clip_scale)

    if model.device.type != "cpu":
        return steered(condition)
    parts = [steered(block) for block in filled_blocks(condition, matcher.block)]

    def denoise(x_t: Tensor, level: Level) -> Tensor:
        blocks = filled_blocks(x_t, matcher.block)
        each = [partial(part, block, level) for part, block in zip(parts, blocks, strict=True)]
        return torch.cat(on_cores(each))[: len(x_t)]

    return denoise
