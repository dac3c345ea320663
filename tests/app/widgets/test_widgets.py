"""The widgets as a person uses them: seen, clicked, dragged and driven from the keyboard."""

import itertools
import sys
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QLabel,
    QLineEdit,
    QMenu,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from desktop_app.text.subject import DIGIT, Subject
from desktop_app.theme.controller import theme
from desktop_app.widgets.controls.choice_list import LINE_ROLE, ONE, TWO
from desktop_app.widgets.controls.prompt_bar import MAX_SEED, PromptBar
from desktop_app.widgets.controls.rows import ChoiceRow, Section, Segmented, SliderRow, StatCard
from desktop_app.widgets.images.canvas import BAR_HEIGHT, MAX_BARS, Bars
from desktop_app.widgets.images.decision_meter import DecisionMeter, decided_at
from desktop_app.widgets.images.image_grid import Caption, ImageGrid
from desktop_app.widgets.images.image_wall import LEAST_CELL, ImageWall
from desktop_app.widgets.images.preview_strip import PreviewStrip
from desktop_app.widgets.images.preview_timeline import PreviewTimeline
from desktop_app.widgets.images.timeline import HOLD_MS, LONGEST_MS, SHORTEST_TICK_MS, SPEEDS, STEP_MS, Timeline
from desktop_app.widgets.plots.export import extremes
from desktop_app.widgets.plots.loss_by_noise_map import LossByNoiseMap
from desktop_app.widgets.plots.loss_plot import LossPlot
from desktop_app.widgets.window import remaining_time
from desktop_app.widgets.window.message_bar import MessageBar
from desktop_app.widgets.window.navigation import NavRail, StatusBar
from ml.events import Preview
from ml.specs import (
    CLIPPINGS,
    DATASETS,
    LOSSES,
    LR_SCHEDULES,
    OPTIMIZERS,
    PREDICTIONS,
    SAMPLERS,
    SCHEDULES,
    SPACINGS,
    WEIGHTINGS,
    Spec,
    lines,
    titles,
)
from tests.patience import WAIT_MS

Key = Qt.Key
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def light(dressed: None) -> None:
    theme().set_mode("light")


def show(qtbot: Any, widget: QWidget, width: int, height: int) -> None:
    qtbot.addWidget(widget)
    widget.resize(width, height)
    widget.show()
    widget.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is widget, timeout=WAIT_MS)


def pixels(widget: QWidget) -> np.ndarray:
    """What the widget paints, (H, W, 3)."""
    image = widget.grab().toImage().convertToFormat(widget.grab().toImage().Format.Format_RGB888)
    lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return lines[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()  # outlives the image


def digits(count: int, size: int = 28) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, size, size), dtype=np.uint8)


# ---- image grid


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_whole_scale_shows_every_pixel_exactly(qtbot: Any, scale: int) -> None:
    grid = ImageGrid(margin=4, gap=3)
    grid.set_images(digits(6), 3)
    show(qtbot, grid, 8 + 6 + 3 * 28 * scale, 8 + 3 + 2 * 28 * scale)
    painted = pixels(grid)
    for index, image in enumerate(digits(6)):
        corner = grid.cell_rect(index).topLeft().toPoint()
        cell = painted[corner.y() : corner.y() + 28 * scale, corner.x() : corner.x() + 28 * scale]
        assert (cell == image.repeat(scale, 0).repeat(scale, 1)[..., None]).all()


def test_colour_images_keep_their_channels(qtbot: Any) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    grid = ImageGrid(margin=2, gap=4)
    grid.set_images(images, 2)
    show(qtbot, grid, 84 + 4, 44)
    corner = grid.cell_rect(1).topLeft().toPoint()
    cell = pixels(grid)[corner.y() : corner.y() + 40, corner.x() : corner.x() + 40]
    assert (cell == images[1].repeat(5, 0).repeat(5, 1)).all()


def test_between_whole_scales_brightness_is_kept(qtbot: Any) -> None:
    grid = ImageGrid(margin=0, gap=0)
    grid.set_images(digits(1), 1)
    show(qtbot, grid, 76, 76)
    rect = grid.cell_rect(0).toAlignedRect()
    cell = pixels(grid)[rect.top() : rect.bottom() + 1, rect.left() : rect.right() + 1]
    assert rect.width() == 76
    assert abs(cell.mean() - digits(1).mean()) < 3


def test_an_empty_grid_says_why(qtbot: Any) -> None:
    grid = ImageGrid()
    grid.set_empty_text("No images yet")
    show(qtbot, grid, 200, 100)
    assert "No images yet" in grid.accessibleName()
    blank = pixels(grid)
    grid.set_empty_text("")
    assert (blank != pixels(grid)).any()
    assert grid.cell_at(QPoint(100, 50)) == -1


def test_cells_are_hit_where_they_are_painted(qtbot: Any) -> None:
    grid = ImageGrid()
    grid.set_images(digits(30), 10)
    grid.set_captions([Caption(f"{index}") for index in range(30)])
    show(qtbot, grid, 880, 450)
    for index in range(30):
        rect = grid.cell_rect(index)
        assert grid.cell_at(rect.center()) == index
        assert grid.cell_at(rect.topLeft() + QPointF(0.5, 0.5)) == index
        assert grid.cell_at(QPointF(rect.center().x(), rect.bottom() + 8)) == index  # its caption
    assert grid.cell_at(grid.cell_rect(0).topRight() + QPointF(2, 2)) == -1  # the gap
    with qtbot.waitSignal(grid.cellClicked, timeout=WAIT_MS) as clicked:
        qtbot.mouseClick(grid, LEFT, pos=grid.cell_rect(23).center().toPoint())
    assert clicked.args == [23]
    with qtbot.waitSignal(grid.cellHovered, timeout=WAIT_MS) as hovered:
        qtbot.mouseMove(grid, grid.cell_rect(4).center().toPoint())
    assert hovered.args == [4]


def test_small_images_give_captions_less_room(qtbot: Any) -> None:
    grid = ImageGrid()
    grid.set_images(digits(100), 10)
    grid.set_captions([], keep_room=True)
    show(qtbot, grid, 880, 540)
    small = grid.layout_of_cells()
    grid.set_images(digits(30), 10)
    large = grid.layout_of_cells()
    assert small and large and small.tiny and not large.tiny
    assert small.width >= 28  # no pixel of a digit is lost even in the largest grid
    assert small.pitch_y - small.height < large.pitch_y - large.height


@pytest.mark.parametrize(("count", "columns"), [(1, None), (3, 10), (100, 10), (137, None)])
@pytest.mark.parametrize("size", [(900, 500), (300, 700), (90, 60)])
def test_every_cell_lies_inside(qtbot: Any, count: int, columns: int | None, size: tuple[int, int]) -> None:
    grid = ImageGrid(margin=4, gap=1)
    grid.set_images(digits(count), columns)
    show(qtbot, grid, *size)
    room = grid.rect().adjusted(-1, -1, 1, 1)
    assert all(room.contains(grid.cell_rect(index).toAlignedRect()) for index in range(count))


def test_keys_walk_the_grid(qtbot: Any) -> None:
    grid = ImageGrid()
    grid.set_images(digits(12), 5)
    show(qtbot, grid, 400, 300)
    clicked: list[int] = []
    grid.cellClicked.connect(clicked.append)
    grid.setFocus()
    for key in (Key.Key_Right, Key.Key_Down, Key.Key_Return, Key.Key_Down, Key.Key_Return, Key.Key_End, Key.Key_Up):
        qtbot.keyClick(grid, key)
    qtbot.keyClick(grid, Key.Key_Return)
    assert clicked == [6, 11, 6]
    assert "image 7 of 12" in grid.accessibleDescription()
    for key in (Key.Key_Right, Key.Key_Right, Key.Key_Down, Key.Key_Return):  # below the ninth there is nothing
        qtbot.keyClick(grid, key)
    assert clicked[3:] == [8]
    below = grid.cell_rect(8).center() + (grid.cell_rect(8).center() - grid.cell_rect(3).center())
    assert grid.cell_at(below) == -1 and grid.cell_at(grid.cell_rect(11).center()) == 11


def test_fewer_images_leave_nothing_selected_that_is_not_there(qtbot: Any) -> None:
    grid = ImageGrid()
    qtbot.addWidget(grid)
    grid.set_images(digits(12), 5)
    grid.set_selected(3)
    grid.set_images(digits(10), 5)
    assert grid.selected() == 3
    grid.set_images(digits(3), 5)
    assert grid.selected() is None


def test_a_verdict_that_disagrees_looks_different(qtbot: Any) -> None:
    grid = ImageGrid()
    grid.set_images(digits(1), 1)
    show(qtbot, grid, 160, 160)
    grid.set_captions([Caption("7 · 99%")])
    quiet = pixels(grid)
    grid.set_captions([Caption("7 · 99%", warn=True)])
    assert (quiet != pixels(grid)).any()


def test_only_uint8_images_are_taken(qtbot: Any) -> None:
    grid = ImageGrid()
    qtbot.addWidget(grid)
    with pytest.raises(ValueError, match="uint8"):
        grid.set_images(np.zeros((2, 28, 28), np.float32))  # type: ignore[arg-type]


def test_painting_leaves_python_whole(qtbot: Any) -> None:
    """PySide6 6.12.0 drops a reference to None for every setPen, which ends a Python 3.11 after some minutes."""
    grid = ImageGrid()
    grid.set_images(digits(100), 10)
    grid.set_captions([Caption(str(index)) for index in range(100)])
    show(qtbot, grid, 500, 500)
    grid.grab()
    before = sys.getrefcount(None)
    for _ in range(5):
        grid.grab()
    assert abs(sys.getrefcount(None) - before) < 50


# ---- timeline


def film(qtbot: Any, steps: int = 10, reached: int | None = None) -> Timeline:
    timeline = Timeline()
    show(qtbot, timeline, 880, 100)
    timeline.begin(steps)
    for step in range((steps if reached is None else reached) + 1):
        timeline.add_step(step, 1 - step / steps)
    return timeline


def tick(timeline: Timeline, times: int) -> None:
    """As if its timer had run out so many times."""
    for _ in range(times):
        timeline._tick()


def test_only_computed_steps_can_be_reached(qtbot: Any) -> None:
    timeline = film(qtbot, reached=4)
    slider = timeline.slider
    timeline.set_step(9)
    assert timeline.step == 4
    qtbot.mouseClick(slider, LEFT, pos=QPoint(slider.width() - 2, 12))
    assert timeline.step == 4
    timeline.set_step(0)
    slider.setFocus()
    qtbot.keyClick(slider, Key.Key_End)
    assert timeline.step == 4
    timeline.add_step(5, 0.5)
    qtbot.keyClick(slider, Key.Key_Right)
    assert timeline.step == 5
    qtbot.mouseClick(timeline.curve, LEFT, pos=QPoint(round(slider.x_of(2)), 20))
    assert timeline.step == 2


def test_a_new_film_starts_at_noise(qtbot: Any) -> None:
    timeline = film(qtbot)
    timeline.set_step(10)
    timeline.begin(50)
    assert timeline.step == 0 and timeline.reached == -1 and not timeline.isEnabled()
    timeline.add_step(0, 1.0)
    assert timeline.isEnabled() and "step 0 of 50" in timeline.label.text()


def test_playing_waits_for_the_computation_and_ends_with_it(qtbot: Any) -> None:
    timeline = film(qtbot, steps=6, reached=2)
    timeline.speed.setCurrentIndex(3)
    seen: list[int] = []
    timeline.stepChanged.connect(seen.append)
    timeline.play()
    qtbot.waitUntil(lambda: timeline.step == 2, timeout=WAIT_MS)  # by its own timer
    tick(timeline, 20)
    assert timeline.playing and timeline.step == 2
    with qtbot.waitSignal(timeline.playToggled, timeout=WAIT_MS) as stopped:
        for step in range(3, 7):
            timeline.add_step(step, 0.1)
    assert stopped.args == [False] and seen == [1, 2, 3, 4, 5, 6]


def test_space_plays_and_pauses_and_arrows_step(qtbot: Any) -> None:
    timeline = film(qtbot)
    timeline.setFocus()
    qtbot.keyClick(timeline, Key.Key_Right)
    qtbot.keyClick(timeline.slider, Key.Key_Right)
    assert timeline.step == 2
    qtbot.keyClick(timeline.slider, Key.Key_Space)
    assert timeline.playing and timeline.play_button.accessibleName() == "Pause"
    qtbot.keyClick(timeline.slider, Key.Key_Left)
    assert not timeline.playing and timeline.step == 1


def test_a_loop_begins_again_after_its_end_was_seen(qtbot: Any) -> None:
    timeline = film(qtbot, steps=2)
    timeline.loop_button.click()
    seen: list[int] = []
    timeline.stepChanged.connect(seen.append)
    timeline.play()
    tick(timeline, 1)
    quick = timeline._timer.interval()
    tick(timeline, 1)
    assert seen == [1, 2] and timeline._timer.interval() == HOLD_MS > quick
    tick(timeline, 2)
    assert seen == [1, 2, 0, 1] and timeline.playing and timeline._timer.interval() == quick
    timeline.pause()


def test_with_reduced_motion_a_film_that_is_asked_for_does_not_begin_again(qtbot: Any) -> None:
    timeline = film(qtbot, steps=2)
    timeline.loop_button.click()
    theme().set_reduced_motion(True)
    timeline.play()
    tick(timeline, 2)
    assert timeline.playing and timeline.step == 2
    tick(timeline, 1)
    assert not timeline.playing and timeline.step == 2


def test_a_long_film_is_shortened_by_skipping(qtbot: Any) -> None:
    lasted: dict[float, float] = {}
    for speed in range(len(SPEEDS)):
        timeline = film(qtbot, steps=1000)
        timeline.speed.setCurrentIndex(speed)
        seen: list[int] = []
        timeline.stepChanged.connect(seen.append)
        timeline.play()
        pace = timeline._timer.interval()
        while timeline.playing:
            tick(timeline, 1)
        assert seen[-1] == 1000 and pace >= SHORTEST_TICK_MS and (np.diff(seen) > 0).all()
        lasted[timeline.speed.currentData()] = len(seen) * pace
    for factor, ms in lasted.items():
        assert ms == pytest.approx(LONGEST_MS / factor, rel=0.35), factor


def test_a_short_film_shows_every_step_at_its_speed(qtbot: Any) -> None:
    timeline = film(qtbot, steps=4)
    for index, (_, factor) in enumerate(SPEEDS):
        timeline.speed.setCurrentIndex(index)
        seen: list[int] = []
        timeline.stepChanged.connect(seen.append)
        timeline.play(from_start=True)
        assert timeline._timer.interval() == max(SHORTEST_TICK_MS, round(STEP_MS / factor))
        tick(timeline, 4)
        assert seen[-4:] == [1, 2, 3, 4]
        timeline.pause()
        timeline.stepChanged.disconnect(seen.append)


def test_a_film_that_is_at_its_end_or_was_cut_off_plays_what_there_is(qtbot: Any) -> None:
    timeline = film(qtbot, steps=10, reached=3)
    timeline.end()  # stopped by hand: no more will come
    seen: list[int] = []
    timeline.stepChanged.connect(seen.append)
    timeline.play()
    tick(timeline, 4)
    assert seen == [1, 2, 3] and not timeline.playing
    timeline.play()
    assert timeline.playing and timeline.step == 0
    timeline.on_button.click()
    assert timeline.step == 1 and not timeline.playing
    timeline.play()
    timeline.back_button.click()
    assert timeline.step == 0 and not timeline.playing


def test_reduced_motion_shows_the_end_at_once(qtbot: Any) -> None:
    theme().set_reduced_motion(True)
    timeline = film(qtbot)
    timeline.autoplay()
    assert timeline.step == 10 and not timeline.playing


def test_the_view_is_switched_by_click_and_arrow(qtbot: Any) -> None:
    timeline = film(qtbot)
    with qtbot.waitSignal(timeline.viewChanged, timeout=WAIT_MS) as switched:
        timeline.view.button("clean").click()
    assert switched.args == ["clean"]
    timeline.view.button("clean").setFocus()
    with qtbot.waitSignal(timeline.viewChanged, timeout=WAIT_MS) as switched:
        qtbot.keyClick(timeline.view.button("clean"), Key.Key_Left)
    assert switched.args == ["noisy"]


# ---- controls


def test_a_slider_row_keeps_slider_and_number_together(qtbot: Any) -> None:
    row = SliderRow("Guidance", 0, 15, 1.5, step=0.1, decimals=1, slider_max=7)
    show(qtbot, row, 256, 32)
    told: list[float] = []
    row.valueChanged.connect(told.append)
    row.slider.setValue(20)
    assert row.value() == 2.0
    row.box.setValue(12)  # beyond the slider, within the range
    assert row.slider.value() == row.slider.maximum() and row.value() == 12
    row.set_value(3)
    assert told == [2.0, 12.0] and row.slider.value() == 30


@pytest.mark.parametrize("value", [1, 3, 16, 512])
def test_a_logarithmic_row_moves_by_ratio(qtbot: Any, value: int) -> None:
    row = SliderRow("Batch", 1, 512, 32, logarithmic=True)
    qtbot.addWidget(row)
    row.set_value(value)
    position = row.slider.value()
    row.set_value(32)
    row.slider.setValue(position)
    assert row.value() == value


def test_choices_keep_what_was_chosen(qtbot: Any) -> None:
    row = ChoiceRow("Sampler", [("ddpm", "DDPM"), ("ddim", "DDIM")], "ddim")
    qtbot.addWidget(row)
    row.set_choices([("dpm++", "DPM-Solver++"), ("ddim", "DDIM")])
    assert row.value() == "ddim"
    row.set_choices([("ddpm", "DDPM")])
    assert row.value() == "ddpm"
    row.set_choices([])
    assert row.value() == ""


def test_a_section_folds(qtbot: Any) -> None:
    section = Section("Advanced", collapsible=True, expanded=False)
    section.add(StatCard("Loss", "0.1"))
    show(qtbot, section, 200, 200)
    assert not section.body.isVisible()
    qtbot.mouseClick(section.header, LEFT)
    assert section.body.isVisible()


def test_setting_a_segment_is_silent(qtbot: Any) -> None:
    switch = Segmented([("a", "A"), ("b", "B")])
    qtbot.addWidget(switch)
    with qtbot.assertNotEmitted(switch.valueChanged):
        switch.set_value("b")
    assert switch.value() == "b"


# ---- prompt bar


def test_chips_write_the_prompt_and_shift_adds(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bar = PromptBar("")
    show(qtbot, bar, 900, 80)
    qtbot.mouseClick(bar.chips.buttons[3], LEFT)
    assert bar.text() == "3"
    monkeypatch.setattr(QApplication, "keyboardModifiers", lambda: Qt.KeyboardModifier.ShiftModifier)
    qtbot.mouseClick(bar.chips.buttons[7], LEFT)
    assert bar.text() == "3, 7"


def test_chips_of_named_classes_write_their_names_and_the_rest_is_in_a_menu(qtbot: Any) -> None:
    bar = PromptBar("")
    show(qtbot, bar, 900, 120)
    bar.set_subject(Subject("image", ("cat", "Q&A", "a ship")))
    assert bar.edit.placeholderText() == "Try a ship, cat x3, or cat and a ship"
    with qtbot.waitSignal(bar.submitted, timeout=WAIT_MS):
        qtbot.mouseClick(bar.chips.buttons[1], LEFT)
    assert bar.text() == "Q&A" and not bar.chips.more.isVisible()
    assert [button.accessibleName() for button in bar.chips.buttons][2:] == ["Class a ship", "All classes"]
    bar.set_subject(Subject("image", tuple(f"a long name {k}" for k in range(300))))
    qtbot.waitUntil(lambda: bar.chips.width() > 800, timeout=WAIT_MS)
    seen = [button for button in bar.chips.buttons if button.isVisible()]
    assert 4 < len(seen) < 30 and bar.chips.more.text() == f"{300 - len(seen)} more…"
    rows = sorted({button.y() for button in (*seen, bar.chips.more)})
    assert len(rows) == 2 and bar.chips.height() == rows[1] + seen[0].height()
    assert max(button.geometry().right() for button in (*seen, bar.chips.more)) < bar.chips.width()
    bar.chips.more.click()
    (menu,) = bar.chips.findChildren(QMenu)
    with qtbot.waitSignal(bar.submitted, timeout=WAIT_MS):
        menu.actions()[-1].trigger()
    menu.close()
    assert len(menu.actions()) == 300 - len(seen) and bar.text() == "a long name 299"
    bar.set_subject(Subject("image", ()))
    assert not bar.chips.isVisible() and bar.edit.placeholderText() == "This model takes no prompt"
    bar.set_subject(DIGIT)
    assert [button.text() for button in bar.chips.buttons] == [*"0123456789", "0–9"]


def test_bars_of_many_classes_are_those_of_the_most_probable(qtbot: Any) -> None:
    bars = Bars(Subject("image", tuple(f"leaf {k}" for k in range(37))))
    show(qtbot, bars, 240, 200)
    shares = np.linspace(0.01, 0.5, 37)
    bars.set_shares(shares)
    assert bars.height() == MAX_BARS * BAR_HEIGHT and bars._shown() == list(range(36, 36 - MAX_BARS, -1))
    assert bars.accessibleDescription() == "leaf 36: 50%" and not bars.grab().isNull()
    bars.set_subject(DIGIT)
    assert bars.height() == 10 * BAR_HEIGHT and bars._shown() == list(range(10)) and not bars.accessibleDescription()


def test_the_button_generates_then_stops(qtbot: Any) -> None:
    bar = PromptBar()
    show(qtbot, bar, 900, 80)
    with qtbot.waitSignal(bar.submitted, timeout=WAIT_MS):
        qtbot.mouseClick(bar.button, LEFT)
    with qtbot.waitSignal(bar.submitted, timeout=WAIT_MS):
        qtbot.keyClick(bar.edit, Key.Key_Return)
    bar.set_can_generate(False, "The model is still being read")
    bar.set_busy(True)
    assert bar.button.text() == "Stop" and bar.button.isEnabled()
    with qtbot.waitSignal(bar.stopRequested, timeout=WAIT_MS), qtbot.assertNotEmitted(bar.submitted):
        qtbot.mouseClick(bar.button, LEFT)
    bar.set_busy(False)
    assert not bar.button.isEnabled()
    with qtbot.assertNotEmitted(bar.submitted):
        qtbot.keyClick(bar.edit, Key.Key_Return)


def test_a_seed_may_use_all_its_bits(qtbot: Any) -> None:
    bar = PromptBar()
    show(qtbot, bar, 900, 80)
    edit = bar.seed_box.edit
    edit.setText(str(MAX_SEED))
    with qtbot.waitSignal(bar.seedChanged, timeout=WAIT_MS) as changed:
        qtbot.keyClick(edit, Key.Key_Return)
    assert changed.args == [MAX_SEED] and bar.seed() == MAX_SEED
    edit.setText("9999999999999999")
    qtbot.keyClick(edit, Key.Key_Return)
    assert bar.seed() == MAX_SEED
    with qtbot.waitSignal(bar.seedChanged, timeout=WAIT_MS):
        bar.seed_box.die.click()
    assert 0 <= bar.seed() < 10_000


def test_a_prompt_that_is_not_understood_says_so(qtbot: Any) -> None:
    bar = PromptBar()
    show(qtbot, bar, 900, 80)
    bar.set_reading("There is no digit in that.", error=True)
    problem = pixels(bar)
    bar.set_reading("There is no digit in that.")
    assert (problem != pixels(bar)).any() and bar.edit.accessibleDescription() == bar.reading()


def test_words_that_count_are_underlined(qtbot: Any) -> None:
    bar = PromptBar("a 7")
    show(qtbot, bar, 900, 80)
    bar.seed_box.die.setFocus()  # no blinking cursor in the box
    plain = pixels(bar.edit)
    bar.set_marks([(2, 1)])
    assert (pixels(bar.edit) != plain).any() and (bar.text(), bar.edit.cursorPosition()) == ("a 7", 3)
    bar.set_marks([])
    assert (pixels(bar.edit) == plain).all()


def test_a_long_reading_is_shortened_to_the_room_there_is(qtbot: Any) -> None:
    bar = PromptBar()
    show(qtbot, bar, 620, 80)
    long = "There is no digit in that, " + "and that is a pity, " * 8
    bar.set_reading(long, error=True)
    label = next(label for label in bar.findChildren(QLabel) if label.text().startswith("There is"))
    assert label.text().endswith("…") and label.heightForWidth(label.width()) <= label.height()
    bar.resize(1800, 80)
    assert label.text() == long and bar.reading() == long


# ---- messages, navigation, status


def test_a_button_is_not_lit_once_its_menu_has_closed(qtbot: Any) -> None:
    rail = NavRail([("a", "A", "image")])
    button = rail.add_action("lesson", "Lesson", "graduation-cap")
    show(qtbot, rail, 72, 200)
    button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse)  # as it is while a menu takes the pointer
    assert button.underMouse()
    button.forget_pointer()
    assert not button.underMouse()


def test_a_message_offers_remedies_and_its_report(qtbot: Any) -> None:
    bar = MessageBar()
    show(qtbot, bar, 800, 60)
    bar.show_message(
        "error", "Out of memory.", "Halve the batch.", actions=[("half", "Halve it")], details="Traceback: line 3"
    )
    with qtbot.waitSignal(bar.actionTriggered, timeout=WAIT_MS) as done:
        qtbot.mouseClick(bar.action_buttons()[0], LEFT)
    assert done.args == ["half"]
    buttons = {button.text(): button for button in bar.findChildren(QAbstractButton)}
    assert not buttons["Copy report"].isVisible()
    buttons["Details"].click()
    assert buttons["Copy report"].isVisible()
    buttons["Copy report"].click()
    copied = QGuiApplication.clipboard().text()
    assert "Out of memory." in copied and "Traceback: line 3" in copied
    bar.show_message("success", "Saved.")
    assert bar.action_buttons() == [] and not buttons["Copy report"].isVisible()
    with qtbot.waitSignal(bar.dismissed, timeout=WAIT_MS):
        bar.dismiss()
    assert bar.isHidden()


def test_pages_change_by_click_and_arrow(qtbot: Any) -> None:
    rail = NavRail([("generate", "Generate", "image"), ("train", "Train", "chart-line-up")])
    show(qtbot, rail, 72, 400)
    with qtbot.waitSignal(rail.pageChanged, timeout=WAIT_MS) as changed:
        qtbot.mouseClick(rail.button("train"), LEFT)
    assert changed.args == ["train"] and rail.page() == "train"
    rail.button("train").setFocus()
    with qtbot.waitSignal(rail.pageChanged, timeout=WAIT_MS):
        qtbot.keyClick(rail.button("train"), Key.Key_Up)
    assert rail.page() == "generate"


def test_the_status_line_shows_and_stops_a_job(qtbot: Any) -> None:
    status = StatusBar()
    show(qtbot, status, 900, 28)
    status.set_device("CPU: no CUDA device found")
    assert not status.stop_button.isVisible() and status.job_text() == ""
    status.set_job("Training · 14 s left", 0.4)
    with qtbot.waitSignal(status.stopRequested, timeout=WAIT_MS):
        qtbot.mouseClick(status.stop_button, LEFT)
    status.clear_job()
    assert status.job_text() == "" and status.device_text().startswith("CPU")


# ---- training


def test_previews_are_followed_until_someone_looks_back(qtbot: Any) -> None:
    strip = PreviewStrip()
    show(qtbot, strip, 256, 200)
    for step in (0, 100, 200):
        strip.add(step, digits(10))
    assert strip.step() == 200
    strip.slider.setValue(0)
    strip.add(300, digits(10))
    assert strip.step() == 0 and strip.count() == 4
    strip.slider.setValue(3)
    strip.add(400, digits(10))
    assert strip.step() == 400
    strip.clear()
    assert strip.step() is None and len(strip.grid.images()) == 0


def test_loss_curves_come_with_their_colours_and_go(qtbot: Any) -> None:
    plot = LossPlot()
    show(qtbot, plot, 600, 300)
    empty = pixels(plot)
    for step in range(3000):
        plot.append("first", step, 1.0 + (step == 1234) * 5, 1.0)
        plot.append("second", step, 0.5, 0.5)
    qtbot.waitUntil(lambda: (pixels(plot) != empty).any(), timeout=WAIT_MS)
    colors = {plot.color_of(name).name() for name in plot.runs()}
    assert colors == set(theme().colors.plots[:2]) and plot.values("first").shape == (3, 3000)
    theme().set_mode("dark")
    assert plot.color_of("first").name() == theme().colors.plots[0]
    plot.scale.button("log").click()
    plot.set_visible("second", False)
    plot.remove_run("first")
    plot.append("third", 1, 1.0, 1.0)
    assert plot.color_of("third").name() == theme().colors.plots[0]  # the free colour, not the second's
    plot.clear()
    assert plot.runs() == []


def test_a_reduced_curve_keeps_its_spikes() -> None:
    x = np.arange(100_003.0)
    y = np.sin(x)
    y[[31_234, 77_777, 100_002]] = 9, -9, 5
    few_x, few_y = extremes(x, y)
    assert len(few_x) < 1400 and (np.diff(few_x) >= 0).all()
    assert {9, -9, 5} <= set(few_y) and (y[few_x.astype(int)] == few_y).all()


def test_everything_that_can_be_used_has_a_name(qtbot: Any) -> None:
    widgets = [
        ImageGrid(),
        Timeline(),
        PromptBar(),
        LossPlot(),
        MessageBar(),
        StatusBar(),
        PreviewStrip(),
        SliderRow("Steps", 1, 10, 5),
        ChoiceRow("Grid", [("a", "A")]),
        Section("Advanced", collapsible=True),
        NavRail([("a", "A", "image")]),
    ]
    for widget in widgets:
        qtbot.addWidget(widget)
        parts = [widget, *widget.findChildren(QAbstractButton), *widget.findChildren(QLineEdit)]
        unnamed = [
            part
            for part in parts
            if part.focusPolicy() != Qt.FocusPolicy.NoFocus
            and not part.accessibleName()
            and part.objectName() != "qt_spinbox_lineedit"
        ]
        assert unnamed == []


# ---- what is known of a run and of a digit


def previews(count: int) -> list[Preview]:
    """Of three digits in four frames each; every pixel of preview k, frame f, digit d is 50 k + 10 f + d."""
    found = []
    for k in range(count):
        film = np.zeros((4, 3, 28, 28), np.uint8)
        film += np.arange(3, dtype=np.uint8)[:, None, None] + 10 * np.arange(4, dtype=np.uint8)[:, None, None, None]
        found.append(Preview(1000 * k, film[-1] + np.uint8(50 * k), (7, 8, -1), film + np.uint8(50 * k)))
    return found


def test_the_preview_history_shows_one_digit_of_one_preview_and_follows_the_newest(qtbot: Any) -> None:
    timeline = PreviewTimeline()
    show(qtbot, timeline, 500, 140)
    assert timeline.shown() is None and not timeline.slider.isEnabled()
    first, second, third = previews(3)
    moved: list[int] = []
    timeline.moved.connect(moved.append)
    timeline.add(first)
    assert not timeline.slider.isEnabled() and timeline.title.text() == "a 7 after 0 steps"
    timeline.add(second)
    assert timeline.slider.isEnabled() and timeline.shown() is second and moved[-1] == 1
    timeline.set_digit(1)
    assert (
        timeline.strip.images()[:, 0, 0].tolist() == [51, 61, 71, 81]
        and timeline.title.text() == "a 8 after 1,000 steps"
    )
    timeline.slider.setValue(0)
    timeline.add(third)
    assert timeline.shown() is first and timeline.strip.images()[0, 0, 0] == 1
    timeline.set_digit(2)
    assert timeline.title.text() == "image 3 after 0 steps"
    timeline.set_subject(Subject("image", ("ship",) * 9))
    timeline.set_digit(0)
    assert timeline.title.text() == "“ship” after 0 steps"
    timeline.set_digit(2)
    timeline.set_digit(9)  # of a run with more digits
    assert timeline.title.text() == "image 3 after 0 steps"
    timeline.set_previews([second, third])
    assert timeline.shown() is third
    timeline.set_previews([])
    assert timeline.shown() is None and timeline.title.text() == "" and not len(timeline.strip.images())


def test_a_preview_that_is_looked_back_to_stays_and_says_its_step(qtbot: Any) -> None:
    strip = PreviewStrip(columns=2)
    show(qtbot, strip, 256, 300)
    told: list[int] = []
    strip.previewChanged.connect(told.append)
    for preview in previews(3):
        strip.add(preview.step, preview.images)
    assert told == [0, 1000, 2000] and strip.label.text() == "step 2,000"
    assert strip.grid.images()[0, 0, 0] == 130 and strip.slider.isEnabled()
    strip.slider.setValue(1)
    assert told[-1] == 1000 and strip.grid.images()[0, 0, 0] == 80
    layout = strip.grid.layout_of_cells()
    assert layout and (layout.columns, layout.rows) == (2, 2)
    strip.resize(500, 600)
    assert strip.grid.height() == pytest.approx(2 * (strip.width() - 16 - 3) / 2 + 3 + 16, abs=1)  # two rows


def test_the_meter_says_when_a_digit_is_decided_and_goes_where_it_is_clicked(qtbot: Any) -> None:
    meter = DecisionMeter()
    show(qtbot, meter, 200, 56)
    chosen: list[int] = []
    meter.stepChosen.connect(chosen.append)
    qtbot.mouseClick(meter, LEFT, pos=QPoint(100, 20))
    assert chosen == [] and meter.words() == "not known yet"
    empty = pixels(meter)
    shares = np.zeros((5, 10), np.float32)
    shares[:, 3], shares[:, 8] = (0.1, 0.2, 0.45, 0.8, 0.9), (0.8, 0.7, 0.5, 0.2, 0.1)
    meter.set_decision(shares)
    assert meter.words() == "3, from step 3 of 4 on" and meter.words() in meter.accessibleName()
    assert decided_at(np.eye(10)[[3, 8, 3, 8, 3]]) == 4  # it was a 3 before, and did not stay one
    both = pixels(meter)
    assert (both != empty).any()
    for x, step in ((0, 0), (round(meter._point(1, 0).x()), 1), (round(meter._point(4, 0).x()), 4), (199, 4)):
        qtbot.mouseClick(meter, LEFT, pos=QPoint(x, 20))
        assert chosen[-1] == step
    meter.set_step(3)
    assert (pixels(meter) != both).any()
    shares[:, 8] = 0.19  # too little for a line of its own
    meter.set_decision(shares)
    meter.set_step(0)
    quiet = pixels(meter)
    shares[:, 8] = 0
    meter.set_decision(shares)
    assert (pixels(meter) == quiet).all()


def test_progress_that_is_not_known_moves_but_not_with_reduced_motion(qtbot: Any) -> None:
    status = StatusBar()
    show(qtbot, status, 900, 28)
    bar = status.findChildren(QProgressBar)[0]
    status.set_job("Training", 0.25)
    assert bar.value() == bar.maximum() / 4 and status.stop_button.isVisible()
    status.set_job("Reading", None, stoppable=False)
    assert bar.maximum() == 0 and not status.stop_button.isVisible()
    theme().set_reduced_motion(True)
    status.set_job("Reading", None)
    assert bar.maximum() > 0 == bar.value()


def test_a_job_says_how_long_it_takes_unless_it_does_so_itself(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0.0, 10.0)
    monkeypatch.setattr(remaining_time, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    status = StatusBar()
    qtbot.addWidget(status)
    status.set_job("Comparing", 0.0)
    assert status.job_text() == "Comparing"
    status.set_job("Comparing", 0.25)
    assert status.job_text() == "Comparing · 30 s left"
    for progress in (0.5, 0.75):
        status.set_job("Training · 14 s left", progress)
        assert status.job_text() == "Training · 14 s left"


def test_a_device_that_is_no_graphics_card_offers_help(qtbot: Any) -> None:
    status = StatusBar()
    show(qtbot, status, 900, 28)
    (why,) = (button for button in status.findChildren(QAbstractButton) if button.text() == "What can I do?")
    for ready in (False, True):
        status.set_device("NVIDIA", ready=ready)
        assert not why.isVisible()
    status.set_device("CPU", help_wanted=True)
    assert why.isVisible()
    with qtbot.waitSignal(status.deviceClicked, timeout=WAIT_MS):
        why.click()


def test_a_prompt_can_be_read_in_the_ways_that_are_possible(qtbot: Any) -> None:
    bar = PromptBar()
    show(qtbot, bar, 900, 80)
    bar.set_route("class", ["class"])
    assert not bar.route.isVisible() and bar.chips.isVisible()
    bar.set_route("text", ["class", "text"])
    assert bar.route.isVisible() and bar.route.value() == "text" and not bar.chips.isVisible()
    assert bar.route.button("class").isVisible() and not bar.route.button("clip").isVisible()
    assert "bold slanted" in bar.edit.placeholderText()
    bar.set_can_generate(True, anyway=True)
    assert bar.button.text() == "Generate anyway"
    bar.set_can_generate(False, "There is no digit in that.")
    assert (bar.button.text(), bar.button.toolTip()) == ("Generate", "There is no digit in that.")


def test_the_wheel_changes_a_number_only_where_the_focus_is(qtbot: Any) -> None:
    row = SliderRow("Steps", 1, 100, 50)
    other = QLineEdit()
    around = QWidget()
    column = QVBoxLayout(around)
    column.addWidget(row)
    column.addWidget(other)
    show(qtbot, around, 300, 100)

    def turn() -> None:
        at, none = QPointF(5, 5), Qt.MouseButton.NoButton
        event = QWheelEvent(
            at, QPointF(row.box.mapToGlobal(at.toPoint())), QPoint(), QPoint(0, 120), none,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(row.box, event)

    other.setFocus()
    turn()
    assert row.value() == 50
    row.box.setFocus()
    turn()
    assert row.value() == 51 == row.slider.value() + 1


def test_the_noise_map_has_pure_noise_on_top_and_names_its_ends(qtbot: Any) -> None:
    card = LossByNoiseMap()
    show(qtbot, card, 500, 160)
    assert not card.export.isEnabled() and card.legend.isHidden()
    card.append(1, (0.1, 0.2, 0.4))
    card.append(2, (0.1, float("nan"), 0.8))
    assert card.map.table().tolist() == [[1, 2], [0.1, 0.1], [0.2, 0.2], [0.4, 0.8]]
    assert card.export.isEnabled() and card.map.range() == (0.1, 0.8)
    picture = card.map.picture()
    assert (picture.width(), picture.height()) == (2, 3)
    lightness = [picture.pixelColor(1, y).lightness() for y in range(3)]
    assert lightness[0] > lightness[1] > lightness[2]  # pure noise, the brightest, on top
    figure = card.figure()
    assert figure.heat_map and figure.heat_map.legend == "dark: 0.1, bright: 0.8"
    assert figure.heat_map.ends == ("image", "noise")
    assert figure.heat_map.x.tolist() == [1, 2] and figure.heat_map.values.shape == (3, 2)


def test_a_loss_plot_reads_its_runs_off_for_a_file(qtbot: Any) -> None:
    plot = LossPlot()
    show(qtbot, plot, 600, 300)
    plot.append("mine", 10, 0.9, 0.8)
    plot.append("mine", 20, 0.7, 0.6)
    plot.append("other", 10, 0.5, 0.4)
    plot.add_held_out("mine", 20, 0.65)
    plot.set_visible("other", False)
    assert plot.shown() == ["mine"]
    curves = plot.figure().curves
    assert [(curve.y.tolist(), curve.faint, curve.dots) for curve in curves] == [
        ([0.9, 0.7], True, False), ([0.8, 0.6], False, False), ([0.65], False, True)
    ]  # fmt: skip
    assert all(curve.x.tolist() == [10, 20][-len(curve.y) :] for curve in curves)
    plot.rename_run("mine", "ours")
    assert plot.runs() == ["ours", "other"] or plot.runs() == ["other", "ours"]
    assert plot.values("ours")[0].tolist() == [10, 20]


@pytest.mark.parametrize(("count", "size"), [(500, (640, 480)), (60, (640, 480)), (28, (628, 594)), (60, (1292, 690))])
def test_a_wall_shows_some_of_all_images_in_full_rows_and_covers_the_stage(
    qtbot: Any, count: int, size: tuple[int, int]
) -> None:
    wall = ImageWall("Wall")
    qtbot.addWidget(wall)
    wall.resize(*size)
    wall.show_wall(np.zeros((count, 16, 16), np.uint8))
    layout, shown = wall.layout_of_cells(), len(wall.images())
    assert layout and shown == layout.rows * layout.columns and shown >= min(0.7 * count, 60)
    assert layout.width >= 0.8 * LEAST_CELL
    assert wall.shown[0] == 0 and wall.shown[-1] >= count - 1 - count // shown and len({*wall.shown}) == shown
    covered = shown * layout.width * layout.height / (size[0] * size[1])
    assert covered > 0.4


def test_a_wall_shows_all_images_that_there_are(qtbot: Any) -> None:
    wall = ImageWall("Wall")
    qtbot.addWidget(wall)
    wall.resize(640, 480)
    images = np.arange(23, dtype=np.uint8)[:, None, None].repeat(16, 1).repeat(16, 2)
    told: list[None] = []
    wall.shownChanged.connect(lambda: told.append(None))
    wall.show_wall(images)
    assert len(wall.images()) < 23 and not told
    wall.show_wall(images, whole=True)
    assert wall.images()[:, 0, 0].tolist() == list(range(23))
    wall.show()
    wall.resize(200, 200)
    assert len(wall.images()) < 23 and told  # no room
    wall.show_wall(None)
    assert not len(wall.images()) and wall.shown == []


def test_a_list_says_what_each_entry_means(qtbot: Any) -> None:
    row = ChoiceRow("Sampler", titles(SAMPLERS), lines=lines(SAMPLERS))
    show(qtbot, row, 300, 40)
    combo = row.combo
    combo.showPopup()
    assert combo.view().width() > combo.width()  # as wide as its words
    heights = [combo.view().sizeHintForRow(k) for k in range(combo.count())]
    assert set(heights) == {TWO}
    assert combo.itemData(1, LINE_ROLE) == SAMPLERS["ddim"].about != ""
    assert combo.itemData(1, Qt.ItemDataRole.AccessibleDescriptionRole) == SAMPLERS["ddim"].about
    combo.hidePopup()
    row.set_choices([("ddim", "DDIM"), ("other", "Other")])
    assert combo.itemData(0, LINE_ROLE) and not combo.itemData(1, LINE_ROLE)
    assert combo.view().sizeHintForRow(1) == ONE


@pytest.mark.parametrize(
    "table",
    [SAMPLERS, SPACINGS, CLIPPINGS, PREDICTIONS, SCHEDULES, WEIGHTINGS, LOSSES, OPTIMIZERS, LR_SCHEDULES, DATASETS],
)
def test_every_choice_has_a_line(table: Mapping[Any, Spec]) -> None:
    assert all(spec.about for spec in table.values())


def test_what_is_computed_is_said_over_what_is_old(qtbot: Any) -> None:
    grid = ImageGrid()
    show(qtbot, grid, 300, 200)
    grid.set_images(np.zeros((4, 8, 8), np.uint8))
    waiting = grid.waiting
    waiting.set_words("Drawing…")
    assert waiting.isHidden()  # what is quick isn't announced
    qtbot.waitUntil(waiting.isVisible, timeout=WAIT_MS)
    assert waiting.rect() == grid.rect() and waiting.accessibleName() == "Drawing…"
    grid.resize(400, 250)
    qtbot.waitUntil(lambda: waiting.rect() == grid.rect(), timeout=WAIT_MS)
    assert grid.grab().toImage() != (waiting.set_words(""), grid.grab().toImage())[1]
    assert waiting.isHidden()
    waiting.set_words("Drawing…")
    waiting.set_words("")
    assert not waiting._soon.isActive()
