"""Jobs on a person's set of drawings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.config import DRAWING_SIDE
from ml.control import RunControl
from ml.data import own_sets
from ml.events import Pixels


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing in a set, (28, 28)."""

    path: Path
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class OwnSetRead:
    """The drawings of a set by class, and the names of all sets."""

    name: str
    classes: Mapping[str, tuple[Drawing, ...]]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """The class that drawings were added to, or that has a new name."""

    class_name: str


@dataclass(frozen=True, slots=True)
class Removed:
    """A drawing that was removed, and the content of its file."""

    path: Path
    content: bytes


def read_set(name: str, _control: RunControl) -> Iterator[object]:
    """Read all drawings of a set; files that can't be read are passed over, as they are by a run."""
    from ml.data import image_reader

    def drawing(path: Path) -> Drawing | None:
        try:
            return Drawing(path, np.asarray(image_reader.read(path, DRAWING_SIDE, "L").pixels))
        except image_reader.Unreadable:
            return None

    found = {key: tuple(filter(None, map(drawing, files))) for key, files in own_sets.drawings(name).items()}
    yield OwnSetRead(name, found, tuple(own_sets.names()))


def add_drawing(name: str, class_name: str, pixels: Pixels, control: RunControl) -> Iterator[object]:
    """Add a drawing to a class of a set."""
    yield Changed(own_sets.add(name, class_name, pixels).parent.name)
    yield from read_set(name, control)


def remove_drawing(name: str, path: Path, control: RunControl) -> Iterator[object]:
    """Remove a drawing from a set."""
    yield Removed(path, own_sets.remove(path))
    yield from read_set(name, control)


def restore_drawing(name: str, removed: Removed, control: RunControl) -> Iterator[object]:
    """Undo a removal."""
    own_sets.restore(removed.path, removed.content)
    yield Changed(removed.path.parent.name)
    yield from read_set(name, control)


def rename_class(name: str, old: str, new: str, control: RunControl) -> Iterator[object]:
    """Give a class of a set another name, or add its drawings to the one that has it."""
    yield Changed(own_sets.rename(name, old, new))
    yield from read_set(name, control)
