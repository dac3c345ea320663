"""From a request to images: load the model, denoise step by step, give pixels."""

import math
import time
from collections.abc import Iterator

import numpy as np
import torch

from ml.cancellation import import_interruptibly
from ml.config import SampleRequest
from ml.control import RunControl
from ml.diffusion.denoiser import to_eps
from ml.diffusion.samplers import DenoiseStep, network_calls, network_evaluations
from ml.errors import BadRequest
from ml.events import Frame, Sampled, SampleEvent
from ml.generation.conditioning import is_steered
from ml.generation.denoising import steps
from ml.generation.loaded_model import LoadedModel, load, optimized_model
from ml.generation.plan import BATCH, SamplingPlan, check, make_plan
from ml.imaging.pixels import to_uint8
from ml.models.autoencoder import LatentModel
from ml.models.memory import check_sampling
from ml.specs import DeviceName
from ml.system.device import tune
from ml.threads import one_thread

EPS_RANGE = 3.0  # standard deviations of noise between black and white


def sample(
    request: SampleRequest,
    *,
    device: DeviceName = "auto",
    control: RunControl | None = None,
    frames: bool = True,
    optimized: bool = False,
) -> Iterator[SampleEvent]:
    """Sample a request: a `Frame` per step and part (if `frames`), then `Sampled`; stops quietly when cancelled.

    Each image is to the bit what it is alone. An `optimized` network gives similar images sooner, for previews (see
    `ml.models.optimized`). `Progress` comes first where the CLIP that steers has to be downloaded.
    Raises BadRequest, BadFile, NoDevice, DataUnavailable, CannotWrite.
    """
    events = _sample(request, device, control or RunControl(), frames, optimized)
    yield from _by_one_thread(events) if optimized else events


def _sample(
    request: SampleRequest, device: DeviceName, control: RunControl, frames: bool, optimized: bool
) -> Iterator[SampleEvent]:
    model = load(request.model, device)
    if request.model_hash not in ("", model.hash):
        raise BadRequest(
            f"The model {request.model!r} is not the one this image was made with.",
            "Find that model file, or generate new images.",
        )
    if is_steered(request):
        import_interruptibly("ml.system.torchvision_compat")
        from ml.generation import clip_matcher

        for progress in clip_matcher.obtain(request.clip):
            if control.cancelled:
                return
            yield progress
    elif optimized:
        tune()  # this thread, too
        model = optimized_model(model)
    yield from sample_with(model, request, control, frames)


def _by_one_thread(events: Iterator[SampleEvent]) -> Iterator[SampleEvent]:
    """The events, computed without OpenMP.

    Two threads that both use it wait for each other through the operating system: a training run beside this thread
    would take twice as long.
    """
    while True:
        with one_thread():
            event = next(events, None)
        if event is None:
            return
        yield event


def sample_with(
    model: LoadedModel, request: SampleRequest, control: RunControl, frames: bool = True
) -> Iterator[SampleEvent]:
    """`sample` with a loaded model."""
    check(request, model.config, model.header.class_names)
    check_sampling(request, model.config, model.device, BATCH, frames)
    started = time.perf_counter()
    images: list[np.ndarray] = []
    plan = make_plan(model, request)
    for first in range(0, len(request.labels), BATCH):
        last: DenoiseStep | None = None
        for step in steps(plan, first):
            if control.cancelled:
                return
            last = step
            if frames:
                yield _frame(plan, step, first)
        if last is not None:
            images.append(to_uint8(model.pixels(last.x_t)))
    seconds = time.perf_counter() - started
    done = request.with_changes(model_hash=model.hash)
    calls = network_calls(request, plan.grid)
    classed = bool((plan.condition != plan.null).any())
    evaluations = network_evaluations(request, plan.grid) if classed else calls
    yield Sampled(done, np.concatenate(images), seconds, calls, evaluations)


def _frame(plan: SamplingPlan, step: DenoiseStep, first: int) -> Frame:
    model, level = plan.model, step.level
    contrast = max(1.0, math.hypot(level.alpha, level.sigma))  # a path that only adds noise would be black and white
    x_t, x0_hat = model.pixels(step.x_t / contrast), model.pixels(step.x0_hat)
    similarity = plan.matcher.similarity(x0_hat).cpu().numpy() if plan.matcher else None
    noisy = level.sigma > 0 and not isinstance(model.network, LatentModel)
    shown = [x_t, x0_hat, *([to_eps(step.x0_hat, step.x_t, level) / EPS_RANGE] if noisy else [])]
    noisy_image, estimate, *eps = np.split(to_uint8(torch.cat(shown)), len(shown))  # copied from the device at once
    pictures = noisy_image, estimate, similarity, eps[0] if eps else None
    return Frame(first, step.step, len(plan.grid) - 1, level.t, level.alpha, level.sigma, *pictures)
