"""Random use of the real window: no exception, nothing left behind, and a window that answers all the while.

A failure names the seed and what was done last;
`pytest tests/app/window/test_monkey.py -m "" -k SEED` does the same again, as far as the time that things take allows.
"""

import random
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QDesktopServices, QDrag
from PySide6.QtWidgets import QFileDialog, QInputDialog
from pytestqt.qtbot import QtBot

from desktop_app.pages.name_dialog import NameDialog
from desktop_app.settings import AppSettings, GenerateSettings, TrainSettings
from desktop_app.viewmodels.notification import Message
from desktop_app.window.main_window import MainWindow
from ml.system import download, paths
from tests.app.conftest import Opener, leave, thread_engine
from tests.benchmarks.heartbeat import Heartbeat
from tests.patience import WAIT_MS
from tests.support.random_user import Monkey
from tests.support.tiny_model import few_digits

FEW, MANY = 3, 200
ACTIONS = 45
LONGEST_MS = 250  # that the window does not answer, or where others compute, too, that its thread is at one thing
REST_MS = (20, 100)  # between two actions
TOLD = 12  # actions that a failure tells
pytestmark = [
    pytest.mark.usefixtures("dressed", "ahead"),
    pytest.mark.qt_log_level_fail("WARNING"),
    pytest.mark.qt_log_ignore("This plugin does not support"),  # of a display that is none
]


@pytest.fixture
def settings(tmp_path: Path) -> AppSettings:
    """The bundled model, and a run that shows and saves something soon."""
    own: dict[str, str | float | int] = {"preview_every_s": 0.5, "save_every_s": 0.5}
    train = TrainSettings(data="mnist", own=own)
    return AppSettings(generate=GenerateSettings(steps=6, rows=2), train=train, data_root=few_digits(tmp_path / "data"))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """What may be dropped on the window, or chosen in a dialog: ours, anyone's, broken ones, and none."""
    folder = tmp_path / "files"
    folder.mkdir()
    Image.fromarray(np.arange(64 * 48 * 3, dtype=np.uint8).reshape(48, 64, 3)).save(folder / "photo.png")
    (folder / "broken.png").write_bytes((folder / "photo.png").read_bytes()[:200])
    (folder / "words.txt").write_text("no picture")
    (folder / "broken.noiseloom-lesson").write_text("{")
    lessons = sorted((paths.resources() / "lessons").glob("*"))
    models = sorted((paths.user_data() / "models").glob("*.safetensors"))
    return [*folder.iterdir(), folder / "none.png", *lessons[:3], *models]


@pytest.fixture
def outside(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> random.Random:
    """What lies outside of the program: a person who answers its dialogs somehow, a desktop, and no network."""
    rng = random.Random(0)
    out = tmp_path / "out"
    out.mkdir()

    def chosen(name: str) -> str:
        return "" if rng.random() < 0.3 else name

    def new_name(_parent: object, _title: str, suggested: str = "", *_: object) -> tuple[str, str]:
        return chosen(str(out / f"{rng.getrandbits(16):04x}-{Path(suggested).name}")), ""

    def answer(dialog: NameDialog) -> None:
        dialog.edit.setText(rng.choice(("", "mine", "a/b")))
        dialog.accept()
        dialog.reject()

    def refuse(_url: str) -> None:
        raise download._BrokenError("no network", final=True)

    monkeypatch.setattr(QFileDialog, "getSaveFileName", new_name)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (chosen(str(rng.choice(files))), ""))
    folders = (out, tmp_path / "data")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: chosen(str(rng.choice(folders))))
    monkeypatch.setattr(NameDialog, "open", answer)
    monkeypatch.setattr(QInputDialog, "getItem", lambda *_: (_[3][0], rng.random() < 0.8))
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda _url: True)
    monkeypatch.setattr(QDrag, "exec", lambda *_: None)  # which waits for a hand to let go
    monkeypatch.setattr(download, "_check_address", refuse)
    return rng


class Gaps(NamedTuple):
    """The longest time that the window did not answer, and that its thread computed without a break, after what."""

    delay_ms: tuple[float, str]
    busy_ms: tuple[float, str]


def play(seed: int, window: MainWindow, files: list[Path], outside: random.Random, qtbot: QtBot) -> Gaps:
    """A sequence of actions, and the end of the window."""
    rng, told, done = random.Random(seed), list[Message](), list[str]()
    outside.seed(seed)
    window.session.context.message.connect(told.append)
    monkey, beat, gaps = Monkey(window, rng, files), Heartbeat(), Gaps((0.0, ""), (0.0, ""))
    with qtbot.captureExceptions() as errors:
        beat.start()
        for number in range(ACTIONS):
            seen = len(beat.delays_ms)
            done.append(f"{number}: {monkey.act()}")
            qtbot.wait(rng.randint(*REST_MS))
            now = (max(beat.delays_ms[seen:], default=0.0), done[-1]), (max(beat.busy_ms[seen:], default=0.0), done[-1])
            gaps = Gaps(max(gaps.delay_ms, now[0]), max(gaps.busy_ms, now[1]))
            bugs = [message.details for message in told if message.tone == "error" and message.details]
            assert not errors and not bugs, report(seed, done, errors, bugs)
        beat.stop()
        monkey.put_away()
        leave(window, qtbot)
    assert not errors, report(seed, done, errors)
    assert thread_engine(window).compute_thread.isFinished() and not window.isVisible()
    print(f"seed {seed}: {gaps}")
    return gaps


def report(seed: int, done: list[str], *found: object) -> str:
    return "\n".join([f"seed {seed}:", *done[-TOLD:], *map(str, found)])


def window_for(opened: Opener, settings: AppSettings, qtbot: QtBot) -> MainWindow:
    window = opened(settings)
    qtbot.waitUntil(lambda: bool(window.session.context.device), timeout=WAIT_MS)
    return window


@pytest.mark.parametrize("seed", range(FEW))
def test_a_monkey_breaks_nothing(
    seed: int, opened: Opener, settings: AppSettings, files: list[Path], outside: random.Random, qtbot: QtBot
) -> None:
    play(seed, window_for(opened, settings, qtbot), files, outside, qtbot)


@pytest.mark.bench
@pytest.mark.parametrize("seed", range(MANY))
def test_the_window_always_answers_a_monkey(
    seed: int, opened: Opener, settings: AppSettings, files: list[Path], outside: random.Random, qtbot: QtBot
) -> None:
    gaps = play(seed, window_for(opened, settings, qtbot), files, outside, qtbot)
    assert max(gaps.delay_ms[0], gaps.busy_ms[0]) <= LONGEST_MS, (seed, gaps)
