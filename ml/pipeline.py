"""From a request to images: load the model, wrap it in guidance, run the sampler, hand out pixels."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from ml import captions, library, text
from ml.checkpoint import ModelHeader, file_hash, fit, load_model
from ml.config import DRAWING, NO_LABEL, DeviceName, ModelConfig, SampleRequest
from ml.control import RunControl
from ml.denoiser import NetworkDenoiser, to_eps
from ml.device import pick, tune
from ml.drawn_image import from_text
from ml.errors import BadRequest
from ml.events import Frame, Sampled, SampleEvent
from ml.guidance import classifier_free, clip_guided, completing
from ml.images import to_uint8
from ml.interpolation import mixed_labels, mixed_noise
from ml.models import build
from ml.models.autoencoder import LatentModel
from ml.samplers import DenoiseStep, SeededNoise, network_calls, run_sampler
from ml.schedules import Level, grid_of, q_sample, schedule_of

if TYPE_CHECKING:
    from ml.clip import Matcher

EPS_RANGE = 3.0  # standard deviations of noise between black and white
BATCH = 100  # images sampled together; bounds memory however many are asked for


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A diffusion model ready to sample."""

    name: str
    header: ModelHeader
    network: torch.nn.Module
    device: torch.device
    hash: str

    @property
    def config(self) -> ModelConfig:
        return self.header.model

    def pixels(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] from what the network works on: themselves, or latents to be decoded."""
        return self.network.codec.decode(x) if isinstance(self.network, LatentModel) else x


def load(name: str, device: DeviceName = "auto") -> LoadedModel:
    """The model of that name (see `library.find`), on that device; loaded once while its file does not change."""
    path = library.find(name)
    return _load(name, path, path.stat().st_mtime_ns, device)


@lru_cache(maxsize=4)
def _load(name: str, path: Path, modified: int, device: DeviceName) -> LoadedModel:
    where = pick(device).torch_device
    tune(where)
    header, weights = load_model(path)
    if header.model.network not in DRAWING:
        raise BadRequest(
            f"{name!r} is no diffusion model: it reads images and does not draw them.", "Choose a diffusion model."
        )
    network = build(header.model)
    fit(network, weights, str(path))
    network = network.to(where).to(memory_format=torch.channels_last).eval().requires_grad_(False)
    return LoadedModel(name, header, network, where, file_hash(path))


def sample(
    request: SampleRequest, *, device: DeviceName = "auto", control: RunControl | None = None, frames: bool = True
) -> Iterator[SampleEvent]:
    """Sample a request: a `Frame` per step and part (if `frames`), then `Sampled`; stops quietly when cancelled.

    Before that `Progress`, where the CLIP that steers has to be downloaded.
    Raises BadRequest, BadFile, NoDevice, DataUnavailable, CannotWrite.
    """
    control = control or RunControl()
    model = load(request.model, device)
    if request.model_hash not in ("", model.hash):
        raise BadRequest(
            f"The model {request.model!r} is not the one this image was made with.",
            "Find that model file, or sample anew.",
        )
    if _steered(request):
        from ml import clip

        for progress in clip.obtain(request.clip):
            if control.cancelled:
                return
            yield progress
    yield from sample_with(model, request, control, frames)


def sample_with(
    model: LoadedModel, request: SampleRequest, control: RunControl, frames: bool = True
) -> Iterator[SampleEvent]:
    """`sample` with a model at hand."""
    check_labels(request, model.config)
    started = time.perf_counter()
    images: list[np.ndarray] = []
    grid = _grid(model, request)
    matcher = _matcher(request, model)
    for first in range(0, len(request.labels), BATCH):
        last: DenoiseStep | None = None
        for step in _steps(model, request, first, grid, matcher):
            if control.cancelled:
                return
            last = step
            if frames:
                yield _frame(model, step, first, len(grid) - 1, matcher)
        if last is not None:
            images.append(to_uint8(model.pixels(last.x_t)))
    seconds = time.perf_counter() - started
    done = request.with_changes(model_hash=model.hash)
    yield Sampled(done, np.concatenate(images), seconds, network_calls(request, grid))


def check_labels(request: SampleRequest, config: ModelConfig) -> None:
    """Raises BadRequest for a label that the model does not have."""
    if request.source and config.codec:
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


def _steps(
    model: LoadedModel, request: SampleRequest, first: int, grid: list[Level], matcher: "Matcher | None"
) -> Iterator[DenoiseStep]:
    config = model.config
    labels = request.labels[first : first + BATCH]
    channels, side = config.codes
    shape = (channels, side, side)
    if request.corners:
        weights = torch.tensor(request.weights[first : first + BATCH], device=model.device)
        noise = SeededNoise([request.seed] * len(labels), shape, model.device)
        noises = SeededNoise([corner.seed for corner in request.corners], shape, model.device)()
        begin = mixed_noise(noises, weights, request.mixing)
        wanted, null = _between(model, request, weights)
    else:
        noise = SeededNoise([request.seed + first + k for k in range(len(labels))], shape, model.device)
        begin = noise()
        wanted, null = _condition(model, request, labels)
    guided = bool((wanted != null).any())
    settings = request if guided else request.with_changes(guidance=1.0)
    denoise = classifier_free(NetworkDenoiser(model.network, config.prediction), wanted, null, settings)
    if matcher:
        denoise = clip_guided(denoise, lambda x0: matcher.log_probability(model.pixels(x0)), request.clip_scale)
    start = grid[0].sigma * begin
    if request.source:
        known = from_text(request.source, channels, side).to(model.device)
        if request.mask:
            mask = (from_text(request.mask, 1, side).to(model.device) > 0).float()
            denoise = completing(denoise, known, mask)
        start = q_sample(known, begin, grid[0].alpha, grid[0].sigma)
    return run_sampler(request, denoise, start.contiguous(memory_format=torch.channels_last), grid, noise)


def _condition(model: LoadedModel, request: SampleRequest, labels: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """What the network is told of each image, and what it is told where nothing is asked for."""
    if model.config.reader:
        said = [request.prompt if label == NO_LABEL else captions.WORDS[label] for label in labels]
        tokens = text.tokens([*said, ""]).to(model.device)
        return tokens[:-1], tokens[-1]
    null = torch.tensor(model.config.num_classes, device=model.device)
    told = [model.config.num_classes if label == NO_LABEL else label for label in labels]
    return torch.tensor(told, device=model.device), null


def _grid(model: LoadedModel, request: SampleRequest) -> list[Level]:
    """The sampling grid; for variations of a drawing the part below `vary_from` (SDEdit, Meng et al. 2022)."""
    grid = grid_of(schedule_of(model.config), request)
    ratio = request.vary_from if request.source else 0
    kept = [level for level in grid if not ratio or level.ratio <= ratio]
    if len(kept) < 2:
        raise BadRequest(f"No step lies below the noise level {ratio:g}.", "Take more steps, or go back further.")
    return kept


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
    told = mixed_labels(request.corners, weights, model.config.num_classes)
    null = torch.zeros_like(told[0])
    null[-1] = 1
    return told, null


def _steered(request: SampleRequest) -> bool:
    """Whether CLIP steers, for which open_clip has to be imported: that takes seconds."""
    return request.route == "clip" and bool(request.prompt.strip())


def _matcher(request: SampleRequest, model: LoadedModel) -> "Matcher | None":
    """What compares images with the prompt; None where it does not steer: on another route, or empty."""
    if not _steered(request):
        return None
    from ml import clip

    return clip.matcher(request.prompt, request.clip, cast(DeviceName, model.device.type))


def _frame(model: LoadedModel, step: DenoiseStep, first: int, steps: int, matcher: "Matcher | None") -> Frame:
    level = step.level
    contrast = max(1.0, math.hypot(level.alpha, level.sigma))  # a path that only adds noise would be black and white
    x_t, x0_hat = model.pixels(step.x_t / contrast), model.pixels(step.x0_hat)
    similarity = matcher.similarity(x0_hat).cpu().numpy() if matcher else None
    pictures = to_uint8(x_t), to_uint8(x0_hat)
    seen = level.sigma > 0 and not isinstance(model.network, LatentModel)
    eps = to_uint8(to_eps(step.x0_hat, step.x_t, level) / EPS_RANGE) if seen else None
    return Frame(first, step.step, steps, level.t, level.alpha, level.sigma, *pictures, similarity, eps)
