"""View-models on the fake engine: no window, thread or model; time passes only in the test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtWidgets import QApplication

from desktop_app.settings import AppSettings
from desktop_app.viewmodels import context, draw, generate, undo
from tests.support.fake_app import FakeApp


@pytest.fixture
def make(qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FakeApp]]:
    """Makes applications, and closes them in the end."""
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path / "home"))
    made: list[FakeApp] = []

    def make_one(settings: AppSettings | None = None) -> FakeApp:
        made.append(FakeApp(settings or AppSettings()))
        return made[-1]

    yield make_one
    for each in made:
        each.context.close()
        each.session.deleteLater()
        each.engine.deleteLater()


@pytest.fixture
def app(make: Callable[..., FakeApp]) -> FakeApp:
    """The application of a first start, with the bundled models."""
    return make()


class Clock:
    """The time of the view-models: it passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def tick(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (context, draw, generate, undo):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock
