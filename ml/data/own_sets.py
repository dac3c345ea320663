"""Sets of drawings that a person makes in the program: in the user's folder one folder per set and class, with PNGs."""

import re
import unicodedata
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from ml.data.folder_scan import TEST_NAMES, TRAIN_NAMES, natural
from ml.errors import BadRequest
from ml.events import Pixels
from ml.imaging.png import write_png
from ml.specs import IMAGE_FOLDER, OWN_SET
from ml.system import paths
from ml.system.files import atomic, make_folder, move

MAX_NAME = 60  # characters: in UTF-8 a file system takes 255 bytes
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|__macosx", re.IGNORECASE)  # on Windows; in archives


def names() -> list[str]:
    """The sets, in the order in which people count."""
    return [path.name for path in sorted(_folders(paths.user_drawings()), key=_by_name)]


def folder_of(name: str) -> Path:
    """The folder of a set, which may not exist yet. Raises BadRequest for what is no name."""
    return paths.user_drawings() / checked(name)


def resolved(data: str) -> str:
    """The name of a data set with the folder of a set in place of `mine:NAME`. Raises BadRequest."""
    if not data.startswith(OWN_SET):
        return data
    name = data.removeprefix(OWN_SET)
    if name not in (known := names()):
        raise BadRequest(
            f"There is no set of drawings called {name!r}.",
            f"Use one of: {', '.join(known)}." if known else "Draw one on the Draw page, with “Add to my set”.",
        )
    return f"{IMAGE_FOLDER}{folder_of(name)}"


def drawings(name: str) -> Mapping[str, tuple[Path, ...]]:
    """The files of a set by class; both in the order in which people count."""
    classes = sorted(_folders(folder_of(name)), key=_by_name)
    files = {path.name: tuple(sorted(path.glob("*.png"), key=_by_name)) for path in classes}
    return {class_name: found for class_name, found in files.items() if found}


def checked(name: str) -> str:
    """The name of a set or a class as it is written in a path, which every system takes. Raises BadRequest."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not name:
        raise BadRequest("The name is empty.", "Say what you have drawn, for example “heart”.")
    if len(name) > MAX_NAME:
        raise BadRequest(f"The name has {len(name)} characters; {MAX_NAME} is the most.", "Shorten it.")
    if found := _NOT_IN_NAMES.search(name):
        raise BadRequest(f"A name can't contain {found.group()!r}.", "Take it out, or write it as a word.")
    is_split = name.casefold() in TRAIN_NAMES | TEST_NAMES
    if name.startswith(".") or name.endswith(".") or _RESERVED.fullmatch(name) or is_split:
        raise BadRequest(f"“{name}” can't be the name of a folder of drawings.", "Choose another name.")
    if not name.isprintable():
        raise BadRequest("The name has characters that can't be shown.", "Write it with others.")
    return name


def add(name: str, class_name: str, pixels: Pixels) -> Path:
    """Add a drawing (H, W) to a class of a set, under its own or under another spelling of its name; returns its file.

    Raises BadRequest, CannotWrite.
    """
    if not pixels.any():
        raise BadRequest("The canvas is empty.", "Draw something first.")
    folder = make_folder(_class_folder(name, class_name))
    path = _free_file(folder)
    with atomic(path) as temporary:
        write_png(temporary, pixels)
    return path


def restore(path: Path, content: bytes) -> None:
    """Write a drawing's file again, after `remove`. Raises CannotWrite."""
    make_folder(path.parent)
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def remove(path: Path) -> bytes:
    """Remove a drawing, and its class with the last one; returns its content. Raises OSError."""
    content = path.read_bytes()
    path.unlink()
    if not any(path.parent.iterdir()):
        path.parent.rmdir()
    return content


def rename(name: str, old: str, new: str) -> str:
    """Give a class another name; where the set has that one too, its drawings join it. Returns the name.

    Raises BadRequest, CannotWrite.
    """
    source, target = folder_of(name) / checked(old), _class_folder(name, new)
    if not target.exists() or target.samefile(source):  # the same where only capitals differ
        target = target.with_name(checked(new))
        move(source, target)
        return target.name
    for file in source.iterdir():
        move(file, _free_file(target))
    source.rmdir()
    return target.name


def _class_folder(name: str, class_name: str) -> Path:
    """The folder of a class, which may be there in other capitals."""
    class_name = checked(class_name)
    same = (known for known in drawings(name) if known.casefold() == class_name.casefold())
    return folder_of(name) / next(same, class_name)


def _by_name(path: Path) -> list[str | int]:
    return natural(path.name)


def _free_file(folder: Path) -> Path:
    numbered = (folder / f"{number:04}.png" for number in count(1))
    return next(path for path in numbered if not path.exists())


def _folders(place: Path) -> list[Path]:
    inside = place.iterdir() if place.is_dir() else ()
    return [path for path in inside if path.is_dir() and not path.name.startswith(".")]
