"""The Compare page: cells on one noise, before and after, the figure to take along, and the race."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from desktop_app.pages.compare import ComparePage, caption
from desktop_app.widgets.controls.check_list import CheckList
from desktop_app.widgets.images.before_after import BeforeAfter
from desktop_app.window.main_window import MainWindow
from ml.config import SampleRequest
from ml.events import Sampled
from ml.experiments.axes import Axis
from ml.experiments.cells import Cell
from ml.generation import pipeline
from ml.registry.run_layout import MODEL_FILE, SNAPSHOTS
from tests.patience import WAIT_MS
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments, take_over
from tests.support.fake_events import frames, images

LEFT, Key = Qt.MouseButton.LeftButton, Qt.Key
SMALL: dict[str, Any] = {"digits": "38", "values": {"steps": "1, 2", "guidance": "1, 3"}}
QUICK = [{"steps": 4}, {"sampler": "ddim", "steps": 2}, {"model": "student", "sampler": "student", "steps": 1}]


@pytest.fixture
def panel(request: pytest.FixtureRequest, qtbot: QtBot) -> Iterator[ComparePage]:
    if "made_up" in request.fixturenames:
        app: FakeApp = request.getfixturevalue("made_up")
        app.session.compare.change(**SMALL)
        panel = ComparePage(app.session.compare, app.context)
        qtbot.addWidget(panel)
        panel.show()
        yield panel
        return
    window: MainWindow = request.getfixturevalue("window")
    window.show()
    window.rail.set_page("compare")
    panel = window.page("compare")
    assert isinstance(panel, ComparePage)
    window.session.compare.change(**SMALL)
    yield panel
    window.session.compare.stop()
    window.session.compare.race.stop()


def compared(panel: ComparePage, qtbot: QtBot) -> None:
    panel.go.click()
    qtbot.waitUntil(lambda: not panel._compare.busy, timeout=WAIT_MS)


def choose(edit: Any, field: str) -> None:
    """Choose a setting for an axis as a person does."""
    edit.field.combo.setCurrentIndex(edit.field.combo.findData(field))
    edit.field.combo.activated.emit(0)


# ---- the grid


def test_cells_fill_in_as_they_are_ready_and_are_what_is_drawn_alone(panel: ComparePage, qtbot: QtBot) -> None:
    compare, counts = panel._compare, []
    compare.filled.connect(lambda: counts.append(int(panel.table.grid.images().any(axis=(1, 2)).sum())))
    panel.go.click()
    assert compare.busy and panel.go.text() == "Stop" and len(panel.table.grid.images()) == 4
    qtbot.waitUntil(lambda: not compare.busy, timeout=WAIT_MS)
    assert counts == [1, 2, 3, 4] and panel.go.text() == "Compare"
    cell = compare.cell_at(3)
    assert cell and compare.name(cell) == "2 steps, w = 3" and cell.request.labels == (3, 8)
    *_, alone = pipeline.sample(cell.request)
    assert isinstance(alone, Sampled) and np.array_equal(alone.images, cell.images)
    assert "of\u00a02\u00a0right · sharpness" in panel.table.grid._captions[3].text
    assert "1 step: mean" in panel.table.accessibleDescription()


def test_two_cells_lie_over_each_other_and_settings_are_taken_up(
    panel: ComparePage, window: MainWindow, qtbot: QtBot
) -> None:
    compared(panel, qtbot)
    compare, grid, view = panel._compare, panel.table.grid, panel.cell
    assert view.pictures.isHidden() and view.use.isHidden()
    qtbot.mouseClick(grid, LEFT, pos=grid.cell_rect(0).center().toPoint())
    assert compare.chosen is compare.cell_at(0) and view.title.text() == "1 step, w = 1" and not view.use.isHidden()
    qtbot.mouseClick(grid, LEFT, pos=grid.cell_rect(3).center().toPoint())
    assert compare.before is compare.cell_at(0) and compare.chosen is compare.cell_at(3) and grid.selected() == 3
    assert view.pictures.accessibleName() == "1 step, w = 1 and 2 steps, w = 3"
    with qtbot.waitSignal(panel.pageRequested, timeout=WAIT_MS):
        view.use.click()
    settings = window.session.generate.settings
    assert (settings.model, settings.steps, settings.guidance, settings.seed) == ("digits", 2, 3.0, 2026)
    assert window.rail.page() == "generate" and settings.prompt == "38"
    qtbot.waitUntil(lambda: not window.session.generate.busy, timeout=WAIT_MS)
    compare.choose(3)
    assert compare.chosen is None and view.pictures.isHidden()


def test_where_there_is_room_the_chosen_cells_are_large(panel: ComparePage, window: MainWindow, qtbot: QtBot) -> None:
    compared(panel, qtbot)
    panel._compare.choose(0)
    panel._compare.choose(3)
    pictures = panel.cell.pictures
    qtbot.waitUntil(lambda: pictures.width() > 200, timeout=WAIT_MS)
    assert panel.cell.isAncestorOf(pictures) and pictures.height() <= 200
    window.resize(1920, 1080)
    qtbot.waitUntil(lambda: pictures.area().height() > 280, timeout=WAIT_MS)
    assert not panel.cell.isAncestorOf(pictures) and pictures.isVisible()
    panel.mode.button("race").click()
    assert not pictures.isVisible()
    panel.mode.button("grid").click()
    window.resize(1280, 800)
    qtbot.waitUntil(lambda: panel.cell.isAncestorOf(pictures) and pictures.isVisible(), timeout=WAIT_MS)


def test_ctrl_e_exports_the_comparison(
    panel: ComparePage, window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared(panel, qtbot)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "figure.png"), ""))
    with qtbot.waitSignal(panel._context.message, timeout=WAIT_MS):
        qtbot.keyClick(window, Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert (tmp_path / "figure.png").stat().st_size > 0 and window.rail.page() == "compare"


@pytest.mark.usefixtures("made_up")
def test_a_wrong_value_is_explained_beside_it(panel: ComparePage, qtbot: QtBot) -> None:
    panel.rows.edit.setFocus()
    panel.rows.edit.selectAll()
    qtbot.keyClicks(panel.rows.edit, "1, two")
    assert "“two”" in panel.rows.problem.text() and not panel.rows.problem.isHidden() and not panel.go.isEnabled()
    panel.rows.edit.selectAll()
    qtbot.keyClicks(panel.rows.edit, "1, 3-5")
    assert panel.rows.problem.isHidden() and panel.go.isEnabled()
    panel.digits.selectAll()
    qtbot.keyClicks(panel.digits, "banana")
    assert "no digit" in panel.problem.text() and not panel.go.isEnabled()
    choose(panel.columns, "label")
    assert panel.digits_row.isHidden() and not panel.each.isHidden() and panel.go.isEnabled()
    for editor in (panel.rows, panel.columns):
        choose(editor, "")
    assert "Choose what changes" in panel.rows.problem.text() and not panel.go.isEnabled()


def test_an_axis_is_chosen_ticked_and_swapped(panel: ComparePage, made_up: FakeApp) -> None:
    compare = panel._compare
    choose(panel.rows, "sampler")
    assert panel.rows.edit.isHidden() and panel.rows.checks.values() == ["dpm++", "ddim", "ddpm", "heun"]
    heun = next(action for action in panel.rows.checks._list.actions() if action.data() == "heun")
    heun.trigger()
    assert compare.values("sampler") == "dpm++, ddim, ddpm"
    choose(panel.columns, "sampler")
    assert compare.fields == ("guidance", "sampler")
    choose(panel.rows, "model")
    assert panel.model.isHidden() and {"digits", "student", "colour"} <= {key for key, _ in panel.rows._names("model")}
    choose(panel.rows, "")
    compare.set_values("sampler", "ddim, heun")
    panel.go.click()
    _base, rows, columns = arguments(made_up.engine.job("run_comparison"))
    assert rows is None and columns == Axis("sampler", ("ddim", "heun")) and compare.shape == (1, 2)


def test_a_run_is_compared_with_what_it_was_before(panel: ComparePage, home: Path, qtbot: QtBot) -> None:
    run = home / "runs" / "mine"
    (run / SNAPSHOTS).mkdir(parents=True)
    for path in (run / MODEL_FILE, run / SNAPSHOTS / "0000008.safetensors"):
        shutil.copy(home / "models" / "tiny.safetensors", path)
    with qtbot.waitSignal(panel._context.ready, timeout=WAIT_MS):
        panel._context.refresh()
    compare = panel._compare
    choose(panel.rows, "model")
    texts = {action.text(): action for action in panel.rows.checks._list.actions()}
    assert {"mine", "mine, step 8"} <= set(texts)
    compare.set_values("model", "mine@8, mine")
    compared(panel, qtbot)
    assert [cell.request.model for cell in compare.cells[::2]] == ["mine@8", "mine"]


def test_a_comparison_is_stopped_and_what_is_there_stays(
    panel: ComparePage, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare, engine = panel._compare, take_over(window.session.context.engine, monkeypatch)
    panel.go.click()
    job = engine.job("run_comparison")
    engine.give(job, *(Cell(0, k, SampleRequest(labels=(3, 8)), images(2, 50), 0.5, 1.0) for k in range(2)))
    window.stop()
    assert job.control.cancelled and not compare.busy and len(compare.cells) == 2 and panel.export_button.isEnabled()
    assert panel.table.grid.images().any(axis=(1, 2)).tolist() == [True, True, False, False]


def test_a_cell_that_went_wrong_is_marked() -> None:
    request = SampleRequest()
    good, bad, unread = (
        Cell(0, 0, request, np.zeros((1, 28, 28), np.uint8), 0.25, right) for right in (1.0, 0.0, None)
    )
    assert [caption(cell).warn for cell in (good, bad, unread, None)] == [False, True, False, False]
    assert caption(bad).text == "0%\u00a0right · 0.25\u00a0s"


def test_the_figure_is_exported_and_copied(
    panel: ComparePage, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not panel.export_button.isEnabled() and not panel.copy_button.isEnabled()
    compared(panel, qtbot)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "figure"), ""))
    with qtbot.waitSignal(panel._context.message, timeout=WAIT_MS):
        panel.export_button.click()
    panel.copy_button.click()
    copied = QGuiApplication.clipboard().image()
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.size == (copied.width(), copied.height()) and picture.width > 4 * 56
    assert panel.copy_button.text() == "Copied"
    qtbot.waitUntil(lambda: panel.copy_button.text() == "Copy", timeout=WAIT_MS)


# ---- the race


def test_lanes_race_in_lockstep_and_can_be_scrubbed(panel: ComparePage, qtbot: QtBot) -> None:
    compare, race, view = panel._compare, panel._race, panel.lanes
    panel.mode.button("race").click()
    compare.change(lanes=QUICK)
    assert [lane.isHidden() for lane in view.lanes] == [False, False, False, True] and panel.axes.isHidden()
    panel.go.click()
    assert race.busy and view.timeline.steps == 4
    qtbot.waitUntil(lambda: not race.busy, timeout=WAIT_MS)
    assert [len(frames) for frames in race.frames] == [5, 3, 2] and view.timeline.reached == 4
    for position, steps in ((0, (0, 0, 0)), (1, (1, 0, 0)), (2, (2, 1, 0)), (3, (3, 1, 0)), (4, (4, 2, 1))):
        view.timeline.slider.setValue(position)
        for lane, step in enumerate(steps):
            assert np.array_equal(view.lanes[lane].grid.images(), race.frames[lane][step].x_t)
    assert view.lanes[0].state.full_text().startswith("4 evaluations · ") and race.fastest is not None
    assert view.lanes[race.fastest].state.full_text().endswith("fastest")
    for lane, cell in zip(view.lanes, race.cells, strict=False):
        assert cell and lane.verdict.full_text().endswith(f"{2 * (cell.right or 0):.0f} of 2 right")
    view.timeline.view.button("clean").click()
    view.timeline.slider.setValue(1)
    assert np.array_equal(view.lanes[0].grid.images(), race.frames[0][1].x0_hat)
    assert view.lanes[0].state.full_text() == "step 1 of 4" and not view.lanes[0].verdict.full_text()


def test_ctrl_e_exports_the_race_as_it_is_shown(
    panel: ComparePage, window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked = tmp_path / "race.png", []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *given: (asked.append(given), (str(path), ""))[1])
    panel._compare.change(mode="race", lanes=QUICK)
    assert not panel.export_button.isEnabled()
    qtbot.keyClick(window, Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert not asked and window.rail.page() == "compare"
    panel.go.click()
    qtbot.waitUntil(lambda: not panel._race.busy, timeout=WAIT_MS)
    panel.lanes.timeline.set_step(2)
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS):
        qtbot.keyClick(window, Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert asked[0][2].endswith("noiseloom-race.png") and window.rail.page() == "compare"
    with Image.open(path) as picture:
        early = np.asarray(picture)
    panel.lanes.timeline.set_step(4)
    panel.copy_button.click()
    copied = QGuiApplication.clipboard().image()
    assert copied.width() > 3 * 56 and copied.height() == early.shape[0]
    assert (early > 0).sum() != (np.asarray(panel._figure()(4)) > 0).sum()


def test_space_and_arrows_move_the_race(panel: ComparePage, window: MainWindow, qtbot: QtBot) -> None:
    panel._compare.change(mode="race", lanes=QUICK)
    panel.go.click()
    qtbot.waitUntil(lambda: not panel._race.busy, timeout=WAIT_MS)
    timeline = panel.lanes.timeline
    timeline.set_step(2)
    before = window.generate.timeline.step
    qtbot.keyClick(window, Key.Key_Right)
    assert timeline.step == 3
    qtbot.keyClick(window, Key.Key_Left)
    assert timeline.step == 2 and window.generate.timeline.step == before
    qtbot.keyClick(window, Key.Key_Space)
    assert timeline.playing
    timeline.pause()
    names = [timeline.view.button(view).isVisible() for view in ("noisy", "clean", "noise", "all", "xray")]
    assert names == [True, True, False, False, False]  # the others are of one image


@pytest.mark.usefixtures("made_up")
def test_lanes_are_added_changed_and_taken_away(panel: ComparePage, qtbot: QtBot) -> None:
    compare, editor = panel._compare, panel.lane
    panel.mode.button("race").click()
    compare.change(lanes=QUICK)
    editor.add_button.click()
    assert len(compare.settings.lanes) == 4 and editor.lane == 3 and not editor.add_button.isEnabled()
    editor.sampler.valueChanged.emit("heun")
    editor.steps.box.setValue(3)
    assert compare.settings.lanes[3].sampler == "heun" and compare.settings.lanes[3].steps == 3
    editor.model.valueChanged.emit("digits")
    assert compare.settings.lanes[3].sampler == "dpm++" and compare.settings.lanes[3].guidance == 1.5
    assert panel.lanes.lanes[3].name.full_text() == "DPM-Solver++ 2M"
    assert panel.lanes.lanes[3].more.full_text() == "10 steps, Digits, w = 1.5"
    editor.remove_button.click()
    editor.which.button("0").click()
    editor.remove_button.click()
    assert [lane.steps for lane in compare.settings.lanes] == [2, 1] and not editor.remove_button.isEnabled()


def test_a_race_can_be_stopped(panel: ComparePage, window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    race, engine = panel._race, take_over(window.session.context.engine, monkeypatch)
    panel._compare.change(mode="race", lanes=[{"steps": 10}, {"steps": 5}])
    panel.go.click()
    job = engine.job("run_race")
    for lane, request in enumerate(race.requests):
        engine.give(job, *((lane, frame) for frame in frames(request, 4 - lane)))
    assert race.reached == 3 == panel.lanes.timeline.reached
    window.stop()
    assert job.control.cancelled and not race.busy and race.reached == 3 and panel.go.text() == "Start race"
    assert race.fastest is None and panel.lanes.timeline.isEnabled()


def test_the_page_is_as_it_was_at_the_next_start(panel: ComparePage, window: MainWindow) -> None:
    panel._compare.change(rows="eta", mode="race", lanes=QUICK, seed=3)
    remembered = window.remember()
    assert remembered.compare == panel._compare.settings and remembered.page == "compare"
    assert type(remembered).model_validate_json(remembered.model_dump_json()) == remembered


# ---- widgets


def test_the_divider_follows_the_mouse_and_the_keys(qtbot: QtBot) -> None:
    widget = BeforeAfter()
    qtbot.addWidget(widget)
    widget.resize(200, 100)
    dark, light = np.zeros((50, 100), np.uint8), np.full((50, 100), 255, np.uint8)
    widget.show_pictures([dark, light], ["one", "two"])
    widget.show()

    def seen(x: int) -> int:
        return widget.grab().toImage().pixelColor(x, 20).red()

    assert widget.place() == 0.5 and seen(40) == 0 and seen(160) == 255
    qtbot.mousePress(widget, LEFT, pos=QPoint(50, 50))
    assert widget.place() == 0.25 and seen(40) == 0 and seen(80) == 255
    qtbot.mouseMove(widget, QPoint(180, 50))
    qtbot.mouseRelease(widget, LEFT, pos=QPoint(180, 50))
    assert widget.place() == 0.9 and seen(160) == 0
    qtbot.keyClick(widget, Key.Key_Left)
    assert widget.place() == pytest.approx(0.88) and widget.accessibleDescription() == "divider at 88%"
    qtbot.keyClick(widget, Key.Key_Home)
    assert widget.place() == 0 and seen(30) == 255
    with qtbot.waitSignal(widget.moved, timeout=WAIT_MS) as moved:
        qtbot.keyClick(widget, Key.Key_End)
    assert moved.args == [1.0]
    widget.show_pictures([light], ["two"])
    qtbot.keyClick(widget, Key.Key_Left)
    assert widget.place() == 0.5 and widget.accessibleName() == "two" and seen(30) == 255


def test_the_list_stays_open_while_names_are_ticked(qtbot: QtBot) -> None:
    checks = CheckList("Names", "Tick some")
    qtbot.addWidget(checks)
    checks.resize(200, 30)
    checks.set_choices([("a", "Anna"), ("b", "Ben"), ("c", "Cleo")], ["b"])
    checks.show()
    checks.click()
    menu = checks._list
    qtbot.waitUntil(menu.isVisible, timeout=WAIT_MS)
    with qtbot.waitSignal(checks.valuesChanged, timeout=WAIT_MS) as told:
        qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(menu.actions()[2]).center())
    assert told.args == [["b", "c"]] and menu.isVisible() and checks.accessibleName() == "Names: Ben, Cleo"
    menu.setActiveAction(menu.actions()[1])
    qtbot.keyClick(menu, Key.Key_Space)
    assert checks.values() == ["c"] and menu.isVisible()
    menu.close()
