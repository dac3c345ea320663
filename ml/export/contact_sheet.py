"""Contact sheets: images with the request and its settings above, and labels, readings and seeds below each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.config import NO_LABEL, SampleRequest
from ml.errors import BadRequest
from ml.events import Pixels
from ml.export.metadata import Layout
from ml.imaging.figure import drawable
from ml.imaging.safe_open import MAX_PIXELS
from ml.text.class_names import label_text

MARGIN, GAP, CELL = 24, 16, 124  # pixels; a cell has room for its words
TITLE, WORDS = 20, 12  # sizes of type
LINE = 16
INK, MUTED, PAPER = "#16181d", "#5b6270", "#ffffff"


@dataclass(frozen=True, slots=True)
class _Text:
    x: int
    y: int  # of the base line
    words: str
    size: int = WORDS
    color: str = MUTED


@dataclass(slots=True)
class _Plan:
    """The layout of a sheet, in pixels."""

    width: int
    height: int = MARGIN
    side: int = 0  # of an image
    corners: list[tuple[int, int]] = field(default_factory=list)  # of the images, upper left
    texts: list[_Text] = field(default_factory=list)

    def line(self, words: str, size: int, color: str) -> None:
        """Words over the whole width, in as many lines as they need."""
        for part in _wrapped(words, size, self.width - 2 * MARGIN):
            self.height += size + 4
            self.texts.append(_Text(MARGIN, self.height - 4, part, size, color))


def size_of(count: int, side: int, layout: Layout) -> tuple[int, int]:
    """Width and height of a sheet of `count` images, without its title."""
    columns = min(layout.columns, count)
    image = side * layout.scale
    width = 2 * MARGIN + columns * (max(image, CELL) + GAP) - GAP
    return width, 2 * MARGIN + -(-count // columns) * (image + 2 * LINE + GAP)


def title(request: SampleRequest, classes: Sequence[str] = ()) -> str:
    """The title of a sheet: the prompt, or the labels in words."""
    if request.prompt:
        return request.prompt
    if request.corners:
        return f"{len(request.labels)} images between {len(request.corners)} corners"
    labels = dict.fromkeys(request.labels)
    if set(labels) == {NO_LABEL}:
        return "Whatever comes"
    if not classes:
        return " ".join(map(str, labels))
    words = [label_text(label, classes) for label in labels]
    return (" " if all(map(str.isdecimal, words)) else ", ").join(words)


def settings(request: SampleRequest) -> str:
    """The sampling settings in one line."""
    how = f"{request.model}, {request.sampler}, {request.steps} steps, guidance {request.guidance:g}"
    return f"{how}, eta {request.eta:g}, seed {request.seed}" if request.eta else f"{how}, seed {request.seed}"


def readings(
    labels: NDArray[np.int64], confidence: NDArray[np.float32], classes: Sequence[str] = ()
) -> tuple[str, ...]:
    """What a judge read in each image, (N,) each, as a layout keeps it."""
    return tuple(f"{label_text(label, classes)}, {sure:.0%}" for label, sure in zip(labels, confidence, strict=True))


def captions_of(request: SampleRequest, layout: Layout, k: int) -> tuple[str, str]:
    asked = "" if request.labels[k] == NO_LABEL else label_text(request.labels[k], layout.classes)
    read = f"read as {layout.readings[k]}" if k < len(layout.readings) else ""
    which = f"image {k + 1}" if request.corners else f"seed {request.seed_of(k)}"
    return ", ".join(part for part in (asked, read) if part), which


def planned(images: Pixels, request: SampleRequest, layout: Layout) -> _Plan:
    count, side = len(images), images.shape[1]
    width, _ = size_of(count, side, layout)
    plan = _Plan(max(width, 2 * MARGIN + 2 * CELL), side=side * layout.scale)
    plan.line(title(request, layout.classes), TITLE, INK)
    plan.line(settings(request), WORDS, MUTED)
    if layout.readings and layout.judge_accuracy is not None:
        plan.line(f"The judge reads {layout.judge_accuracy:.1%} of real test images right", WORDS, MUTED)
    plan.height += GAP
    columns, cell = min(layout.columns, count), max(plan.side, CELL) + GAP
    top, tall = plan.height, plan.side + 2 * LINE + GAP
    for k in range(count):
        x, y = MARGIN + k % columns * cell, top + k // columns * tall
        plan.corners.append((x, y))
        first, second = captions_of(request, layout, k)
        first = _shortened(first, cell) if layout.classes else first
        lines = ((first, INK), (second, MUTED)) if first else ((second, MUTED),)
        plan.texts += [
            _Text(x, y + plan.side + (n + 1) * LINE, words, color=color) for n, (words, color) in enumerate(lines)
        ]
    plan.height = top + -(-count // columns) * tall - GAP + MARGIN
    if plan.width * plan.height > MAX_PIXELS:
        raise BadRequest(
            f"The sheet would be {plan.width} x {plan.height} pixels.", "Choose a smaller scale or fewer images."
        )
    return plan


def sheet(images: Pixels, request: SampleRequest, layout: Layout) -> Pixels:
    """Images (N, H, W[, 3]) as a labelled contact sheet (H', W', 3); raises BadRequest for one too large."""
    from PIL import Image, ImageDraw

    plan = planned(images, request, layout.with_changes(classes=drawable(layout.classes)))
    canvas = Image.new("RGB", (plan.width, plan.height), PAPER)
    for image, corner in zip(images, plan.corners, strict=True):
        large = image.repeat(layout.scale, axis=0).repeat(layout.scale, axis=1)
        canvas.paste(Image.fromarray(large).convert("RGB"), corner)
    draw = ImageDraw.Draw(canvas)
    for text in plan.texts:
        draw.text((text.x, text.y), text.words, text.color, _font(text.size), anchor="ls")
    return np.array(canvas)


@cache
def _font(size: int) -> Any:
    """Pillow's own font, so that a sheet looks the same everywhere."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _shortened(words: str, width: int) -> str:
    """Words in one line, with dots where they do not fit."""
    if _font(WORDS).getlength(words) <= width:
        return words
    end = next(end for end in range(len(words), -1, -1) if _font(WORDS).getlength(f"{words[:end]}…") <= width)
    return f"{words[:end]}…"


def _wrapped(words: str, size: int, width: int) -> Iterable[str]:
    line = ""
    for word in words.split():
        for part in (word[k : k + 40] for k in range(0, len(word), 40)):
            longer = f"{line} {part}".strip()
            if line and _font(size).getlength(longer) > width:
                yield line
                longer = part
            line = longer
    if line:
        yield line
