"""View-models without a window, a thread or a model that computes: quick, and always the same."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from desktop_app.settings import AppSettings
from tests.app.session import by_hand
from tests.app.session.by_hand import ByHand


@pytest.fixture
def make(qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ByHand]]:
    """Makes sessions, and sees them to their end."""
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path / "home"))
    made: list[ByHand] = []

    def session(settings: AppSettings | None = None) -> ByHand:
        made.append(by_hand.make(settings or AppSettings()))
        return made[-1]

    yield session
    for each in made:
        each.session.close()
        each.session.deleteLater()


@pytest.fixture
def hand(make: Callable[..., ByHand]) -> ByHand:
    """A session with the settings of a first start, and the bundled models."""
    return make()
