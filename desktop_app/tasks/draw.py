"""Jobs of the Draw page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.control import RunControl
from ml.events import Pixels, Progress
from ml.generation.requests import SIDE


@dataclass(frozen=True, slots=True)
class Recognised:
    """How probable a diffusion model finds each class."""

    probabilities: NDArray[np.float32]  # (classes,)


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """A picture to draw on or to begin from, (28, 28), and the digit that the judge reads in it."""

    image: Pixels
    label: int


def recognising(image: Pixels, model: str, control: RunControl) -> Iterator[object]:
    """Have a diffusion model say which of its classes an image (H, W) is."""
    import torch

    from ml.evaluation.diffusion_classifier import classify
    from ml.generation import loaded_model

    x0 = torch.from_numpy(image.copy())[None, None].float() / 127.5 - 1
    for event in classify(loaded_model.load(model), x0, control=control):
        yield event if isinstance(event, Progress) else Recognised(event[0].numpy())


def opening(path: Path, _control: RunControl) -> Iterator[object]:
    """Read a picture as a drawing: bright strokes on black, turned around where the paper is white."""
    yield Progress("Opening the picture", 0, 0)
    from ml.data.image_folder import as_drawing

    yield from looking_at(as_drawing(path, SIDE), _control)


def example(digit: int, number: int, data_root: Path | None, _control: RunControl) -> Iterator[object]:
    """A digit to begin with."""
    yield Progress("Looking for a digit", 0, 0)
    from ml.evaluation import forward_process

    yield OpenedImage(forward_process.example(digit, number, data_root)[0], digit)


def looking_at(image: Pixels, _control: RunControl) -> Iterator[object]:
    """Have the judge say which digit a picture (28, 28) is."""
    from ml.evaluation.judge import Judge

    yield OpenedImage(image, int(Judge.bundled().judge(image[None]).labels[0]))
