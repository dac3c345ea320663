"""Jobs of the Generate page and of live previews. They import torch themselves, which the window never does."""

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
    """The judge's classes of the images, and its confidence in them."""

    labels: NDArray[np.int64]
    confidence: NDArray[np.float32]
    accuracy: float | None = None  # share of real test images that this judge gets right
    classes: tuple[str, ...] = ()  # names of the labels


@dataclass(frozen=True, slots=True)
class StepProbabilities:
    """The judge's probabilities of the clean guess at every step, (steps + 1, N, classes)."""

    probabilities: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GuidanceProbeResult:
    """The guidance probe of one image, step by step; see `ml.evaluation.guidance_probe`."""

    steps: "tuple[GuidanceStep, ...]"


@dataclass(frozen=True, slots=True)
class Understanding:
    """Whether a prompt is about digits."""

    prompt: str
    about_digits: bool


@dataclass(frozen=True, slots=True)
class Nearest:
    """The closest training image, its distance in [0, 1], and whether the image is a copy of it."""

    image: Pixels
    distance: float
    copied: bool


def sample_and_judge(request: SampleRequest, control: RunControl) -> Iterator[object]:
    """Sample a request: every `Frame`, `Sampled`, then `JudgeResult` and `StepProbabilities`.

    The last two follow if there is a judge of such images.
    """
    from ml.evaluation.judge import judge_for
    from ml.generation import loaded_model, pipeline

    judge = judge_for(loaded_model.load(request.model).header)
    guesses: list[Pixels] = []
    for event in pipeline.sample(request, control=control):
        yield event
        if isinstance(event, Frame):
            guesses.append(event.x0_hat)
        if isinstance(event, Sampled) and judge is not None:
            verdict = judge.judge(event.images)
            yield JudgeResult(verdict.labels, verdict.confidence, judge.accuracy, judge.classes)
            found = [judge.judge(guess).probabilities for guess in guesses if not control.cancelled]
            if len(found) == len(guesses):
                yield StepProbabilities(np.stack(found))


def probe_guidance(request: SampleRequest, control: RunControl) -> Iterator[object]:
    """Compute the guidance probe of a request's first image."""
    from ml.evaluation import guidance_probe
    from ml.generation import loaded_model

    yield GuidanceProbeResult(tuple(guidance_probe.probe_guidance(loaded_model.load(request.model), request, control)))


def sample(
    request: SampleRequest, control: RunControl, frames: bool = False, optimized: bool = False
) -> Iterator[object]:
    """Sample a request, with its `Frame`s if `frames`; `optimized` uses the optimized network."""
    from ml.generation import pipeline

    yield from pipeline.sample(request, control=control, frames=frames, optimized=optimized)


def interpret_prompt(prompt: str, _control: RunControl) -> Iterator[object]:
    """Find out with CLIP whether a prompt is about digits."""
    yield Progress("Reading the prompt", 0, 0)
    import_interruptibly("ml.system.torchvision_compat")
    from ml.generation import clip_matcher

    yield Understanding(prompt, clip_matcher.is_about_digits(prompt))


def find_nearest(image: Pixels, model: str, data_root: Path | None, _control: RunControl) -> Iterator[object]:
    """Find the closest training image of a model, if it learned from a data set that is at hand."""
    from ml.data import datasets
    from ml.evaluation import metrics
    from ml.generation import loaded_model
    from ml.registry import judges

    header = loaded_model.load(model).header
    data = judges.data_of(header)
    if datasets.is_downloaded(data, data_root, "train"):
        training = _training_images(data, header.model.image_size, header.model.channels, data_root)
        index, distance, copied = metrics.nearest(image, training)
        closest = training[index]
        pixels = closest[0] if len(closest) == 1 else closest.permute(1, 2, 0)
        yield Nearest(pixels.numpy().copy(), distance, copied)


@lru_cache(maxsize=1)
def _training_images(data: str, side: int, channels: int, data_root: Path | None) -> "Tensor":
    from ml.data import datasets
    from ml.data.dataset import Form

    return datasets.load(data, data_root, form=Form(side, channels)).images
