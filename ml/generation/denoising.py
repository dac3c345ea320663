"""The way of a request's images out of noise: starting noise, what the network is told, guidance, sampler, branches."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ml.config import SampleRequest
from ml.diffusion.denoiser import Denoiser
from ml.diffusion.guidance import classifier_free, clip_guided, completing
from ml.diffusion.noise import SeededNoise
from ml.diffusion.samplers import DenoiseStep, run_sampler
from ml.diffusion.schedules import Level, q_sample
from ml.generation.conditioning import matcher_of, told
from ml.generation.initial_noise import first_images, noise_of
from ml.generation.loaded_model import LoadedModel
from ml.generation.plan import BATCH, grid_for
from ml.imaging.embedded_png import from_text
from ml.models.exact import filled_blocks
from ml.models.interruptible import interruptible_denoiser
from ml.system.cores import on_cores

if TYPE_CHECKING:
    from ml.generation.clip_matcher import Matcher


def steps(
    model: LoadedModel, request: SampleRequest, first: int = 0, noise: SeededNoise | None = None
) -> Iterator[DenoiseStep]:
    """The steps of images `first` to `first` + BATCH of a request; `noise` goes on from a branch's beginning."""
    noise = noise or noise_of(model, request, first)
    grid = grid_for(model, request)
    denoise = _guided(model, request, first)
    if request.parent:
        return _branch(model, request, first, noise, grid, denoise)
    return run_sampler(request, denoise, first_images(model, request, first, grid[0], noise), grid, noise)


def _branch(
    model: LoadedModel,
    request: SampleRequest,
    first: int,
    noise: SeededNoise,
    grid: list[Level],
    denoise: Denoiser,
) -> Iterator[DenoiseStep]:
    """The steps of the parent, and from `branch_at` on those of the request."""
    assert request.parent
    images = range(first, min(first + BATCH, len(request.labels)))
    seeds = [(request.parent.seed_of(k), request.seed_of(k)) for k in images]
    same = [theirs == ours for theirs, ours in seeds]
    noise_before = noise if all(same) else noise_of(model, request.parent, first)
    earlier: DenoiseStep | None = None
    for step in steps(model, request.parent, first, noise_before):
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
        noise.going_on(noise_before, same)
    x = x.contiguous(memory_format=torch.channels_last)
    for later in run_sampler(request, denoise, x, grid[request.branch_at :], noise, earlier):
        yield later._replace(step=later.step + request.branch_at)


def _guided(model: LoadedModel, request: SampleRequest, first: int) -> Denoiser:
    """The network as a denoiser, with all that guides it."""
    config = model.config
    wanted, null = told(model, request, first)
    settings = request if bool((wanted != null).any()) else request.with_changes(guidance=1.0)
    matcher = matcher_of(request, model)
    if matcher:
        denoise = _steered(model, settings, wanted, null, matcher)
    else:
        denoise = classifier_free(model.denoiser, wanted, null, settings)
    if request.source and request.mask:
        channels, side = config.codes
        known = from_text(request.source, channels, side).to(model.device)
        mask = (from_text(request.mask, 1, side).to(model.device) > 0).float()
        denoise = completing(denoise, known, mask)
    return interruptible_denoiser(denoise)


def _steered(model: LoadedModel, request: SampleRequest, wanted: Tensor, null: Tensor, matcher: "Matcher") -> Denoiser:
    """The network steered by CLIP: on a CPU so many images at a time, the last of them filled up, since the gradient of
    more or of fewer would be rounded in another way."""

    def steered(labels: Tensor) -> Denoiser:
        denoise = classifier_free(model.denoiser, labels, null, request)
        return clip_guided(denoise, lambda x0: matcher.log_probability(model.pixels(x0)), request.clip_scale)

    if model.device.type != "cpu":
        return steered(wanted)
    parts = [steered(labels) for labels in filled_blocks(wanted, matcher.together)]

    def denoise(x_t: Tensor, level: Level) -> Tensor:
        blocks = filled_blocks(x_t, matcher.together)
        each = [partial(part, block, level) for part, block in zip(parts, blocks, strict=True)]
        return torch.cat(on_cores(each))[: len(x_t)]

    return denoise
