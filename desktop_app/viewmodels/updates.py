"""The notice of a newer version: off until it is asked for, then one request a week."""

import os
import threading
import time
from contextlib import suppress

from PySide6.QtCore import QObject, Signal

from desktop_app.settings import AppSettings
from ml.errors import DataUnavailable

WEEK_S = 7 * 24 * 3600


class Updates(QObject):
    """Asks for the newest version in a thread of its own, since a silent server would hold up the compute thread."""

    found = Signal(str)  # a newer version
    ended = Signal()  # a request, whatever came of it

    def __init__(self, parent: QObject, settings: AppSettings) -> None:
        super().__init__(parent)
        self.weekly, self.asked_at = settings.update_notice, settings.updates_asked_at
        self.ended.connect(self._on_ended)
        self._asking = False

    @property
    def can_ask(self) -> bool:
        """Whether there is an address to ask."""
        return bool(os.environ.get("NOISELOOM_UPDATES"))

    def set_weekly(self, weekly: bool) -> None:
        """Ask once a week from now on, the first time at once; or never."""
        self.weekly = weekly
        self.look()

    def look(self) -> None:
        """Ask, where that is wanted and a week has passed since the last time."""
        now = time.time()
        if not self.weekly or self._asking or 0 <= now - self.asked_at < WEEK_S:
            return
        self.asked_at, self._asking = now, True
        threading.Thread(target=self._ask, name="updates", daemon=True).start()

    def _ask(self) -> None:
        from ml.system import updates  # with urllib and its ssl, which most starts do without

        version = ""
        with suppress(DataUnavailable):  # the next time is in a week
            version = updates.newer_version()
        with suppress(RuntimeError):  # the window was closed meanwhile
            if version:
                self.found.emit(version)
            self.ended.emit()

    def _on_ended(self) -> None:
        self._asking = False
