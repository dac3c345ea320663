"""The results of this session, from every page, to be shown again."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ml.events import Pixels

HISTORY = 24  # results that are kept, with all that belongs to them


@dataclass(eq=False)
class Result:
    """A result of a page: its images (N, H, W[, 3]), and how to show or export it."""

    page: str
    images: Pixels
    is_shown: Callable[[], bool]  # whether the page shows it now
    restore: Callable[[], None]  # shows it again, with the settings it was made with
    write_temporary: Callable[[int], Path]  # writes it at a scale to a temporary file; raises NoiseloomError


class History(QObject):
    """The results of the session, the latest last."""

    changed = Signal()  # a result was added or restored
    shown_changed = Signal()  # a page may show another result
    restored = Signal(str)  # the page of a result that was restored

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.results: deque[Result] = deque(maxlen=HISTORY)

    def add(self, result: Result) -> None:
        self.results.append(result)
        self.changed.emit()

    def shown_index(self, page: str) -> int | None:
        """The index of the result that a page shows now."""
        shown = [k for k, result in enumerate(self.results) if result.page == page and result.is_shown()]
        return shown[-1] if shown else None

    def restore(self, index: int) -> None:
        """Show a result again, on its page."""
        result = self.results[index]
        result.restore()
        self.restored.emit(result.page)
        self.changed.emit()
