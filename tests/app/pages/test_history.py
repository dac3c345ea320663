"""The history: results of every page, and the way back to each of them."""

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.pages.compare import ComparePage
from desktop_app.pages.interpolate import InterpolatePage
from desktop_app.viewmodels.history import Result
from desktop_app.window.main_window import MainWindow
from ml.experiments.comparison_figure import axes_of
from ml.export import files
from ml.export.files import read_stamp
from ml.generation import interpolation_weights
from tests.patience import WAIT_MS


@pytest.fixture
def drawing() -> np.ndarray:
    stroke = np.zeros((28, 28), np.uint8)
    stroke[5:23, 13:16] = 255
    return stroke


def written(result: Result, folder: Path, scale: int) -> Path:
    """A result as a PNG."""
    result.write(folder / "x.png", scale)
    return folder / "x.png"


def test_results_of_every_page_are_kept_and_led_back_to(window: MainWindow, qtbot: QtBot, drawing: np.ndarray) -> None:
    session, bar = window.session, window.history
    draw, compare, generate = session.draw, session.compare, session.generate
    assert not bar.isVisibleTo(window) and len(session.context.history.results) == 1  # what was drawn at the start
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
    assert [result.page for result in session.context.history.results] == ["generate", "draw", "compare"]

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


def test_what_is_pulled_out_is_a_file_that_comes_back(
    window: MainWindow, qtbot: QtBot, drawing: np.ndarray, tmp_path: Path
) -> None:
    session = window.session
    session.draw.take(drawing)
    session.draw.change(task="vary", label=1)
    session.draw.make()
    qtbot.waitUntil(lambda: not session.draw.busy and session.draw.images is not None, timeout=WAIT_MS)
    session.compare.change(mode="grid", model="digits", rows="steps", columns="", values={"steps": "2, 3"}, digits="4")
    session.compare.compare()
    qtbot.waitUntil(lambda: not session.compare.busy, timeout=WAIT_MS)
    _, varied, figure = session.context.history.results
    request, layout = files.read_request(written(varied, tmp_path, 2))
    assert request.source and request.labels == (1,) * 9 and layout.scale == 2
    comparison = read_stamp(written(figure, tmp_path, 4)).comparison
    assert comparison is not None
    rows, columns = axes_of(comparison)
    assert rows is not None and rows.values == (2, 3) and columns is None


def test_races_and_what_rests_between_corners_are_kept_too(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    session, bar = window.session, window.history
    interpolate, race, compare = session.interpolate, session.compare.race, session.compare
    window.rail.set_page("interpolate")
    qtbot.waitUntil(lambda: interpolate.loop is not None, timeout=WAIT_MS)
    assert len(session.context.history.results) == 1  # a look is no result
    interpolate.change(model="tiny")
    panel = window.page("interpolate")
    assert isinstance(panel, InterpolatePage)
    for place in ((0.2, 0.3), (0.8, 0.1)):
        panel.pad.moved.emit(*place)
    qtbot.waitUntil(lambda: len(session.context.history.results) == 2, timeout=WAIT_MS)
    rested, image = interpolate.settings, interpolate.image
    assert image is not None
    panel.play.click()
    walk = interpolate.loop
    assert walk is not None and len(session.context.history.results) == 3
    panel.play.click()
    panel.mode.valueChanged.emit("path")
    qtbot.waitUntil(lambda: len(session.context.history.results) == 4, timeout=WAIT_MS)
    assert [result.page for result in session.context.history.results] == ["generate", *["interpolate"] * 3]
    assert bar.strip.selected() == 3
    window.rail.set_page("compare")
    lanes = [{"model": "tiny", "steps": steps, "sampler": "ddim", "guidance": 1.0} for steps in (2, 4)]
    compare.change(mode="race", digits="3", lanes=lanes)
    race.start()
    qtbot.waitUntil(lambda: not race.busy, timeout=WAIT_MS)
    raced = race.frames
    compare.change(mode="grid", lanes=[*lanes, lanes[0]])
    assert not race.frames and len(session.context.history.results) == 5

    bar.strip.cellClicked.emit(4)
    assert window.rail.page() == "compare" and race.frames is raced and compare.settings.mode == "race"
    compared = window.page("compare")
    assert isinstance(compared, ComparePage) and bar.strip.selected() == 4
    timeline = compared.lanes.timeline
    assert (timeline.step, timeline.reached, timeline.playing) == (4, 4, False)
    assert len(compared.lanes.lanes[1].grid.images()) == 1 and compared.export_button.isEnabled()
    bar.strip.cellClicked.emit(1)
    assert window.rail.page() == "interpolate" and interpolate.settings == rested and bar.strip.selected() == 1
    assert interpolate.image is image and np.array_equal(panel.image.images(), image)
    interpolate.change(place=(0.5, 0.5))
    assert bar.strip.selected() is None
    results = session.context.history.results
    request, layout = files.read_request(written(results[1], tmp_path, 2))
    assert request.unhashed == interpolate.request((interpolation_weights.place(0.8, 0.1),), rested.corners)
    assert layout.scale == 2 and layout.columns == 1
    assert (
        files.read_pixels(written(results[2], tmp_path, 1)).shape[1]
        > files.read_pixels(written(results[2], tmp_path, 1)).shape[0]
    )
    assert len(read_stamp(written(results[4], tmp_path, 4)).race) == 2
