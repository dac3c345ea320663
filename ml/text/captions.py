"""Captions of digits: measured attributes of images, and texts that are true of them.

An attribute is an extreme of its class: the fifth of its images with the thickest strokes is "bold", the fifth with the
thinnest is "thin", and the rest has neither attribute.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ml.cancellation import check_cancelled
from ml.text.caption_words import (
    ADJECTIVES,
    BOLD,
    DIGIT_FORMS,
    ENDINGS,
    LARGE,
    LEFT,
    MANNERS,
    NARROW,
    PLAIN_FORMS,
    RIGHT,
    SLANTED,
    SMALL,
    THIN,
    UPRIGHT,
    WIDE,
    WORDS,
)

EXTREME = 0.2  # share of a class at either end that has an attribute
MAX_DEMANDS = 3
PART = 2000  # images measured at a time


@dataclass(frozen=True, slots=True)
class Caption:
    """A text that is true of images of class `digit` (-1: any) with an attribute of every mask in `demands`."""

    text: str
    digit: int
    demands: tuple[int, ...]


def stroke_width(images: Tensor) -> Tensor:
    """Thickness of the strokes in pixels: twice the ink over the length of the outline. (N, H, W) in [0, 1] -> (N,)."""
    down, across = images.diff(dim=1), images.diff(dim=2)
    outline = torch.hypot(down[:, :, :-1], across[:, :-1, :]).sum(dim=(1, 2))
    return 2 * images.sum(dim=(1, 2)) / outline.clamp(min=1e-6)


def _moments(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Second central moments of the ink, (N,) each: of x, of y, and of both."""
    height, width = images.shape[1:]
    ink = images.sum(dim=(1, 2)).clamp(min=1e-6)
    x, y = torch.arange(width, dtype=images.dtype), torch.arange(height, dtype=images.dtype)
    columns, rows = images.sum(dim=1), images.sum(dim=2)
    dx = x - (columns @ x / ink)[:, None]
    dy = y - (rows @ y / ink)[:, None]
    both = torch.einsum("nyx,ny,nx->n", images, dy, dx)
    return (columns * dx**2).sum(1) / ink, (rows * dy**2).sum(1) / ink, both / ink


def slant(images: Tensor) -> Tensor:
    """How far the digit leans to the right, as pixels to the right per pixel upwards: (N, H, W) in [0, 1] -> (N,)."""
    _, yy, xy = _moments(images)
    return -xy / yy.clamp(min=1e-6)


def aspect(images: Tensor) -> Tensor:
    """Width over height, after the slant is taken out: (N, H, W) in [0, 1] -> (N,)."""
    xx, yy, xy = _moments(images)
    return ((xx - xy**2 / yy.clamp(min=1e-6)).clamp(min=0) / yy.clamp(min=1e-6)).sqrt()


def extent(images: Tensor) -> Tensor:
    """The geometric mean of width and height, in pixels: (N, H, W) in [0, 1] -> (N,)."""
    xx, yy, _ = _moments(images)
    return (xx * yy).clamp(min=0) ** 0.25


def attributes(images: Tensor, labels: Tensor) -> Tensor:
    """The attributes of uint8 images (N, 1, H, W) relative to their class, as bits: int64 (N,)."""
    leaning = _measured(slant, images)
    bits = torch.zeros(len(images), dtype=torch.int64)
    measured = (
        (_measured(stroke_width, images), THIN, BOLD),
        (leaning, LEFT, RIGHT),
        (_measured(aspect, images), NARROW, WIDE),
        (_measured(extent, images), SMALL, LARGE),
    )
    for value, low, high in measured:
        for label in labels.unique():
            mine = labels == label
            bottom, top = value[mine].quantile(torch.tensor([EXTREME, 1 - EXTREME]))
            bits[mine & (value <= bottom)] |= low
            bits[mine & (value >= top)] |= high
    bits[leaning.abs() < 0.08] |= UPRIGHT
    return bits


def _measured(measure: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """A measure of all images (N, 1, H, W), computed in parts: (N,)."""
    parts: list[Tensor] = []
    for part in images.split(PART):
        check_cancelled()
        parts.append(measure(part[:, 0].float() / 255))
    return torch.cat(parts)


def caption(digit: int, bits: int, rng: random.Random) -> Caption:
    """A random caption that is true of an image of that class with those attributes."""
    adjectives = [entry for entry in ADJECTIVES if entry[0] & bits]
    rng.shuffle(adjectives)
    chosen = adjectives[: rng.choice((0, 1, 1, 2))]
    ending = [entry for entry in ENDINGS if entry[0] & bits and not any(mask & SLANTED for mask, _ in chosen)]
    with_ending = bool(ending) and rng.random() < 0.4
    plain = bool(chosen) and rng.random() < 0.15
    form = rng.choice(PLAIN_FORMS if plain else DIGIT_FORMS)
    if "{a}" not in form:
        chosen = []
    prefix = "".join(f"{rng.choice(words)} " for _, words in chosen)
    name = rng.choice((WORDS[digit], WORDS[digit], str(digit)))
    text = form.format(a=prefix, n=name).strip()
    demands = [mask for mask, _ in chosen]
    if with_ending:
        mask, words = ending[0]
        text, demands = f"{text} {rng.choice(words)}", [*demands, mask]
    if rng.random() < 0.15:
        text = f"{rng.choice(MANNERS)} {text}"
    return Caption(text, -1 if plain else digit, tuple(demands))


def unrelated(rng: random.Random) -> str:
    """A random text that is true of no digit, with a noun that is in no caption."""
    form = rng.choice((*DIGIT_FORMS, "{a}{n} {n}", "a {a}{n} {n}", "the {a}{n}", "{a}{n} {n} {n}"))
    adjective = rng.choice(rng.choice(ADJECTIVES)[1]) + " " if rng.random() < 0.2 else ""
    return form.format(a=adjective, n="thing").strip()


def truth(captions: list[Caption], labels: Tensor, bits: Tensor) -> Tensor:
    """Which captions are true of which images: bool (images, captions)."""
    digit = torch.tensor([entry.digit for entry in captions])
    demands = torch.zeros(len(captions), MAX_DEMANDS, dtype=torch.int64)
    for row, entry in enumerate(captions):
        demands[row, : len(entry.demands)] = torch.tensor(entry.demands, dtype=torch.int64)
    right = (digit < 0) | (labels[:, None] == digit)
    met = (demands == 0) | ((bits[:, None, None] & demands) != 0)
    return right & met.all(dim=2)
