"""The app as a person uses it: generate, scrub, export, train, pause, resume, stop, close while busy, open again."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMessageLogContext, QMimeData, QObject, QPoint, QPointF, Qt, QtMsgType, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from desktop_app.app import ErrorHooks
from desktop_app.diagnostics import startup_report
from desktop_app.diagnostics.startup_report import Stopwatch
from desktop_app.pages.generate import with_ending
from desktop_app.pages.registry import PAGE_KEYS, PAGES
from desktop_app.pages.train import TrainPage
from desktop_app.settings import AppSettings, GenerateSettings, TrainSettings, load_settings
from desktop_app.theme.controller import theme
from desktop_app.viewmodels.notification import Message
from desktop_app.widgets.controls.basics import Button
from desktop_app.widgets.window.remaining_time import RemainingTime
from desktop_app.window import page_stack
from desktop_app.window.drag_and_drop import drop_effect, dropped_file
from desktop_app.window.main_window import MainWindow
from desktop_app.window.persistence import FIRST_SIZE
from desktop_app.worker.compute_thread import failure
from ml.config import SampleRequest
from ml.control import RunControl
from ml.events import Failed
from ml.export import files
from ml.registry.checkpoint import load_state_header
from ml.registry.run_layout import STATE_FILE
from tests.app.conftest import Opener, leave
from tests.patience import WAIT_MS
from tests.support.fake_engine import arguments, take_over
from tests.support.fake_events import frames, sampled


def until(qtbot: QtBot, condition: Callable[[], object]) -> None:
    qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)


def drawn(window: MainWindow, qtbot: QtBot) -> None:
    """Wait until what is asked for is drawn and judged."""
    until(qtbot, lambda: not window.session.generate.busy and window.session.generate.verdict is not None)


def type_prompt(window: MainWindow, qtbot: QtBot, text: str) -> None:
    edit = window.generate.prompt.edit
    edit.setFocus()
    edit.selectAll()
    qtbot.keyClicks(edit, text)


def press(window: MainWindow, text: str) -> None:
    """Press the button of the message that is shown."""
    button = next(button for button in window.messages.action_buttons() if button.text() == text)
    button.click()


# ---- generate


def test_the_first_grid_draws_itself_and_is_judged(window: MainWindow) -> None:
    panel, generate = window.generate, window.session.generate
    assert generate.request is not None and generate.request.labels == tuple(range(10))
    assert len(generate.frames) == 5
    assert panel.timeline.steps == panel.timeline.reached == panel.timeline.step == 4  # reduced motion: at the end
    assert generate.sampled is not None and np.array_equal(panel.grid.images(), generate.sampled.images)
    assert window.status.device_text().startswith(("CPU", "NVIDIA", "Apple")) or "CUDA" in window.status.device_text()
    assert "tiny" in {card.name for card in window.session.context.drawing_models}
    assert "judge" not in {card.name for card in window.session.context.drawing_models}


def test_a_prompt_is_drawn_by_enter(window: MainWindow, qtbot: QtBot) -> None:
    type_prompt(window, qtbot, "two or five")
    assert "2 5" in window.generate.prompt.reading()
    qtbot.keyClick(window.generate.prompt.edit, Qt.Key.Key_Return)
    assert window.session.generate.busy
    drawn(window, qtbot)
    request = window.session.generate.request
    assert request is not None and request.labels == (2, 5) and request.prompt == "two or five"
    assert len(window.generate.grid.images()) == 2


def test_one_digit_fills_the_grid_and_ctrl_enter_draws(window: MainWindow, qtbot: QtBot) -> None:
    type_prompt(window, qtbot, "seven")
    qtbot.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    drawn(window, qtbot)
    assert window.session.generate.request and window.session.generate.request.labels == (7,) * 10


def test_an_unknown_prompt_is_explained_and_what_was_drawn_stays(window: MainWindow, qtbot: QtBot) -> None:
    before = window.generate.grid.images()
    type_prompt(window, qtbot, "banana")
    assert "no digit" in window.generate.prompt.reading()
    assert not window.generate.prompt.button.isEnabled()
    qtbot.keyClick(window.generate.prompt.edit, Qt.Key.Key_Return)
    assert not window.session.generate.busy
    assert np.array_equal(window.generate.grid.images(), before)


def test_scrubbing_shows_every_computed_step_noisy_and_clean(window: MainWindow, qtbot: QtBot) -> None:
    panel, frames = window.generate, window.session.generate.frames
    for step in (0, 2, 4, 1):
        panel.timeline.slider.setValue(step)
        assert np.array_equal(panel.grid.images(), frames[step].x_t)
    panel.timeline.view.button("clean").click()
    assert np.array_equal(panel.grid.images(), frames[1].x0_hat)
    window.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_Right)
    assert panel.timeline.step == 2
    qtbot.keyClick(window, Qt.Key.Key_Space)
    assert panel.timeline.playing
    qtbot.keyClick(window, Qt.Key.Key_Space)
    assert not panel.timeline.playing


def test_a_digit_is_shown_large_with_its_way(window: MainWindow) -> None:
    panel, generate = window.generate, window.session.generate
    panel.grid.cellClicked.emit(3)
    assert panel.digit.title.text() == "Requested: 3" and "Seed 2029" in panel.digit.text.text()
    assert np.array_equal(panel.digit.large.images()[0], panel.grid.images()[3])
    strip = panel.digit.strip.images()
    assert np.array_equal(strip[0], generate.frames[0].x_t[3]) and np.array_equal(strip[-1], generate.frames[-1].x_t[3])
    panel.grid.cellClicked.emit(3)
    assert panel.digit.title.text() == "No digit chosen"


def test_a_moved_slider_draws_anew_and_only_the_newest_counts(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate, sampling, engine = (
        window.session.generate,
        window.generate.sampling,
        take_over(window.session.context.engine, monkeypatch),
    )
    for value in (2.0, 2.5, 3.0):
        sampling.guidance.box.setValue(value)
    generate.draw()
    old = engine.job("sample_and_judge")
    first = frames(arguments(old)[0])
    engine.give(old, *first[:2])
    for value in (5, 6, 7):
        sampling.steps.box.setValue(value)
    generate._soon.stop()
    generate._soon.timeout.emit()  # the hand rests
    new = engine.job("sample_and_judge")
    request = arguments(new)[0]
    assert old.control.cancelled and (request.steps, request.guidance) == (7, 3.0)
    engine.give(new, *frames(request, 2))
    engine.end(old, *first[2:], sampled(arguments(old)[0]))  # what it had said before it heard that it was to stop
    assert len(generate.frames) == 2 and generate.sampled is None and generate.busy
    engine.end(new, *frames(request)[2:], sampled(request))
    assert generate.sampled and generate.sampled.request.steps == 7
    assert len(generate.frames) == 8 and window.generate.timeline.reached == 7 and not generate.busy


def test_the_same_settings_give_the_same_digits(window: MainWindow, qtbot: QtBot) -> None:
    before = window.generate.grid.images().copy()
    window.generate.generate()
    drawn(window, qtbot)
    assert np.array_equal(window.generate.grid.images(), before)
    window.generate.prompt.seed_box.seedChanged.emit(99)
    drawn(window, qtbot)
    assert not np.array_equal(window.generate.grid.images(), before)


def test_stop_ends_a_long_drawing_at_once_and_keeps_its_steps(window: MainWindow, qtbot: QtBot) -> None:
    generate = window.session.generate
    generate.change(steps=1000, sampler="ddpm", live=False)
    window.generate.prompt.button.click()
    until(qtbot, lambda: len(generate.frames) > 20)
    window.status.stop_button.click()
    assert not generate.busy
    until(qtbot, lambda: not window.session.context._jobs)
    kept = len(generate.frames)
    assert 20 < kept < 1000 and window.generate.timeline.reached == kept - 1
    assert not generate.can_export
    generate.change(steps=3, sampler="dpm++", live=False)
    window.generate.generate()
    drawn(window, qtbot)


@pytest.mark.parametrize("suffix", [".png", ".gif", ".npz", ".webp"])
def test_exports_carry_their_request(window: MainWindow, qtbot: QtBot, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"digits{suffix}"
    with qtbot.waitSignal(window.session.generate.exported, timeout=WAIT_MS):
        window.generate.export_to(path)
    sampled = window.session.generate.sampled
    assert sampled is not None and files.read_request(path)[0] == sampled.request
    assert window.messages.title() == f"Saved digits{suffix}"
    assert window.generate.export_folder == tmp_path


def test_the_export_dialog_offers_a_name(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def choose(parent: object, title: str, suggested: str, filters: str) -> tuple[str, str]:
        asked.append(suggested)
        return str(tmp_path / "mine"), filters.split(";;")[0]

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    with qtbot.waitSignal(window.session.generate.exported, timeout=WAIT_MS):
        qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert asked[0].endswith("noiseloom-2026.png") and (tmp_path / "mine.png").is_file()


def test_a_format_that_was_chosen_counts_where_no_other_ending_was_typed(tmp_path: Path) -> None:
    assert with_ending(tmp_path / "a", ".png", ".svg") == tmp_path / "a.svg"
    assert with_ending(tmp_path / "a.png", ".png", ".svg") == tmp_path / "a.svg"  # as it was suggested
    assert with_ending(tmp_path / "a.gif", ".png", ".svg") == tmp_path / "a.gif"
    for name in ("a.svg", "a.png"):
        (tmp_path / name).touch()
    assert with_ending(tmp_path / "a", ".png", ".svg") not in (tmp_path / "a.svg", tmp_path / "a.png")
    assert with_ending(tmp_path / "a.png", ".png", ".png") == tmp_path / "a.png"  # which the dialog asked about


def test_a_folder_that_cannot_be_written_to_loses_nothing(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS):
        window.generate.export_to(tmp_path / "file" / "digits.png")
    assert not window.messages.isHidden() and "digits.png" in window.messages.title()
    assert [button.text() for button in window.messages.action_buttons()] == ["Export elsewhere…"]
    assert "Traceback" not in window.messages.report()
    assert window.session.generate.can_export
    with qtbot.waitSignal(window.session.generate.exported, timeout=WAIT_MS):
        window.generate.export_to(tmp_path / "digits.png")


def test_copying_puts_the_grid_on_the_clipboard(window: MainWindow) -> None:
    window.generate.copy_button.click()
    image = QGuiApplication.clipboard().image()
    shown = window.generate.grid.images()
    assert image.width() > 10 * 28 * 2 and image.height() > 28 * 2
    assert image.pixelColor(4 * 14 + 1, 4 * 14 + 1).red() == shown[0, 14, 14]


def test_a_verdict_warns_only_where_something_else_was_asked_for(window: MainWindow) -> None:
    generate, panel = window.session.generate, window.generate
    assert generate.verdict and generate.request and panel.timeline.step == panel.timeline.steps
    count = len(generate.request.labels)
    generate.trajectory.verdict = replace(
        generate.verdict, labels=np.full(count, 3), confidence=np.full(count, np.float32(0.5))
    )
    generate.trajectory.request = generate.request.with_changes(labels=(3, 4, -1, *generate.request.labels[3:]))
    panel._show_verdicts()
    assert [(each.text, each.warn) for each in panel.grid._captions[:3]] == [
        ("3 · 50%", False), ("3 · 50%", True), ("3 · 50%", False)
    ]  # fmt: skip
    panel.timeline.set_step(2)  # of unfinished images nothing is said
    assert panel.grid._captions == []


def test_a_model_that_is_none_is_told_of(window: MainWindow, qtbot: QtBot, home: Path) -> None:
    (home / "models" / "bad.safetensors").write_bytes(b"random bytes")
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS):
        window.session.generate.use_model("bad")
    assert "damaged" in window.messages.title()
    qtbot.waitUntil(lambda: not window.session.generate.busy, timeout=WAIT_MS)
    window.session.generate.use_model("tiny")
    drawn(window, qtbot)


def test_a_model_that_is_gone_is_replaced_by_the_bundled_one(
    opened: Opener, settings: AppSettings, qtbot: QtBot
) -> None:
    gone = settings.with_changes(generate=settings.generate.with_changes(model="deleted", prompt="3"))
    window = opened(gone)
    drawn(window, qtbot)
    assert window.session.generate.settings.model == "digits"
    assert window.messages.isHidden()


def test_a_change_of_settings_can_be_undone(window: MainWindow, qtbot: QtBot) -> None:
    generate = window.session.generate
    window.generate.sampling.steps.box.setValue(6)
    window.generate.sampling.steps.box.setValue(7)  # one movement of a hand
    generate._changed_at = 0.0  # a while later
    generate.change(guidance=3.0)
    window.rail.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (generate.settings.steps, generate.settings.guidance) == (7, 1.5)
    assert window.generate.sampling.guidance.value() == 1.5
    generate.undo()
    assert generate.settings.steps == 4
    generate.undo()
    until(qtbot, lambda: generate.request and generate.request.steps == 4)
    drawn(window, qtbot)


def test_ctrl_z_acts_on_the_page_that_is_looked_at(window: MainWindow, qtbot: QtBot) -> None:
    session, undo = window.session, Qt.Key.Key_Z
    drawn = session.generate.settings
    session.generate.change(guidance=3.0, live=False)

    def press_undo() -> None:
        qtbot.keyClick(window, undo, Qt.KeyboardModifier.ControlModifier)

    for page, owner, changes in (
        ("train", session.train, {"minutes": 7.0}),
        ("compare", session.compare, {"rows": "eta"}),
        ("interpolate", session.interpolate, {"mixing": "lerp"}),
        ("explore", session.explore, {"timesteps": 500}),
    ):
        window.rail.set_page(page)
        before = owner.settings
        for key, value in changes.items():
            session.undo._at = 0.0
            owner.change(**{key: value})
        assert owner.settings != before
        press_undo()
        assert owner.settings == before
        press_undo()
        assert owner.settings == before
    window.rail.set_page("draw")
    session.draw.begin_stroke()
    session.draw.dab(5, 5)
    press_undo()
    assert session.draw.empty and session.generate.settings.guidance == 3.0
    window.rail.set_page("generate")
    press_undo()
    assert session.generate.settings == drawn


def test_undo_takes_a_race_of_other_lanes_off_the_page(window: MainWindow, qtbot: QtBot) -> None:
    race, compare = window.session.compare.race, window.session.compare
    compare.change(mode="race", digits="7", lanes=[{"model": "tiny", "steps": 2}, {"model": "tiny", "steps": 1}])
    race.start()
    until(qtbot, lambda: not race.busy)
    assert race.reached == 2
    window.session.undo._at = 0.0
    race.add_lane()
    assert not race.requests and len(compare.settings.lanes) == 3
    window.rail.set_page("compare")
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(compare.settings.lanes) == 2 and not race.requests


def dragged(path: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    return data


def test_a_folder_over_the_window_is_told_that_it_can_be_trained_on(tmp_path: Path) -> None:
    assert dropped_file(dragged(tmp_path)) == tmp_path
    assert all("Train page" in drop_effect(tmp_path, drawing=drawing) for drawing in (True, False))


def test_a_file_over_the_window_is_told_that_it_can_be_dropped(window: MainWindow, tmp_path: Path) -> None:
    window.show()
    hint, data = window.drop_hint, dragged(tmp_path / "grid.png")
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    assert hint.isHidden()
    enter = QDragEnterEvent(QPoint(50, 50), copy, data, left, none)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted() and hint.isVisible() and hint.accessibleName().startswith("Drop grid.png: ")
    assert hint.size() == window.size()
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert hint.isHidden()
    nothing = QMimeData()
    empty = QDragEnterEvent(QPoint(50, 50), copy, nothing, left, none)
    empty.ignore()
    QApplication.sendEvent(window, empty)
    assert not empty.isAccepted() and hint.isHidden()
    window.rail.set_page("draw")
    QApplication.sendEvent(window, QDragEnterEvent(QPoint(50, 50), copy, data, left, none))
    assert "draw on" in hint.accessibleName()
    QApplication.sendEvent(window, QDropEvent(QPointF(50, 50), copy, data, left, none))
    assert hint.isHidden()


def test_the_status_bar_says_how_much_memory_is_in_use(window: MainWindow) -> None:
    window.status_view.show_memory()
    number, unit, _ = window.status.memory_text().split(" ", 2)
    assert unit in ("MB", "GB") and 50 < float(number) * (1000 if unit == "GB" else 1) < 20_000


def test_pages_are_there_before_anyone_asks_for_them(ahead: None, window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: window.pages.count() == len(PAGES), timeout=WAIT_MS)
    assert window.rail.page() == "generate" and window.pages.currentWidget() is window.generate
    made = {key: window.page(key) for key in PAGE_KEYS}
    assert [window.pages.indexOf(page) for page in made.values()] == list(range(len(PAGES)))
    qtbot.waitUntil(lambda: not window.pages.prefetching, timeout=WAIT_MS)
    for key, page in made.items():
        window.rail.set_page(key)
        assert window.pages.currentWidget() is page


def test_a_page_that_is_made_late_exports_as_the_others_do(window: MainWindow, tmp_path: Path) -> None:
    window.show_settings().scale.valueChanged.emit("8")
    window.generate.export_folder = tmp_path
    for key in ("compare", "draw"):
        assert window.page(key).export_scale == 8 and window.page(key).export_folder == tmp_path


def test_the_stopwatch_tells_the_first_of_each(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clock = Stopwatch(QObject()), iter((1.25, 2.0, 3.0))
    watch.began = 1.0
    monkeypatch.setattr(startup_report, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    for what in ("window_shown_s", "first_grid_s", "window_shown_s"):
        watch.note(what)
    assert watch.seconds == {"window_shown_s": 0.25, "first_grid_s": 1.0}


def test_what_tells_how_far_it_is_is_told_how_long_it_takes() -> None:
    left = RemainingTime()
    assert left.words("Comparing, cell 1 of 16", 0.0, now=10.0) == ""
    assert left.words("Comparing, cell 2 of 16", 0.1, now=11.0) == ""  # too soon to say
    assert left.words("Comparing, cell 5 of 16", 0.25, now=15.0) == "15 s left"
    assert left.words("Drawing 10 digits", 0.5, now=16.0) == ""  # something else
    assert left.words("Drawing 10 digits", 0.75, now=26.0) == "10 s left"
    assert left.words("Drawing 10 digits", 0.1, now=27.0) == ""  # the same anew
    assert left.words("Drawing 10 digits", 0.3, now=37.0) == "35 s left"
    assert left.words("Reading", None, now=60.0) == ""


def test_motion_can_be_switched_off_and_on(window: MainWindow, qtbot: QtBot) -> None:
    dialog = window.show_settings()
    dialog.motion.button("play").click()
    assert not window.remember().reduced_motion
    window.generate.generate()
    until(qtbot, lambda: window.generate.timeline.playing)
    dialog.motion.button("still").click()
    dialog.close()
    assert window.remember().reduced_motion
    window.generate.timeline.pause()
    drawn(window, qtbot)


# ---- train


def training_panel(window: MainWindow) -> TrainPage:
    window.rail.set_page("train")
    panel = window.pages.currentWidget()
    assert isinstance(panel, TrainPage)
    return panel


def test_a_run_is_started_paused_resumed_drawn_from_and_kept(window: MainWindow, qtbot: QtBot) -> None:
    panel, train = training_panel(window), window.session.train
    panel.setup.minutes.box.setValue(30)
    panel.start_button.click()
    until(qtbot, lambda: train.last and train.last.step > 5 and panel.previews.count())
    assert "left" in window.status.job_text() and train.name == "1-minute"
    assert panel.plot.values("1-minute").shape[1] >= 2
    assert float(panel.stats["loss"].value()) > 0

    panel.pause_button.click()
    until(qtbot, lambda: train.state == "paused")
    assert train.last is not None and train.folder
    held = load_state_header(train.folder / STATE_FILE).step
    until(qtbot, lambda: train.last and train.last.step == held)  # reports of steps come by another way
    until(qtbot, lambda: f"Paused at step {held:,}" in panel.subtitle.full_text())
    assert panel.pause_button.text() == "Resume"
    window.session.generate.draw()  # drawing works beside a paused run
    drawn(window, qtbot)
    assert train.state == "paused" and train.last.step == held

    panel.pause_button.click()
    until(qtbot, lambda: train.last and train.last.step > held)
    panel.draw_button.click()
    assert window.rail.page() == "generate"
    until(qtbot, lambda: window.session.generate.settings.model == "1-minute")
    drawn(window, qtbot)
    assert train.state == "running"

    panel.stop_button.click()
    until(qtbot, lambda: train.state == "done")
    assert "Stopped, model kept" in panel.subtitle.full_text()
    until(qtbot, lambda: "1-minute" in {card.name for card in window.session.context.drawing_models})
    assert panel.draw_button.isEnabled() and not panel.start_button.isHidden()


def test_stop_ends_a_drawing_first_and_then_the_training(window: MainWindow, qtbot: QtBot) -> None:
    train, generate = window.session.train, window.session.generate
    training_panel(window).start_button.click()
    until(qtbot, lambda: train.state == "running")
    generate.change(steps=1000, sampler="ddpm", live=False)
    generate.draw()
    window.stop()
    assert not generate.busy and train.state == "running"
    window.stop()
    assert train.state == "stopping"
    until(qtbot, lambda: train.state == "done" and window.session.context.at_rest)


def test_data_that_is_not_there_is_told_of_with_a_way_out(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    panel, train = training_panel(window), window.session.train
    train.change(data="mnist")
    window.session.context.use_data_root(tmp_path / "nothing")
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS):
        panel.start_button.click()
    until(qtbot, lambda: train.state == "failed")
    assert "MNIST" in window.messages.title() and "Traceback" not in window.messages.report()
    press(window, "Use synthetic digits")
    until(qtbot, lambda: train.last and train.last.step > 1)
    assert train.settings.data == "synthetic"
    train.stop()
    until(qtbot, lambda: train.state == "done")


def test_a_folder_of_images_that_has_gone_is_chosen_anew(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, train = training_panel(window), window.session.train
    train.change(data=f"folder:{tmp_path / 'gone'}")
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS):
        panel.start_button.click()
    until(qtbot, lambda: train.state == "failed")
    (tmp_path / "here").mkdir()
    Image.new("L", (16, 16), 9).save(tmp_path / "here" / "one.png")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "here"))
    press(window, "Choose a folder…")
    until(qtbot, lambda: train.last and train.last.step > 1)
    assert train.run and train.run.config.data == f"folder:{tmp_path / 'here'}"
    assert train.run.config.model.num_classes == 0
    train.stop()
    until(qtbot, lambda: train.state == "done")


def test_a_truncated_data_file_is_named(window: MainWindow, qtbot: QtBot, tmp_path: Path, mnist_root: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (raw / name).write_bytes((mnist_root / "MNIST" / "raw" / name).read_bytes()[:5000])
    window.session.train.change(data="mnist")
    window.session.context.use_data_root(tmp_path)
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS):
        window.session.train.start()
    assert "train-images-idx3-ubyte" in window.messages.title()


def test_closing_while_training_saves_and_the_next_start_offers_to_go_on(
    opened: Opener, settings: AppSettings, qtbot: QtBot, home: Path
) -> None:
    first = opened(settings)
    first.session.train.change(minutes=30)
    first.session.train.start()
    until(qtbot, lambda: first.session.train.last and first.session.train.last.step > 5)
    first.session.generate.change(steps=500, live=False)
    first.session.generate.draw()  # and while drawing, too
    leave(first, qtbot)
    assert not first.isVisible()
    state = load_state_header(home / "runs" / "1-minute" / STATE_FILE)
    assert state.step > 5

    remembered = load_settings()
    assert remembered.interrupted == "1-minute"
    second = opened(remembered.with_changes(generate=settings.generate))
    until(qtbot, lambda: "was interrupted" in second.messages.title())
    press(second, "Resume")
    train = second.session.train
    until(qtbot, lambda: train.last and train.last.step > state.step)
    assert train.run is not None and train.run.step == state.step
    panel = training_panel(second)
    assert panel.plot.values("1-minute")[0, 0] < state.step  # the curve of before is there
    train.stop()
    until(qtbot, lambda: train.state == "done")
    leave(second, qtbot)
    assert load_settings().interrupted == ""


# ---- the window itself


def test_settings_come_back(opened: Opener, settings: AppSettings, qtbot: QtBot) -> None:
    first = opened(settings)
    drawn(first, qtbot)
    first.session.generate.change(prompt="2026", seed=7, guidance=3.0, live=False)
    first.rail.set_page("train")
    theme().set_mode("dark")
    leave(first, qtbot)
    remembered = load_settings()
    assert remembered.theme == "dark"
    assert remembered.generate.prompt == "2026" and remembered.generate.guidance == 3.0
    second = opened(remembered)
    assert (
        second.rail.page() == "train" and second.generate.prompt.text() == "2026" and second.generate.prompt.seed() == 7
    )


@pytest.mark.parametrize("content", ["", "{", '{"theme": "pink"}', '{"generate": {"steps": -1}}', "\x00\xff"])
def test_broken_settings_do_not_keep_the_window_from_opening(home: Path, content: str) -> None:
    (home / "settings.json").write_text(content)
    found = load_settings()
    assert found.with_changes(trouble="") == AppSettings() and "settings-unread.json" in found.trouble
    assert (home / "settings-unread.json").read_text() == content and not (home / "settings.json").exists()


def test_a_damaged_place_of_the_window_is_no_place(opened: Opener, settings: AppSettings) -> None:
    for geometry in ("abc", "????", "AAAA", "\u00e9"):
        assert opened(settings.with_changes(geometry=geometry)).size().toTuple() == FIRST_SIZE


def test_an_error_that_nobody_caught_is_shown_with_its_details(
    window: MainWindow, qtbot: QtBot, capsys: pytest.CaptureFixture[str]
) -> None:
    hooks = ErrorHooks()
    hooks.failed.connect(window.session.context.report)
    try:
        raise ZeroDivisionError("a bug")
    except ZeroDivisionError as error:
        hooks._python(type(error), error, error.__traceback__)
    assert "a bug" in window.messages.title() and "ZeroDivisionError" in window.messages.report()
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_what_qt_complains_of_is_shown_only_where_it_is_grave(capsys: pytest.CaptureFixture[str]) -> None:
    hooks, told = ErrorHooks(), list[Failed]()
    hooks.failed.connect(told.append)
    for kind in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg, QtMsgType.QtWarningMsg):
        hooks._qt(kind, QMessageLogContext(), "a trifle")
    assert told == []
    hooks._qt(QtMsgType.QtCriticalMsg, QMessageLogContext(), "a disaster")
    hooks._python(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert [failed.message for failed in told] == [failure(RuntimeError("a disaster")).message]
    written = capsys.readouterr().err
    assert written.count("a trifle") == 3 and written.count("a disaster") == 1


def test_messages_take_their_room_and_give_it_back(window: MainWindow, qtbot: QtBot) -> None:
    window.session.context.notify(Message("info", "Hello", "Nothing to do."))
    assert window.messages.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.messages.isVisible()


def test_everything_has_a_name_for_a_screen_reader(window: MainWindow) -> None:
    training_panel(window)
    nameless = [button for button in window.findChildren(Button) if not (button.text() or button.accessibleName())]
    assert nameless == []


@pytest.mark.usefixtures("dressed")
@pytest.mark.parametrize("size", [(1024, 700), (1280, 800)])
def test_nothing_is_wider_than_the_window(window: MainWindow, size: tuple[int, int]) -> None:
    training_panel(window)
    window.resize(*size)
    assert (window.width(), window.height()) == size
    assert window.minimumSizeHint().width() <= 1024 and window.minimumSizeHint().height() <= 700


def test_a_request_is_made_of_the_settings_alone() -> None:
    settings = GenerateSettings(prompt="3", seed=5, steps=7, guidance=2.0, model="m")
    request = settings.request((3, 3))
    assert request == SampleRequest(prompt="3", seed=5, steps=7, guidance=2.0, model="m", labels=(3, 3))
    assert TrainSettings(minutes=None).minutes is None


def test_the_types_of_qt_are_made_in_this_thread_before_the_lane_imports_pages(
    opened: Opener, settings: AppSettings, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PySide makes a type when it is first asked for, which two threads had better not do at once."""
    unmade: list[list[object]] = []

    def importing(_control: RunControl) -> Iterator[object]:
        unmade.append(list(window.pages._types))
        yield from ()

    monkeypatch.setattr(page_stack, "import_pages", importing)
    window = opened(settings)
    qtbot.waitUntil(lambda: bool(unmade), timeout=WAIT_MS)
    assert unmade == [[]]


def test_a_ship_is_drawn_by_its_name(opened: Opener, settings: AppSettings, qtbot: QtBot) -> None:
    """With the bundled model of colour images: its words at the start, and those of digits with the next model."""
    asked = GenerateSettings(model="colour", prompt="two ships", steps=2, rows=1)
    window = opened(settings.with_changes(generate=asked.model_dump()))
    generate, panel = window.session.generate, window.generate
    qtbot.waitUntil(lambda: generate.sampled is not None and not generate.busy, timeout=WAIT_MS)
    assert generate.request and generate.request.labels == (8, 8)
    assert generate.sampled and generate.sampled.images.shape == (2, 32, 32, 3)
    assert [caption.text for caption in panel.grid._captions] == ["ship", "ship"]
    assert "ship" in panel.prompt.reading() and panel.prompt.chips.buttons[8].text() == "ship"
    panel.grid.cellClicked.emit(0)
    assert panel.digit.title.text() == "Requested: ship" and "Judge reads" not in panel.digit.text.text()
    assert not panel.digit.meter.isVisibleTo(panel) and not panel.prompt.route.isVisibleTo(panel)
    panel.prompt.edit.setText("shp")
    assert "ship" in panel.prompt.reading() and "digit" not in panel.prompt.reading()
    assert not panel.prompt.button.isEnabled()
