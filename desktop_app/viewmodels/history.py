"""What was made in this session, on whichever page, to go back to."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ml.events import Pixels

HISTORY = 24  # results that are kept, with all that belongs to them


@dataclass(eq=False)
class Result:
    """Something that a page made: its images (N, H, W[, 3]), and what can be done with it."""

    page: str
    images: Pixels
    shown: Callable[[], bool]  # whether the page shows it now
    back: Callable[[], None]  # shows it again, with the settings it was made with
    lend: Callable[[int], Path]  # at a scale, to a file that goes away with the program; raises NoiseloomError


class History(QObject):
    """The results of the session, the latest last."""

    changed = Signal()  # there is another, or another one is shown
    went_back = Signal(str)  # to a result of that page

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.results: deque[Result] = deque(maxlen=HISTORY)

    def add(self, result: Result) -> None:
        self.results.append(result)
        self.changed.emit()

    def place(self, page: str) -> int | None:
        """Which of them a page shows now."""
        shown = [k for k, result in enumerate(self.results) if result.page == page and result.shown()]
        return shown[-1] if shown else None

    def go_back(self, index: int) -> None:
        """Show a result again, on its page."""
        result = self.results[index]
        result.back()
        self.went_back.emit(result.page)
        self.changed.emit()
