"""Films as GIF, lossless WebP and APNG through Pillow, frame by frame."""

from pathlib import Path
from typing import Any

from ml.export.base import Export
from ml.export.metadata import IMAGE_DESCRIPTION
from ml.imaging.png import text_chunk


def write_gif(path: Path, export: Export) -> None:
    """The stamp is the comment."""
    _save(path, export, format="GIF", comment=_stamp(export).encode(), optimize=False)


def write_webp(path: Path, export: Export) -> None:
    """The stamp is the EXIF image description."""
    from PIL import Image

    exif = Image.Exif()
    exif[IMAGE_DESCRIPTION] = _stamp(export)
    _save(path, export, format="WEBP", lossless=True, exif=exif.tobytes())


def write_apng(path: Path, export: Export) -> None:
    """The stamp is a text chunk."""
    _save(path, export, format="PNG", pnginfo=text_chunk(_stamp(export)))


def _stamp(export: Export) -> str:
    return export.stamp(export.frame(-1))


def _save(path: Path, export: Export, **options: Any) -> None:
    from ml.export import film_image  # takes Pillow, which the start of a window does without

    film_image.save(path, export, **options)
