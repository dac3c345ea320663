"""The real window on a home of its own, with a tiny model to draw with; or the application on a fake engine."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop_app.app import open_window
from desktop_app.settings import AppSettings, GenerateSettings, TrainSettings
from desktop_app.theme.controller import theme
from desktop_app.window import page_stack
from desktop_app.window.main_window import MainWindow
from desktop_app.worker import compute_thread
from desktop_app.worker.engine import ThreadEngine
from ml.config import TrainConfig
from ml.registry import presets
from ml.registry.run_layout import MODEL_FILE
from tests.patience import WAIT_MS
from tests.support.fake_app import FakeApp
from tests.support.tiny_model import few_synthetic

Opener = Callable[[AppSettings], MainWindow]


@pytest.fixture(autouse=True)
def plain(qapp: QApplication) -> Iterator[None]:
    """Whatever a test did to the look is gone after it: under a style sheet, windows take twice as long to make."""
    font, palette = qapp.font(), qapp.palette()
    hints = QGuiApplication.styleHints()
    yield
    look = theme()
    if look._app:
        hints.colorSchemeChanged.disconnect(look._refresh)
    look._app, look._applied, look._mode = None, None, "system"
    if hints.colorScheme() != Qt.ColorScheme.Unknown:
        hints.setColorScheme(Qt.ColorScheme.Unknown)
    if qapp.styleSheet():
        qapp.setStyleSheet("")
    if (qapp.font(), qapp.palette()) != (font, palette):
        qapp.setFont(font)
        qapp.setPalette(palette)
    look.set_reduced_motion(False)


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


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs take no longer than they must: digits are few, the usual preset's network is tiny, and lanes do not wait.

    Beside other tests, or on a busy machine, a lane that gives way would hardly ever have its turn.
    """
    load = presets.load

    def small(name: str) -> TrainConfig:
        preset = load(name)
        if name != "1-minute":
            return preset
        model = preset.model.model_dump(exclude_unset=True) | {"widths": (8, 16), "embedding": 16}
        return preset.with_changes(model=model, batch_size=8)

    monkeypatch.setattr(presets, "load", small)
    monkeypatch.setattr(compute_thread, "NICENESS", 0)
    few_synthetic(monkeypatch)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_run: Path, quick: None) -> Path:
    """A person's folder that holds the model `tiny`."""
    folder = tmp_path / "home"
    (folder / "models").mkdir(parents=True)
    shutil.copy(tiny_run / MODEL_FILE, folder / "models" / "tiny.safetensors")
    monkeypatch.setenv("NOISELOOM_HOME", str(folder))
    return folder


@pytest.fixture
def settings() -> AppSettings:
    """A small grid by the tiny model, and training on synthetic digits."""
    generate = GenerateSettings(model="tiny", steps=4, rows=1)
    return AppSettings(generate=generate, train=TrainSettings(data="synthetic"), reduced_motion=True)


@pytest.fixture
def ahead() -> None:
    """Pages are made ahead of time, as in the program; without it only those that a test looks at, which is quicker."""


@pytest.fixture
def opened(
    home: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Opener]:
    """Opens windows, and sees all of them to their end."""
    if "ahead" not in request.fixturenames:
        monkeypatch.setattr(page_stack, "PREFETCH_MS", 10 * WAIT_MS)
    windows: list[MainWindow] = []

    def make(settings: AppSettings) -> MainWindow:
        windows.append(open_window(settings))
        return windows[-1]

    yield make
    for window in windows:
        leave(window, qtbot)
        window.deleteLater()


@pytest.fixture
def dressed(qapp: QApplication) -> None:
    """As the program looks: sizes come from its style sheet and font."""
    theme().prepare(qapp)
    theme().apply()


@pytest.fixture
def window(opened: Opener, settings: AppSettings, qtbot: QtBot) -> MainWindow:
    """A window that has drawn its first grid, and does nothing."""
    window = opened(settings)
    qtbot.waitUntil(lambda: window.session.generate.verdict is not None, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: window.session.context.at_rest, timeout=WAIT_MS)
    return window


def leave(window: MainWindow, qtbot: QtBot) -> None:
    """Close a window and wait until its session has ended."""
    if window.session.context.engine.running:
        with qtbot.waitSignal(window.session.context.closed, timeout=WAIT_MS):
            window.close()


def thread_engine(window: MainWindow) -> ThreadEngine:
    """The engine of a window."""
    engine = window.session.context.engine
    assert isinstance(engine, ThreadEngine)
    return engine


@pytest.fixture
def made_up(make: Callable[..., FakeApp]) -> FakeApp:
    """The page stands alone, on a fake engine; without it a model draws, in the window."""
    return make()
