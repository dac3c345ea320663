"""Taking back changes of settings, page by page."""

import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from ml.config import Description

if TYPE_CHECKING:
    from desktop_app.session.compare import Compare
    from desktop_app.session.explore import Explore
    from desktop_app.session.interpolate import Interpolate
    from desktop_app.session.train import Train

STEPS, TOGETHER_S = 100, 0.6


class Undo(QObject):
    """Remembers what the settings of pages were; changes in quick succession, a slider's, are one."""

    def __init__(self, owners: "Mapping[str, Train | Compare | Interpolate | Explore]", parent: QObject) -> None:
        super().__init__(parent)
        self._owners = owners
        self._now: dict[str, Description] = {page: owner.settings for page, owner in owners.items()}
        self._past: dict[str, deque[Description]] = {page: deque(maxlen=STEPS) for page in owners}
        self._changed_at = 0.0  # on the clock of time.monotonic
        for page, owner in owners.items():
            owner.changed.connect(partial(self._note, page))

    def undo(self, page: str) -> None:
        """Back to a page's settings before their last change."""
        if self._past.get(page):
            self._now[page] = before = self._past[page].pop()
            self._owners[page].change(**before.model_dump())
            self._changed_at = 0.0

    def forget(self) -> None:
        """What the settings are now is where undoing ends."""
        for past in self._past.values():
            past.clear()

    def _note(self, page: str) -> None:
        before, now = self._now[page], time.monotonic()
        self._now[page] = self._owners[page].settings
        if self._now[page] == before:
            return
        if now - self._changed_at > TOGETHER_S:
            self._past[page].append(before)
        self._changed_at = now
