"""Jobs of the Draw page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.config import DRAWING_SIDE, NO_LABEL
from ml.control import RunControl
from ml.events import Pixels, Progress


@dataclass(frozen=True, slots=True)
class Recognised:
    """The probabilities of the classes by a diffusion model."""

    probabilities: NDArray[np.float32]  # (classes,)


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """An image (28, 28) to draw on or to interpolate from, and its class: NO_LABEL where it is not known."""

    image: Pixels
    label: int


def recognise(image: Pixels, model: str, control: RunControl) -> Iterator[object]:
    """Classify an image (H, W) with a diffusion model."""
    import torch

    from ml.evaluation import diffusion_classifier
    from ml.generation import loaded_model

    x0 = torch.from_numpy(image.copy())[None, None].float() / 127.5 - 1
    for event in diffusion_classifier.classify(loaded_model.load(model), x0, control=control):
        yield event if isinstance(event, Progress) else Recognised(event[0].numpy())


def open_image(path: Path, control: RunControl, model: str = "") -> Iterator[object]:
    """Read an image file as a drawing: bright strokes on black, inverted if the paper is white; see `classify`."""
    yield Progress("Opening the image", 0, 0)
    from ml.data.image_reader import as_drawing

    yield from classify(as_drawing(path, DRAWING_SIDE), control, model)


def load_example(digit: int, number: int, data_root: Path | None, _control: RunControl) -> Iterator[object]:
    """Load a real digit."""
    yield Progress("Loading a digit", 0, 0)
    from ml.evaluation import forward_process

    yield OpenedImage(forward_process.example(digit, number, data_root)[0], digit)


def classify(image: Pixels, _control: RunControl, model: str = "") -> Iterator[object]:
    """Classify an image (28, 28) with the judge of what a model draws, if there is one of that form."""
    yield OpenedImage(image, _label_of(image, model))


def _label_of(image: Pixels, model: str) -> int:
    if not model:
        return NO_LABEL
    from ml.evaluation.judge import judge_for
    from ml.registry import model_cards
    from ml.registry.checkpoint import load_header

    header = load_header(model_cards.find(model))
    fits = (header.model.channels, header.model.image_size) == (1, DRAWING_SIDE) and header.model.num_classes
    judge = judge_for(header) if fits else None
    return NO_LABEL if judge is None else int(judge.judge(image[None]).labels[0])
