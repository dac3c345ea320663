"""The trash: deleted files, kept for thirty days under the path they had.

The file `models/NAME.safetensors` or the folder `runs/NAME` of the user's folder moves to the same path in a new folder
of the trash.
"""

import secrets
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ml.errors import BadRequest
from ml.system import paths
from ml.system.files import make_folder, move

KEPT_DAYS = 30
DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Trashed:
    """One item in the trash; `when` is its time of deletion, as `time.time` counts it."""

    folder: Path
    name: str
    when: float


def move_to_trash(name: str, things: Sequence[Path]) -> Trashed:
    """Move files or folders, each two levels down in the user's folder, to the trash: all or none.

    Raises CannotWrite.
    """
    folder = make_folder(paths.trash() / f"{time.time_ns()}-{secrets.token_hex(4)}")
    targets = [folder / thing.relative_to(paths.user_data()) for thing in things]
    _move_all(things, targets)
    return Trashed(folder, name, time.time())


def restore(trashed: Trashed) -> str:
    """Move an item back to its place, under another name if its own is taken; returns the name.

    Raises CannotWrite, and BadRequest for what is no longer in the trash.
    """
    things = _things(trashed.folder)
    if not things:
        raise BadRequest(f"{trashed.name} is no longer in the trash.", "Import it again, if you have a copy.")
    name = paths.free_model_name(trashed.name)
    homes = [paths.user_data() / thing.parent.name for thing in things]
    _move_all(things, [home / (name + _ending(thing)) for home, thing in zip(homes, things, strict=True)])
    _remove(trashed.folder)
    return name


def items() -> list[Trashed]:
    """The items in the trash, latest first."""
    found: list[Trashed] = []
    for folder in paths.trash().glob("*"):
        with suppress(OSError):  # it is being restored or deleted at this moment
            if things := _things(folder):
                name = things[0].name.removesuffix(_ending(things[0]))
                found.append(Trashed(folder, name, folder.stat().st_mtime))
    return sorted(found, key=lambda item: item.when, reverse=True)


def empty(older_than_s: float = 0.0) -> int:
    """Delete items that were in the trash for that long; returns their number."""
    old = [item for item in items() if time.time() - item.when >= older_than_s]
    for item in old:
        _remove(item.folder)
    return len(old)


def _things(folder: Path) -> list[Path]:
    """The files and folders of one item; the model before its card."""
    return sorted(folder.glob("*/*"), key=lambda path: path.suffix, reverse=True)


def _ending(thing: Path) -> str:
    return "" if thing.is_dir() else thing.suffix


def _move_all(sources: Sequence[Path], targets: Sequence[Path]) -> None:
    moved: list[tuple[Path, Path]] = []
    try:
        for source, target in zip(sources, targets, strict=True):
            move(source, target)
            moved.append((source, target))
    except BaseException:
        for source, target in moved:
            move(target, source)
        raise


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # an item that cannot be deleted now is tried again next time
