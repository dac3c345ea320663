"""The metadata of every exported file: the request, its layout, versions, and the hash of the pixels."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ml.config import MAX_IMAGES, Description, SampleRequest, parse
from ml.errors import BadFile
from ml.events import Pixels
from ml.imaging.safe_open import OTHER_FILE
from ml.system.versions import versions

IMAGE_DESCRIPTION = 0x010E  # the EXIF tag that has it in a WebP
MAX_CELLS = 400  # of a comparison
MAX_STAMP_BYTES = 1_000_000
ClassName = Annotated[str, Field(max_length=255)]
Kind = Literal["images", "sheet", "x_t", "x0_hat", "walk"]
Watch = Callable[[int, int], None]  # (frames done, frames in all); may raise to stop the work


class Layout(Description):
    """How images became a picture or a film."""

    columns: int = Field(default=10, ge=1, le=1000)
    scale: int = Field(default=4, ge=1, le=64, description="pixels per pixel")
    gap: int = Field(default=2, ge=0, le=64, description="pixels between images, before scaling")
    kind: Kind = Field(
        default="images",
        description="finished images, plain or labelled, which film of the denoising, or one image after another",
    )
    frame_ms: int = Field(default=80, ge=10, le=10_000)
    first_ms: int = Field(default=600, ge=10, le=60_000, description="how long a film rests on the noise ...")
    last_ms: int = Field(default=1800, ge=10, le=60_000, description="... and on the finished images")
    readings: tuple[str, ...] = Field(
        default=(), max_length=MAX_IMAGES, description="what the judge read in each image, where labels show it"
    )
    judge_accuracy: float | None = Field(
        default=None, ge=0, le=1, description="share of real test images that the judge reads right"
    )
    classes: tuple[ClassName, ...] = Field(
        default=(), max_length=1000, description="the names of labels 0, 1, ... in captions; numbers without them"
    )


class CellNote(Description):
    """What a comparison's figure says of one of its cells: how it was drawn, and what came of it."""

    row: int = Field(ge=0, lt=MAX_CELLS)
    column: int = Field(ge=0, lt=MAX_CELLS)
    changes: dict[str, Any] = Field(description="what its request has unlike the stamp's")
    seconds: float = Field(ge=0)
    right: float | None = Field(default=None, ge=0, le=1)
    confidence: float | None = Field(default=None, ge=0, le=1)
    judge_accuracy: float | None = Field(default=None, ge=0, le=1, description="share of real test images")
    evaluations: int | None = Field(default=None, ge=0)
    sharpness: float | None = Field(default=None, ge=0)


class AxisNote(Description):
    """An axis of a comparison: a setting, and its values in a line as they are typed."""

    field: str = Field(max_length=40)
    values: str = Field(max_length=20_000)


class Comparison(Description):
    """What a labelled figure of a comparison shows; a figure without an axis of rows or columns has one of them."""

    rows: AxisNote | None = None
    columns: AxisNote | None = None
    classes: tuple[ClassName, ...] = Field(default=(), max_length=1000, description="the names of an axis of labels")
    cells: tuple[CellNote, ...] = Field(min_length=1, max_length=MAX_CELLS)


class Stamp(Description):
    """The metadata of a file."""

    version: Literal[1] = 1
    request: SampleRequest
    layout: Layout
    versions: dict[str, str] = Field(default_factory=dict)
    pixels: str = Field(
        default="",
        max_length=64,
        description="SHA-256 of the picture, of a film's last, or of an NPZ's or SVG's images",
    )
    experiment: str = Field(
        default="", max_length=40, description="whose answer a figure shows; `request` has its seed"
    )
    race: tuple[SampleRequest, ...] = Field(
        default=(), max_length=4, description="for a figure of a race, its lanes; `request` is the first"
    )
    comparison: Comparison | None = Field(default=None, description="for a figure; `request` is its first cell's")


class Unstamped(BadFile):
    """A readable file that Noiseloom did not write."""


def digest(pixels: Pixels) -> str:
    """SHA-256 of the bytes of an array."""
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def seal(request: SampleRequest, layout: Layout, pixels: Pixels, **more: object) -> str:
    """The stamp as ASCII JSON; `more` is what a figure has beside."""
    known = {"request": request, "layout": layout, "versions": versions(), "pixels": digest(pixels)}
    stamp = Stamp.model_validate(known | more)
    return json.dumps(stamp.model_dump(mode="json"), separators=(",", ":"))


def parsed(path: Path, text: str) -> Stamp:
    """The stamp that a file's text holds; raises BadFile."""
    if not text.startswith("{"):
        why = "it is none of ours, or another program saved it anew and left that out"
        raise Unstamped(f"{path.name} carries no Noiseloom request: {why}.", OTHER_FILE)
    if len(text) > MAX_STAMP_BYTES:
        raise BadFile(f"{path.name} carries {len(text)} bytes of description; that is too much.", OTHER_FILE)
    return parse(Stamp, text, path.name)


def unwatched(_done: int, _total: int) -> None:
    """Watch nothing."""
