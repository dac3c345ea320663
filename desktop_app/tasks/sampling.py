"""What the lane does: generators of events around the engine. torch is imported inside them, never by the screen."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.cancellation import import_interruptibly
from ml.config import SampleRequest
from ml.control import RunControl
from ml.events import Frame, Pixels, Progress, Sampled

if TYPE_CHECKING:
    from torch import Tensor

    from ml.evaluation.guidance_probe import GuidanceStep


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """What the judge reads in the images just drawn."""

    labels: NDArray[np.int64]
    confidence: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StepProbabilities:
    """What the judge reads in the clean guess of every step: probabilities (steps + 1, N, classes)."""

    probabilities: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GuidanceProbeResult:
    """The look inside the guidance of one image, step by step; see `ml.evaluation.guidance_probe`."""

    steps: "tuple[GuidanceStep, ...]"


@dataclass(frozen=True, slots=True)
class Understanding:
    """Whether a prompt is about digits at all."""

    prompt: str
    about_digits: bool


@dataclass(frozen=True, slots=True)
class Nearest:
    """The training image that is most like an image, how far it is, in [0, 1], and whether the image copies it."""

    image: Pixels
    distance: float
    copied: bool


def drawing(request: SampleRequest, control: RunControl) -> Iterator[object]:
    """Sample a request: every `Frame`, `Sampled`, then `JudgeResult` and `StepProbabilities`.

    The last two come where the judge can read such images.
    """
    from ml.evaluation.judge import Judge, can_judge
    from ml.generation import loaded_model, pipeline

    data = loaded_model.load(request.model).header.data
    guesses: list[Pixels] = []
    for event in pipeline.sample(request, control=control):
        yield event
        if isinstance(event, Frame):
            guesses.append(event.x0_hat)
        if isinstance(event, Sampled) and can_judge(data, event.images):
            verdict = Judge.bundled().judge(event.images)
            yield JudgeResult(verdict.labels, verdict.confidence)
            found = [Judge.bundled().judge(guess).probabilities for guess in guesses if not control.cancelled]
            if len(found) == len(guesses):
                yield StepProbabilities(np.stack(found))


def looking_into(request: SampleRequest, control: RunControl) -> Iterator[object]:
    """Look inside the guidance of a request's first image."""
    from ml.evaluation.guidance_probe import probe_guidance
    from ml.generation import loaded_model

    yield GuidanceProbeResult(tuple(probe_guidance(loaded_model.load(request.model), request, control)))


def sketching(
    request: SampleRequest, control: RunControl, frames: bool = False, optimized: bool = False
) -> Iterator[object]:
    """Sample a request, its steps only if asked for; with the `optimized` network for previews."""
    from ml.generation import pipeline

    yield from pipeline.sample(request, control=control, frames=frames, optimized=optimized)


def understanding(prompt: str, _control: RunControl) -> Iterator[object]:
    """Ask CLIP what a prompt is about."""
    yield Progress("Reading the prompt", 0, 0)
    import_interruptibly("ml.system.torchvision_compat")
    from ml.generation import clip_matcher

    yield Understanding(prompt, clip_matcher.is_about_digits(prompt))


def looking_for_nearest(image: Pixels, data_root: Path | None, _control: RunControl) -> Iterator[object]:
    """Find the training image of MNIST that is most like an image, where MNIST is at hand."""
    from ml.data import datasets
    from ml.evaluation import metrics

    if datasets.is_downloaded("mnist", data_root, "train"):
        training = _training_images(data_root)
        index, distance, copied = metrics.nearest(image, training)
        yield Nearest(training[index, 0].numpy().copy(), distance, copied)


@lru_cache(maxsize=1)
def _training_images(data_root: Path | None) -> "Tensor":
    from ml.data import datasets

    return datasets.load("mnist", data_root).images
