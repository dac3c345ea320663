"""Handwritten-looking digits drawn by our own strokes: a data set that needs no download.

Each style below is a few pen strokes. A digit is a style with its knots jittered, stretched, slanted and turned,
fitted and centred as MNIST's are (20 x 20 box, centre of mass in the middle of 28 x 28; LeCun et al. 1998), and
inked by the distance of each pixel to the stroke.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

# Knots "x,y" in percent of the box, y downwards, joined by a smooth curve; "/" is a corner at the knot before it,
# "|" lifts the pen.
STYLES: tuple[tuple[str, ...], ...] = (
    (
        "62,3 32,6 8,35 8,66 30,95 62,95 88,68 90,34 72,8 50,2",
        "50,2 20,14 6,48 20,86 50,98 80,86 94,50 80,14 52,2",
        "75,16 52,0 24,12 6,44 14,82 42,99 74,86 92,50 82,16 58,5 44,14",
    ),
    (
        "50,0 50,33 50,67 50,100",
        "52,0 50,33 49,67 48,100",
        "30,20 52,0 / 51,50 50,100",
        "28,22 52,0 / 51,50 50,98 | 26,98 50,98 78,97",
    ),
    (
        "12,22 36,2 68,5 80,28 56,62 12,96 / 50,95 96,94",
        "15,24 40,2 72,8 76,32 52,66 22,92 4,88 14,74 40,82 66,96 96,88",
        "8,14 42,6 84,6 / 48,50 6,95 / 50,95 96,94",
        "14,18 44,2 74,16 68,44 40,74 10,95 / 36,86 66,96 94,92",
    ),
    (
        "14,12 46,0 76,14 70,36 40,46 / 74,54 84,76 56,98 12,90",
        "12,6 44,4 80,5 / 40,42 / 76,52 84,78 54,98 10,92",
        "16,14 46,1 74,18 52,44 / 80,62 74,90 42,100 14,90",
        "14,10 50,1 76,16 62,40 44,47 70,54 82,74 62,97 12,93",
    ),
    (
        "16,4 12,30 10,56 / 48,56 88,51 | 76,4 72,50 68,100",
        "22,6 14,36 22,54 50,54 72,44 | 78,4 74,50 70,100",
        "66,2 40,30 6,64 / 50,63 96,60 | 68,2 66,50 64,100",
        "30,4 18,30 12,54 / 46,56 92,50 | 80,16 70,54 60,100",
    ),
    (
        "28,6 22,42 / 52,36 82,54 80,82 48,98 8,90 | 28,6 58,5 92,3",
        "86,3 56,5 28,10 / 22,44 / 54,40 80,58 76,86 44,99 10,90",
        "90,4 60,4 32,12 28,36 56,48 76,66 66,90 38,99 8,90",
        "26,5 24,44 / 50,44 74,56 74,84 46,99 10,92 | 26,6 60,6 96,4",
    ),
    (
        "68,2 40,22 18,50 14,78 38,98 68,90 76,68 52,56 22,70",
        "56,0 34,26 20,54 18,84 44,99 70,86 70,64 46,56 22,76",
        "82,4 50,14 20,44 10,76 36,98 72,92 84,70 60,54 22,66 12,80",
        "80,2 50,30 22,62 18,88 38,99 64,88 66,72 48,64 24,82",
    ),
    (
        "8,8 46,7 88,5 / 62,48 42,100",
        "8,26 10,8 / 46,8 88,6 / 64,50 46,100",
        "8,10 48,7 88,5 / 62,50 40,100 | 28,52 54,50 84,47",
        "10,14 48,3 80,10 78,36 60,66 46,100",
    ),
    (
        "80,16 52,0 22,14 28,36 54,50 78,70 72,92 46,100 18,90 22,68 50,50 74,34 80,14",
        "50,1 24,12 26,36 50,47 76,36 76,12 50,1 | 50,47 20,62 18,88 50,99 82,88 80,62 50,47",
        "72,12 46,1 24,16 34,38 60,54 74,78 56,98 28,94 24,74 48,52 78,26 88,6",
    ),
    (
        "80,14 50,2 18,20 20,44 48,50 72,36 82,12 / 78,56 72,100",
        "78,18 52,2 22,16 20,42 46,50 74,34 80,16 80,58 64,92 36,99 14,90",
        "76,10 44,4 16,28 30,50 60,42 80,12 / 66,58 52,100",
        "72,4 40,6 16,30 36,48 74,34 / 74,8 / 72,54 68,100",
    ),
)

POINTS = 96  # along all strokes of a digit: about 0.7 pixels apart at 28 x 28
BATCH = 500  # images that share a random generator, so that image k does not depend on how many are asked for
INK_BLOCK = 32  # images inked at a time: distances stay in the processor's cache
BOX = 20 / 28  # the side of MNIST's box, as a fraction of the image's
JITTER = 0.045  # standard deviation of a knot's place, as a fraction of the height
STROKE_WIDTHS = (1.5, 4.2)
EDGE = 1.3  # pixels from full ink to none


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticDigits:
    """Digits and how each was drawn."""

    images: Tensor  # (N, 1, size, size) uint8, white ink on black
    labels: Tensor  # (N,) int64; image k shows the digit k % 10
    thickness: Tensor  # (N,) float32, stroke width in pixels of a 28 x 28 image
    slant: Tensor  # (N,) float32, rightward shift of the top per unit of height
    aspect: Tensor  # (N,) float32, horizontal stretch, around 1
    rotation: Tensor  # (N,) float32, radians, clockwise

    def __len__(self) -> int:
        return len(self.labels)


def digits(count: int, seed: int, size: int = 28) -> SyntheticDigits:
    """The first `count` (at least 1) digits of that seed, `size` pixels wide and high, the classes in turn."""
    batches = list(drawing(count, seed, size))
    columns = (torch.cat([getattr(batch, field.name) for batch in batches]) for field in fields(SyntheticDigits))
    return SyntheticDigits(*columns)


def drawing(count: int, seed: int, size: int = 28) -> Iterator[SyntheticDigits]:
    """The same digits as they get ready, some hundreds at a time."""
    for first in range(0, count, BATCH):
        rng = np.random.default_rng((seed, first))
        yield _draw(np.arange(first, first + BATCH) % 10, min(BATCH, count - first), rng, size)


def _draw(labels: NDArray[np.int64], keep: int, rng: np.random.Generator, size: int) -> SyntheticDigits:
    """Draw the first `keep` of the digits `labels`."""
    basis, knots, first_style, style_count = _styles()
    n = len(labels)
    style = first_style[labels] + (rng.random(n) * style_count[labels]).astype(int)
    aspect = np.exp(rng.normal(0, 0.22, n))
    slant = rng.normal(0.18, 0.22, n)
    rotation = rng.normal(0, 0.07, n)
    thickness = rng.normal(2.6, 0.65, n).clip(*STROKE_WIDTHS)
    shape = knots[style] + rng.normal(0, JITTER, (n, *knots.shape[1:]))  # (n, K, 2)
    points = basis[style] @ shape @ _transforms(aspect, slant, rotation)  # (n, POINTS, 2)
    middle = 0.5 + rng.random((n, 1, 2)) / 28  # MNIST's are centred to whole pixels, rounded down

    whole = -(-keep // INK_BLOCK) * INK_BLOCK  # blocks: of fewer images at a time the last bits would be others

    def kept(values: Array) -> Tensor:
        return torch.from_numpy(values[:whole]).float()

    path, width = kept(_boxed(points, thickness)), kept(thickness)
    path += kept(middle) - _centre_of_mass(_ink(path, width, size=14))
    return SyntheticDigits(
        images=_ink(path, width, size)[:keep],
        labels=torch.from_numpy(labels[:keep]),
        thickness=width[:keep],
        slant=kept(slant)[:keep],
        aspect=kept(aspect)[:keep],
        rotation=kept(rotation)[:keep],
    )


def _transforms(aspect: Array, slant: Array, rotation: Array) -> Array:
    """(n, 2, 2): row vectors (x, y) are stretched, then slanted, then turned."""
    zero, one = np.zeros_like(aspect), np.ones_like(aspect)
    cos, sin = np.cos(rotation), np.sin(rotation)
    stretch = np.stack([0.72 * aspect, zero, zero, one], -1).reshape(-1, 2, 2)
    shear = np.stack([one, zero, -slant, one], -1).reshape(-1, 2, 2)
    turn = np.stack([cos, sin, -sin, cos], -1).reshape(-1, 2, 2)
    return stretch @ shear @ turn


def _boxed(points: Array, thickness: Array) -> Array:
    """Scale and move strokes so that their ink fills MNIST's box in the middle of the image."""
    low, high = points.min(1, keepdims=True), points.max(1, keepdims=True)  # (n, 1, 2)
    scale = (BOX - thickness / 28)[:, None, None] / (high - low).max(2, keepdims=True)
    return (points - (low + high) / 2) * scale + 0.5


def _centre_of_mass(images: Tensor) -> Tensor:
    """(n, 1, 2): x and y in [0, 1]."""
    ink = images[:, 0].float()
    places = (torch.arange(ink.shape[-1]) + 0.5) / ink.shape[-1]
    mass = ink.sum((1, 2))
    moments = [(ink.sum(axis) * places).sum(1) for axis in (1, 2)]
    return (torch.stack(moments, 1) / mass[:, None]).unsqueeze(1)


def _ink(points: Tensor, thickness: Tensor, size: int) -> Tensor:
    """White strokes with soft edges through `points` (n, P, 2) in [0, 1]; (n, 1, size, size) uint8."""
    centres = (torch.arange(size) + 0.5) * 28 / size
    pixels = torch.cartesian_prod(centres, centres).flip(1)  # (size^2, 2) as x, y
    pixel_terms = torch.cat([pixels.square().sum(1, keepdim=True), torch.ones(len(pixels), 1), -2 * pixels], 1)
    at = points * 28
    point_terms = torch.cat([torch.ones_like(at[..., :1]), at.square().sum(2, keepdim=True), at], 2).mT  # (n, 4, P)
    squares = [(pixel_terms @ block).amin(2) for block in point_terms.split(INK_BLOCK)]  # |p - q|^2 as a product
    distance = torch.cat(squares).clamp(min=0).sqrt()
    ink = ((thickness[:, None] / 2 - distance) / EDGE + 0.5).clamp(0, 1)
    return (ink * 255).round().to(torch.uint8).view(-1, 1, size, size)


@cache
def _styles() -> tuple[Array, Array, NDArray[np.int64], NDArray[np.int64]]:
    """Bases (S, POINTS, K) and knots (S, K, 2) of all styles in a row; per digit, its first style and how many."""
    parsed = [_parse(text) for styles in STYLES for text in styles]
    most = max(len(knots) for knots, _ in parsed)
    basis = np.stack([np.pad(b, ((0, 0), (0, most - b.shape[1]))) for b in (_basis(*style) for style in parsed)])
    knots = np.stack([np.pad(k, ((0, most - len(k)), (0, 0))) for k, _ in parsed])
    counts = np.array([len(styles) for styles in STYLES])
    return basis, knots, np.cumsum(counts) - counts, counts


def _parse(text: str) -> tuple[Array, list[list[int]]]:
    """Knots (K, 2) in [0, 1], and the smooth pieces as lists of knot indices; a corner belongs to two pieces."""
    knots: list[tuple[float, ...]] = []
    pieces: list[list[int]] = []
    for stroke in text.split("|"):
        for number, piece in enumerate(stroke.split("/")):
            first = len(knots)
            knots += [tuple(float(c) / 100 for c in knot.split(",")) for knot in piece.split()]
            pieces.append(list(range(first - (number > 0), len(knots))))
    return np.array(knots), pieces


def _basis(knots: Array, pieces: list[list[int]]) -> Array:
    """(POINTS, K): multiplied by the knots it gives points spread evenly along all strokes."""
    dense, weight = [], []
    for piece in pieces:
        rows = _catmull_rom(len(piece)) @ np.eye(len(knots))[piece]
        dense.append(rows)
        weight.append(np.r_[0.0, np.linalg.norm(np.diff(rows @ knots, axis=0), axis=1)])
    length = np.cumsum(np.concatenate(weight))
    return np.concatenate(dense)[np.searchsorted(length, np.linspace(0, length[-1], POINTS))]


def _catmull_rom(knots: int, fine: int = 64) -> Array:
    """(M, knots): points of the Catmull-Rom spline through the knots, the ends continued straight."""
    eye = np.eye(knots)
    p = np.concatenate([2 * eye[:1] - eye[1:2], eye, 2 * eye[-1:] - eye[-2:-1]])
    u = np.linspace(0, 1, fine)[:, None]
    return np.concatenate(
        [
            0.5 * (2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3)
            for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
        ]
    )
