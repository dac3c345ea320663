"""The results of every page, of this session and earlier ones, to be shown again."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from PySide6.QtCore import QObject, Signal

from desktop_app import history_file
from desktop_app.history_file import MAX_NAME, STARRED, Entry
from desktop_app.tasks import history
from desktop_app.tasks.history import HistoryRead, ResultWritten
from desktop_app.text.formatting import count
from desktop_app.viewmodels.notification import Message
from desktop_app.worker.compute_thread import Job, Work
from ml.events import Pixels
from ml.imaging.embedded_png import to_text

IN_MEMORY = 24  # results that are kept with all that belongs to them


class Jobs(Protocol):
    """Where jobs are submitted."""

    closing: bool

    def submit(
        self,
        task: Work,
        handler: Callable[[object], None],
        *,
        sketch: bool,
        remedies: dict[str, tuple[tuple[str, str], ...]],
    ) -> Job: ...

    def notify(self, message: Message) -> None: ...


@dataclass(eq=False)
class Result:
    """A result of a page: its images (N, H, W[, 3]), and how to show or export it."""

    page: str
    images: Pixels
    is_shown: Callable[[], bool]  # whether the page shows it now
    restore: Callable[[], None]  # shows it again, with the settings it was made with
    write: Callable[[Path, int], object]  # writes it to a PNG at a scale, in any thread; raises NoiseloomError


@dataclass(eq=False)
class KeptResult:
    """A result in the history: of this session with all that belongs to it, or only on disk."""

    page: str
    thumbnail: Pixels  # (SIDE, SIDE, 3)
    key: str = field(default_factory=history_file.new_key)
    made: float = field(default_factory=time.time)
    about: str = ""
    name: str = ""
    starred: bool = False
    result: Result | None = None
    on_disk: bool = False

    def entry(self) -> Entry:
        """What is said of it on disk."""
        return Entry(
            page=self.page,
            made=self.made,
            about=self.about,
            name=self.name,
            starred=self.starred,
            thumbnail=to_text(self.thumbnail),
        )

    @property
    def title(self) -> str:
        """Its name, or else its request in a few words."""
        return self.name or self.about


class History(QObject):
    """The results, the latest last. Nothing is written before `read`."""

    changed = Signal()  # a result was added, restored, named or deleted
    shown_changed = Signal()  # a page may show another result
    restored = Signal(str)  # the page of a result that was restored
    reopened = Signal(object)  # Path: a result of an earlier session is to be opened

    def __init__(self, jobs: Jobs, parent: QObject) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self.kept: list[KeptResult] = []
        self._keeps = False  # on disk
        self._reopened: KeptResult | None = None  # last
        self._deleted: list[list[KeptResult]] = []  # the latest deletion last

    @property
    def results(self) -> list[Result]:
        """The results of this session that can be shown at once."""
        return [kept.result for kept in self.kept if kept.result]

    # ---- results

    def read(self) -> None:
        """Read the results of earlier sessions, and keep those of this one from now on."""
        self._submit(history.read_history, self._on_read)

    def add(self, result: Result) -> None:
        picture, again = history_file.thumbnail(result.images), self._reopened
        if again and again.result is None and again.page == result.page and np.array_equal(again.thumbnail, picture):
            again.result = result  # drawn again, it is no other one
            self.changed.emit()
            return
        kept = KeptResult(result.page, picture, result=result)
        self.kept.append(kept)
        for old in [kept for kept in self.kept if kept.result][:-IN_MEMORY]:
            old.result = None
            if not old.on_disk:
                self.kept.remove(old)
        self._write_result(kept)
        self.changed.emit()

    def take(self, results: Iterable[tuple[str, Entry, Pixels]]) -> None:
        """Add results that were just written to disk, as (key, what is said, thumbnail)."""
        self.kept = sorted([*self.kept, *map(_from_disk, results)], key=lambda kept: kept.key)
        self._drop_surplus()
        self.changed.emit()

    def shown_index(self, page: str) -> int | None:
        """The index of the result that a page shows now."""
        of_page = [(k, kept.result) for k, kept in enumerate(self.kept) if kept.page == page]
        shown = [k for k, result in of_page if result and result.is_shown()]
        return shown[-1] if shown else None

    def restore(self, index: int) -> None:
        """Show a result again, on its page."""
        kept = self.kept[index]
        self._reopened = kept
        if kept.result is None:
            self.reopened.emit(history_file.picture(kept.key))
            return
        kept.result.restore()
        self.restored.emit(kept.page)
        self.changed.emit()

    def find(self, text: str, *, starred: bool = False) -> list[int]:
        """The indices of the results with all of these words, the latest first."""
        words = text.casefold().split()
        found = [
            k
            for k, kept in enumerate(self.kept)
            if (kept.starred or not starred)
            and all(word in f"{kept.name} {kept.about} {kept.page}".casefold() for word in words)
        ]
        return found[::-1]

    # ---- names, stars and deletion

    def rename(self, index: int, name: str) -> None:
        """Name a result; without a name it shows its request."""
        self._change(self.kept[index], name=" ".join(name.split())[:MAX_NAME])

    def star(self, index: int, starred: bool) -> None:
        """Star a result, so that it is kept beyond the latest ones; or not any more."""
        if starred and sum(kept.starred for kept in self.kept) >= STARRED:
            what = "Remove the star of one that you no longer need."
            self._jobs.notify(Message("warning", f"There are {STARRED} starred results already", what))
            return
        self._change(self.kept[index], starred=starred)

    def _change(self, kept: KeptResult, **changes: object) -> None:
        for name, value in changes.items():
            setattr(kept, name, value)
        if kept.on_disk:
            self._submit(partial(history.write_entry, kept.key, kept.entry()))
        self._drop_surplus()
        self.changed.emit()

    def delete(self, indices: Sequence[int]) -> None:
        """Delete results, until `undo_delete`."""
        gone = [self.kept[index] for index in indices]
        if not gone:
            return
        self.kept = [kept for kept in self.kept if kept not in gone]
        self._deleted.append(gone)
        self._submit(partial(history.remove, [kept.key for kept in gone]))
        self._jobs.notify(Message("success", f"Deleted {count(len(gone), 'result')}", "", (("history:undo", "Undo"),)))
        self.changed.emit()

    @property
    def can_undo(self) -> bool:
        """Whether something was deleted in this session."""
        return bool(self._deleted)

    def undo_delete(self) -> None:
        """Put the results of the last deletion back."""
        if self._deleted:
            back = self._deleted.pop()
            self.kept = sorted([*self.kept, *back], key=lambda kept: kept.key)
            self._submit(partial(history.put_back, [kept.key for kept in back]))
            self.changed.emit()

    # ---- on disk

    def _on_read(self, event: object) -> None:
        if isinstance(event, HistoryRead):
            earlier = list(map(_from_disk, event.results))
            self._keeps, now = True, self.kept
            self.kept = [*earlier, *now]
            for kept in now:
                self._write_result(kept)
            self._drop_surplus()
            self.changed.emit()
            if event.damaged:
                title = f"{count(len(event.damaged), 'result')} of the history could not be read"
                aside = f"The others are shown. The damaged files are in {history_file.DAMAGED} beside the history."
                self._jobs.notify(Message("warning", title, aside))

    def _write_result(self, kept: KeptResult) -> None:
        if self._keeps and kept.result:
            write, handler = kept.result.write, partial(self._on_written, kept)
            self._submit(partial(history.write_result, kept.key, kept.entry(), lambda path: write(path, 1)), handler)

    def _on_written(self, kept: KeptResult, event: object) -> None:
        if isinstance(event, ResultWritten):
            said, kept.about, kept.on_disk = event.entry, event.entry.about, True
            deleted = kept not in self.kept
            if deleted:  # while it was written
                self._submit(partial(history.remove, [kept.key]))
            elif said != kept.entry():  # named or starred meanwhile
                self._submit(partial(history.write_entry, kept.key, kept.entry()))
            self._drop_surplus()
            self.changed.emit()

    def _drop_surplus(self) -> None:
        """Delete the oldest results that are more, or larger, than what is kept."""
        surplus = set(history_file.surplus({kept.key: kept.starred for kept in self.kept if kept.on_disk}))
        if surplus:
            self.kept = [kept for kept in self.kept if kept.key not in surplus]
            self._submit(partial(history.erase, sorted(surplus)))

    def _submit(self, task: Work, handler: Callable[[object], None] = lambda _event: None) -> None:
        """Beside other work: a result is safe at once."""
        if not self._jobs.closing:
            self._jobs.submit(task, handler, sketch=True, remedies={})


def _from_disk(result: tuple[str, Entry, Pixels]) -> KeptResult:
    key, entry, thumbnail = result
    return KeptResult(entry.page, thumbnail, key, entry.made, entry.about, entry.name, entry.starred, on_disk=True)
