"""The way of a request's images out of noise: starting noise, what the network is told, guidance, sampler, branches."""

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from ml.config import NO_LABEL, Corner, DeviceName, ModelConfig, SampleRequest, SampleSettings
from ml.control import stop_here
from ml.diffusion.denoiser import Denoiser
from ml.diffusion.guidance import classifier_free, clip_guided, completing
from ml.diffusion.interpolation import mixed_labels, mixed_noise
from ml.diffusion.samplers import DenoiseStep, SeededNoise, ddim_inversion, run_sampler
from ml.diffusion.schedules import Level, grid_of, q_sample, schedule_of
from ml.errors import BadRequest
from ml.generation.loaded_model import LoadedModel
from ml.imaging.embedded_png import from_text
from ml.models.exact import filled_blocks
from ml.system.cores import on_cores
from ml.text import captions, tokenizer

if TYPE_CHECKING:
    from ml.generation.clip_matcher import Matcher

BATCH = 100  # images sampled together; bounds memory however many are asked for


def check(request: SampleRequest, config: ModelConfig) -> None:
    """Raises BadRequest for what a model cannot draw: labels it does not have, words it does not read, ..."""
    latent = config.codec is not None
    if latent and (request.source or any(corner.picture for corner in request.corners)):
        raise BadRequest(f"The model {request.model!r} works in a latent.", "Choose one that draws pixels.")
    if request.route == "text" and config.reader is None:
        raise BadRequest(f"The model {request.model!r} does not read words.", "Choose one that does, or another route.")
    asked = (*request.labels, *(corner.label for corner in request.corners))
    wrong = [label for label in asked if label != NO_LABEL and not 0 <= label < config.num_classes]
    if wrong:
        knows = f"0 to {config.num_classes - 1}" if config.num_classes else "no labels"
        raise BadRequest(
            f"The model {request.model!r} knows {knows}, not {wrong[0]}.", "Ask for one of those, or for no label."
        )
    if request.parent:
        if request.parent.model != request.model:
            raise BadRequest("A branch is drawn by the model that drew its beginning.", "Keep the model.")
        check(request.parent, config)


def grid_for(model: LoadedModel, request: SampleRequest) -> list[Level]:
    """The sampling grid: for variations of a drawing the part below `vary_from` (SDEdit, Meng et al. 2022).

    A branch has its parent's up to where it branches off, and below that its own.
    """
    grid = grid_of(schedule_of(model.config), request)
    if request.parent:
        before = grid_for(model, request.parent)
        if not request.branch_at < len(before) - 1:
            raise BadRequest(
                f"There is no step {request.branch_at} to branch off from.", f"Choose one from 0 to {len(before) - 2}."
            )
        trunk = before[: request.branch_at + 1]
        return [*trunk, *(level for level in grid if level.ratio < trunk[-1].ratio)]
    ratio = request.vary_from if request.source else 0
    kept = [level for level in grid if not ratio or level.ratio <= ratio]
    if len(kept) < 2:
        raise BadRequest(f"No step lies below the noise level {ratio:g}.", "Take more steps, or go back further.")
    return kept


def steps(
    model: LoadedModel, request: SampleRequest, first: int = 0, noise: SeededNoise | None = None
) -> Iterator[DenoiseStep]:
    """The steps of images `first` to `first` + BATCH of a request; `noise` goes on from a branch's beginning."""
    noise = noise or _noise(model, request, first)
    grid = grid_for(model, request)
    denoise = _guided(model, request, first)
    if request.parent:
        return _branch(model, request, first, noise, grid, denoise)
    return run_sampler(request, denoise, _start(model, request, first, grid[0], noise), grid, noise)


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
    noise_before = noise if all(same) else _noise(model, request.parent, first)
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


def _noise(model: LoadedModel, request: SampleRequest, first: int) -> SeededNoise:
    """Where the images' noise comes from."""
    channels, side = model.config.codes
    images = range(first, min(first + BATCH, len(request.labels)))
    seeds = [request.seed if request.corners else request.seed_of(k) for k in images]
    return SeededNoise(seeds, (channels, side, side), model.device)


def _start(model: LoadedModel, request: SampleRequest, first: int, level: Level, noise: SeededNoise) -> Tensor:
    """The images at the first level: noise, noise between corners, or a drawing with noise on it."""
    channels, side = model.config.codes
    if request.corners:
        weights = torch.tensor(request.weights[first : first + BATCH], device=model.device)
        begin = mixed_noise(corner_noises(model, request), weights, request.mixing)
    else:
        begin = noise()
    start = level.sigma * begin
    if request.source:
        known = from_text(request.source, channels, side).to(model.device)
        start = q_sample(known, begin, level.alpha, level.sigma)
    return start.contiguous(memory_format=torch.channels_last)


def corner_noises(model: LoadedModel, request: SampleRequest) -> Tensor:
    """The noise of every corner: that of its seed, or the one that turns into its picture, (corners, C, H, W)."""
    pictured = any(corner.picture for corner in request.corners)
    settings = request.model_dump_json(include=set(SampleSettings.model_fields)) if pictured else ""

    def noise_of(corner: Corner) -> Tensor:
        if corner.picture:
            return _inverted(model, corner.picture, corner.label, settings)
        return _of_seed(corner.seed, model.config.codes, model.device)

    return torch.cat([noise_of(corner) for corner in request.corners])


@lru_cache(maxsize=64)
def _of_seed(seed: int, codes: tuple[int, int], device: torch.device) -> Tensor:
    """The noise of a corner; kept, since a hand on a pad asks again."""
    channels, side = codes
    return SeededNoise([seed], (channels, side, side), device)()


@lru_cache(maxsize=32)
def _inverted(model: LoadedModel, picture: str, label: int, settings_json: str) -> Tensor:
    """The noise that DDIM with these settings turns into a picture; kept, too."""
    settings = SampleSettings.model_validate_json(settings_json)
    channels, side = model.config.codes
    x0 = from_text(picture, channels, side).to(model.device)
    grid = grid_of(schedule_of(model.config), settings)
    null = model.config.num_classes
    wanted = torch.tensor([null if label == NO_LABEL else label], device=model.device)
    guided = settings.with_changes(guidance=1.0) if label == NO_LABEL else settings
    denoise = classifier_free(model.denoiser, wanted, null, guided)
    return ddim_inversion(_stoppable(denoise), x0, grid) / grid[0].sigma


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
    return _stoppable(denoise)


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


def _stoppable(denoise: Denoiser) -> Denoiser:
    """A step may take many network calls; here somebody who no longer wants it is heeded before each of them."""

    def heedful(x_t: Tensor, level: Level) -> Tensor:
        stop_here()
        return denoise(x_t, level)

    return heedful


def told(model: LoadedModel, request: SampleRequest, first: int = 0) -> tuple[Tensor, Tensor]:
    """What the network is told of each image of a batch, and what it is told where nothing is asked for."""
    labels = request.labels[first : first + BATCH]
    if request.corners:
        weights = torch.tensor(request.weights[first : first + BATCH], device=model.device)
        return _between(model, request, weights)
    return _condition(model, request, labels)


def _condition(model: LoadedModel, request: SampleRequest, labels: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    if model.config.reader:
        said = [request.prompt if label == NO_LABEL else captions.WORDS[label] for label in labels]
        tokens = tokenizer.tokens([*said, ""]).to(model.device)
        return tokens[:-1], tokens[-1]
    null = torch.tensor(model.config.num_classes, device=model.device)
    wanted = [model.config.num_classes if label == NO_LABEL else label for label in labels]
    return torch.tensor(wanted, device=model.device), null


def _between(model: LoadedModel, request: SampleRequest, weights: Tensor) -> tuple[Tensor, Tensor]:
    """What the network is told of images between corners: mixtures of their labels; see `_condition`."""
    if model.config.reader:
        labels = {corner.label for corner in request.corners}
        if len(labels) > 1:
            raise BadRequest(
                f"The model {request.model!r} reads words, of which there is no mixture.",
                "Give all corners one label, or choose a model with classes.",
            )
        return _condition(model, request, tuple(labels) * len(weights))
    wanted = mixed_labels(request.corners, weights, model.config.num_classes)
    null = torch.zeros_like(wanted[0])
    null[-1] = 1
    return wanted, null


def is_steered(request: SampleRequest) -> bool:
    """Whether CLIP steers, for which open_clip has to be imported: that takes seconds."""
    return request.route == "clip" and bool(request.prompt.strip())


def matcher_of(request: SampleRequest, model: LoadedModel) -> "Matcher | None":
    """What compares images with the prompt; None where it does not steer: on another route, or empty."""
    if not is_steered(request):
        return None
    from ml.generation import clip_matcher

    return clip_matcher.matcher(request.prompt, request.clip, cast(DeviceName, model.device.type))
