"""PNGs through Pillow, which is imported with the first one: a window is shown sooner without it."""

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ml.events import Pixels

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo


def write_png(file: Path | IO[bytes], pixels: Pixels, stamp: str = "", **options: Any) -> None:
    """Write a picture (H, W) or (H, W, 3), with its stamp, where it has one. Raises OSError."""
    from PIL import Image

    Image.fromarray(pixels).save(file, "PNG", pnginfo=text_chunk(stamp) if stamp else None, **options)


def text_chunk(stamp: str) -> "PngInfo":
    """The stamp as PNG and APNG carry it."""
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    chunks.add_text(KEY, stamp)
    return chunks


KEY = "noiseloom"
