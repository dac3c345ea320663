"""PNG, and reading what Pillow reads: PNG, APNG, GIF and WebP, by their content whatever their name says."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ml.errors import BadFile
from ml.events import Pixels
from ml.export.base import Export
from ml.export.metadata import IMAGE_DESCRIPTION
from ml.export.other_programs import PARAMETERS, parameters, refuse_foreign
from ml.imaging.png import KEY, write_png
from ml.imaging.safe_open import MAX_FILM_PIXELS, OTHER_FILE, opened

if TYPE_CHECKING:
    from PIL import Image

PILLOW_FORMATS = ("PNG", "GIF", "WEBP")


def write(path: Path, export: Export) -> None:
    """A grid or a labelled sheet; the stamp is a text chunk, and so is what other programs show."""
    picture = export.shown()
    shown = {PARAMETERS: parameters(export.request, export.layout, export.images.shape[1])}
    write_png(path, picture, export.stamp(picture), shown)


def read_metadata(path: Path) -> str:
    """The stamp in an image, after its pixels proved to be whole; Unstamped names another program that made it."""
    with opened(path, (*PILLOW_FORMATS, "JPEG")) as image:
        texts: dict[str | None, Callable[[], object]] = {
            "PNG": lambda: image.info.get(KEY, ""),
            "GIF": lambda: image.info.get("comment", b""),
            "WEBP": lambda: image.getexif().get(IMAGE_DESCRIPTION, ""),
            "JPEG": lambda: "",
        }
        text = texts[image.format]()
        image.load()
        if not text:
            refuse_foreign(path, image)
    return text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)


def read_pixels(path: Path) -> Pixels:
    """The image, or the last frame of a film, (H, W[, 3])."""
    with opened(path, PILLOW_FORMATS) as image:
        count = getattr(image, "n_frames", 1)
        if count * image.width * image.height > MAX_FILM_PIXELS:
            raise MemoryError(f"{count} pictures")
        image.seek(count - 1)
        if image.has_transparency_data and image.format != "GIF" and _is_transparent(image):
            raise BadFile(f"{path.name} was made transparent, which no image of ours is.", OTHER_FILE)
        mode = "RGB" if image.mode in ("RGB", "RGBA", "P") else "L"
        return np.array(image if image.mode == mode else image.convert(mode))


def _is_transparent(image: "Image.Image") -> bool:
    return bool((np.array(image.convert("RGBA"))[..., 3] < 255).any())
