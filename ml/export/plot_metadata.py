"""What a plot's file says of how it came about: the configurations of its runs, or the settings of its schedules."""

import csv
import hashlib
import io
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from ml.config import Description, RunName, TrainConfig, parse
from ml.errors import BadFile
from ml.export.svg import read_description
from ml.export.verify import Proof
from ml.imaging.png import KEY
from ml.imaging.safe_open import opened, reading
from ml.system.files import MAX_TEXT, read_short

MAX_FILE_BYTES = 50_000_000
OTHER_FILE = "Choose a plot that Noiseloom wrote."
_DESCRIPTION = re.compile(rb"<desc>.*?</desc>", re.DOTALL)
_DATED = (b"/CreationDate (", b"/Type /Metadata", b"startxref")  # parts of a PDF that say when, and where
_ATTACHED = re.compile(rb"/EF\s*<<\s*/F (\d{1,9}) 0 R")


class PlotMetadata(Description):
    """The metadata of a plot."""

    noiseloom: str = Field(max_length=40, description="the version that wrote it")
    runs: dict[RunName, TrainConfig] = Field(
        default_factory=dict, max_length=100, description="by name, the first first"
    )
    by_noise: bool = Field(default=False, description="it is a map of the loss by noise level")
    schedules: dict[str, Any] | None = Field(default=None, description="the settings of the Explore page")
    shown: str = Field(default="", max_length=64, description="SHA-256 of what is drawn, see `digest`")


def read(path: Path) -> PlotMetadata | None:
    """The metadata of a plot's file; None where Noiseloom did not write it. Raises BadFile; executes nothing."""
    suffix = path.suffix.lower()
    if suffix not in _DESCRIPTIONS:
        return None
    with reading(path):
        text = _DESCRIPTIONS[suffix](path)
    if not text.startswith(f'{{"{KEY}": '):
        return None
    if len(text) > MAX_TEXT:
        raise BadFile(f"{path.name} carries {len(text)} bytes of description; that is too much.", OTHER_FILE)
    return parse(PlotMetadata, text, path.name)


def prove(path: Path, metadata: PlotMetadata) -> Proof:
    """Whether a plot is as it was written; raises BadFile."""
    if not metadata.shown:
        return Proof(False, "no record of what it showed", "It was written by an older Noiseloom.")
    with reading(path):
        same = digest(path.suffix.lower(), read_short(path, MAX_FILE_BYTES)) == metadata.shown
    if same:
        return Proof(True, "the plot it was written with")
    return Proof(False, "another plot than it was written with", "Another program has changed it.")


def digest(suffix: str, content: bytes) -> str:
    """SHA-256 of what a plot's file shows, without its metadata: pixels, drawing, pages or numbers."""
    return hashlib.sha256(_SHOWN[suffix](content)).hexdigest()


def _pdf(path: Path) -> str:
    """The first attachment, which Qt packs where that makes it shorter."""
    file = read_short(path, MAX_FILE_BYTES)
    number = _ATTACHED.search(file)
    if number is None:
        return ""
    _, _, after = file.partition(b"\n%b 0 obj\n" % number[1])
    content = after.partition(b"stream\n")[2].partition(b"endstream")[0]
    if not content.startswith(b"{"):
        content = zlib.decompressobj().decompress(content, MAX_TEXT + 1)
    return content.decode().rstrip("\r\n")


def _png(path: Path) -> str:
    with opened(path, ("PNG", "GIF", "WEBP")) as image:
        text = image.info.get(KEY, "")
        image.load()
    return str(text)


def _csv(path: Path) -> str:
    """The last column of the first row under the head."""
    with path.open("rb") as file:
        start = file.read(MAX_TEXT + 1).decode("utf-8", "replace")
    rows = csv.reader(io.StringIO(start))
    head, first = next(rows, []), next(rows, [])
    return first[-1] if head[-1:] == ["made by"] and first else ""


def _pixels(content: bytes) -> bytes:
    with opened(io.BytesIO(content), ("PNG",)) as image:
        return str(image.size).encode() + image.convert("RGB").tobytes()


def _drawing(content: bytes) -> bytes:
    return _DESCRIPTION.sub(b"", content, count=1)


def _numbers(content: bytes) -> bytes:
    rows = list(csv.reader(io.StringIO(content.decode())))
    return repr([row[:-1] for row in rows]).encode()


def _pages(content: bytes) -> bytes:
    number = _ATTACHED.search(content)
    attached = int(number[1]) if number else 0  # and its length, which is the next object
    aside = (*_DATED, *(b"\n%d 0 obj" % n for n in (attached, attached + 1)))
    return b"".join(part for part in content.split(b"endobj") if not any(words in part for words in aside))


_DESCRIPTIONS: dict[str, Callable[[Path], str]] = {
    ".svg": read_description,
    ".pdf": _pdf,
    ".png": _png,
    ".csv": _csv,
}
_SHOWN: dict[str, Callable[[bytes], bytes]] = {
    ".svg": _drawing,
    ".pdf": _pages,
    ".png": _pixels,
    ".csv": _numbers,
}
