"""From a request to images: load the model, go the way out of noise, hand out pixels."""

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ml.cancellation import import_interruptibly
from ml.config import DeviceName, SampleRequest
from ml.control import RunControl
from ml.diffusion.denoiser import to_eps
from ml.diffusion.samplers import DenoiseStep, network_calls
from ml.errors import BadRequest
from ml.events import Frame, Sampled, SampleEvent
from ml.generation.conditioning import is_steered, matcher_of
from ml.generation.denoising import steps
from ml.generation.loaded_model import LoadedModel, hurried, load
from ml.generation.plan import BATCH, check, grid_for
from ml.imaging.pixels import to_uint8
from ml.models.autoencoder import LatentModel
from ml.models.memory import check_sampling
from ml.system.device import one_thread, tune

if TYPE_CHECKING:
    from ml.generation.clip_matcher import Matcher

EPS_RANGE = 3.0  # standard deviations of noise between black and white


def sample(
    request: SampleRequest,
    *,
    device: DeviceName = "auto",
    control: RunControl | None = None,
    frames: bool = True,
    quick: bool = False,
) -> Iterator[SampleEvent]:
    """Sample a request: a `Frame` per step and part (if `frames`), then `Sampled`; stops quietly when cancelled.

    Each image is to the bit what it is alone. With `quick` they come sooner, alike but not the same to the bit, which
    is for sketches. Before that `Progress`, where the CLIP that steers has to be downloaded.
    Raises BadRequest, BadFile, NoDevice, DataUnavailable, CannotWrite.
    """
    events = _sample(request, device, control or RunControl(), frames, quick)
    yield from _by_one_thread(events) if quick else events


def _sample(
    request: SampleRequest, device: DeviceName, control: RunControl, frames: bool, quick: bool
) -> Iterator[SampleEvent]:
    model = load(request.model, device)
    if request.model_hash not in ("", model.hash):
        raise BadRequest(
            f"The model {request.model!r} is not the one this image was made with.",
            "Find that model file, or sample anew.",
        )
    if is_steered(request):
        import_interruptibly("ml.system.torchvision_compat")
        from ml.generation import clip_matcher

        for progress in clip_matcher.obtain(request.clip):
            if control.cancelled:
                return
            yield progress
    elif quick:
        tune(model.device)  # this thread, too
        model = hurried(model)
    yield from sample_with(model, request, control, frames)


def _by_one_thread(events: Iterator[SampleEvent]) -> Iterator[SampleEvent]:
    """The events, computed without OpenMP: where two threads use it, its waits become those of the system, and all
    that both compute, a run's training, too, takes twice as long."""
    while True:
        with one_thread():
            event = next(events, None)
        if event is None:
            return
        yield event


def sample_with(
    model: LoadedModel, request: SampleRequest, control: RunControl, frames: bool = True
) -> Iterator[SampleEvent]:
    """`sample` with a model at hand."""
    check(request, model.config)
    check_sampling(request, model.config, model.device, BATCH, frames)
    started = time.perf_counter()
    images: list[np.ndarray] = []
    grid = grid_for(model, request)
    matcher = matcher_of(request, model) if frames else None
    for first in range(0, len(request.labels), BATCH):
        last: DenoiseStep | None = None
        for step in steps(model, request, first):
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


def _frame(model: LoadedModel, step: DenoiseStep, first: int, steps: int, matcher: "Matcher | None") -> Frame:
    level = step.level
    contrast = max(1.0, math.hypot(level.alpha, level.sigma))  # a path that only adds noise would be black and white
    x_t, x0_hat = model.pixels(step.x_t / contrast), model.pixels(step.x0_hat)
    similarity = matcher.similarity(x0_hat).cpu().numpy() if matcher else None
    pictures = to_uint8(x_t), to_uint8(x0_hat)
    seen = level.sigma > 0 and not isinstance(model.network, LatentModel)
    eps = to_uint8(to_eps(step.x0_hat, step.x_t, level) / EPS_RANGE) if seen else None
    return Frame(first, step.step, steps, level.t, level.alpha, level.sigma, *pictures, similarity, eps)
