"""What all data sets have in common: images in memory, the form they are converted to, and the usual folders."""

import os
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ml.config import check_ground
from ml.errors import BadFile, BadRequest
from ml.events import Progress
from ml.specs import FITS, FitName
from ml.system import paths

DATA_VARIABLE = "NOISELOOM_DATA"  # a folder of data sets, looked at before the person's own
MAX_MEMORY = 2**31  # bytes of images: MNIST at 128 x 128 takes half of it
BATCH = 1000  # images resized at a time

Split = Literal["train", "test"]


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images and their classes, all in memory."""

    name: str
    images: Tensor  # (N, C, H, W) uint8
    labels: Tensor  # (N,) int64, indices into `classes`
    classes: tuple[str, ...]
    digest: str = ""  # of the names and contents of a folder's files; "" for other sets

    def __len__(self) -> int:
        return len(self.labels)


Loading = Generator[Progress, None, Dataset]


@dataclass(frozen=True, slots=True)
class Form:
    """The form of images; None leaves them as they are. Raises BadRequest for a value that does not exist."""

    side: int | None = None  # pixels; images are square
    channels: int | None = None  # 1: grey, 3: colour
    fit: FitName = "crop"  # of images in a folder, as is the ground
    ground: str = "auto"  # behind transparency and around whole images: a key of `ml.specs.GROUNDS`, or #rrggbb

    def __post_init__(self) -> None:
        if self.channels not in (None, 1, 3):
            raise BadRequest(
                f"Images have 1 channel (grey) or 3 (colour), not {self.channels}.", "Set model.channels to 1 or 3."
            )
        if self.fit not in FITS:
            raise BadRequest(f"There is no fit called {self.fit!r}.", f"Use one of: {', '.join(FITS)}.")
        try:
            check_ground(self.ground)
        except ValueError as error:
            raise BadRequest(f"{error}.", "Choose another ground.") from error


AS_IT_IS = Form()


def shaped(dataset: Dataset, form: Form) -> Loading:
    """The Dataset in that form: resized with antialiasing, grey made colour or the reverse; raises BadRequest."""
    count, had, height, _ = dataset.images.shape
    side, channels = form.side or height, form.channels or had
    if (side, channels) == (height, had):
        return dataset
    check_memory(count, side, channels)
    images = torch.empty(count, channels, side, side, dtype=torch.uint8)
    for first in range(0, count, BATCH):
        yield Progress("Resizing images", first, count)
        part = dataset.images[first : first + BATCH].float()
        if channels < had:
            part = (part * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)  # ITU-R BT.601
        part = F.interpolate(part, size=(side, side), mode="bicubic", antialias=True)
        images[first : first + BATCH] = part.round_().clamp_(0, 255).byte()  # one channel fills three
    return replace(dataset, images=images)


def check_memory(count: int, side: int, channels: int) -> None:
    """Raises BadRequest where so many images would take more memory than any data set should."""
    size = count * channels * side * side
    if size > MAX_MEMORY:
        raise BadRequest(
            f"{count:,} images of {channels} x {side} x {side} take {size / 1e9:.1f} GB, "
            f"more than the {MAX_MEMORY / 1e9:.1f} GB there are for a data set.",
            "Take fewer images, or smaller ones: --set model.image_size=32.",
        )


def usual_roots() -> list[Path]:
    """The folders that are searched for data sets: the one that NOISELOOM_DATA names, then the person's own."""
    chosen = os.environ.get(DATA_VARIABLE)
    return [*([Path(chosen).expanduser()] if chosen else []), paths.user_datasets()]


def damaged(path: Path, found: str) -> BadFile:
    """The error for a damaged file of a data set."""
    remedy = "Replace it (one that was downloaded: delete it and try again), or choose another folder."
    return BadFile(f"{path} is damaged: {found}.", remedy)


def unreadable(path: Path, error: OSError) -> BadFile:
    """The error for a file that cannot be read."""
    return BadFile(f"Cannot read {path}: {error.strerror or error}.", "Check the file, or choose another.")
