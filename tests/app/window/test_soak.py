"""Mixed work for a long time: the program does not grow."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop_app.pages.registry import PAGE_KEYS
from desktop_app.settings import AppSettings, CompareSettings, GenerateSettings, TrainSettings
from desktop_app.viewmodels.history import IN_MEMORY
from desktop_app.window.main_window import MainWindow
from tests.app.conftest import Opener
from tests.patience import WAIT_MS
from tests.support.tiny_model import few_digits

pytestmark = pytest.mark.usefixtures("ahead")
GROWTH = 1.05  # of what the program takes once everything has been done a few times
LENGTHS_S = {"two_minutes": 120, "twenty_minutes": 20 * 60}  # the first is a part of `.ci/run`
ROUNDS = 2  # of everything, and a history that is full, before it counts


@pytest.fixture
def settings(tmp_path: Path) -> AppSettings:
    """Work that is quickly done, so that much of it is."""
    return AppSettings(
        generate=GenerateSettings(steps=4, rows=1),
        train=TrainSettings(data="mnist", own={"preview_every_s": 0.3, "save_every_s": 0.3}),
        compare=CompareSettings(values={"steps": "1, 2", "guidance": "1, 2"}),
        data_root=few_digits(tmp_path / "data"),
        reduced_motion=True,
    )


class Worker:
    """Somebody who does one thing after another in the window, and waits for each."""

    def __init__(self, window: MainWindow, folder: Path, qtbot: QtBot) -> None:
        self.window, self.session, self.folder, self.qtbot = window, window.session, folder, qtbot
        self._numbers = itertools.count()
        self._work = (self.draw, self.export, self.interpolate, self.compare, self.recognise, self.train, self.look)

    def round(self) -> None:
        """Everything once."""
        for work in self._work:
            work()
            self.until(lambda: self.session.context.at_rest and not self.session.train.active)

    def until(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)

    def draw(self) -> None:
        self.window.rail.set_page("generate")
        self.session.generate.change(seed=next(self._numbers), live=False)
        self.session.generate.draw()

    def export(self) -> None:
        for suffix in (".png", ".gif", ".mp4", ".npz"):
            self.session.generate.export(self.folder / f"out{suffix}")

    def interpolate(self) -> None:
        self.window.rail.set_page("interpolate")
        for number in range(5):
            self.session.interpolate.change(place=(number / 5, (next(self._numbers) % 7) / 7))
            QApplication.processEvents()

    def compare(self) -> None:
        self.window.rail.set_page("compare")
        self.session.compare.change(mode="grid", seed=next(self._numbers))
        self.session.compare.compare()

    def recognise(self) -> None:
        self.window.rail.set_page("draw")
        state = self.session.draw
        state.clear()
        state.begin_stroke()
        for number in range(20):
            state.dab(13 + next(self._numbers) % 3, 4 + number)
        state.recognise()

    def train(self) -> None:
        self.window.rail.set_page("train")
        self.session.train.start()
        self.until(lambda: self.session.train.last and self.session.train.previews)
        self.session.train.stop()
        self.until(lambda: not self.session.train.active and self.session.context.card(self.session.train.name))
        self.session.models.change(chosen=self.session.train.name)
        self.session.models.delete()  # a longer list of models takes its room

    def look(self) -> None:
        for key in PAGE_KEYS:
            self.window.rail.set_page(key)
            QApplication.processEvents()


def soak(worker: Worker, seconds: float) -> None:
    """Work for so long after a warm-up; compares the memory in the first and in the last quarter of it."""
    for _ in range(ROUNDS):
        worker.round()
    for _ in range(IN_MEMORY):
        worker.draw()
        worker.until(lambda: not worker.session.generate.busy)
    process, began = psutil.Process(), time.monotonic()
    taken: list[float] = []
    while time.monotonic() - began < seconds or len(taken) < 4:
        worker.round()
        taken.append(process.memory_info().rss / 1e6)
    quarter = len(taken) // 4
    before, after = float(np.median(taken[:quarter])), float(np.median(taken[-quarter:]))
    print(f"{len(taken)} rounds in {time.monotonic() - began:.0f} s: {before:.0f} MB, then {after:.0f} MB")
    assert after <= GROWTH * before, [round(each) for each in taken]


def begin(opened: Opener, settings: AppSettings, qtbot: QtBot, folder: Path) -> Worker:
    folder.mkdir()
    window = opened(settings)
    qtbot.waitUntil(lambda: bool(window.session.context.device) and window.session.context.at_rest, timeout=WAIT_MS)
    return Worker(window, folder, qtbot)


@pytest.mark.slow
@pytest.mark.timeout(max(LENGTHS_S.values()) + 900)
@pytest.mark.parametrize("seconds", LENGTHS_S.values(), ids=LENGTHS_S)
def test_mixed_work_takes_no_more_memory(
    opened: Opener, settings: AppSettings, qtbot: QtBot, tmp_path: Path, seconds: int
) -> None:
    soak(begin(opened, settings, qtbot, tmp_path / "out"), seconds)
