"""Labelled figures: images in rows and columns, with names, notes and captions."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.errors import BadRequest
from ml.events import Pixels
from ml.imaging.pixels import grid
from ml.imaging.safe_open import MAX_PIXELS
from ml.system.files import atomic

if TYPE_CHECKING:
    from PIL import Image, ImageFont

GAP, SCALE, MARGIN, LINE = 2, 4, 16, 20
BETWEEN = 8  # rows and columns
FEW, SMALL = 4, 32  # so few images of at most that many pixels across are shown at the full scale
PAPER, INK, MUTED, NOTHING = (255, 255, 255), (28, 33, 43), (90, 99, 114), (236, 239, 244)


@dataclass(frozen=True, slots=True)
class Head:
    """The name of a row or a column, and a note on its result."""

    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """Images (N, H, W[, 3]) where a row and a column meet, `across` of them in a line, and a few words below."""

    images: Pixels
    across: int
    caption: str = ""


def across(count: int) -> int:
    """How many of `count` images in a line make a whole block that is about twice as wide as high."""
    return min(next(k for k in range(isqrt(count - 1) + 1, count + 1) if count % k == 0), 10)


def figure(
    title: str,
    rows: Sequence[Head],
    columns: Sequence[Head],
    panels: Sequence[Sequence[Panel | None]],
    subtitle: str = "",
    scale: int = SCALE,
) -> "Image.Image":
    """A picture for a report. `panels[row][column]`; None leaves a place empty. Unnamed columns get no line.

    A pixel of an image is `scale` wide where a panel has few of them, and half of that where it has many. Raises
    BadRequest for a figure that is too large.
    """
    from PIL import Image, ImageDraw

    blocks = [[panel and _block(panel, scale) for panel in line] for line in panels]
    widths = [
        max(_width(head.name), _width(head.note), *(block.width if block else 0 for block in column))
        for head, column in zip(columns, zip(*blocks, strict=True), strict=True)
    ]
    heights = [max((block.height if block else 2 * LINE) for block in line) for line in blocks]
    left = MARGIN + max(_width(row.name) for row in rows) + 2 * BETWEEN
    right = max(_width(row.note) for row in rows) + (2 * BETWEEN if any(row.note for row in rows) else 0)
    top = MARGIN + LINE + (LINE if subtitle else 0) + BETWEEN + (LINE if any(head.name for head in columns) else 0)
    bottom = (BETWEEN + LINE if any(head.note for head in columns) else 0) + MARGIN
    inner = sum(widths) + BETWEEN * (len(widths) - 1), sum(heights) + BETWEEN * (len(heights) - 1)
    width = max(left + inner[0] + right, MARGIN + _width(title, 18), MARGIN + _width(subtitle)) + MARGIN
    if width * (top + inner[1] + bottom) > MAX_PIXELS:
        raise BadRequest(f"The figure would be {width} x {top + inner[1] + bottom} pixels.", "Choose a smaller scale.")
    picture = Image.new("RGB", (width, top + inner[1] + bottom), PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((MARGIN, MARGIN), title, INK, _font(18))
    pen.text((MARGIN, MARGIN + LINE + 4), subtitle, MUTED, _font())
    lefts = [left + sum(widths[:k]) + BETWEEN * k for k in range(len(widths))]
    tops = [top + sum(heights[:k]) + BETWEEN * k for k in range(len(heights))]
    for head, x, wide in zip(columns, lefts, widths, strict=True):
        pen.text((x + wide / 2, top - LINE / 2 - 2), head.name, INK, _font(), anchor="mm")
        pen.text((x + wide / 2, top + inner[1] + BETWEEN + LINE / 2), head.note, MUTED, _font(), anchor="mm")
    for row, y, high, line in zip(rows, tops, heights, blocks, strict=True):
        pen.text((MARGIN, y + high / 2), row.name, INK, _font(), anchor="lm")
        pen.text((left + inner[0] + 2 * BETWEEN, y + high / 2), row.note, MUTED, _font(), anchor="lm")
        for x, wide, block in zip(lefts, widths, line, strict=True):
            if block:
                picture.paste(block, (x + (wide - block.width) // 2, y))
            else:
                pen.rectangle((x, y, x + wide - 1, y + high - 1), NOTHING)
    return picture


def drawable(names: Sequence[str]) -> tuple[str, ...]:
    """The names of classes as Pillow's own font can draw them: without accents, or else "class 3"."""
    return tuple(_drawable(name) or f"class {label}" for label, name in enumerate(names))


def _drawable(name: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return next((text for text in (name, plain) if all(map(_has_glyph, text))), "")


@cache
def _has_glyph(character: str) -> bool:
    font: Any = _font()
    drawn, missing = font.getmask(character), font.getmask("\uffff")
    return (drawn.size, bytes(drawn)) != (missing.size, bytes(missing))


def write(path: Path, picture: "Image.Image") -> None:
    """Write a figure as a PNG, whole or not at all; raises CannotWrite."""
    with atomic(path) as temporary:
        picture.save(temporary, "PNG")


def _block(panel: Panel, scale: int) -> "Image.Image":
    """The images of a panel over its caption."""
    from PIL import Image, ImageDraw

    few = len(panel.images) <= FEW and panel.images.shape[1] <= SMALL
    pixels = grid(panel.images, panel.across, GAP, scale if few else max(1, scale // 2), background=255)
    images = Image.fromarray(pixels).convert("RGB")
    if not panel.caption:
        return images
    block = Image.new("RGB", (max(images.width, _width(panel.caption, 12)), images.height + LINE), PAPER)
    block.paste(images, ((block.width - images.width) // 2, 0))
    middle = block.width / 2, images.height + LINE / 2
    ImageDraw.Draw(block).text(middle, panel.caption, MUTED, _font(12), anchor="mm")
    return block


def across_in(count: int, width: float, height: float) -> int:
    """How many of `count` images in a line make a whole block that shows them largest in so much room."""
    whole = [k for k in range(1, count + 1) if count % k == 0]
    return max(whole, key=lambda k: min(width / k, height / (count // k)))


def tiles(blocks: Sequence[Pixels | None], room: tuple[float, float] | None = None) -> Pixels:
    """Images (N, H, W[, 3]) each as one picture, all of one size, (len(blocks), H', W'[, 3]); None is black.

    `room` is the width and height that there is for one of them.
    """
    line = (lambda count: across_in(count, *room)) if room else across
    pictures = [grid(images, line(len(images)), gap=1) for images in blocks if images is not None]
    if not pictures:
        return np.zeros((len(blocks), 28, 28), np.uint8)
    height, width = max(p.shape[0] for p in pictures), max(p.shape[1] for p in pictures)
    colours = (3,) if any(p.ndim == 3 for p in pictures) else ()
    whole = np.zeros((len(blocks), height, width, *colours), np.uint8)
    found = iter(pictures)
    for tile, images in zip(whole, blocks, strict=True):
        if images is not None:
            picture = next(found)
            y, x = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
            tile[y : y + picture.shape[0], x : x + picture.shape[1]] = (
                picture[..., None] if colours and picture.ndim == 2 else picture
            )
    return whole


def _font(size: int = 14) -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _width(text: str, size: int = 14) -> int:
    return round(_font(size).getlength(text)) + 1 if text else 0
