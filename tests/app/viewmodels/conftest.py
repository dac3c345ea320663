"""View-models on the fake engine: no window, thread or model; time passes only in the test."""

from types import SimpleNamespace

import pytest

from desktop_app.viewmodels import context, draw, generate, undo


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
