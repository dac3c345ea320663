"""Undo of settings, page by page; Generate and Draw have more to undo and do it themselves."""

import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from PySide6.QtCore import QObject

from ml.config import Description

UNDO_STEPS, TOGETHER_S = 100, 0.6
VIEWS = ("tab",)  # settings that only choose a view, which are not undone


class SettingsOwner(Protocol):
    """The view-model of a page, which holds the page's settings."""

    changed: Any  # a Signal without arguments

    @property
    def settings(self) -> Any: ...

    def change(self, **changes: Any) -> None: ...


class Undo(QObject):
    """Remembers the settings before each change; changes in quick succession, as by a slider, are one."""

    def __init__(self, parent: QObject, owners: Mapping[str, SettingsOwner]) -> None:
        super().__init__(parent)
        self._owners = owners
        self._last: dict[str, Description] = {page: owner.settings for page, owner in owners.items()}
        self._past: dict[str, deque[Description]] = {page: deque(maxlen=UNDO_STEPS) for page in owners}
        self._at = 0.0  # on the clock of time.monotonic
        for page, owner in owners.items():
            owner.changed.connect(partial(self._on_changed, page))

    def undo(self, page: str) -> None:
        """Restore the settings before the last change of a page."""
        past = self._past.get(page)
        if past:
            self._at = 0.0
            owner, before = self._owners[page], past.pop()
            views = {key: getattr(owner.settings, key) for key in VIEWS if hasattr(before, key)}
            self._last[page] = before.with_changes(**views)
            owner.change(**self._last[page].model_dump())

    def forget(self) -> None:
        """Forget all changes so far: a lesson has begun or ended."""
        for past in self._past.values():
            past.clear()

    def _on_changed(self, page: str) -> None:
        before, now = self._last[page], self._owners[page].settings
        if all(name in VIEWS for name, value in now if getattr(before, name) != value):
            self._last[page] = now
            return
        moment = time.monotonic()
        if moment - self._at > TOGETHER_S:
            self._past[page].append(before)
        self._at, self._last[page] = moment, now
