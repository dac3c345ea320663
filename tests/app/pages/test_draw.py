"""The Draw page: strokes, undo, pictures; variations, completions, and the model's own opinion."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from desktop_app.pages.draw import DrawPage
from desktop_app.viewmodels.draw import COUNT, Draw
from desktop_app.window.main_window import MainWindow
from ml.cli.app import main
from ml.evaluation.judge import Judge
from tests.patience import WAIT_MS
from tests.support.fake_app import FakeApp


@pytest.fixture
def panel(request: pytest.FixtureRequest, qtbot: QtBot) -> Iterator[DrawPage]:
    if "made_up" in request.fixturenames:
        app: FakeApp = request.getfixturevalue("made_up")
        panel = DrawPage(app.session.draw, app.context)
        qtbot.addWidget(panel)
        panel.resize(1208, 728)
        panel.show()
        yield panel
        return
    window: MainWindow = request.getfixturevalue("window")
    window.show()
    window.rail.set_page("draw")
    panel = window.page("draw")
    assert isinstance(panel, DrawPage)
    yield panel
    window.session.draw.stop()


@pytest.fixture
def draw(panel: DrawPage) -> Draw:
    return panel._draw


def seven(draw: Draw) -> None:
    draw.begin_stroke()
    points = [(8.0, 7.0), (19.0, 7.0), (13.0, 15.0), (11.0, 23.0)]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        for k in range(20):
            draw.dab(x0 + (x1 - x0) * k / 20, y0 + (y1 - y0) * k / 20)


def wait(qtbot: QtBot, draw: Draw) -> None:
    qtbot.waitUntil(lambda: not draw.busy, timeout=WAIT_MS)


@pytest.mark.usefixtures("made_up")
def test_a_stroke_is_drawn_without_gaps_and_taken_back(panel: DrawPage, draw: Draw, qtbot: QtBot) -> None:
    assert not panel.make.isEnabled() and not panel.recognise.isEnabled()
    area = panel.canvas.square()
    begin, end = (QPoint(round(area.left() + area.width() * x), round(area.center().y())) for x in (0.2, 0.8))
    qtbot.mousePress(panel.canvas, Qt.MouseButton.LeftButton, pos=begin)
    qtbot.mouseMove(panel.canvas, end)
    qtbot.mouseRelease(panel.canvas, Qt.MouseButton.LeftButton, pos=end)
    row = draw.drawing[14]
    assert (row[7:21] > 200).all() and not draw.drawing[:10].any()
    assert panel.make.isEnabled() and panel.recognise.isEnabled()
    panel.tool.set_value("eraser")
    qtbot.mouseClick(panel.canvas, Qt.MouseButton.LeftButton, pos=end)
    assert draw.drawing[14, 22] == 0
    panel.undo.click()
    assert draw.drawing[14, 21] > 0
    panel.undo.click()
    assert draw.empty
    draw.undo()  # nothing left


def test_a_drawing_is_varied(panel: DrawPage, draw: Draw, qtbot: QtBot) -> None:
    seven(draw)
    draw.change(label=7)
    with qtbot.waitSignal(draw.finished, timeout=WAIT_MS):
        panel.make.click()
        assert panel.make.text() == "Stop"
    wait(qtbot, draw)
    assert draw.images is not None and len(draw.images) == COUNT and len(panel.results.images()) == COUNT
    assert (Judge.bundled("cpu").judge(draw.images).labels == 7).mean() >= 0.8
    near = np.abs(draw.images.astype(int) - draw.drawing).mean()
    draw.change(vary_from=12.0, label=0)  # rebuilt as another digit
    with qtbot.waitSignal(draw.finished, timeout=WAIT_MS):
        draw.make()
    assert draw.images is not None and np.abs(draw.images.astype(int) - draw.drawing).mean() > near
    assert (Judge.bundled("cpu").judge(draw.images).labels == 0).mean() >= 0.7


def test_what_is_marked_is_completed_and_the_rest_stays(panel: DrawPage, draw: Draw, qtbot: QtBot) -> None:
    seven(draw)
    panel.task.button("complete").click()
    assert panel.tool.value() == "mark" and not panel.make.isEnabled() and panel.noise.isHidden()
    area = panel.canvas.square()
    qtbot.mouseClick(panel.canvas, Qt.MouseButton.LeftButton, pos=area.center().toPoint())
    assert draw.mask[14, 14] == 255 and draw.mask.sum() < 255 * 60
    panel.half.click()
    assert (draw.mask[14:] == 255).all() and not draw.mask[:14].any()
    with qtbot.waitSignal(draw.finished, timeout=WAIT_MS):
        panel.make.click()
    assert draw.images is not None
    assert np.abs(draw.images[:, :14].astype(int) - draw.drawing[:14]).max() <= 1
    panel.undo.click()
    assert draw.mask[14, 14] == 255 and not draw.mask[27].any()


def test_a_drawing_is_led_into_its_noise_and_rebuilt_as_every_digit(panel: DrawPage, draw: Draw, qtbot: QtBot) -> None:
    seven(draw)
    panel.task.button("rebuild").click()
    assert panel.make.text() == "Rebuild" and panel.noise.isHidden() and panel.label.isHidden()
    with qtbot.waitSignal(draw.finished, timeout=WAIT_MS):
        panel.make.click()
    wait(qtbot, draw)
    assert draw.images is not None and len(draw.images) == 12 == len(panel.results.images())
    noise, back, *every = draw.images
    assert np.abs(back.astype(int) - draw.drawing).mean() < 5 and np.abs(noise.astype(int) - draw.drawing).mean() > 40
    assert (Judge.bundled("cpu").judge(np.stack(every)).labels == np.arange(10)).sum() >= 8
    panel.results.cellClicked.emit(2 + 4)
    assert np.array_equal(draw.drawing, every[4])
    draw.undo()
    assert np.abs(back.astype(int) - draw.drawing).mean() < 5


def test_the_diffusion_model_says_which_digit_it_is(panel: DrawPage, draw: Draw, qtbot: QtBot) -> None:
    seven(draw)
    with qtbot.waitSignal(draw.recognised, timeout=WAIT_MS):
        panel.recognise.click()
    assert draw.probabilities is not None and int(draw.probabilities.argmax()) == 7
    assert "a 7" in panel.verdict.text() and panel.bars.accessibleDescription().startswith("7: ")
    wait(qtbot, draw)
    draw.dab(3, 3)  # another drawing, of which it is not known
    assert panel.verdict.text() == "" and draw.probabilities is None


def test_a_digit_and_a_picture_are_put_on_the_canvas(
    panel: DrawPage, window: MainWindow, draw: Draw, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.example.click()
    qtbot.waitUntil(lambda: not draw.empty, timeout=WAIT_MS)
    wait(qtbot, draw)
    pixels = np.full((56, 56), 255, np.uint8)
    pixels[20:36, 26:30] = 0  # ink on white paper
    Image.fromarray(pixels).save(tmp_path / "one.png")
    (tmp_path / "wrong.png").write_bytes(b"x")
    answers = iter([str(tmp_path / "one.png"), str(tmp_path / "wrong.png"), ""])
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (next(answers), ""))
    panel.open.click()
    wait(qtbot, draw)
    assert draw.drawing[14, 13] > 200 and draw.drawing[0, 0] == 0
    kept = draw.drawing.copy()
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS):
        panel.open.click()
    wait(qtbot, draw)
    assert "can't be opened as an image" in window.messages.title() and np.array_equal(draw.drawing, kept)
    panel.open.click()  # and cancel
    panel.clear.click()
    assert draw.empty


def test_work_is_stopped_and_settings_are_remembered(panel: DrawPage, window: MainWindow, draw: Draw) -> None:
    seven(draw)
    draw.change(pen=2.5, task="complete")
    draw.mark_half()
    draw.make()
    assert draw.busy
    window.stop()
    assert not draw.busy
    assert window.remember().draw.pen == 2.5


def test_what_was_made_is_copied_and_exported(
    panel: DrawPage, draw: Draw, window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not panel.export_button.isEnabled() and not panel.export_shown()
    seven(draw)
    draw.make()
    wait(qtbot, draw)
    assert draw.images is not None
    window.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    copied = QGuiApplication.clipboard().image()
    assert copied.width() == copied.height() == (3 * 28 + 2 * 2) * 4 and panel.copy_button.text() == "Copied"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "seven"), ""))
    with qtbot.waitSignal(draw.exported, timeout=WAIT_MS):
        qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert main(["verify", str(tmp_path / "seven.png")]) == 0
    assert window.rail.page() == "draw"


def test_ctrl_z_takes_strokes_and_settings_back(
    panel: DrawPage, draw: Draw, window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop_app.viewmodels.draw.time", SimpleNamespace(monotonic=lambda: 1000.0))
    own = window.session.generate.settings
    seven(draw)
    draw.change(vary_from=2.0)
    draw.change(vary_from=3.0)
    for _ in range(2):
        assert not draw.empty
        qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert draw.empty and draw.settings.vary_from == 1.0 == panel.noise.value()
    assert window.session.generate.settings == own


@pytest.mark.usefixtures("made_up")
def test_marks_are_seen_only_where_they_count(panel: DrawPage, draw: Draw) -> None:
    seven(draw)
    panel.task.valueChanged.emit("complete")
    panel.half.click()
    plain, marked = draw.mask * 0, draw.mask.copy()
    assert marked.any() and panel.tool.value() == "mark"
    draw.change(task="vary")  # as undo and the history do
    assert panel.tool.value() == "pen" and np.array_equal(panel.canvas._mask, plain)
    draw.change(task="complete")
    assert np.array_equal(panel.canvas._mask, marked)
