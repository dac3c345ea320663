"""Nothing that was learnt is lost by the window: a full disk, a crash, another window, settings of tomorrow."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot
from torch import Tensor

from desktop_app.pages.train import TrainPage
from desktop_app.settings import AppSettings, TrainSettings, load_settings
from desktop_app.viewmodels.train import Train
from desktop_app.widgets.controls.basics import Button
from desktop_app.window.main_window import MainWindow
from ml.registry.checkpoint import load_state_header
from ml.registry.run_layout import MODEL_FILE, STATE_FILE
from ml.tracking.metrics_table import LOSS_COLUMNS, LOSS_FILE, Table
from ml.training.loss_by_noise import LossByNoise
from ml.training.microbatch import Microbatches
from ml.training.run import LR_REDUCTION
from tests.app.conftest import Opener
from tests.patience import WAIT_MS, WAIT_S
from tests.support.full_disk import disk
from tests.support.tiny_model import few_digits

REPO = Path(__file__).resolve().parents[3]
BEGIN = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from desktop_app.worker import compute_thread
from desktop_app.app import make_application, open_window, run
from desktop_app.settings import load_settings

compute_thread.NICENESS = 0  # at a lower priority it would starve on a busy machine
app = make_application(["noiseloom"])
window = open_window(load_settings())
window.session.context.ready.connect(window.session.train.start)
sys.exit(run(app, window))
"""


@pytest.fixture
def learning(settings: AppSettings, tmp_path: Path) -> AppSettings:
    """A set-up that trains quickly, and saves often."""
    own = {"batch_size": 8, "save_every_s": 0.2}
    return settings.with_changes(
        train=TrainSettings(data="mnist", own=own), data_root=few_digits(tmp_path / "data"), page="train"
    )


def until(qtbot: QtBot, condition: Callable[[], object]) -> None:
    qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)


def begin(window: MainWindow, qtbot: QtBot) -> Train:
    """Start a run, and wait until it has a checkpoint."""
    train = window.session.train
    until(qtbot, lambda: window.session.context.device)
    train.start()
    until(qtbot, lambda: train.last)
    with qtbot.waitSignal(train.saved, timeout=WAIT_MS):
        train.save_now()
    assert train.folder and (train.folder / MODEL_FILE).exists()
    return train


def button(window: MainWindow, text: str) -> Button:
    return next(button for button in window.messages.action_buttons() if button.text() == text)


def test_on_a_full_disk_the_window_asks_where_a_run_shall_go_on(
    home: Path, opened: Opener, learning: AppSettings, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with disk(home / "runs", "size=24m") as small:
        window = opened(learning)
        train = begin(window, qtbot)
        small.fill()
        until(qtbot, lambda: train.write_error)
        assert "the disk is full" in window.messages.report() and train.state == "paused"
        assert train.folder and load_state_header(train.folder / STATE_FILE).step > 0
        button(window, "Try again").click()
        until(qtbot, lambda: train.write_error and window.messages.isVisible())

        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
        button(window, "Choose another folder…").click()
        assert "the disk is full" in window.messages.report()  # nobody answered, so it is asked again
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "other"))
        before = train.last
        button(window, "Choose another folder…").click()
        until(qtbot, lambda: train.state == "running" and train.last is not before)
        elsewhere = tmp_path / "other" / train.name
        assert train.folder == elsewhere and not train.write_error
        remembered = load_settings()
        assert remembered.interrupted == str(elsewhere)  # whatever happens from now on
        assert train._job
        train._job.control.cancel()  # as where the window is closed
        until(qtbot, lambda: train.state == "done")
        until(qtbot, lambda: [run.folder for run in train.unfinished] == [elsewhere])  # not what it left behind
        again = opened(remembered)
        until(qtbot, lambda: "was interrupted" in again.messages.title())
        assert [run.folder for run in again.session.train.unfinished] == [elsewhere]
        steps = Table(train.folder / LOSS_FILE, LOSS_COLUMNS).read()[0]
        assert list(steps) == list(range(1, len(steps) + 1))  # the curve came along
        train.draw()
        until(qtbot, lambda: window.session.generate.settings.model == str(train.folder))
        until(qtbot, lambda: not window.session.generate.busy)


def test_a_run_that_goes_back_says_so_and_its_curve_goes_back_too(
    opened: Opener, learning: AppSettings, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    diverge, backward = threading.Event(), Microbatches._backward

    def diverging(batches: Microbatches, chosen: Tensor, by_noise: LossByNoise) -> Tensor:
        loss = backward(batches, chosen, by_noise)
        if diverge.is_set():
            diverge.clear()
            return loss * math.nan
        return loss

    monkeypatch.setattr(Microbatches, "_backward", diverging)
    window = opened(learning.with_changes(train=learning.train.with_changes(own={"batch_size": 8})))
    train = begin(window, qtbot)
    panel = window.page("train")
    assert isinstance(panel, TrainPage) and train.folder and train.run
    with qtbot.waitSignal(train.saved, timeout=WAIT_MS):
        train.save_now()
    saved = load_state_header(train.folder / STATE_FILE).step
    until(qtbot, lambda: train.last and train.last.step > saved + 2)
    assert panel.plot.values(train.name)[0, -1] > saved and train.before is None
    shown: list[list[float]] = []
    train.begun.connect(lambda name: shown.append(panel.plot.values(name)[0].tolist()))
    diverge.set()
    until(qtbot, lambda: shown)
    assert shown == [[*range(1, saved + 1)]]  # in the plot, as in its table, all after the checkpoint is gone
    assert "nan at step" in window.messages.title()
    lr = train.run.config.lr * LR_REDUCTION
    assert f"step {saved:,} " in window.messages.report() and f"at most {lr:g}." in window.messages.report()
    # A report of a step may come before the word of the return; the curve has what comes after that.
    until(qtbot, lambda: train.last and train.last.lr <= lr and panel.plot.values(train.name)[0, -1] > saved)
    train.stop()
    until(qtbot, lambda: train.state == "done")
    until(qtbot, lambda: train.last and panel.plot.values(train.name)[0, -1] == train.last.step)
    steps = panel.plot.values(train.name)[0]
    assert (np.diff(steps) > 0).all()
    assert [step for step, *_ in train._curve] == steps.tolist()


def start(home: Path, log: Path) -> "subprocess.Popen[bytes]":
    """The program itself, offscreen, which begins to train as soon as it can."""
    environment = os.environ | {"NOISELOOM_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    with log.open("wb") as file:
        return subprocess.Popen([sys.executable, "-c", BEGIN], cwd=REPO, env=environment, stdout=file, stderr=file)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal as Unix does")
def test_a_crash_costs_no_more_than_the_interval_and_the_next_start_offers_the_run(
    home: Path, opened: Opener, learning: AppSettings, qtbot: QtBot, tmp_path: Path
) -> None:
    (home / "settings.json").write_text(learning.model_dump_json())
    log, folder = tmp_path / "log.txt", home / "runs" / "1-minute"
    saved: set[int] = set()
    with start(home, log) as program:
        deadline = time.monotonic() + WAIT_S
        while len(saved) < 4 or not load_settings().interrupted:  # a file tells when it is written anew
            assert program.poll() is None and time.monotonic() < deadline, log.read_text()
            if (folder / MODEL_FILE).exists():
                saved.add(load_state_header(folder / STATE_FILE).step)
            time.sleep(0.01)
        program.send_signal(signal.SIGSEGV)
        assert program.wait(WAIT_S) == -signal.SIGSEGV
    state = load_state_header(folder / STATE_FILE)
    rows = [line.split(",") for line in (folder / LOSS_FILE).read_text().splitlines(keepends=True) if "\n" in line]
    seconds = [0.0, *(float(row[1]) for row in rows[1:])]
    slowest = max(after - before for before, after in pairwise(seconds))
    assert state.step > 0 and seconds[-1] - state.elapsed_s <= 0.2 + slowest
    window = opened(load_settings())
    until(qtbot, lambda: "was interrupted" in window.messages.title())
    button(window, "Resume").click()
    train = window.session.train
    until(qtbot, lambda: train.last and train.last.step > state.step)
    assert train.run and train.run.step == state.step and train.name == "1-minute"


def test_a_run_of_another_window_is_neither_offered_nor_touched(
    home: Path, opened: Opener, learning: AppSettings, qtbot: QtBot
) -> None:
    first = opened(learning)
    train = begin(first, qtbot)
    second = opened(learning)
    until(qtbot, lambda: second.session.context.device)
    assert train.name not in [run.name for run in second.session.train.unfinished]
    models = second.session.models
    models.change(chosen=train.name)
    until(qtbot, lambda: models.card)
    models.delete()
    until(qtbot, lambda: "is being trained" in second.messages.title())
    second.messages.dismiss()
    assert train.run
    second.session.train._begin(train.run.config, train.run.run_dir, resume=True)
    until(qtbot, lambda: "being trained by another window" in second.messages.title())
    assert train.state == "running" and train.folder and (train.folder / STATE_FILE).exists()
    train.stop()
    until(qtbot, lambda: train.state == "done")
    second.session.context.refresh()
    until(qtbot, lambda: train.name in [folder.name for folder in second.session.train.curves])
    until(qtbot, lambda: not second.session.train.unfinished)  # what was ended on purpose is not interrupted


def test_settings_of_a_newer_version_are_kept_and_named(home: Path, opened: Opener, qtbot: QtBot) -> None:
    newer = AppSettings().model_dump(mode="json") | {"version": 2, "theme": "sepia"}
    (home / "settings.json").write_text(json.dumps(newer))
    settings = load_settings()
    window = opened(settings)
    assert "could not be read" in window.messages.title() and "newer Noiseloom" in window.messages.report()
    assert json.loads((home / "settings-unread.json").read_text()) == newer
