"""Jobs of the history: results are read, written, named, deleted and put back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from desktop_app import history_file
from desktop_app.history_file import Entry
from ml.control import RunControl
from ml.events import Pixels
from ml.export import files


@dataclass(frozen=True, slots=True)
class HistoryRead:
    """The results on disk as (key, what is said, thumbnail), the latest last, and the names of damaged files."""

    results: tuple[tuple[str, Entry, Pixels], ...]
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResultWritten:
    """A result is on disk."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Moved:
    """Results were deleted, or put back."""


def read_history(_control: RunControl) -> Iterator[object]:
    """Read the results on disk."""
    found, damaged = history_file.read_all()
    yield HistoryRead(tuple((key, *both) for key, both in found.items()), tuple(damaged))


def write_result(key: str, entry: Entry, draw: Callable[[Path], object], _control: RunControl) -> Iterator[object]:
    """Write a result by calling `draw`, and find words for it."""
    history_file.write_picture(key, draw)
    entry = entry.with_changes(about=history_file.about(files.read_stamp(history_file.picture(key))))
    history_file.write(key, entry)
    yield ResultWritten(entry)


def write_entry(key: str, entry: Entry, _control: RunControl) -> Iterator[object]:
    """Write what is said of a result."""
    history_file.write(key, entry)
    yield from ()


def remove(keys: Sequence[str], _control: RunControl) -> Iterator[object]:
    """Move results aside."""
    history_file.remove(keys)
    yield Moved()


def put_back(keys: Sequence[str], _control: RunControl) -> Iterator[object]:
    """Put removed results back."""
    history_file.put_back(keys)
    yield Moved()


def erase(keys: Sequence[str], _control: RunControl) -> Iterator[object]:
    """Delete results for good."""
    history_file.erase(keys)
    yield from ()
