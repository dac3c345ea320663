"""Cycles with Qt objects in them are collected by the GUI thread, however much the lane allocates."""

import gc
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import ClassVar

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from desktop_app.viewmodels.session import Session
from desktop_app.window.main_window import MainWindow
from desktop_app.worker.gc_guard import GcGuard
from ml.control import RunControl
from tests.patience import WAIT_MS


class Tied(QObject):
    """In a cycle with itself; notes the thread that takes it apart."""

    ends: ClassVar[list[threading.Thread]] = []

    def __init__(self) -> None:
        super().__init__()
        self.itself = self

    def __del__(self) -> None:
        self.ends.append(threading.current_thread())


def allocating(_control: RunControl) -> Iterator[object]:
    for _ in range(5):
        yield [[{}] for _ in range(20_000)]  # more than enough for Python to collect, if it were allowed to


def test_the_lane_never_takes_a_qt_object_apart(window: MainWindow, qtbot: QtBot) -> None:
    session: Session = window.session
    assert not gc.isenabled()
    Tied.ends.clear()
    for _ in range(10):
        Tied()
    done: list[object] = []
    session.context.submit(allocating, done.append)
    qtbot.waitUntil(lambda: len(done) == 6, timeout=WAIT_MS)
    assert all(thread is threading.main_thread() for thread in Tied.ends)
    for _ in range(1000):
        Tied()  # so that a collection is due
    qtbot.waitUntil(lambda: len(Tied.ends) >= 10, timeout=WAIT_MS)
    assert set(Tied.ends) == {threading.main_thread()}
    session.context.close()
    qtbot.waitUntil(gc.isenabled, timeout=WAIT_MS)


def test_modules_that_come_later_are_no_garbage_to_look_through(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = QObject()
    garbage = GcGuard(parent)
    garbage.begin()
    try:
        garbage.settle()
        settled = gc.get_freeze_count()
        module = ModuleType("come_later")
        module.table = [[] for _ in range(10_000)]  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        garbage.collect()
        assert gc.get_freeze_count() >= settled + 10_000
        kept = [[] for _ in range(10_000)]
        garbage.collect()
        assert gc.get_freeze_count() < settled + 10_000 + len(kept)  # no module has come: these are looked through
    finally:
        garbage.end()
    assert gc.get_freeze_count() == 0 and gc.isenabled()


def test_the_oldest_generation_that_is_due_is_looked_through_and_no_other(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = QObject()
    garbage, collected = GcGuard(parent), list[int]()
    monkeypatch.setattr(gc, "get_threshold", lambda: (700, 10, 10))
    monkeypatch.setattr(gc, "collect", collected.append)
    for counts in ((700, 10, 10), (701, 3, 0), (1, 11, 2), (701, 11, 11)):
        monkeypatch.setattr(gc, "get_count", lambda counts=counts: counts)
        garbage.collect()
    assert collected == [0, 1, 2]
