"""PNGs through Pillow, which is imported with the first one: a window is shown sooner without it."""

from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ml.events import Pixels

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo


def write_png(
    file: Path | IO[bytes], pixels: Pixels, stamp: str = "", texts: Mapping[str, str] | None = None, **options: Any
) -> None:
    """Write a picture (H, W) or (H, W, 3), with its stamp and other texts, where it has them. Raises OSError."""
    from PIL import Image

    Image.fromarray(pixels).save(file, "PNG", pnginfo=text_chunk(stamp, texts) if stamp else None, **options)


def text_chunk(stamp: str, texts: Mapping[str, str] | None = None) -> "PngInfo":
    """The stamp as PNG and APNG carry it, and other texts by their keywords."""
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for key, text in {KEY: stamp, **(texts or {})}.items():
        chunks.add_text(key, text)
    return chunks


KEY = "noiseloom"
