"""The history on disk: for each result a picture with its request in it, KEY.png, and what is said of it, KEY.json."""

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import Field

from desktop_app.settings import PageName
from ml.config import MAX_PICTURE, NO_LABEL, Description, parse
from ml.errors import BadFile, CannotWrite, NoiseloomError
from ml.events import Pixels
from ml.export.metadata import Stamp
from ml.imaging.embedded_png import pixels_of
from ml.imaging.pixels import grid
from ml.specs import SAMPLERS
from ml.system import paths
from ml.system.files import atomic, make_folder, modified, move, read_short

KEPT, STARRED = 200, 500  # results
MAX_BYTES = 300_000_000  # of the results that are not starred
MAX_NAME, MAX_ABOUT = 100, 300  # characters
DELETED, DAMAGED = "deleted", "damaged"  # folders in that of the history
ASIDE_S = 30 * 24 * 3600  # that files stay in them
SIDE, ACROSS = 60, 2  # pixels of a thumbnail; images across and down in it
_KEY = re.compile(r"\d{1,20}-[0-9a-f]{8}")


class Entry(Description):
    """What is said of a result."""

    version: Literal[1] = 1
    page: PageName
    made: float = Field(ge=0, le=1e11, description="when, as `time.time` counts it")
    about: str = Field(default="", max_length=MAX_ABOUT, description="its request in a few words")
    name: str = Field(default="", max_length=MAX_NAME, description="that the person gave it")
    starred: bool = False
    thumbnail: str = Field(max_length=MAX_PICTURE, description="a PNG of SIDE pixels in base64")


def new_key() -> str:
    """A key that no other result has; later ones are greater."""
    return f"{time.time_ns():020}-{secrets.token_hex(4)}"


def key_of(made: float, content: bytes) -> str:
    """The key of a result that was made elsewhere: the same for the same picture."""
    return f"{int(made * 1e9):020}-{hashlib.sha256(content).hexdigest()[:8]}"


def picture(key: str) -> Path:
    """The picture of a result."""
    return paths.user_history() / f"{key}.png"


def write(key: str, entry: Entry) -> None:
    """Save what is said of a result. Raises CannotWrite."""
    with atomic(make_folder(paths.user_history()) / f"{key}.json") as temporary:
        temporary.write_text(entry.model_dump_json(), encoding="utf-8")


def write_picture(key: str, draw: Callable[[Path], object]) -> None:
    """Save the picture of a result by calling `draw`. Raises CannotWrite."""
    make_folder(paths.user_history())
    draw(picture(key))


def read_all() -> tuple[dict[str, tuple[Entry, Pixels]], list[str]]:
    """All results by their keys with their thumbnails, the latest last, and the names of damaged ones.

    The damaged ones, which may lack their picture, are moved aside.
    """
    found, damaged = dict[str, tuple[Entry, Pixels]](), list[str]()
    for path in sorted(paths.user_history().glob("*.json")):
        if not _KEY.fullmatch(path.stem):
            continue
        try:
            if not picture(path.stem).is_file():
                raise BadFile(f"{path.stem}.png is missing.")
            entry = parse(Entry, read_short(path), path.name)
            found[path.stem] = entry, pixels_of(entry.thumbnail, 3, SIDE)
        except (NoiseloomError, OSError):
            damaged.append(path.name)
            with suppress(CannotWrite):
                _move([path.stem], paths.user_history(), paths.user_history() / DAMAGED)
    _remove_old_leftovers()
    return found, damaged


def surplus(entries: Mapping[str, bool]) -> list[str]:
    """The keys to delete of so many results, by key and whether they are starred, the latest last."""
    plain = [key for key, starred in entries.items() if not starred]
    gone, size = plain[:-KEPT], 0
    for key in reversed(plain[-KEPT:]):
        size += _size(picture(key))
        if size > MAX_BYTES:
            gone.append(key)
    return gone


def remove(keys: Iterable[str]) -> None:
    """Move results aside, from where they can be put back. Raises CannotWrite."""
    _move(keys, paths.user_history(), paths.user_history() / DELETED)


def put_back(keys: Iterable[str]) -> None:
    """Put removed results back. Raises CannotWrite."""
    _move(keys, paths.user_history() / DELETED, paths.user_history())


def erase(keys: Iterable[str]) -> None:
    """Delete results for good."""
    for key in keys:
        for path in (picture(key), picture(key).with_suffix(".json")):
            with suppress(OSError):
                path.unlink()


def about(stamp: Stamp) -> str:
    """A request in a few words, in which a person can search."""
    request = stamp.request
    if stamp.comparison:
        axes = (stamp.comparison.rows, stamp.comparison.columns)
        parts = [" × ".join(f"{axis.field}: {axis.values}" for axis in axes if axis)]
    elif stamp.race:
        lanes = [f"{SAMPLERS[lane.sampler].title}, {lane.steps}" for lane in stamp.race]
        parts = [f"race: {' / '.join(lanes)}"]
    else:
        labels = "" if NO_LABEL in request.labels else " ".join(map(str, dict.fromkeys(request.labels)))
        parts = [request.prompt or labels, SAMPLERS[request.sampler].title, f"{request.steps} steps"]
    whole = [*parts, request.model, f"seed {request.seed}"]
    return " · ".join(part for part in whole if part)[:MAX_ABOUT]


def thumbnail(images: Pixels) -> Pixels:
    """A thumbnail (SIDE, SIDE, 3) of images (N, H, W[, 3]): of the only one, or of four of them."""
    import numpy as np
    from PIL import Image  # not at the start, when nothing is drawn yet

    count = 1 if len(images) < ACROSS**2 else ACROSS**2
    chosen = np.linspace(0, len(images) - 1, count).round().astype(int)
    whole = Image.fromarray(grid(images[chosen], 1 if count == 1 else ACROSS, gap=2)).convert("RGB")
    return np.array(whole.resize((SIDE, SIDE), Image.Resampling.BOX))


def _move(keys: Iterable[str], source: Path, target: Path) -> None:
    for key in keys:
        for suffix in (".json", ".png"):  # without the first, the second counts no more
            if (source / f"{key}{suffix}").exists():
                move(source / f"{key}{suffix}", target / f"{key}{suffix}")


def _remove_old_leftovers() -> None:
    """Delete what was moved aside long ago, and pictures of which nothing was ever said."""
    folder, now = paths.user_history(), time.time()
    alone = [path for path in folder.glob("*.png") if not path.with_suffix(".json").exists()]
    for path in (*alone, *(folder / DELETED).glob("*"), *(folder / DAMAGED).glob("*")):
        if now - modified(path) > ASIDE_S:
            with suppress(OSError):
                path.unlink()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
