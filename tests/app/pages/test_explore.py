"""The Explore page: an image into noise, the schedules, and questions that are answered for real."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from desktop_app.pages.explore import ExplorePage
from desktop_app.window.main_window import MainWindow
from ml.cli.app import main
from ml.events import Progress
from ml.experiments import questions
from ml.experiments.questions import Experiment
from tests.patience import WAIT_MS
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import take_over


@pytest.fixture
def made_up(make: Callable[..., FakeApp]) -> FakeApp:
    """The page stands alone, on a fake engine; without it a model answers, in the window."""
    return make()


@pytest.fixture
def panel(request: pytest.FixtureRequest, qtbot: QtBot) -> Iterator[ExplorePage]:
    if "made_up" in request.fixturenames:
        app: FakeApp = request.getfixturevalue("made_up")
        panel = ExplorePage(app.session.explore, app.context)
        qtbot.addWidget(panel)
        panel.resize(1208, 728)
        panel.show()
        app.session.explore.look()
        app.engine.perform(app.engine.job("add_noise"))
        yield panel
        return
    window: MainWindow = request.getfixturevalue("window")
    window.show()
    window.rail.set_page("explore")
    panel = window.page("explore")
    assert isinstance(panel, ExplorePage)
    qtbot.waitUntil(lambda: bool(window.session.explore.noisings) and window.session.context.at_rest, timeout=WAIT_MS)
    yield panel
    window.session.explore.stop()


@pytest.mark.usefixtures("made_up")
def test_the_slider_goes_from_the_image_to_noise_with_its_numbers(panel: ExplorePage) -> None:
    forward = panel.forward
    forward.slider.setValue(0)
    assert forward.numbers["t"].value() == "0 of 1,000"
    assert float(forward.numbers["image"].value()) == pytest.approx(1.0, abs=1e-3)
    first = forward.large.images().copy()
    forward.slider.setValue(100)
    assert float(forward.numbers["noise"].value()) == pytest.approx(1.0, abs=1e-3)
    assert not np.array_equal(first, forward.large.images())
    forward.strip.cellClicked.emit(3)
    assert forward.numbers["t"].value() in ("500 of 1,000", "499 of 1,000")


def test_another_schedule_another_image_and_another_length_are_shown(
    panel: ExplorePage, made_up: FakeApp, qtbot: QtBot
) -> None:
    explore = panel._explore
    panel.forward.slider.setValue(30)
    linear = float(panel.forward.numbers["image"].value())
    panel.schedule.combo.setCurrentIndex(1)
    panel.schedule.combo.activated.emit(1)
    assert float(panel.forward.numbers["image"].value()) > linear  # the cosine keeps more of the image
    panel.digits[3].click()
    made_up.engine.perform(made_up.engine.job("add_noise"))
    assert explore.settings.digit == 3 and "3" in panel.forward.what.text()
    panel.timesteps.valueChanged.emit(200.0)
    made_up.engine.perform(made_up.engine.job("add_noise"))
    assert panel.forward.numbers["t"].value().endswith("of 200")
    assert [len(noising.beta) for noising in explore.noisings] == [200, 200, 200]
    panel.tabs.valueChanged.emit("schedules")
    plots = panel.schedules.plots
    qtbot.waitUntil(lambda: len(plots._plots) == 3, timeout=WAIT_MS)  # made once they are seen
    curve = plots._curves["alpha_bar", "cosine"]
    assert curve.yData is not None and len(curve.yData) == 200
    assert [len(curve.x) for figure in plots.figures() for curve in figure.curves] == 9 * [200]


def test_a_picture_of_ones_own_and_a_wrong_one(
    panel: ExplorePage, made_up: FakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    Image.new("L", (30, 30), 255).save(tmp_path / "white.png")
    (tmp_path / "wrong.png").write_bytes(b"x")
    answers = iter([str(tmp_path / "white.png"), str(tmp_path / "wrong.png"), ""])
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (next(answers), ""))
    explore, engine = made_up.session.explore, made_up.engine
    panel.picture.click()
    engine.perform(engine.job("add_noise"))
    assert "white.png" in panel.forward.what.text() and not made_up.messages
    panel.picture.click()
    engine.perform(engine.job("add_noise"))
    assert "white.png" in panel.forward.what.text() and explore.settings.picture == tmp_path / "white.png"  # it stays
    assert "can't be opened as an image" in made_up.messages[0].title
    panel.picture.click()  # and cancel


def test_a_question_is_answered_and_its_setting_tried_out(
    panel: ExplorePage, window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Experiment("What does clipping repair?", {"one step": {"steps": 1}, "w = 3": {"guidance": 3, "steps": 2}})
    monkeypatch.setattr(questions, "EXPERIMENTS", {**questions.EXPERIMENTS, "clipping": few})
    panel._show_tab("questions")
    explore = window.session.explore
    with qtbot.waitSignal(explore.answered, timeout=WAIT_MS):
        panel.ask_buttons["clipping"].click()
        assert explore.busy and panel.questions.stop.isVisible() and panel.ask_buttons["clipping"].isChecked()
    qtbot.waitUntil(lambda: not explore.busy, timeout=WAIT_MS)
    assert panel.questions.title.text() == few.question
    assert explore.answer and [row.label for row in explore.answer.rows] == ["one step", "w = 3"]
    with qtbot.waitSignal(panel.pageRequested, timeout=WAIT_MS):
        panel.questions.tryRequested.emit(1)
    settings = window.session.generate.settings
    assert (settings.model, settings.guidance, settings.steps) == ("digits", 3, 2) and window.rail.page() == "generate"
    qtbot.waitUntil(lambda: not window.session.generate.busy, timeout=WAIT_MS)


def test_a_question_can_be_left(panel: ExplorePage, window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    explore, engine = window.session.explore, take_over(window.session.context.engine, monkeypatch)
    explore.ask("steps")
    job = engine.job("answer_question")
    engine.give(job, Progress("drawing", 1, 4))
    window.stop()
    assert job.control.cancelled
    assert not explore.busy and explore.question == "" and explore.answer is None
    assert panel.questions.empty.isVisibleTo(panel.questions)


@pytest.mark.usefixtures("made_up")
def test_the_table_says_the_signal_to_noise_ratio_of_every_schedule(panel: ExplorePage) -> None:
    explore, table = panel._explore, panel.schedules.table
    panel.tabs.button("schedules").click()
    words = [caption.text for caption in table.grid._captions]
    assert len(words) == len(table.grid.images()) == 3 * 6
    linear, cosine = explore.noisings[0], explore.noisings[1]
    assert float(words[2]) == pytest.approx(linear.snr[linear.strip_times[2]], rel=0.01)
    assert float(words[8]) == pytest.approx(cosine.snr[cosine.strip_times[2]], rel=0.01)
    assert words[5] == "4·10⁻⁵"


def test_an_answer_is_exported_proved_and_back_on_its_page(
    panel: ExplorePage, window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explore = panel._explore
    panel.tabs.button("questions").click()
    assert not panel.save_answer.isEnabled() and not panel.copy_button.isEnabled()
    explore.ask("schedule")
    qtbot.waitUntil(lambda: explore.answer is not None and not explore.busy, timeout=WAIT_MS)
    panel.copy_button.click()
    copied = QGuiApplication.clipboard().image()
    assert explore.figure is not None and (copied.height(), copied.width()) == explore.figure.shape[:2]
    path = tmp_path / "answer.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS):
        qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert main(["verify", str(path)]) == 0
    explore.change(tab="forward")
    window.rail.set_page("generate")
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS) as told:
        window.open_file(path)
    assert told.args and told.args[0].title == "Restored answer.png" and told.args[0].tone == "success"
    assert window.rail.page() == "explore" and explore.settings.tab == "questions" and explore.question == "schedule"


def test_ctrl_z_takes_a_change_back_but_no_look_elsewhere(panel: ExplorePage, window: MainWindow, qtbot: QtBot) -> None:
    explore = panel._explore
    digit = explore.settings.digit
    explore.change(digit=(digit + 1) % 10)
    panel.tabs.button("schedules").click()
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert explore.settings.digit == digit and explore.settings.tab == "schedules"
    qtbot.waitUntil(lambda: window.session.context.at_rest, timeout=WAIT_MS)
