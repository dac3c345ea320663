"""Contact sheets as SVG, whose images are PNGs inside it. Its parser refuses a document type, and so every entity."""

import base64
import io
from html import escape
from pathlib import Path

import numpy as np

from ml.errors import BadRequest
from ml.events import Pixels
from ml.export.base import Export
from ml.export.contact_sheet import PAPER, captions_of, planned, title
from ml.imaging.png import write_png
from ml.imaging.safe_open import MAX_PIXELS, opened

MAX_IMAGES = 10_000
MAX_BYTES = 40_000_000
_SVG = "http://www.w3.org/2000/svg"
_WORDS = {f"{{{_SVG}}}metadata": "text", f"{{{_SVG}}}desc": "description"}
_DATA = "data:image/png;base64,"


def write(path: Path, export: Export) -> None:
    """A labelled sheet, its images pixel by pixel and its words as text; the stamp is its metadata."""
    path.write_text(_document(export), encoding="utf-8")


def _document(export: Export) -> str:
    images, request, layout = export.images, export.request, export.layout
    if len(images) > MAX_IMAGES:
        raise BadRequest(f"{len(images)} images are too many for one SVG.", f"Ask for {MAX_IMAGES} at most.")
    plan = planned(images, request, layout)
    parts = [
        f'<svg xmlns="{_SVG}" width="{plan.width}" height="{plan.height}" viewBox="0 0 {plan.width} {plan.height}">',
        f"<title>{escape(_clean(title(request, layout.classes)))}</title>",
        f"<metadata>{escape(export.stamp(images))}</metadata>",
        f'<rect width="{plan.width}" height="{plan.height}" fill="{PAPER}"/>',
    ]
    for k, (image, (x, y)) in enumerate(zip(images, plan.corners, strict=True)):
        name = escape(_clean(", ".join(part for part in captions_of(request, layout, k) if part)))
        parts.append(
            f'<image x="{x}" y="{y}" width="{plan.side}" height="{plan.side}" style="image-rendering:pixelated" '
            f'aria-label="{name}" href="{_DATA}{base64.b64encode(_png(image)).decode()}"/>'
        )
    parts += [
        f'<text x="{text.x}" y="{text.y}" font-family="Helvetica, Arial, sans-serif" font-size="{text.size}" '
        f'fill="{text.color}">{escape(_clean(text.words))}</text>'
        for text in plan.texts
    ]
    return "\n".join([*parts, "</svg>", ""])


def _clean(words: str) -> str:
    """Without the characters that XML does not know."""
    return "".join(character for character in words if character.isprintable())


def _png(image: Pixels) -> bytes:
    buffer = io.BytesIO()
    write_png(buffer, image)
    return buffer.getvalue()


class _Reader:
    """Takes from an SVG what is ours, without building a tree; refuses a document type, and so every entity."""

    def __init__(self) -> None:
        self.text = self.description = ""
        self.images: list[str] = []
        self._inside: list[str] | None = None

    def doctype(self, *_: object) -> None:
        raise ValueError("a document type")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in _WORDS:
            self._inside = []
        elif tag == f"{{{_SVG}}}image":
            self.images.append(attributes.get("href", ""))

    def data(self, text: str) -> None:
        if self._inside is not None:
            self._inside.append(text)

    def end(self, tag: str) -> None:
        if tag in _WORDS and self._inside is not None:
            setattr(self, _WORDS[tag], "".join(self._inside))
            self._inside = None


def _read(path: Path) -> _Reader:
    if path.stat().st_size > MAX_BYTES:
        raise MemoryError(path.name)
    from xml.etree import ElementTree  # not at the start of a window

    reader = _Reader()
    parser = ElementTree.XMLParser(target=reader)
    with path.open("rb") as file:
        while part := file.read(2**20):
            parser.feed(part)
    parser.close()
    return reader


def read_metadata(path: Path) -> str:
    """The stamp in an SVG; raises OSError, ValueError, SyntaxError, MemoryError."""
    return _read(path).text


def read_description(path: Path) -> str:
    """The text of an SVG's `desc`; raises as `read_metadata` does."""
    return _read(path).description


def read_pixels(path: Path) -> Pixels:
    """The images in an SVG, (N, H, W[, 3]); raises as `read_metadata` does."""
    left, found = MAX_PIXELS, []
    for address in _read(path).images:
        if not address.startswith(_DATA):
            raise ValueError("an image that is not inside the file")
        content = base64.b64decode(address[len(_DATA) :], validate=True)
        with opened(io.BytesIO(content), ("PNG",)) as image:
            left -= image.width * image.height
            if left < 0:
                raise MemoryError(path.name)
            found.append(np.array(image.convert("L" if image.mode == "L" else "RGB")))
    return np.stack(found)
