"""A person's own drawing inside a request: small images as text, and back."""

import base64
import binascii
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.config import NO_LABEL, Corner, SampleRequest, SampleSettings
from ml.errors import BadRequest
from ml.events import Pixels
from ml.export.metadata import opened
from ml.imaging.png import write_png

if TYPE_CHECKING:
    from torch import Tensor

MAX_SIDE = 128
SIDE = 28  # of what is drawn by hand
# How a picture's noise is turned into the picture again; inverting and drawing take the same steps.
THERE_AND_BACK: Mapping[str, Any] = {"sampler": "ddim", "eta": 0.0, "steps": 20}
REPAINT: Mapping[str, Any] = {"sampler": "ddpm", "steps": 20, "repeats": 2}
VARY_STEPS = 20  # part of them lies above the noise that a variation begins in


def to_text(pixels: Pixels) -> str:
    """An image (H, W) grey or (H, W, 3) as a PNG in base64."""
    file = io.BytesIO()
    write_png(file, pixels, optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")


def pixels_of(text: str, channels: int, side: int) -> Pixels:
    """The image of `to_text`, (side, side) or (side, side, 3); raises BadRequest for anything else."""
    wrong = BadRequest("The drawing in the request cannot be read.", f"Give a PNG of {side} x {side} pixels.")
    try:
        with opened(io.BytesIO(base64.b64decode(text, validate=True)), ("PNG",)) as image:
            if image.size != (side, side) or side > MAX_SIDE:
                raise wrong
            return np.array(image.convert("L" if channels == 1 else "RGB"))
    except (binascii.Error, OSError, ValueError, SyntaxError, MemoryError) as error:
        raise wrong from error


def from_text(text: str, channels: int, side: int) -> "Tensor":
    """The image of `to_text` as (1, channels, side, side) in [-1, 1]; raises BadRequest for anything else."""
    import torch  # takes seconds, and the screen only needs `to_text`

    pixels = torch.from_numpy(pixels_of(text, channels, side))
    return pixels.view(side, side, channels).permute(2, 0, 1)[None].float() / 127.5 - 1


def redrawn(
    model: str, defaults: SampleSettings, drawing: Pixels, labels: tuple[int, ...], mask: Pixels | None, sigma: float
) -> SampleRequest:
    """Variations of a drawing (H, W) from the noise level sigma (SDEdit), or with a `mask` completions of it (RePaint).

    What is white in the mask is drawn anew; an image for each label.
    """
    own: dict[str, Any] = {"model": model, "labels": labels, "source": to_text(drawing)}
    own |= {"vary_from": sigma, "steps": VARY_STEPS} if mask is None else {"mask": to_text(mask), **REPAINT}
    return SampleRequest.model_validate(defaults.model_dump() | own)


def rebuilt(model: str, defaults: SampleSettings, drawing: Pixels, classes: int) -> SampleRequest:
    """From the noise that a drawing (H, W) comes from: without a class, which gives it back, and as every class."""
    labels = (NO_LABEL, *range(classes))
    count = len(labels)
    noise = [Corner(picture=to_text(drawing)).model_dump()]
    own = {"model": model, "labels": (NO_LABEL,) * count, "corners": noise, "weights": ((1.0,),) * count}
    parent = SampleRequest.model_validate(defaults.model_dump() | own | dict(THERE_AND_BACK))
    corners = [Corner(label=label).model_dump() for label in labels]
    return parent.with_changes(parent=parent, corners=corners, weights=np.eye(count).tolist())


def as_drawing(path: Path, side: int) -> Pixels:
    """A picture file as a drawing: bright strokes on black, turned around where the paper is white; raises BadFile."""
    from ml.data import picture  # brings torch

    image = picture(path, side)
    return 255 - image if image.mean() > 127 else image
