"""The Interpolate page: the image follows the pad and the classes, and the walk can be taken away."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from desktop_app.pages.interpolate import InterpolatePage
from desktop_app.settings import AppSettings
from desktop_app.viewmodels import undo
from desktop_app.viewmodels.interpolate import LEG, LOOP, MAP
from desktop_app.viewmodels.live_preview import STUDENT
from desktop_app.window.main_window import MainWindow
from ml.cli.app import main
from ml.evaluation.judge import Judge
from tests.patience import WAIT_MS
from tests.support.fake_app import FakeApp

NEVER_MS = 2**30  # a hand rests when a test says so


@pytest.fixture
def settings(settings: AppSettings) -> AppSettings:
    """The tiny model draws where a test does not look at the digits."""
    return settings.with_changes(interpolate=settings.interpolate.with_changes(model="tiny"))


@pytest.fixture
def panel(request: pytest.FixtureRequest, qtbot: QtBot) -> Iterator[InterpolatePage]:
    if "made_up" in request.fixturenames:
        app: FakeApp = request.getfixturevalue("made_up")
        panel = InterpolatePage(app.session.interpolate, app.context)
        qtbot.addWidget(panel)
        panel.resize(1208, 728)
        panel.show()
        yield panel
        return
    window: MainWindow = request.getfixturevalue("window")
    window.show()
    window.rail.set_page("interpolate")
    panel, state = window.page("interpolate"), window.session.interpolate
    assert isinstance(panel, InterpolatePage)
    qtbot.waitUntil(lambda: state.map is not None and state.loop is not None, timeout=WAIT_MS)
    yield panel
    panel.play.setChecked(False)
    rested(panel, qtbot)


@pytest.fixture
def by_digits(panel: InterpolatePage, qtbot: QtBot) -> InterpolatePage:
    """The page with pictures by the model that draws digits."""
    state = panel._interpolate
    state.change(model="digits")
    qtbot.waitUntil(
        lambda: state.loop is not None and state.loop.request.model == "digits" and state._context.at_rest,
        timeout=WAIT_MS,
    )
    rested(panel, qtbot)
    return panel


def rested(panel: InterpolatePage, qtbot: QtBot) -> None:
    state = panel._interpolate
    qtbot.waitUntil(lambda: not state._rest.isActive() and state._job is None, timeout=WAIT_MS)


def read(images: np.ndarray) -> list[int]:
    return Judge.bundled("cpu").judge(images).labels.tolist()


@pytest.mark.usefixtures("by_digits")
def test_the_pad_shows_its_corners_and_the_walk_goes_around_them(panel: InterpolatePage) -> None:
    state = panel._interpolate
    assert state.map is not None and state.loop is not None
    corners = [0, MAP - 1, MAP * (MAP - 1), MAP * MAP - 1]
    assert read(state.map[corners]) == [corner.label for corner in state.settings.corners]
    assert len(state.loop.images) == LOOP and len(panel.strip.images()) == LOOP
    for at, corner in ((0, 0), (LOOP // 4, 1), (LOOP // 2, 3), (3 * LOOP // 4, 2)):
        assert np.abs(state.loop.images[at].astype(int) - state.map[corners[corner]]).max() <= 2


@pytest.mark.usefixtures("by_digits")
def test_the_image_follows_the_hand_at_once_and_rests_well_drawn(panel: InterpolatePage, qtbot: QtBot) -> None:
    state, pad = panel._interpolate, panel.pad
    state._rest.setInterval(NEVER_MS)
    quick: list[bool] = []
    state.drawn.connect(lambda: quick.append(state.quick))
    corner = pad._reach().topLeft().toPoint()
    qtbot.mousePress(pad, Qt.MouseButton.LeftButton, pos=corner + QPoint(30, 10))
    assert 0 < state.settings.place[1] < state.settings.place[0] < 0.2
    qtbot.mouseMove(pad, corner - QPoint(3, 3))
    qtbot.mouseRelease(pad, Qt.MouseButton.LeftButton, pos=corner - QPoint(3, 3))
    assert state.settings.place == (0.0, 0.0)
    qtbot.waitUntil(lambda: state.quick and state.shown and state.shown.request.weights[0][0] == 1, timeout=WAIT_MS)
    assert state.shown is not None and state.shown.request.model == STUDENT and all(quick)
    state._rest.stop()
    state._rest.timeout.emit()
    qtbot.waitUntil(lambda: not state.quick, timeout=WAIT_MS)
    assert state.image is not None and state.map is not None
    assert np.abs(state.image[0].astype(int) - state.map[0]).max() <= 2
    assert np.array_equal(panel.image.images(), state.image)
    pad.setFocus()
    qtbot.keyClick(pad, Qt.Key.Key_Right)
    qtbot.keyClick(pad, Qt.Key.Key_Down)
    assert state.settings.place == (0.05, 0.05)
    state._rest.stop()


@pytest.mark.usefixtures("by_digits")
def test_a_corner_gets_another_digit_and_other_noise(panel: InterpolatePage, qtbot: QtBot) -> None:
    state = panel._interpolate
    before = state.map
    with qtbot.waitSignals([state.mapped, state.mapped], timeout=WAIT_MS):
        choice = panel.labels[0]
        choice.combo.setCurrentIndex(choice.combo.findData("5"))
        choice.combo.activated.emit(0)
    assert state.map is not None and state.map is not before and read(state.map[:1]) == [5]
    seeds = [corner.seed for corner in state.settings.corners]
    panel.dice[0].click()
    assert [a == corner.seed for a, corner in zip(seeds, state.settings.corners, strict=True)].count(False) <= 1
    panel.new.click()
    assert state.settings.corners[0].label == 5


@pytest.mark.usefixtures("by_digits")
def test_ten_classes_are_mixed(panel: InterpolatePage, qtbot: QtBot) -> None:
    state = panel._interpolate
    panel.mode.valueChanged.emit("classes")
    assert panel.strip.isHidden() and "3 (50%), 8 (50%)" in panel.subtitle.full_text()
    for digit in range(10):
        state.set_share(digit, float(digit == 6))
    rested(panel, qtbot)
    qtbot.waitUntil(lambda: state.image is not None and not state.quick, timeout=WAIT_MS)
    assert state.image is not None and read(state.image) == [6]
    state.set_share(6, 0.0)
    assert panel.subtitle.full_text() == "One noise, conditioned on all classes equally."
    panel.mode.valueChanged.emit("pad")


def test_the_walk_is_played_and_exported(
    panel: InterpolatePage, window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.play.click()
    qtbot.waitUntil(lambda: (panel.strip.selected() or 0) >= 2, timeout=WAIT_MS)
    panel.play.click()
    assert panel.strip.selected() is None
    for suffix in (".gif", ".png"):
        path = tmp_path / f"walk{suffix}"
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, path=path: (str(path), ""))
        with qtbot.waitSignal(window.session.interpolate.exported, timeout=WAIT_MS):
            panel.export(suffix)
        assert main(["verify", str(path)]) == 0


@pytest.mark.usefixtures("made_up")
def test_the_place_is_set_by_number_and_follows_the_pad(panel: InterpolatePage, qtbot: QtBot) -> None:
    state, (across, down) = panel._interpolate, panel.place
    across.box.setValue(0.25)
    down.slider.setValue(100)
    assert state.settings.place == (0.25, 1.0) == panel.pad.place()
    panel.pad.setFocus()
    qtbot.keyClick(panel.pad, Qt.Key.Key_Up)
    assert down.value() == 0.95 and across.value() == 0.25
    panel.mode.button("classes").click()
    assert not across.isVisible()


def test_ctrl_e_exports_the_walk(
    panel: InterpolatePage, window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "walk.mp4"), ""))
    with qtbot.waitSignal(window.session.interpolate.exported, timeout=WAIT_MS):
        qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert (tmp_path / "walk.mp4").stat().st_size > 0 and window.rail.page() == "interpolate"


def test_the_page_is_as_it_was_at_the_next_start(panel: InterpolatePage, window: MainWindow) -> None:
    panel._interpolate.change(place=(0.25, 0.75), mixing="lerp")
    remembered = window.remember()
    assert remembered.interpolate.place == (0.25, 0.75) and remembered.interpolate.mixing == "lerp"
    assert type(remembered).model_validate_json(remembered.model_dump_json()) == remembered


def test_real_digits_drawings_and_files_are_corners(
    panel: InterpolatePage, window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("viewmodels", "pages"):
        monkeypatch.setattr(f"desktop_app.{module}.interpolate.MAP", 2)
    monkeypatch.setattr("desktop_app.viewmodels.interpolate.LOOP", 4)
    state = panel._interpolate
    state.change(model="digits")
    upper_left, upper_right = panel.pictures[0].menu(), panel.pictures[1].menu()
    upper_left.aboutToShow.emit()
    assert [action.isEnabled() for action in upper_left.actions()] == [True, False, True, True, False]
    upper_left.actions()[0].trigger()  # a real digit
    qtbot.waitUntil(lambda: bool(state.settings.corners[0].picture), timeout=WAIT_MS)
    stroke = np.zeros((28, 28), np.uint8)
    stroke[5:23, 13:15] = 255
    window.session.draw.take(stroke)
    upper_right.actions()[1].trigger()  # the drawing
    qtbot.waitUntil(lambda: bool(state.settings.corners[1].picture), timeout=WAIT_MS)
    assert state.settings.corners[1].label == 1 and panel.labels[1].value() == "1"
    Image.fromarray(255 - stroke.T).save(tmp_path / "dash.png")
    state.use_file(2, tmp_path / "dash.png")
    qtbot.waitUntil(lambda: bool(state.settings.corners[2].picture), timeout=WAIT_MS)
    panel.pad.moved.emit(1.0, 0.0)  # the corner that is the drawing
    qtbot.waitUntil(lambda: state.here() == state._drawing or state._job is None, timeout=WAIT_MS)
    rested(panel, qtbot)
    assert state.image is not None and np.abs(state.image[0].astype(int) - stroke).mean() < 6 and not state.quick
    assert "inverted to noise" in panel.subtitle.full_text()
    panel.pictures[1].menu().actions()[4].trigger()  # noise again
    assert not state.settings.corners[1].picture
    rested(panel, qtbot)


@pytest.mark.usefixtures("by_digits")
def test_a_path_goes_through_any_number_of_stops_and_back_or_not(
    panel: InterpolatePage, window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = panel._interpolate
    panel.mode.button("path").click()
    qtbot.waitUntil(lambda: state.stop_images is not None, timeout=WAIT_MS)
    assert state.stop_images is not None
    assert read(state.stop_images) == [stop.label for stop in state.settings.stops] == [1, 4, 9, 7, 2]
    panel.stops.cellClicked.emit(4)
    panel.stop.add.click()
    stop = panel.stop.label
    stop.combo.setCurrentIndex(stop.combo.findData("6"))
    stop.combo.activated.emit(0)
    panel.stop.closed.click()
    assert [each.label for each in state.settings.stops] == [1, 4, 9, 7, 2, 6] and not state.settings.closed
    qtbot.waitUntil(lambda: state.loop is not None and len(state.loop.images) == 5 * LEG + 1, timeout=WAIT_MS)
    assert state.stop_images is not None and read(state.stop_images)[-1] == 6 and panel.stops.selected() == 5
    assert np.array_equal(panel.image.images()[0], state.stop_images[5])
    panel.strip.cellClicked.emit(LEG)
    assert state.loop is not None and np.array_equal(panel.image.images()[0], state.loop.images[LEG])
    qtbot.keyClick(panel, Qt.Key.Key_Right)
    assert panel.strip.selected() == LEG + 1
    qtbot.keyClick(panel, Qt.Key.Key_Space)
    assert panel.play.isChecked()
    panel.play.click()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "path.webp"), ""))
    with qtbot.waitSignal(state.exported, timeout=WAIT_MS):
        panel.export(".webp")
    assert main(["verify", str(tmp_path / "path.webp")]) == 0
    for _ in range(6):
        panel.stop.remove.click()
    assert len(state.settings.stops) == 2 and not panel.stop.remove.isEnabled()
    qtbot.waitUntil(lambda: state.loop is not None and len(state.loop.images) == LEG + 1, timeout=WAIT_MS)


def test_changes_are_taken_back(
    panel: InterpolatePage, window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, own = panel._interpolate, panel._interpolate.settings
    monkeypatch.setattr(undo, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    for x in (0.1, 0.2, 0.3):
        state.change(place=(x, 0.5))  # one drag
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert state.settings == own and panel.pad.place() == own.place
    rested(panel, qtbot)
