"""PNG, and reading what Pillow reads: PNG, APNG, GIF and WebP, by their content whatever their name says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ml.events import Pixels
from ml.export.base import Export
from ml.export.metadata import IMAGE_DESCRIPTION
from ml.imaging.png import KEY, write_png
from ml.imaging.safe_open import MAX_FILM_PIXELS, opened

PILLOW_FORMATS = ("PNG", "GIF", "WEBP")


def write(path: Path, export: Export) -> None:
    """A grid or a labelled sheet; the stamp is a text chunk."""
    picture = export.shown()
    write_png(path, picture, export.stamp(picture))


def read_metadata(path: Path) -> str:
    """The stamp in an image, after its pixels proved to be whole."""
    with opened(path, PILLOW_FORMATS) as image:
        texts: dict[str | None, Callable[[], object]] = {
            "PNG": lambda: image.info.get(KEY, ""),
            "GIF": lambda: image.info.get("comment", b""),
            "WEBP": lambda: image.getexif().get(IMAGE_DESCRIPTION, ""),
        }
        text = texts[image.format]()
        image.load()
    return text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)


def read_pixels(path: Path) -> Pixels:
    """The image, or the last frame of a film, (H, W[, 3])."""
    with opened(path, PILLOW_FORMATS) as image:
        count = getattr(image, "n_frames", 1)
        if count * image.width * image.height > MAX_FILM_PIXELS:
            raise MemoryError(f"{count} pictures")
        image.seek(count - 1)
        mode = "RGB" if image.mode in ("RGB", "RGBA", "P") else "L"
        return np.array(image if image.mode == mode else image.convert(mode))
