"""View-models without a window, a thread or a model that computes: quick, and always the same."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtWidgets import QApplication

from desktop_app.settings import AppSettings
from desktop_app.viewmodels import draw, generate, session, undo
from tests.app.viewmodels import by_hand
from tests.app.viewmodels.by_hand import ByHand


@pytest.fixture
def make(qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ByHand]]:
    """Makes sessions, and sees them to their end."""
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path / "home"))
    made: list[ByHand] = []

    def make_one(settings: AppSettings | None = None) -> ByHand:
        made.append(by_hand.make(settings or AppSettings()))
        return made[-1]

    yield make_one
    for each in made:
        each.session.close()
        each.session.deleteLater()


@pytest.fixture
def hand(make: Callable[..., ByHand]) -> ByHand:
    """A session with the settings of a first start, and the bundled models."""
    return make()


class Clock:
    """The time that view-models see: it passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def tick(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (draw, generate, session, undo):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock
