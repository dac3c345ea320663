"""The notice of a newer version: nothing is asked until it is wanted, then once a week."""

import time
from collections.abc import Callable

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from desktop_app.settings import AppSettings
from desktop_app.viewmodels.updates import WEEK_S, Updates
from ml.errors import DataUnavailable
from tests.patience import WAIT_MS


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A mark for every request, which is answered with version 9.0."""
    marks: list[str] = []
    monkeypatch.setattr("ml.system.updates.newer_version", lambda: marks.append("asked") or "9.0")
    return marks


@pytest.fixture
def updates_of(qapp: QObject) -> Callable[..., Updates]:
    parent = QObject()
    return lambda **settings: Updates(parent, AppSettings.model_validate(settings))


def test_nothing_is_asked_until_it_is_wanted(updates_of: Callable[..., Updates], asked: list[str]) -> None:
    updates = updates_of()
    updates.look()
    updates.set_weekly(False)
    assert not asked and updates.asked_at == 0


def test_the_notice_comes_at_once_and_then_once_a_week(
    updates_of: Callable[..., Updates], asked: list[str], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates = updates_of()
    versions: list[str] = []
    updates.found.connect(versions.append)
    with qtbot.waitSignal(updates.ended, timeout=WAIT_MS):
        updates.set_weekly(True)
    assert versions == ["9.0"]
    now = time.time()
    assert abs(updates.asked_at - now) < WEEK_S / 7
    updates.look()  # again at the next start
    later = updates_of(update_notice=True, updates_asked_at=updates.asked_at)
    later.look()
    monkeypatch.setattr(time, "time", lambda: now + WEEK_S - 1000)
    later.look()
    assert asked == ["asked"]
    monkeypatch.setattr(time, "time", lambda: now + WEEK_S + 1000)
    with qtbot.waitSignal(later.ended, timeout=WAIT_MS):
        later.look()
    assert asked == ["asked"] * 2


def test_a_clock_that_was_set_back_does_not_silence_it(
    updates_of: Callable[..., Updates], asked: list[str], qtbot: QtBot
) -> None:
    updates = updates_of(update_notice=True, updates_asked_at=time.time() + 100 * WEEK_S)
    with qtbot.waitSignal(updates.ended, timeout=WAIT_MS):
        updates.look()
    assert asked


def test_a_failed_request_says_nothing_and_waits_a_week(
    updates_of: Callable[..., Updates], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def fail() -> str:
        asked.append(1)
        raise DataUnavailable("no network", "later")

    monkeypatch.setattr("ml.system.updates.newer_version", fail)
    updates = updates_of(update_notice=True)
    updates.found.connect(lambda _: pytest.fail("a notice"))
    with qtbot.waitSignal(updates.ended, timeout=WAIT_MS):
        updates.look()
    updates.look()
    assert asked == [1]
