"""The Train page with a real session and real runs: set-up, several runs in one plot, going on, failing, finishing."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QStandardItemModel
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from desktop_app.pages.registry import VIEWMODELS
from desktop_app.pages.train import NOTHING, TrainPage
from desktop_app.pages.train_setup import ARCHIVE, CHOOSE, DOWNLOAD, FOLDER, describe
from desktop_app.settings import AppSettings
from desktop_app.text.formatting import duration
from desktop_app.viewmodels.session import Session
from desktop_app.viewmodels.train import Train
from desktop_app.widgets.controls.rows import ChoiceRow
from desktop_app.widgets.plots.loss_by_noise_map import reduced
from ml.data import datasets
from ml.events import CheckpointScored, Preview, RunStarted, TrainStep, Validated
from ml.registry import presets
from ml.registry.checkpoint import load_state_header
from ml.registry.run_layout import STATE_FILE
from ml.specs import DATASETS, titles
from ml.tracking.metrics_table import LOSS_COLUMNS, LOSS_FILE
from ml.tracking.preview_history import MOST
from tests.patience import WAIT_MS
from tests.support.fake_engine import FakeEngine

SPACE = Qt.Key.Key_Space


@pytest.fixture
def trained() -> None:
    """Runs are trained, as in the program; without it their events are made up, which is quicker."""


@pytest.fixture
def session(request: pytest.FixtureRequest, settings: AppSettings) -> Session:
    if "trained" not in request.fixturenames:
        return request.getfixturevalue("make")(settings).session
    request.getfixturevalue("home")
    return Session(settings, VIEWMODELS)


@pytest.fixture
def panel(session: Session, qtbot: QtBot) -> Iterator[TrainPage]:
    """The page on a session that knows its device, without the window around it."""
    panel = TrainPage(session.train, session.context)
    qtbot.addWidget(panel)
    panel.resize(1208, 728)
    panel.show()
    engine = session.context.engine
    if isinstance(engine, FakeEngine):
        yield panel
        return
    with qtbot.waitSignal(session.context.ready, timeout=WAIT_MS):
        session.start()
    yield panel
    with qtbot.waitSignal(session.context.closed, timeout=WAIT_MS):
        session.context.close()


def train_of(panel: TrainPage) -> Train:
    return panel.setup._train


def until(qtbot: QtBot, condition: Callable[[], object]) -> None:
    qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)


def learn(panel: TrainPage, qtbot: QtBot, steps: int = 5) -> str:
    """Start a run by its button, let it make some steps, and keep it; its name."""
    train = train_of(panel)
    panel.start_button.click()
    until(qtbot, lambda: train.last and train.last.step >= steps)
    panel.stop_button.click()
    until(qtbot, lambda: not train.active and train.name in [folder.name for folder in train.curves])
    assert train.state == "done" and train.name not in [run.name for run in train.unfinished]
    return train.name


def pick(row: ChoiceRow, key: str) -> None:
    """Choose as a person does: only then `valueChanged` comes."""
    row.combo.setCurrentIndex(row.combo.findData(key))
    row.combo.activated.emit(row.combo.currentIndex())


def test_before_the_first_run_there_is_one_thing_to_do(panel: TrainPage) -> None:
    assert panel.title.full_text() == "Train your own model" and panel.subtitle.full_text()
    shown = [b for b in (panel.start_button, panel.pause_button, panel.save_button, panel.stop_button) if b.isVisible()]
    assert shown == [panel.start_button] and panel.start_button.isEnabled()
    assert not panel.draw_button.isEnabled() and panel.runs.isHidden() and panel.unfinished.isHidden()
    assert {card.value() for card in panel.stats.values()} == {NOTHING}


def test_a_model_to_begin_with_takes_the_place_of_the_preset(panel: TrainPage, qtbot: QtBot) -> None:
    setup, train = panel.setup, train_of(panel)
    until(qtbot, lambda: train.bases)
    assert setup.begin_with.classes.isHidden() and not setup.preset.isHidden()
    items = setup.begin_with.model.combo.model()
    assert isinstance(items, QStandardItemModel)
    able = {setup.begin_with.model.combo.itemData(k): items.item(k).isEnabled() for k in range(items.rowCount())}
    assert not able["student"] and able["digits"] and able["colour"]
    student = items.item(list(able).index("student"))
    assert "few-step student" in student.toolTip()
    pick(setup.begin_with.model, "digits")
    assert setup.preset.isHidden() and not setup.begin_with.classes.isHidden()
    assert setup.note.text().startswith("Goes on from the weights of digits.") and setup.minutes.value() == 5
    assert "64, 128" in setup.facts.text() and setup.recipe.choices["model.network"].isHidden()
    pick(setup.begin_with.classes, "keep")
    config = train.config()
    assert (config.begin_with, config.keep_classes, config.optimizer) == ("digits", True, "muon")
    pick(setup.begin_with.model, "student")
    assert "few-step student" in setup.recipe.problem.text() and not panel.start_button.isEnabled()
    assert "few-step student" in panel.subtitle.full_text()
    pick(setup.begin_with.model, "-")
    assert train.settings.begin_with == "" and not setup.preset.isHidden() and panel.start_button.isEnabled()


def test_a_preset_brings_its_words_and_its_time(panel: TrainPage) -> None:
    setup, train = panel.setup, train_of(panel)
    pick(setup.preset, "textbook")
    config = presets.load("textbook")
    assert setup.note.text().startswith(config.note) and setup.minutes.value() == config.minutes
    assert "32, 64, 128" in setup.facts.text()
    shown = [choice.combo.currentText() for choice in setup.recipe.choices.values()]
    assert shown[:3] == ["Textbook U-Net", "noise ε", "linear"] and shown[5] == "AdamW"
    assert (setup.recipe.lr.value(), setup.recipe.batch.value()) == (0.001, 64)
    setup.minutes.box.setValue(2)
    assert train.config().minutes == 2
    pick(setup.preset, "v-cosine")
    assert setup.minutes.value() == train.config().minutes == presets.load("v-cosine").minutes
    pick(setup.preset, "toy")
    assert setup.minutes.isHidden() and "50 epochs" in setup.note.text()
    pick(setup.preset, "v-cosine")
    assert not setup.minutes.isHidden()
    assert "with attention" in setup.facts.text()


@pytest.mark.parametrize("name", Train.preset_names())
def test_every_preset_is_described_in_plain_words(name: str) -> None:
    lines = describe(presets.load(name)).splitlines()
    assert len(lines) == 2 and not any("_" in line or "None" in line for line in lines)


def test_a_recipe_can_be_changed_and_what_cannot_be_trained_is_said(panel: TrainPage) -> None:
    setup, train = panel.setup, train_of(panel)
    recipe = setup.recipe
    pick(recipe.choices["model.prediction"], "v")
    assert "velocity" in recipe.choices["model.prediction"].combo.currentText()
    assert "variance-preserving" in panel.subtitle.full_text() and not panel.start_button.isEnabled()
    train.start()
    assert not train.active
    pick(recipe.choices["model.schedule"], "cosine")
    assert panel.start_button.isEnabled() and recipe.problem.isHidden()
    recipe.lr.valueChanged.emit(0.002)
    config = train.config()
    assert (config.model.prediction, config.model.schedule, config.lr) == ("v", "cosine", 0.002)
    assert "1,000 noise steps" in setup.facts.text()
    pick(recipe.choices["model.prediction"], "flow")  # the preset's own
    assert set(train.settings.own) == {"model.schedule", "lr"}
    pick(setup.preset, "textbook")
    assert train.settings.own == {} and recipe.lr.value() == presets.load("textbook").lr


@pytest.mark.usefixtures("trained")
def test_a_run_of_ones_own_recipe_is_trained(panel: TrainPage, qtbot: QtBot) -> None:
    train = train_of(panel)
    for name, value in {"model.prediction": "x0", "model.schedule": "sigmoid", "weighting": "min-snr"}.items():
        pick(panel.setup.recipe.choices[name], str(value))
    learn(panel, qtbot)
    run = train.run
    assert run and (run.config.model.prediction, run.config.model.schedule) == ("x0", "sigmoid")


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(("preset", "said"), [("1-minute", "images in that time"), ("toy", "on this device")])
def test_the_speed_of_this_device_is_measured(panel: TrainPage, qtbot: QtBot, preset: str, said: str) -> None:
    pick(panel.setup.preset, preset)
    qtbot.waitUntil(lambda: said in panel.setup.note.text(), timeout=WAIT_MS)
    estimate = train_of(panel).estimate
    assert estimate and estimate.images_per_s > 0
    if preset == "toy":
        config = presets.load(preset)
        assert estimate.seconds == pytest.approx(60_000 * (config.epochs or 0) / estimate.images_per_s)


def test_losses_by_noise_and_on_unseen_images_are_shown(panel: TrainPage) -> None:
    train = train_of(panel)
    train._on_event(RunStarted(presets.load("1-minute"), Path("x"), "CPU", 1000, 0, None))
    levels = tuple(0.1 * k for k in range(1, 11))
    train._on_event(TrainStep(10, None, 0.4, 0.4, 1e-3, 1.0, 100.0, 1.0, 1.0, levels))
    train._on_event(TrainStep(20, None, 0.4, 0.4, 1e-3, 1.0, 100.0, 1.0, 1.0, (math.nan, *levels[1:])))
    table = panel.noise_map.map.table()
    assert table.shape == (11, 2) and table[0].tolist() == [10, 20]
    assert table[1].tolist() == [0.1, 0.1]  # what is not known is as it was
    shown = {name: card.value() for name, card in panel.stats.items()}
    assert (shown["step"], shown["loss"], shown["lr"], shown["norm"]) == ("20", "0.4000", "0.001", "1")
    train._on_event(Validated(20, 0.37))
    assert panel.plot._runs[train.name].held_out_losses == [(20, 0.37)]
    panel.noise_map.map.mouseMoveEvent(moved(panel.noise_map.map.width() - 1, 1))
    assert panel.noise_map.readout.text() == "step 20 · 90–100 % noise · 1"
    panel.noise_map.clear()
    assert np.isnan(panel.noise_map.map.range()).all()


def moved(x: float, y: float) -> QMouseEvent:
    none, at = Qt.MouseButton.NoButton, QPointF(x, y)
    return QMouseEvent(QEvent.Type.MouseMove, at, at, none, none, Qt.KeyboardModifier.NoModifier)


def test_a_long_map_keeps_its_means() -> None:
    table = np.vstack([np.arange(1000.0), np.full((2, 1000), 0.5)])
    table[1, ::2] = table[2, :10] = np.nan
    small = reduced(table, 100)
    assert small.shape == (3, 100) and np.allclose(small[1], 0.5) and small[0, -1] == pytest.approx(994.5)
    assert np.isnan(small[2, 0]) and np.allclose(small[2, 1:], 0.5)


def test_the_curve_of_an_earlier_run_is_laid_over_when_asked_for(panel: TrainPage, tmp_path: Path) -> None:
    rows = "".join(f"{step},1,0.9,{1 / step},0.1,1,9\n" for step in range(1, 51))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / LOSS_FILE).write_text(f"{','.join(LOSS_COLUMNS)}\n{rows}")
    train_of(panel).set_found((), (tmp_path / "old",))
    row = panel._run_rows["old"]
    assert not row.button.isChecked() and not panel.plot.has_run("old")
    row.button.click()
    assert panel.plot.values("old").shape == (3, 50) and row._loss.text() == "loss 0.0200"
    row.button.click()
    assert not panel.plot._runs["old"].visible


def test_where_mnist_is_can_be_chosen_and_taken_back(
    panel: TrainPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = panel.setup
    assert setup.source.isHidden()  # synthetic digits are nowhere
    pick(setup.data, "mnist")
    assert not setup.source.isHidden() and setup.source.value() == DOWNLOAD
    answers = iter(["", str(tmp_path / "mine")])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: next(answers))
    pick(setup.source, CHOOSE)  # and cancel
    assert setup.source.value() == DOWNLOAD and panel._context.data_root is None
    pick(setup.source, CHOOSE)
    assert setup.source.value() == FOLDER and "mine" in setup.source.combo.currentText()
    assert panel._context.data_root == tmp_path / "mine"
    pick(setup.source, DOWNLOAD)
    assert panel._context.data_root is None and setup.source.combo.findData(FOLDER) < 0


def test_every_data_set_is_offered_in_words_and_those_that_are_downloaded_say_how_much(panel: TrainPage) -> None:
    setup, train = panel.setup, train_of(panel)
    offered = {setup.data.combo.itemData(k): setup.data.combo.itemText(k) for k in range(setup.data.combo.count())}
    assert offered == dict(titles(DATASETS)) | {CHOOSE: "A folder of images…", ARCHIVE: "An archive of images…"}
    assert {*DATASETS, "folder:DIR", "mine:NAME"} == set(datasets.names())
    for name in DATASETS:
        pick(setup.data, name)
        assert train.settings.data == name and setup.source.isHidden() == (name == "synthetic")
        assert name == "synthetic" or "MB" in setup.source.combo.currentText()


@pytest.mark.usefixtures("trained")
def test_a_folder_of_images_is_chosen_shown_and_learnt_in_colour(
    panel: TrainPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    for k in range(12):
        (tmp_path / "photos" / "ab"[k % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (20 * k, 90, 255)).save(tmp_path / "photos" / "ab"[k % 2] / f"{k}.png")
    setup, train = panel.setup, train_of(panel)
    answers = iter(["", str(tmp_path / "photos")])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: next(answers))
    pick(setup.data, CHOOSE)  # and cancel
    assert train.settings.data == setup.data.value() == "synthetic"
    pick(setup.data, CHOOSE)
    assert train.settings.data == setup.data.value() == f"folder:{tmp_path / 'photos'}"
    assert setup.data.combo.currentText() == "Images in “photos”" and setup.source.isHidden()
    panel.start_button.click()
    until(qtbot, lambda: panel.previews.count() and train.last)
    assert "Images in “photos” · U-Net with " in panel.subtitle.full_text()
    assert panel.previews.grid.images().shape == (2, 16, 16, 3)
    panel.previews.grid.grab()
    panel.stop_button.click()
    until(qtbot, lambda: train.state == "done")
    pick(setup.data, "mnist")
    assert setup.data.combo.findText("Images in “photos”") < 0


@pytest.mark.usefixtures("trained")
def test_runs_lie_over_each_other_and_are_hidden_by_a_click(panel: TrainPage, qtbot: QtBot) -> None:
    first, second = learn(panel, qtbot), learn(panel, qtbot)
    assert (first, second) == ("1-minute", "1-minute-2") and panel.plot.runs() == [first, second]
    assert panel.plot.color_of(first) != panel.plot.color_of(second)
    assert panel.runs.isVisible()
    button = panel._run_rows[first].button
    button.setFocus()
    qtbot.keyClick(button, SPACE)
    assert not panel.plot._runs[first].visible and panel.plot._runs[second].visible

    kept = panel.plot.values(first).copy()
    train_of(panel).offer_longer(next(folder for folder in train_of(panel).curves if folder.name == first))
    train_of(panel).train_longer(1.0)
    until(qtbot, lambda: train_of(panel).state == "running")
    button.click()  # at once, when the run may have made no step yet
    assert panel.plot._runs[first].visible
    until(qtbot, lambda: panel.plot.values(first)[0, -1] > kept[0, -1])
    steps, _, smooth = panel.plot.values(first)  # from its table, which has a row for each step
    assert set(kept[0]) <= set(steps)
    assert np.allclose(smooth[np.isin(steps, kept[0])], kept[2], rtol=1e-3)
    assert panel.plot.runs() == [first, second] and panel.runs.body_layout.count() == 2
    panel.stop_button.click()
    until(qtbot, lambda: train_of(panel).state == "done")


@pytest.mark.usefixtures("trained")
def test_a_run_is_renamed_and_thrown_away_where_its_curve_is(panel: TrainPage, session: Session, qtbot: QtBot) -> None:
    train, name = train_of(panel), learn(panel, qtbot)
    library, color = session.models, panel.plot.color_of(name)
    library.change(chosen=name)
    with qtbot.waitSignal(panel._context.ready, timeout=WAIT_MS):
        library.rename("mine")
    assert train.name == "mine" and train.folder and train.folder.exists() and panel.title.full_text() == "mine"
    assert panel.plot.runs() == ["mine"] and panel.plot.color_of("mine") == color
    assert list(panel._run_rows) == ["mine"] and panel._run_rows["mine"].button.text() == "mine"
    until(qtbot, lambda: library.card is not None and library.card.name == "mine")
    with qtbot.waitSignal(panel._context.ready, timeout=WAIT_MS):
        library.delete()
    assert not panel.plot.runs() and not panel._run_rows and panel.runs.isHidden() and not train.can_draw
    assert panel.title.full_text() == "Train your own model" and panel.stats["step"].value() == "–"


@pytest.mark.usefixtures("trained")
def test_a_run_that_was_kept_is_trained_longer_by_its_button(panel: TrainPage, qtbot: QtBot) -> None:
    assert panel.longer.isHidden()
    train, name = train_of(panel), learn(panel, qtbot)
    assert train.finished and panel.subtitle.full_text().startswith("Stopped, model kept: ")
    stood, longer = train.finished.step, panel.longer
    assert longer.button.isVisible() and "1 minute" in longer.what.text() and panel.unfinished.isHidden()
    longer.minutes.set_value(2.0)
    qtbot.keyClick(longer.button, SPACE)
    assert train.active and train.name == name and longer.isHidden()
    until(qtbot, lambda: train.last and train.last.step > stood)
    assert train.run is not None and train.run.step == stood and train.run.config.minutes == 2.0


@pytest.mark.usefixtures("trained")
def test_a_run_that_was_interrupted_is_resumed_by_its_button(panel: TrainPage, qtbot: QtBot) -> None:
    train = train_of(panel)
    panel.start_button.click()
    until(qtbot, lambda: train.last and train.last.step >= 3)
    assert train._job
    train._job.control.cancel()  # as where the window is closed
    until(qtbot, lambda: not train.active and train.unfinished)
    (run,) = train.unfinished
    item = panel.unfinished.body_layout.itemAt(0)
    button = item.widget() if item else None
    assert button is not None and button.isVisible() and button.accessibleName().startswith("1 minute · ")
    qtbot.keyClick(button, SPACE)
    assert train.active and train.name == run.name and panel.unfinished.isHidden()
    until(qtbot, lambda: train.run and train.run.step == run.step)


@pytest.mark.usefixtures("trained")
def test_save_now_writes_what_was_learnt_so_far(panel: TrainPage, qtbot: QtBot) -> None:
    train = train_of(panel)
    panel.start_button.click()
    until(qtbot, lambda: train.last and train.last.step >= 3)
    setup = panel.setup
    assert not any(row.isEnabled() for row in (setup.preset, setup.data, setup.source, setup.minutes))
    assert "Synthetic digits · U-Net with " in panel.subtitle.full_text()
    with qtbot.waitSignal(train.saved, timeout=WAIT_MS):
        panel.save_button.click()
    assert train.folder and load_state_header(train.folder / STATE_FILE).step >= 3
    assert train.state == "running"


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(("steps", "said"), [(1, "1 step"), (3, "3 steps")])
def test_a_whole_run_says_what_it_reached(panel: TrainPage, qtbot: QtBot, steps: int, said: str) -> None:
    train = train_of(panel)
    train.set_own("steps", steps)
    panel.start_button.click()
    until(qtbot, lambda: train.state == "done")
    assert train.finished is not None and train.finished.step == steps
    seen = f"{said} in {duration(train.finished.seconds)}, {8 * steps} images seen"
    missing = train.missing_minutes
    assert (
        missing and panel.subtitle.full_text() == f"Finished: {seen}. Too early: about {duration(60 * missing)} more."
    )
    assert "can be read after about" in panel.longer.what.text() and panel.longer.minutes.value() >= missing
    assert panel.stats["step"].value() == str(steps) and panel.stats["norm"].value() != NOTHING
    assert panel.stats["left"].value() == NOTHING
    assert panel.draw_button.isEnabled() and panel.start_button.isVisible() and not panel.pause_button.isVisible()
    with qtbot.waitSignal(panel.pageRequested, timeout=WAIT_MS):
        panel.draw_button.click()


@pytest.mark.usefixtures("trained")
def test_a_page_that_is_opened_late_shows_the_run_that_goes_on(panel: TrainPage, qtbot: QtBot) -> None:
    train = train_of(panel)
    panel.start_button.setFocus()
    panel.start_button.click()
    assert panel.stop_button.hasFocus()  # and not the rail
    until(qtbot, lambda: train.last)
    late = TrainPage(train, panel._context)
    qtbot.addWidget(late)
    late.show()
    assert late.pause_button.isVisible() and late.title.full_text() == "1 minute"
    until(qtbot, lambda: late.plot.runs() == ["1-minute"] and late.stats["loss"].value() != NOTHING)
    assert late.runs.isVisible()


@pytest.mark.usefixtures("trained")
def test_after_a_failure_the_page_goes_on(panel: TrainPage, qtbot: QtBot, tmp_path: Path) -> None:
    train = train_of(panel)
    train.change(data="mnist")
    panel._context.use_data_root(tmp_path / "nothing")
    panel.start_button.click()
    until(qtbot, lambda: train.state == "failed")
    assert "The run failed" in panel.subtitle.full_text()
    assert panel.start_button.isVisible() and panel.setup.data.isEnabled() and not panel.draw_button.isEnabled()
    pick(panel.setup.data, "synthetic")
    until(qtbot, lambda: train._job is None)
    learn(panel, qtbot)


def test_a_run_whose_curve_of_before_is_not_there_begins_anew(panel: TrainPage, tmp_path: Path) -> None:
    train = train_of(panel)
    train._on_event(RunStarted(presets.load("1-minute"), tmp_path, "CPU", 1000, 100, None))
    train._on_event(TrainStep(101, None, 0.4, 0.4, 1e-3, 1.0, 100.0, 1.0, 1.0))
    assert train.before is None and panel.plot.values(train.name)[0].tolist() == [101]


@pytest.mark.usefixtures("trained")
def test_the_preview_history_goes_back_through_a_run_and_opens_those_of_before(panel: TrainPage, qtbot: QtBot) -> None:
    train, timeline = train_of(panel), panel.preview_history
    panel.start_button.click()
    until(qtbot, lambda: train.previews)
    assert train._job
    train._job.control.post("preview")
    until(qtbot, lambda: len(train.previews) >= 2)
    panel.stop_button.click()
    until(qtbot, lambda: not train.active)
    assert len(train.previews) >= 2 and timeline.shown() is train.previews[-1] and panel.previews.count() >= 2
    panel.previews.cellClicked.emit(4)
    assert panel.below.currentWidget() is timeline and panel.looking.value() == "past"
    assert np.array_equal(timeline.strip.images(), train.previews[-1].film[:, 4])
    timeline.slider.setValue(0)
    assert (
        panel.previews.step() == train.previews[0].step and f"{train.previews[0].step:,} steps" in timeline.title.text()
    )
    assert np.array_equal(timeline.strip.images(), train.previews[0].film[:, 4])
    kept = [preview.film.copy() for preview in train.previews]
    panel.previews.slider.setValue(len(kept) - 1)
    assert timeline.slider.value() == len(kept) - 1
    assert train.folder is not None
    train.previews = []
    with qtbot.waitSignal(train.history_loaded, timeout=WAIT_MS):
        train.load_history(train.folder)  # as a click on a run of before does
    assert all(np.array_equal(a.film, b) for a, b in zip(train.previews, kept, strict=True))
    assert panel.previews.count() == len(kept)
    panel.looking.button("noise").click()
    assert panel.below.currentWidget() is panel.noise_map


def test_of_very_many_previews_every_other_one_goes(panel: TrainPage) -> None:
    images = np.zeros((2, 28, 28), np.uint8)
    for step in range(1, 3 * MOST):
        panel._train._add_preview(Preview(step, images, (0, 1), images[None]))
        assert len(panel._train.previews) <= MOST
    kept = [preview.step for preview in panel._train.previews]
    assert kept[0] == 1 and kept[-1] == 3 * MOST - 1 and kept == sorted(kept)
    assert panel.previews.count() == len(kept) and panel.previews.step() == kept[-1]
    assert panel.preview_history.shown() is panel._train.previews[-1]


def test_scores_have_a_plot_whose_points_can_be_chosen_and_kept(panel: TrainPage, qtbot: QtBot) -> None:
    plot, train = panel.scores, train_of(panel)
    panel._view("run")
    panel._look_at("scores")
    assert plot.button.isHidden() and not plot.export.isEnabled()
    points = [CheckpointScored(100, 0.5, 9.0, 0.99), CheckpointScored(1600, 0.9, 2.0, 0.99)]
    train.scores, train.model_step, train.scores_folder = (
        [*points, CheckpointScored(3200, 0.8, None, 0.99, "Too few.")],
        3200,
        Path("run"),
    )
    train.scored.emit()
    assert "after 1,600 steps · 90% right class · distance 2.0 ×" in plot.readout.text()
    assert plot.button.text() == "Keep the best" and plot.button.isEnabled()
    assert plot._about.full_text() == "the judge reads 99% of real images right · Too few."
    kept: list[int] = []
    plot.keep.connect(kept.append)
    view = plot.plots["Right class, %"]
    place = view.mapFromScene(view.getViewBox().mapViewToScene(QPointF(0, 50)))
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert plot.button.text() == "Keep this one" and "after 100 steps" in plot.readout.text()
    plot.button.click()
    assert kept == [100]
    plot.choose(3200)
    assert plot.button.text() == "Is the model" and not plot.button.isEnabled()
    accuracy, distance = plot.figures()
    assert accuracy.curves[0].y.tolist() == [50, 90, 80] and np.isnan(distance.curves[0].y[2])


def test_scores_are_asked_for_with_a_switch(panel: TrainPage) -> None:
    check, train = panel.setup.score, train_of(panel)
    assert not check.isChecked() and not train.config().score
    check.click()
    assert train.config().score and check.isChecked()
    check.click()
    assert "score" not in train.settings.own
