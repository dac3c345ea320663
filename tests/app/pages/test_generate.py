"""The Generate page in detail: what draws and how it is shown, what a failure leaves, what can be taken away."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QDrag, QGuiApplication, QMouseEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from desktop_app.pages.digit_view import NO_JUDGE
from desktop_app.pages.generate import GeneratePage, with_ending
from desktop_app.settings import AppSettings, GenerateSettings
from desktop_app.tasks.sampling import JudgeResult
from desktop_app.theme.controller import theme
from desktop_app.viewmodels.generate import Generate
from desktop_app.viewmodels.history import IN_MEMORY
from desktop_app.widgets.controls.export_menu import DIGITS, ENTRIES
from desktop_app.widgets.images.decision_meter import decided_at
from desktop_app.widgets.images.qimage import to_qimage
from desktop_app.window.main_window import MainWindow
from desktop_app.worker.compute_thread import Job
from ml.config import SampleSettings
from ml.events import Frame, Sampled
from ml.export import files
from ml.imaging.pixels import grid
from tests.app.conftest import Opener
from tests.patience import WAIT_MS
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import FakeEngine, arguments
from tests.support.fake_events import frames, whole

SHADES = itertools.count(step=20)
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def made_up(make: Callable[..., FakeApp]) -> FakeApp:
    """Digits are made up, on a page without a window; without it a model draws them, in the window."""
    theme().set_reduced_motion(True)
    return make(AppSettings(generate=GenerateSettings(steps=4, rows=1)))


@pytest.fixture
def panel(request: pytest.FixtureRequest, qtbot: QtBot) -> GeneratePage:
    """The page with its first grid."""
    if "made_up" not in request.fixturenames:
        return request.getfixturevalue("window").generate
    app: FakeApp = request.getfixturevalue("made_up")
    panel = GeneratePage(app.session.generate, app.context)
    qtbot.addWidget(panel)
    panel.resize(1208, 728)
    panel.show()
    panel.generate()
    drawn(app.session.generate, qtbot)
    return panel


@pytest.fixture
def generate(panel: GeneratePage) -> Generate:
    return panel._generate


def until(qtbot: QtBot, condition: Callable[[], object]) -> None:
    qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)


def drawn(generate: Generate, qtbot: QtBot) -> None:
    """Wait until what is asked for is drawn and judged; where digits are made up, they are brighter every time."""
    engine = generate._context.engine
    if isinstance(engine, FakeEngine):
        job = engine.job("sample_and_judge")
        request = arguments(job)[0]
        judged = JudgeResult(np.array(request.labels), np.ones(len(request.labels), np.float32))
        engine.end(job, *whole(request, shade=next(SHADES) % 128), judged)
    until(qtbot, lambda: not generate.busy and generate.verdict is not None)


def clipboard_is(picture: np.ndarray) -> bool:
    return QGuiApplication.clipboard().image().convertToFormat(to_qimage(picture).format()) == to_qimage(picture)


# ---- what draws


@pytest.mark.usefixtures("made_up")
def test_a_chip_draws_its_digit_and_shift_adds_one(
    panel: GeneratePage, generate: Generate, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    qtbot.mouseClick(panel.prompt.chips.buttons[7], Qt.MouseButton.LeftButton)
    drawn(generate, qtbot)
    assert generate.request and generate.request.labels == (7,) * 10
    monkeypatch.setattr(QApplication, "keyboardModifiers", lambda: Qt.KeyboardModifier.ShiftModifier)
    qtbot.mouseClick(panel.prompt.chips.buttons[3], Qt.MouseButton.LeftButton)
    drawn(generate, qtbot)
    assert generate.request.labels == (7, 3) and generate.request.prompt == "7, 3"


def test_numbers_still_being_typed_count(panel: GeneratePage, generate: Generate, qtbot: QtBot) -> None:
    seed = panel.prompt.seed_box.edit
    seed.setFocus()
    seed.selectAll()
    qtbot.keyClicks(seed, "77")
    panel.prompt.button.click()
    assert generate.request and generate.request.seed == 77
    steps = panel.sampling.steps.box
    steps.setFocus()
    steps.selectAll()
    qtbot.keyClicks(steps, "6")
    qtbot.keyClick(steps, Qt.Key.Key_Return, CTRL)
    assert generate.request.steps == 6 and generate.request.seed == 77
    drawn(generate, qtbot)


def test_only_what_was_asked_for_plays_by_itself(panel: GeneratePage, generate: Generate, qtbot: QtBot) -> None:
    theme().set_reduced_motion(False)
    played: list[bool] = []
    panel.timeline.playToggled.connect(played.append)
    panel.generate()
    until(qtbot, lambda: played == [True, False])
    drawn(generate, qtbot)
    assert not panel.timeline.playing
    assert panel.timeline.step == 4 and played == [True, False]

    panel.sampling.steps.box.setValue(6)
    until(qtbot, lambda: generate.request and generate.request.steps == 6)
    drawn(generate, qtbot)
    panel.sampling.model.valueChanged.emit("tiny")
    assert generate.busy
    drawn(generate, qtbot)
    assert panel.timeline.step == panel.timeline.reached == 4  # the newest; with the model came its own four steps
    assert played == [True, False]

    panel.prompt.seed_box.die.click()
    until(qtbot, lambda: played[2:3] == [True])
    panel.timeline.pause()
    drawn(generate, qtbot)


def begin_long(panel: GeneratePage, engine: FakeEngine) -> tuple[Job, list[Frame]]:
    """A drawing of many steps, which come when a test gives them."""
    panel._generate.change(steps=100, live=False)
    panel.generate()
    job = engine.job("sample_and_judge")
    return job, frames(arguments(job)[0])


def test_a_hand_on_the_timeline_is_not_led_away(panel: GeneratePage, generate: Generate, made_up: FakeApp) -> None:
    engine = made_up.engine
    job, steps = begin_long(panel, engine)
    engine.give(job, *steps[:30])
    assert panel.timeline.step == 29
    panel.timeline.set_step(10)
    engine.give(job, *steps[30:60])
    assert panel.timeline.step == 10 and panel.timeline.reached == 59
    panel.timeline.set_step(panel.timeline.reached)
    engine.give(job, *steps[60:90])
    assert panel.timeline.step == 89  # and follows again from the newest
    generate.stop()


def test_a_film_ends_where_its_drawing_was_stopped(
    panel: GeneratePage, generate: Generate, made_up: FakeApp, qtbot: QtBot
) -> None:
    engine = made_up.engine
    job, steps = begin_long(panel, engine)
    engine.give(job, *steps[:30])
    panel.prompt.button.click()
    last = panel.timeline.reached
    assert not generate.busy and last == 29 and job.control.cancelled
    panel.timeline.set_step(last - 5)
    panel.timeline.play()
    until(qtbot, lambda: not panel.timeline.playing)
    assert panel.timeline.step == last
    panel.timeline.toggle_play()
    assert panel.timeline.playing and panel.timeline.step < last  # from the start again
    panel.timeline.pause()


@pytest.mark.usefixtures("made_up")
def test_a_moving_slider_does_not_make_the_page_flicker(panel: GeneratePage, generate: Generate, qtbot: QtBot) -> None:
    shown = panel.grid.images().copy()
    generate.change(guidance=2.5, live=False)
    generate.draw(live=True)
    assert panel.timeline.isEnabled() and panel.timeline.step == 4  # until there is something new to show
    assert np.array_equal(panel.grid.images(), shown) and panel.grid._captions
    drawn(generate, qtbot)
    assert panel.timeline.step == 4 and not np.array_equal(panel.grid.images(), shown)


def test_only_the_setting_that_changed_is_painted_anew(
    window: MainWindow, panel: GeneratePage, generate: Generate, qtbot: QtBot
) -> None:
    class Painted(QObject):
        def __init__(self) -> None:
            super().__init__()
            self.widgets: set[QObject] = set()

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Paint:
                self.widgets.add(watched)
            return False

    window.show()
    drawn(generate, qtbot)
    settings, seen = panel.sampling, Painted()
    moved, others = settings.guidance, (settings.steps, settings.eta)
    QApplication.processEvents()
    for row in (moved, *others):
        row.slider.installEventFilter(seen)
        row.box.installEventFilter(seen)
    for widget in (settings.model.combo, panel.prompt.button):
        widget.installEventFilter(seen)
    generate.change(guidance=3.0, live=False)
    until(qtbot, lambda: moved.box in seen.widgets)
    QApplication.processEvents()
    assert seen.widgets == {moved.slider, moved.box}
    generate.change(steps=6, live=False)
    until(qtbot, lambda: settings.steps.box in seen.widgets)


# ---- what a failure leaves


@pytest.mark.parametrize("stopped", [True, False])
def test_a_drawing_that_gives_nothing_leaves_what_was_there(
    panel: GeneratePage, generate: Generate, made_up: FakeApp, tmp_path: Path, stopped: bool
) -> None:
    shown, request, verdict = panel.grid.images().copy(), generate.request, generate.verdict
    generate.change(model="missing", live=False)
    panel.generate()
    if stopped:
        generate.stop()
    else:
        made_up.engine.perform(made_up.engine.job("sample_and_judge"))
    assert bool(made_up.messages) != stopped and not generate.busy
    assert generate.request == request and generate.verdict is verdict and verdict is not None
    assert panel.timeline.isEnabled() and panel.timeline.step == panel.timeline.reached == 4
    assert np.array_equal(panel.grid.images(), shown)
    panel.timeline.set_step(1)
    assert np.array_equal(panel.grid.images(), generate.frames[1].x_t)
    assert panel.export_button.isEnabled()
    panel.export_to(tmp_path / "still.gif")
    made_up.engine.perform(made_up.engine.job("export"))
    assert request and files.read_request(tmp_path / "still.gif")[0].unhashed == request.unhashed


def test_a_first_drawing_that_fails_says_what_to_do(opened: Opener, settings: AppSettings, qtbot: QtBot) -> None:
    window = opened(settings.with_changes(generate=settings.generate.with_changes(prompt="banana")))
    panel, generate = window.generate, window.session.generate
    assert "Loading" in panel.grid.accessibleName()
    until(qtbot, lambda: window.session.context.device)
    assert not generate.busy and not panel.copy_button.isEnabled() and not panel.export_button.isEnabled()
    generate.change(prompt="3", model="missing", live=False)
    panel.generate()
    until(qtbot, lambda: not generate.busy)
    assert "Press Generate" in panel.grid.accessibleName() and panel.timeline.label.text() == "no steps yet"


# ---- what is shown


@pytest.mark.usefixtures("made_up")
def test_a_verdict_that_differs_from_what_was_asked_is_marked(panel: GeneratePage, generate: Generate) -> None:
    labels = np.arange(10)
    labels[4] = 9
    generate.trajectory.verdict = JudgeResult(labels, np.full(10, 0.987, np.float32))
    generate.judged.emit()
    captions = panel.grid._captions
    assert [caption.warn for caption in captions] == [index == 4 for index in range(10)]
    assert captions[3].text == "3 · 99%"
    panel.timeline.set_step(2)
    assert panel.grid._captions == []  # the judge has read the finished images only
    panel.grid.cellClicked.emit(4)
    assert "reads 9 (99" in panel.digit.text.text()


def test_what_is_left_of_a_larger_grid_is_harmless(
    panel: GeneratePage, generate: Generate, window: MainWindow, qtbot: QtBot
) -> None:
    panel.grid.cellClicked.emit(9)
    menu = QMenu()
    panel._add_deeds(menu, 9)
    panel._add_branches(menu)
    generate.begun.disconnect(panel._begin)  # which is late: the next grid has begun, and the old one is still shown
    generate.change(prompt="3", rows=1, live=False)
    generate.draw(request=generate.request.some([0, 1]) if generate.request else None)
    panel.digit.strip.cellClicked.emit(7)
    assert not generate.frames and panel.timeline.step >= 0
    drawn(generate, qtbot)
    before = generate.trajectory
    for action in (*menu.actions(), *menu.findChildren(QMenu)[0].actions()):
        if "All" not in action.text():
            action.trigger()
    generate.probe_guidance(9)
    generate.find_nearest(9)
    assert generate.trajectory is before and window.rail.page() == "generate" and not generate.busy


@pytest.mark.usefixtures("made_up")
def test_a_picture_of_the_strip_leads_to_its_step(panel: GeneratePage, generate: Generate, qtbot: QtBot) -> None:
    top = panel.sampling.mapTo(panel, QPoint()).y()
    panel.grid.cellClicked.emit(2)
    QApplication.processEvents()
    assert panel.sampling.mapTo(panel, QPoint()).y() == top  # choosing a digit moves nothing
    place = panel.digit.strip.cell_rect(1).center().toPoint()
    qtbot.mouseClick(panel.digit.strip, Qt.MouseButton.LeftButton, pos=place)
    assert panel.timeline.step == generate.trajectory.strip_steps(8)[1] == 1
    assert np.array_equal(panel.digit.large.images()[0], generate.frames[1].x_t[2])


def sketch(generate: Generate, shade: int = 7) -> Sampled:
    """What is visible while a slider moves."""
    exact = generate.sampled
    assert exact is not None
    return Sampled(exact.request, np.full_like(exact.images, shade), 0.1, 10)


@pytest.mark.usefixtures("made_up")
def test_a_hand_that_comes_back_finds_what_was_drawn(panel: GeneratePage) -> None:
    generate = panel._generate
    exact, captions = panel.grid.images(), list(panel.grid._captions)
    assert any(caption.text for caption in captions)
    before = generate.settings.guidance
    generate.change(guidance=2.0)
    generate.sketched.emit(shown := sketch(generate))
    generate.change(guidance=before)
    assert panel.grid.images() is shown.images and panel.grid._captions != captions
    generate._soon.stop()
    generate._soon.timeout.emit()  # the hand rests
    assert np.array_equal(panel.grid.images(), exact) and panel.grid._captions == captions and not generate.busy
    generate.stop()


@pytest.mark.usefixtures("made_up")
def test_someone_in_the_middle_of_the_way_is_left_there(panel: GeneratePage) -> None:
    panel.timeline.set_step(2)
    before = panel.grid.images().copy()
    panel._generate.sketched.emit(sketch(panel._generate))
    assert np.array_equal(panel.grid.images(), before)


@pytest.mark.usefixtures("made_up")
def test_buttons_go_step_by_step_and_a_click_makes_the_digit_as_large_as_there_is_room(
    panel: GeneratePage, generate: Generate, qtbot: QtBot
) -> None:
    timeline, last = panel.timeline, generate.trajectory.steps
    timeline.set_step(last)
    timeline.on_button.click()
    assert timeline.step == last
    timeline.back_button.click()
    assert timeline.step == last - 1 and timeline.label.text().endswith("% noise")
    panel.grid.cellClicked.emit(3)
    for shown in (3, len(generate.sampled.images) if generate.sampled else 0):
        qtbot.mouseClick(panel.digit.large, Qt.MouseButton.LeftButton, pos=panel.digit.large.rect().center())
        assert len(panel.grid.images()) == shown
    assert panel.grid.selected() == 3
    small = panel.digit.large.width()
    panel.resize(1800, 1000)
    assert panel.digit.large.width() > 2 * small
    panel.resize(950, 620)
    assert panel.digit.large.width() == small


def test_the_whole_history_is_within_reach(window: MainWindow, qtbot: QtBot) -> None:
    history = window.session.context.history
    for _ in range(IN_MEMORY):
        history.add(history.results[0])
    view, strip = window.history.view, window.history.strip
    window.resize(1024, 700)
    bar = view.horizontalScrollBar()
    qtbot.waitUntil(lambda: view.isVisible() and bar.maximum() > 0 and bar.value() == bar.maximum(), timeout=WAIT_MS)
    assert len(strip.images()) == len(history.kept) > IN_MEMORY and strip.width() > view.width()
    strip.setFocus()
    qtbot.keyClick(strip, Qt.Key.Key_Home)
    assert bar.value() == 0
    qtbot.keyClick(strip, Qt.Key.Key_End)
    assert bar.value() == bar.maximum()


# ---- settings


@pytest.mark.usefixtures("made_up")
def test_settings_say_what_they_do_and_can_be_put_back(panel: GeneratePage, generate: Generate) -> None:
    sampling = panel.sampling
    generate.reset()
    generate._soon.stop()
    defaults = generate.settings
    assert sampling.reset.isHidden() and not sampling.eta.isEnabled()
    for key, _words in (("ddpm", ""), ("ddim", "")):
        sampling.sampler.valueChanged.emit(key)
    assert sampling.eta.isEnabled() and not sampling.reset.isHidden()
    sampling.eta.box.setValue(0.5)
    sampling.guide_to.box.setValue(30)
    assert generate.settings.guidance_to == 30
    sampling.guide_to.box.setValue(1000)
    assert generate.settings.guidance_to == SampleSettings().guidance_to  # no limit
    sampling.start.valueChanged.emit("pure")
    assert generate.settings.sigma_lead == 1000 and sampling.start.value() == "pure"
    sampling.start.valueChanged.emit("first")
    assert generate.settings.sigma_lead == 0 and sampling.start.value() == "first"
    sampling.reset.click()
    assert generate.settings == defaults and sampling.reset.isHidden()
    assert sampling.sampler.value() == defaults.sampler and sampling.eta.value() == defaults.eta
    generate.stop()


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize(
    ("prompt", "words", "enabled"),
    [("0-9", "10 × 1", True), ("2026", "4 × 1", True), ("7", "10 × 1", True), ("banana", "– × 1", False)],
)
def test_the_grid_is_said_in_columns_and_rows(panel: GeneratePage, prompt: str, words: str, enabled: bool) -> None:
    panel.prompt.set_text(prompt)
    assert (panel.sampling.grid.combo.currentText(), panel.sampling.grid.isEnabled()) == (words, enabled)


@pytest.mark.usefixtures("made_up")
def test_rows_are_the_prompt_again_from_other_noise(panel: GeneratePage, generate: Generate, qtbot: QtBot) -> None:
    panel.sampling.grid.valueChanged.emit("3")
    until(qtbot, lambda: generate.request and len(generate.request.labels) == 30)
    drawn(generate, qtbot)
    images = panel.grid.images()
    assert generate.request and generate.request.labels == tuple(range(10)) * 3
    assert not np.array_equal(images[:10], images[10:20])
    assert panel.sampling.grid.combo.currentText() == "10 × 3"


# ---- taking it away


@pytest.mark.parametrize("field", ["nothing", "prompt", "selected"])
def test_ctrl_c_copies_the_grid_unless_words_are_selected(
    panel: GeneratePage, window: MainWindow, qtbot: QtBot, field: str
) -> None:
    window.activateWindow()
    panel.timeline.set_step(2)
    QGuiApplication.clipboard().setText("before")
    edit = panel.prompt.edit
    (panel.grid if field == "nothing" else edit).setFocus()
    edit.deselect()
    if field == "selected":
        edit.selectAll()
    qtbot.keyClick(panel.grid if field == "nothing" else edit, Qt.Key.Key_C, CTRL)
    if field == "selected":
        assert QGuiApplication.clipboard().text() == edit.text()
    else:
        assert clipboard_is(grid(panel.grid.images(), 10, scale=4))
        assert panel.copy_button.text() == "Copied"
        until(qtbot, lambda: panel.copy_button.text() == "Copy")


@pytest.mark.usefixtures("made_up")
def test_one_digit_is_copied_by_its_menu(panel: GeneratePage, qtbot: QtBot) -> None:
    place = panel.grid.cell_rect(6).center().toPoint()
    for _again in range(2):  # the second time it is chosen already, and stays so
        panel.grid.customContextMenuRequested.emit(place)
        (menu,) = (menu for menu in panel.findChildren(QMenu) if menu.isVisible())
        next(action for action in menu.actions() if action.text() == "Copy this digit").trigger()
        menu.close()
        assert panel.grid.selected() == 6
    assert clipboard_is(grid(panel.grid.images()[6:7], 1, scale=10))


@pytest.mark.usefixtures("made_up")
def test_the_menu_key_means_the_current_digit(panel: GeneratePage, qtbot: QtBot) -> None:
    panel.grid.setFocus()
    for _ in range(3):
        qtbot.keyClick(panel.grid, Qt.Key.Key_Right)
    place = panel.grid.inputMethodQuery(Qt.InputMethodQuery.ImCursorRectangle)
    assert panel.grid.cell_at(place.center()) == 3  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("name", "suggested", "chosen", "expected"),
    [
        ("a.png", ".png", ".png", "a.png"),
        ("a.png", ".png", ".gif", "a.gif"),  # only the list was touched
        ("a.webp", ".png", ".gif", "a.webp"),  # what was typed counts
        ("a", ".png", ".npz", "a.npz"),
        ("there", ".png", ".png", "there-2.png"),  # the dialog was not asked about that file
        ("there.png", ".png", ".png", "there.png"),  # about this one it was
    ],
)
def test_an_ending_is_what_was_meant(tmp_path: Path, name: str, suggested: str, chosen: str, expected: str) -> None:
    (tmp_path / "there.png").touch()
    assert with_ending(tmp_path / name, suggested, chosen) == tmp_path / expected


def test_the_export_menu_asks_for_its_format_in_the_last_folder(
    panel: GeneratePage, generate: Generate, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def choose(parent: object, title: str, suggested: str, filters: str) -> tuple[str, str]:
        asked.append((suggested, filters.split(";;")[0]))
        return suggested, filters.split(";;")[0]

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda _parent, _title, folder: folder)
    panel.export_folder = tmp_path
    panel.timeline.view.button("clean").click()
    actions = {action.data(): action for action in panel.export_menu.actions() if action.data()}
    assert list(actions) == [*ENTRIES, DIGITS]
    for action in actions.values():
        with qtbot.waitSignal(generate.exported, timeout=WAIT_MS):
            action.trigger()
    names = [Path(suggested).name for suggested, _first in asked]
    endings = (".png", "-2.png", ".svg", ".mp4", ".gif", ".webp", ".apng", ".npz")
    assert names == [f"noiseloom-2026{ending}" for ending in endings]
    assert all(f"*{Path(suggested).suffix})" in first for suggested, first in asked)
    assert {path.name for path in tmp_path.glob("noiseloom-*")} == {*names, "noiseloom-2026-digits"}
    assert files.read_request(tmp_path / "noiseloom-2026.png")[1].kind == "images"
    assert files.read_request(tmp_path / "noiseloom-2026-2.png")[1].readings[0]
    assert files.read_request(tmp_path / "noiseloom-2026.mp4")[1].kind == "x0_hat"
    assert len(list((tmp_path / "noiseloom-2026-digits").iterdir())) == 10


def test_a_dialog_that_is_cancelled_writes_nothing(
    panel: GeneratePage, made_up: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    panel.export()
    assert not made_up.engine.jobs and panel.export_folder is None


def test_the_nearest_training_image_stands_beside_a_digit(
    panel: GeneratePage,
    generate: Generate,
    window: MainWindow,
    qtbot: QtBot,
    mnist_root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ml.data import datasets

    monkeypatch.delenv("NOISELOOM_DATA", raising=False)
    with qtbot.waitSignal(generate.compared, timeout=WAIT_MS):
        panel.grid.cellClicked.emit(1)
    assert panel.digit.likeness.text() == "Training images aren’t at hand" and not panel.digit.nearest.isVisibleTo(
        panel
    )
    window.session.context.data_root = mnist_root
    with qtbot.waitSignal(generate.compared, timeout=WAIT_MS):
        panel.grid.cellClicked.emit(2)
    found = generate.trajectory.nearest[2]
    assert found is not None and generate.sampled is not None and panel.digit.nearest.isVisibleTo(panel)
    training = datasets.load("mnist", mnist_root).images[:, 0].numpy().astype(float)
    apart = np.sqrt(((training - generate.sampled.images[2]) ** 2).mean(axis=(1, 2))) / 255
    assert found.distance == pytest.approx(apart.min(), abs=1e-4)
    assert np.array_equal(found.image, training[int(apart.argmin())]) and not found.copied
    assert "not a copy" in panel.digit.nearest.toolTip()
    panel.grid.cellClicked.emit(2)
    assert not panel.digit.nearest.isVisibleTo(panel)
    window.session.context.data_root = None


@pytest.mark.usefixtures("made_up")
def test_noise_and_all_three_ways_are_shown(panel: GeneratePage, generate: Generate, qtbot: QtBot) -> None:
    panel.timeline.set_step(1)
    noisy = panel.grid.images().copy()
    panel.timeline.view.button("noise").click()
    frame = generate.frames[1]
    assert frame.eps is not None and np.array_equal(panel.grid.images(), frame.eps)
    assert not np.array_equal(panel.grid.images(), noisy)
    panel.timeline.set_step(generate.trajectory.steps)  # where no noise is left, that of the step before
    before = generate.frames[-2].eps
    assert before is not None and np.array_equal(panel.grid.images(), before)
    panel.timeline.set_step(1)
    panel.timeline.view.button("noisy").click()
    panel.grid.cellClicked.emit(3)
    panel.timeline.view.button("all").click()
    assert panel.grid.images().shape[0] == 3
    for shown, part in zip(panel.grid.images(), (frame.x_t, frame.x0_hat, frame.eps), strict=True):
        assert np.array_equal(shown, part[3])
    panel.grid.cellClicked.emit(1)  # of three pictures of one digit none is to be chosen
    assert panel.grid.selected() is None and panel.digit.title.text() == "Requested: 3"
    panel.timeline.view.button("noisy").click()
    assert panel.grid.images().shape[0] == 10 and panel.grid.selected() == 3
    panel.grid.cellClicked.emit(3)


# ---- by words


@pytest.fixture
def by_words(panel: GeneratePage, generate: Generate, qtbot: QtBot) -> Iterator[Generate]:
    generate.stop()
    generate.change(rows=1, prompt="0-9", live=False)
    panel.prompt.route.valueChanged.emit("clip")
    generate.change(rows=1, live=False)
    generate.draw()  # CLIP guidance is dear, and waits for a click
    drawn(generate, qtbot)
    yield generate
    generate.change(prompt="0-9", live=False)
    generate.use_route("class")
    drawn(generate, qtbot)


def test_words_steer_what_is_drawn(panel: GeneratePage, by_words: Generate) -> None:
    assert panel.prompt.route.isVisibleTo(panel) and panel.prompt.route.value() == "clip"
    assert by_words.settings.model == "unconditional" and panel.prompt.text() == "a bold seven"
    assert "steered by CLIP" in panel.prompt.reading()
    request, verdict = by_words.request, by_words.verdict
    assert request and request.route == "clip" and request.prompt == "a bold seven"
    assert verdict and (verdict.labels == 7).mean() >= 0.8
    first, last = (by_words.trajectory.similarity(0, step) for step in (0, by_words.trajectory.steps))
    assert first is not None and last is not None and last > first
    panel.grid.cellClicked.emit(0)
    assert f"Prompt match: {last:.2f}" in panel.digit.text.text()
    panel.grid.cellClicked.emit(0)
    assert panel.sampling.guidance.isHidden() and not panel.sampling.clip_scale.isHidden()


def test_a_word_that_the_model_cannot_know_is_told_and_may_be_drawn(
    panel: GeneratePage, by_words: Generate, qtbot: QtBot
) -> None:
    panel.prompt.edit.setText("banana")
    qtbot.waitUntil(lambda: by_words.doubtful, timeout=WAIT_MS)
    assert "isn't a digit" in panel.prompt.reading()
    assert panel.prompt.button.isEnabled() and panel.prompt.button.text() == "Generate anyway"
    panel.prompt.edit.setText("a thin three")
    qtbot.waitUntil(lambda: "a thin three" in by_words._about_digits, timeout=WAIT_MS)
    assert not by_words.doubtful


def test_back_to_labels_the_example_is_a_grid_again(panel: GeneratePage, by_words: Generate, qtbot: QtBot) -> None:
    by_words.change(prompt="something bold", live=False)
    panel.prompt.route.valueChanged.emit("class")
    assert by_words.settings.model == "tiny" and by_words.settings.prompt == "0-9"  # the model from before the words
    drawn(by_words, qtbot)
    assert by_words.verdict is not None and panel.sampling.clip_scale.isHidden()


def test_a_model_that_reads_words_is_told_them(panel: GeneratePage, generate: Generate, qtbot: QtBot) -> None:
    generate.stop()
    generate.change(rows=1, prompt="0-9", live=False)
    panel.prompt.route.valueChanged.emit("text")
    generate.change(rows=1, live=False)
    drawn(generate, qtbot)
    assert panel.prompt.route.value() == "text" and generate.settings.model == "text"
    assert panel.prompt.reading().endswith("each by its word")
    panel.prompt.edit.setText("a bold seven")
    assert panel.prompt.reading() == "“a bold seven”, read by the model"
    panel.generate()
    drawn(generate, qtbot)
    assert panel.sampling.guidance.isVisibleTo(panel) and panel.sampling.clip_scale.isHidden()
    assert generate.verdict is not None and (generate.verdict.labels == 7).mean() >= 0.9
    panel.prompt.edit.setText("2026")
    assert panel.prompt.reading() == "2 0 2 6, each by its word" and generate.labels() == (2, 0, 2, 6)
    panel.generate()
    drawn(generate, qtbot)
    assert generate.verdict is not None and generate.verdict.labels.tolist() == [2, 0, 2, 6]
    panel.prompt.edit.setText("a red sunflower")
    qtbot.waitUntil(lambda: generate.doubtful, timeout=WAIT_MS)
    assert panel.prompt.button.text() == "Generate anyway"
    generate.change(prompt="0-9", live=False)
    generate.use_route("class")
    drawn(generate, qtbot)
    assert generate.settings.model == "tiny"


def test_another_clip_is_fetched_when_asked_for_and_without_a_network_the_digit_clip_goes_on(
    panel: GeneratePage, by_words: Generate, window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    from ml.models import openai_clip

    monkeypatch.setenv("NOISELOOM_DOWNLOADS", str(tmp_path))
    monkeypatch.setattr(openai_clip, "URLS", ("http://127.0.0.1:9/x",))
    monkeypatch.setattr("ml.system.download.TRIES", 1)
    panel.sampling.clip.valueChanged.emit("ViT-B-32")
    assert by_words.settings.clip == "ViT-B-32" and not by_words.busy
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS) as told:
        panel.generate()
    assert told.args and "refused" in told.args[0].title and "digit CLIP" in told.args[0].what_to_do
    qtbot.waitUntil(lambda: not by_words.busy, timeout=WAIT_MS)
    assert by_words.settings.clip == "digit-clip" and panel.sampling.clip.value() == "digit-clip"


def test_weights_from_a_file_are_tried_and_a_wrong_one_is_told_of(
    panel: GeneratePage, by_words: Generate, window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"nothing")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(wrong), ""))
    panel.sampling.clip.valueChanged.emit("file")
    assert panel.sampling.clip.combo.currentText() == "wrong.safetensors"
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS) as told:
        panel.generate()
    assert told.args and "damaged" in told.args[0].title
    qtbot.waitUntil(lambda: not by_words.busy, timeout=WAIT_MS)
    assert by_words.settings.clip == "digit-clip"


def test_a_digit_goes_on_from_a_step_another_way_and_the_history_leads_back(
    window: MainWindow, panel: GeneratePage, qtbot: QtBot
) -> None:
    generate = panel._generate
    first, settings = generate.trajectory, generate.settings
    panel.grid.cellClicked.emit(3)
    panel.timeline.set_step(2)
    panel.digit.branch_menu.aboutToShow.emit()
    _everything, classes, noises = panel.digit.branch_menu.actions()
    assert "from step 2" in classes.text() and classes.isEnabled() and noises.isEnabled()
    classes.trigger()
    until(qtbot, lambda: not generate.busy and generate.verdict is not None and generate.trajectory is not first)
    assert generate.request and generate.request.labels == tuple(range(10)) and generate.request.branch_at == 2
    for step in range(3):
        assert all(np.array_equal(image, first.frames[step].x_t[3]) for image in generate.frames[step].x_t)
    assert panel.timeline.curve._branch == 2 and panel.grid.images().shape[0] == 10
    generate.change(guidance=6.0, live=False)
    panel.timeline.set_step(1)
    second = generate.trajectory
    panel.digit.branch_menu.aboutToShow.emit()
    panel.digit.branch_menu.actions()[0].trigger()  # all, with the settings as they are now
    until(qtbot, lambda: not generate.busy and generate.verdict is not None and generate.trajectory is not second)
    assert generate.request.guidance == 6.0 and generate.request.branches == 2
    panel.timeline.set_step(generate.trajectory.steps)
    panel.digit.branch_menu.aboutToShow.emit()
    assert not any(action.isEnabled() for action in panel.digit.branch_menu.actions())
    bar = window.history
    assert bar.isVisibleTo(window) and len(bar.strip.images()) >= 3
    assert bar.strip.selected() == len(bar.strip.images()) - 1
    bar.strip.cellClicked.emit(len(bar.strip.images()) - 3)
    assert bar.strip.selected() == len(bar.strip.images()) - 3
    assert generate.trajectory is first and generate.settings == settings and panel.timeline.reached == first.steps
    assert first.sampled is not None and np.array_equal(panel.grid.images(), first.sampled.images)
    assert not generate.busy and panel.timeline.curve._branch is None


def test_a_digit_is_drawn_alone_and_taken_to_other_pages(panel: GeneratePage, window: MainWindow, qtbot: QtBot) -> None:
    generate, session = panel._generate, window.session
    sampled = generate.sampled
    assert sampled is not None
    panel.grid.cellClicked.emit(4)
    panel.digit.more_menu.aboutToShow.emit()
    deeds = {action.text(): action for action in panel.digit.more_menu.actions()}
    with qtbot.waitSignal(panel.pageRequested, timeout=WAIT_MS) as asked:
        deeds["Open in Draw"].trigger()
    assert asked.args == ["draw"] and np.array_equal(session.draw.drawing, sampled.images[4])
    session.interpolate.change(model="tiny")
    with qtbot.waitSignal(panel.pageRequested, timeout=WAIT_MS) as asked:
        (lower_left,) = (a for a in panel.digit.more_menu.findChildren(QAction) if a.text() == "Lower left")
        lower_left.trigger()
    corner = session.interpolate.settings.corners[2]
    assert asked.args == ["interpolate"] and (corner.seed, corner.label, corner.picture) == (
        sampled.request.seed + 4,
        4,
        "",
    )
    deeds["Generate only this one"].trigger()
    until(qtbot, lambda: not generate.busy and generate.sampled is not None and len(generate.sampled.images) == 1)
    assert generate.sampled is not None
    assert np.abs(generate.sampled.images[0].astype(int) - sampled.images[4]).max() <= 1


def test_one_sees_when_a_digit_is_decided_and_what_guidance_does(opened: Opener, qtbot: QtBot) -> None:
    settings = GenerateSettings(model="digits", prompt="4", rows=1, steps=8, guidance=2.0, guidance_to=1e4)
    window = opened(AppSettings(generate=settings, reduced_motion=True))
    panel, generate = window.generate, window.session.generate
    until(qtbot, lambda: not generate.busy and generate.trajectory.decision is not None)
    decision = generate.trajectory.decision
    assert decision is not None and decision.shape == (9, 10, 10)
    assert np.array_equal(decision[-1].argmax(axis=1), generate.verdict.labels if generate.verdict else [])
    panel.grid.cellClicked.emit(0)
    assert panel.digit.meter.isVisibleTo(panel) and "4, from step" in panel.digit.meter.accessibleName()
    meter = panel.digit.meter
    qtbot.mouseClick(meter, Qt.MouseButton.LeftButton, pos=meter._point(4, 0.5).toPoint())
    assert panel.timeline.step == 4
    panel.timeline.view.button("xray").click()
    until(qtbot, lambda: generate.trajectory.probes.get(0) is not None)
    rays = generate.trajectory.probes[0]
    assert rays is not None and np.array_equal(panel.grid.images(), rays.steps[4].images)
    panel.timeline.set_step(1)
    assert np.array_equal(panel.grid.images(), rays.steps[1].images)
    panel.timeline.view.button("clean").click()
    assert len(panel.grid.images()) == 10 and panel.grid.selected() == 0


def test_the_decision_is_the_first_step_that_stays() -> None:
    shares = np.eye(3, dtype=np.float32)[[0, 2, 1, 2, 2]]
    assert decided_at(shares) == 3 and decided_at(shares[3:]) == 0


def test_a_picture_of_the_history_is_dragged_out_as_a_file_with_its_request(
    window: MainWindow, generate: Generate, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, strip = generate.request, window.history.strip
    generate.change(live=False, seed=5)
    generate.draw()
    drawn(generate, qtbot)
    qtbot.waitUntil(lambda: strip.isVisibleTo(window), timeout=WAIT_MS)
    dropped: list[Path] = []
    take = lambda drag, _: dropped.append(Path(drag.mimeData().urls()[0].toLocalFile()))  # noqa: E731
    monkeypatch.setattr(QDrag, "exec", take)
    place = strip.cell_rect(0).center().toPoint()
    qtbot.mousePress(strip, Qt.MouseButton.LeftButton, pos=place)
    move = QMouseEvent(QEvent.Type.MouseMove, QPointF(place) - QPointF(0, 40), QPointF(place), Qt.MouseButton.NoButton,
                       Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)  # fmt: skip
    QApplication.sendEvent(strip, move)
    QApplication.sendEvent(strip, move)
    qtbot.mouseRelease(strip, Qt.MouseButton.LeftButton, pos=place)
    assert len(dropped) == 1 and generate.request != first  # a drag is no click
    request, layout = files.read_request(dropped[0])
    assert first and request.unhashed == first.unhashed and layout.columns == 10
    assert files.read_pixels(dropped[0]).shape[1] > 28 * len(first.labels)
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=place)
    assert generate.request == first


# ---- names of classes


def test_a_model_of_named_classes_is_shown_in_their_words(
    made_up: FakeApp, panel: GeneratePage, generate: Generate, qtbot: QtBot
) -> None:
    """No digit, no judge: names on the chips, under the images and beside the chosen one."""
    panel.grid.cellClicked.emit(1)
    assert panel.digit.meter.isVisibleTo(panel) and "Requested: 1" in panel.digit.title.text()
    panel.grid.cellClicked.emit(1)
    generate.use_model("colour")
    job = made_up.engine.job("sample_and_judge")
    made_up.engine.end(job, *whole(arguments(job)[0]))
    assert panel.digit.title.text() == "No image chosen"
    panel.timeline.set_step(generate.trajectory.steps)
    assert panel.grid._captions[8].text == "ship"
    panel.grid.cellClicked.emit(8)
    assert panel.digit.title.text() == "Requested: ship" and panel.digit.text.text() == f"{NO_JUDGE}\nSeed 2034"
    assert not panel.digit.meter.isVisibleTo(panel) and not panel.digit.decided.isVisibleTo(panel)
    assert [chip.text() for chip in panel.prompt.chips.buttons][8:] == ["ship", "truck", "all"]
    assert not panel.prompt.route.isVisibleTo(panel)
    panel.timeline.set_step(2)
    menu, branches = QMenu(), QMenu()
    panel._add_deeds(menu, 8)
    panel._add_branches(branches)
    texts = [action.text() for action in (*menu.actions(), *branches.actions())]
    assert texts[0] == "Copy this image" and "This image in every class, from step 2" in texts
    assert not any("digit" in text for text in texts)
    assert "One PNG per image…" in [action.text() for action in panel.export_menu.actions()]
    generate.use_model("digits")
    assert panel.prompt.route.isVisibleTo(panel) and generate.settings.prompt == "0-9"
    drawn(generate, qtbot)
    assert panel.digit.meter.isVisibleTo(panel)
