"""From tensors to pixels, and from pixels to grids. Nothing here imports torch."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np

from ml.events import Frame, Pixels

if TYPE_CHECKING:
    from torch import Tensor

Shown = Literal["x_t", "x0_hat"]


def to_uint8(x: "Tensor") -> Pixels:
    """Images (N, C, H, W) in [-1, 1], C = 1 or 3, as bytes: a copy (N, H, W) or (N, H, W, 3) outside torch.

    Values are clamped, halves are rounded to even, and NaN is black.
    """
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise ValueError(f"expected (N, 1, H, W) or (N, 3, H, W), got {tuple(x.shape)}")
    values = x.detach().float().nan_to_num(nan=-1.0)
    pixels = values.add_(1).mul_(127.5).round_().clamp_(0, 255).byte()
    pixels = pixels[:, 0] if x.shape[1] == 1 else pixels.permute(0, 2, 3, 1)
    return pixels.contiguous().cpu().numpy()


def grid(images: Pixels, columns: int, gap: int = 2, scale: int = 1, background: int = 0) -> Pixels:
    """Images (N, H, W[, 3]) in rows, as one image (H', W'[, 3]); what a last row lacks is background.

    `gap` pixels lie between images; then every pixel becomes a square of `scale` x `scale`.
    """
    count, height, width = images.shape[:3]
    columns = min(columns, count)
    rows = -(-count // columns)
    canvas = np.full((rows, height + gap, columns, width + gap, *images.shape[3:]), background, np.uint8)
    for row in range(rows):
        line = images[row * columns : (row + 1) * columns]
        canvas[row, :height, : len(line), :width] = line.swapaxes(0, 1)
    flat = canvas.reshape(rows * (height + gap), columns * (width + gap), *images.shape[3:])
    whole = flat[: rows * (height + gap) - gap, : columns * (width + gap) - gap]
    return np.ascontiguousarray(whole.repeat(scale, axis=0).repeat(scale, axis=1))


def cut(picture: Pixels, count: int, columns: int, gap: int = 2) -> Pixels:
    """The images (count, H, W[, 3]) of a picture that `grid` made at scale 1."""
    columns = min(columns, count)
    rows = -(-count // columns)
    height, width = (picture.shape[0] + gap) // rows, (picture.shape[1] + gap) // columns
    corners = (divmod(index, columns) for index in range(count))
    return np.stack([picture[y * height :, x * width :][: height - gap, : width - gap] for y, x in corners])


def sharpness(images: Pixels) -> float:
    """How sharp images (N, H, W[, 3]) are on average: the energy of the differences of neighbours over the variance.

    0 for a flat image, 4 for uncorrelated noise; blur lowers it. Flat images are left out.
    """
    x = images.astype(np.float64)
    axes = tuple(range(1, x.ndim))
    variance = x.var(axis=axes)
    energy = np.square(np.diff(x, axis=1)).mean(axis=axes) + np.square(np.diff(x, axis=2)).mean(axis=axes)
    seen = variance > 0
    return float((energy[seen] / variance[seen]).mean()) if seen.any() else 0.0


def walk(images: Pixels) -> list[Pixels]:
    """Images (N, H, W[, 3]) as a film of one after another."""
    return [images[k : k + 1] for k in range(len(images))]


def film(frames: Iterable[Frame], count: int, shown: Shown = "x_t") -> list[Pixels]:
    """The denoising of a request's `count` images, one (N, H, W[, 3]) per step, out of frames of parts of them.

    Images whose frames never came, because the work was stopped, stay black.
    """
    steps: dict[int, Pixels] = {}
    for frame in frames:
        part: Pixels = getattr(frame, shown)
        if frame.step not in steps:
            steps[frame.step] = np.zeros((count, *part.shape[1:]), np.uint8)
        steps[frame.step][frame.first : frame.first + len(part)] = part
    return [steps[step] for step in sorted(steps)]
