"""The images inside a request: PNGs in base64, written and read."""

import base64
import binascii
import io

import numpy as np

from ml.errors import BadRequest
from ml.events import Pixels
from ml.imaging.png import write_png
from ml.imaging.safe_open import opened

MAX_SIDE = 128


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
