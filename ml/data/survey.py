"""What is found in a data set: its classes, sizes and colours, what is left out and why, and how it will look."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from ml.config import Description
from ml.events import Pixels, Progress
from ml.imaging.png import write_png
from ml.imaging.safe_open import opened
from ml.specs import FitName

MAX_THUMBNAILS = 60
MAX_NAMES = 10  # that are listed of many


class ClassCount(Description):
    """One class and its images."""

    name: str
    train: int = Field(ge=0)
    held_out: int = Field(ge=0)


class SizeCount(Description):
    """Images of one size, in pixels."""

    width: int
    height: int
    count: int


class Some(Description):
    """Some images of a folder: how many, and the first of their names."""

    count: int = 0
    first: tuple[str, ...] = ()


class LeftOut(Some):
    """Files that are not used."""

    reason: str


class Survey(Description):
    """A data set as a model will see it."""

    version: Literal[1] = 1
    name: str
    classes: tuple[ClassCount, ...]
    sizes: tuple[SizeCount, ...] = Field(description="of the files, the most frequent first")
    side: int = Field(description="of the images as a model will see them, pixels")
    channels: int = Field(description="1: grey, 3: colour")
    fit: FitName = "crop"
    transparent: int = Field(default=0, description="images with transparent pixels")
    ground: str = Field(default="", description='white, black or #rrggbb; "" where no image needs one')
    left_out: tuple[LeftOut, ...] = ()
    duplicates: Some = Some()
    smaller: Some = Field(default=Some(), description="than `side`, and so enlarged")
    one_colour: Some = Some()
    warnings: tuple[str, ...] = Field(default=(), description="one sentence each, with what to do")
    thumbnail_labels: tuple[int, ...] = Field(default=(), max_length=MAX_THUMBNAILS, description="indices of `classes`")
    thumbnail_strip: str = Field(default="", repr=False, description="thumbnails below each other: a PNG in base64")

    @property
    def train(self) -> int:
        """The number of training images."""
        return sum(one.train for one in self.classes)

    @property
    def held_out(self) -> int:
        """The number of held-out images."""
        return sum(one.held_out for one in self.classes)

    @property
    def thumbnails(self) -> Pixels:
        """Some images as a model will see them, (N, S, S, C) uint8, with the labels `thumbnail_labels`."""
        shape = (len(self.thumbnail_labels), self.side, self.side, self.channels)
        if not self.thumbnail_labels:
            return np.zeros(shape, np.uint8)
        with opened(io.BytesIO(base64.b64decode(self.thumbnail_strip)), ("PNG",)) as image:
            return np.array(image.convert("L" if self.channels == 1 else "RGB")).reshape(shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLook(Progress):
    """Progress with what can be shown before every image is read: classes by their files, and thumbnails."""

    survey: Survey


def counted(count: int, what: str) -> str:
    """`1 image`, `1,200 images`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def listed(names: Sequence[str], count: int | None = None, most: int = 5) -> str:
    """`a, b and c`; of more than `most`, the first and how many more. `names` may be the first of `count`."""
    count = len(names) if count is None else count
    if count > min(most, len(names)):
        return f"{', '.join(names[:most])} and {count - min(most, len(names)):,} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def cautions(survey: Survey, leaked: int) -> list[str]:
    """What a person should know before they train, one sentence each with what to do.

    `leaked` counts the held-out images that are copies of training images.
    """
    said = []
    total = survey.train + survey.held_out
    if survey.one_colour.count:
        ground = f" on {survey.ground}; another ground may show more" if survey.transparent else ""
        what = "shows one colour" if survey.one_colour.count == 1 else "show one colour"
        said.append(
            f"{counted(survey.one_colour.count, 'image')} {what}{ground}: "
            f"{listed(survey.one_colour.first, survey.one_colour.count)}."
        )
    if survey.duplicates.count:
        also = f", {leaked:,} of them held-out images that are trained on" if leaked else ""
        said.append(f"Exact copies of other images: {survey.duplicates.count:,}{also}. Remove them for honest scores.")
    if 2 * survey.smaller.count > total:
        said.append(
            f"{counted(survey.smaller.count, 'image')} of {total:,} {are(survey.smaller.count)} smaller than "
            f"{survey.side} x {survey.side} pixels and will be blurred. Choose a smaller size."
        )
    if not survey.held_out:
        said.append("No image is held out: nothing can show whether the model learns its images by heart.")
    return said


def are(count: int) -> str:
    """`is` or `are`."""
    return "is" if count == 1 else "are"


def strip(thumbnails: Pixels) -> str:
    """Thumbnails (N, S, S, C) below each other as a PNG in base64; "" for none."""
    if not len(thumbnails):
        return ""
    count, side, _, channels = thumbnails.shape
    file = io.BytesIO()
    write_png(file, thumbnails.reshape(count * side, side, *(() if channels == 1 else (3,))))
    return base64.b64encode(file.getvalue()).decode("ascii")


def spread(labels: list[int], most: int = MAX_THUMBNAILS) -> list[int]:
    """Indices of at most so many images, the same number of each class where it has them, in order of their classes."""
    of_class: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        of_class.setdefault(label, []).append(index)
    each = max(1, most // max(1, len(of_class)))
    chosen = [index for label in sorted(of_class) for index in _evenly(of_class[label], each)]
    return _evenly(chosen, most)


def _evenly(values: list[int], most: int) -> list[int]:
    return [values[k * len(values) // most] for k in range(most)] if len(values) > most else values
