"""The history: results of every page, and the way back to each of them."""

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.main_window import MainWindow
from ml import export
from ml.comparison_file import axes_of
from ml.export import read_stamp

WAIT_MS = 60_000


@pytest.fixture
def drawing() -> np.ndarray:
    stroke = np.zeros((28, 28), np.uint8)
    stroke[5:23, 13:16] = 255
    return stroke


def test_results_of_every_page_are_kept_and_led_back_to(window: MainWindow, qtbot: QtBot, drawing: np.ndarray) -> None:
    session, bar = window.session, window.history
    draw, compare, generate = session.draw, session.compare, session.generate
    assert not bar.isVisibleTo(window) and len(session.history.results) == 1  # what was drawn at the start
    first = generate.trajectory
    draw.take(drawing)
    draw.change(task="vary", label=1, vary_from=30)
    draw.make()
    qtbot.waitUntil(lambda: not draw.busy and draw.images is not None, timeout=WAIT_MS)
    assert bar.isVisibleTo(window)
    varied, settings = draw.images, draw.settings
    compare.change(mode="grid", model="digits", rows="steps", columns="", values={"steps": "2, 3"}, digits="4")
    compare.compare()
    compare.change(seed=99)  # while it is drawn
    qtbot.waitUntil(lambda: not compare.busy, timeout=WAIT_MS)
    cells = compare.cells
    assert [result.page for result in session.history.results] == ["generate", "draw", "compare"]

    draw.clear()
    draw.change(vary_from=12)
    compare.change(rows="seed", values={"seed": "1"})
    compare.compare()
    qtbot.waitUntil(lambda: not compare.busy, timeout=WAIT_MS)
    generate.change(seed=11, live=False)

    bar.strip.cellClicked.emit(1)
    assert window.rail.page() == "draw" and bar.strip.selected() == 1
    assert draw.images is varied and draw.settings == settings and np.array_equal(draw.drawing, drawing)
    draw.undo()
    assert draw.empty  # going back is taken back as any other change
    bar.strip.cellClicked.emit(2)
    assert window.rail.page() == "compare" and compare.cells is cells and bar.strip.selected() == 2
    assert compare.settings.rows == "steps" and compare.settings.seed != 99
    bar.strip.cellClicked.emit(0)
    assert window.rail.page() == "generate" and generate.trajectory is first and bar.strip.selected() == 0


def test_what_is_pulled_out_is_a_file_that_comes_back(window: MainWindow, qtbot: QtBot, drawing: np.ndarray) -> None:
    session = window.session
    session.draw.take(drawing)
    session.draw.change(task="vary", label=1)
    session.draw.make()
    qtbot.waitUntil(lambda: not session.draw.busy and session.draw.images is not None, timeout=WAIT_MS)
    session.compare.change(mode="grid", model="digits", rows="steps", columns="", values={"steps": "2, 3"}, digits="4")
    session.compare.compare()
    qtbot.waitUntil(lambda: not session.compare.busy, timeout=WAIT_MS)
    _, varied, figure = session.history.results
    request, layout = export.read_request(varied.lend(2))
    assert request.source and request.labels == (1,) * 9 and layout.scale == 2
    comparison = read_stamp(figure.lend(4)).comparison
    assert comparison is not None
    rows, columns = axes_of(comparison)
    assert rows is not None and rows.values == (2, 3) and columns is None
