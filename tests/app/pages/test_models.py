"""The Models page: cards of all models, drawing and scoring with them, and files that come, go and come back."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QInputDialog, QWidget
from pytestqt.qtbot import QtBot

from desktop_app.pages.model_details import NO_JUDGE, Fact
from desktop_app.pages.models import ModelsPage
from desktop_app.settings import AppSettings, load_settings
from desktop_app.tasks import models as model_work
from desktop_app.tasks.models import Previewed
from desktop_app.viewmodels.models import Models
from desktop_app.widgets.controls.basics import Button, Label
from desktop_app.window.drag_and_drop import drop_effect
from desktop_app.window.main_window import MainWindow
from ml.control import RunControl
from ml.events import Progress
from ml.registry import model_cards
from ml.registry.checkpoint import load_model
from ml.registry.model_cards import ModelCard
from ml.registry.run_layout import MODEL_FILE
from ml.specs import PIPELINE_INDEX
from tests.app.conftest import Opener, leave
from tests.patience import WAIT_MS
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import take_over
from tests.support.tiny_pipeline import write_pipeline


def until(qtbot: QtBot, condition: Callable[[], object]) -> None:
    qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)


@pytest.fixture
def drawn() -> None:
    """Models are drawn with for their previews, as in the program; without it they are black, which is quicker."""


@pytest.fixture
def made_up(make: Callable[..., FakeApp], home: Path) -> FakeApp:
    """The page stands alone, on a fake engine; without it, it is in the window, where its jobs are done."""
    app = make()
    app.context.models = tuple(model_cards.cards())
    return app


@pytest.fixture
def panel(request: pytest.FixtureRequest, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelsPage]:
    """The page, with `tiny` chosen."""
    if "made_up" in request.fixturenames:
        app: FakeApp = request.getfixturevalue("made_up")
        app.session.models.change(chosen="tiny")
        panel = ModelsPage(app.session.models, app.context)
        qtbot.addWidget(panel)
        panel.resize(1208, 728)
        panel.show()
        app.context.ready.emit()
        yield panel
        return
    window: MainWindow = request.getfixturevalue("window")
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(model_work, "preview", black)
    window.show()
    window.rail.set_page("models")
    panel = window.page("models")
    assert isinstance(panel, ModelsPage)
    window.session.models.change(chosen="tiny")
    yield panel
    window.session.models.stop()


@pytest.fixture
def library(panel: ModelsPage) -> Models:
    return panel._models


def black(_card: ModelCard, count: int, _draw: bool, _control: RunControl) -> Iterator[object]:
    yield Previewed(np.zeros((count, 28, 28), np.uint8))


def shown_facts(panel: ModelsPage) -> list[Fact]:
    QApplication.processEvents()  # what is new in a layout is shown by the next event
    return [fact for fact in panel.details.findChildren(Fact) if not fact.isHidden()]


def facts(panel: ModelsPage) -> dict[str, str]:
    """What the details say, by name."""
    return dict(fact.accessibleName().split(": ", 1) for fact in shown_facts(panel))


def own(window: MainWindow) -> set[str]:
    return {card.name for card in window.session.context.models if not card.bundled}


def answering(monkeypatch: pytest.MonkeyPatch, dialog: type, name: str, answer: object) -> None:
    monkeypatch.setattr(dialog, name, lambda *_, **__: (answer, True) if dialog is QInputDialog else (str(answer), ""))


def press(window: MainWindow, text: str) -> None:
    next(button for button in window.messages.action_buttons() if button.text() == text).click()


# ---- the list


def test_every_model_has_a_card_and_the_own_come_first(panel: ModelsPage, made_up: FakeApp) -> None:
    assert set(panel.tiles) == {card.name for card in made_up.context.models} >= {"tiny", "digits", "judge", "colour"}
    assert list(panel.tiles)[:2] == ["tiny", "digits"] and list(panel.tiles)[-1] == "judge"
    digits = panel.tiles["digits"]
    said = digits.accessibleName()
    assert "Digits, bundled" in said and "MNIST" in said and "parameters" in said and "% right" in said
    assert "1 model of yours" in panel.subtitle.full_text() and panel.tiles["tiny"].isChecked()
    assert "Classifies images" in panel.tiles["judge"].strip.accessibleName()


@pytest.mark.usefixtures("drawn")
def test_what_a_model_draws_appears_and_stays_for_the_session(
    panel: ModelsPage, library: Models, window: MainWindow, qtbot: QtBot
) -> None:
    drawing = {card.name for card in window.session.context.drawing_models}
    until(qtbot, lambda: all(library.preview(card) is not None for card in window.session.context.drawing_models))
    for name in drawing:
        assert len(panel.tiles[name].strip.images()) == 10
    assert panel.tiles["colour"].strip.images().ndim == 4
    before = panel.tiles["tiny"].strip.images()
    assert np.array_equal(panel.details.preview.images(), before)
    window.rail.set_page("generate")
    window.rail.set_page("models")
    with qtbot.waitSignal(window.session.context.ready, timeout=WAIT_MS):
        window.session.context.refresh()
    assert panel.tiles["tiny"].strip.images() is before


def test_a_look_at_the_models_makes_new_only_what_is_new(panel: ModelsPage, window: MainWindow, qtbot: QtBot) -> None:
    def look_again() -> list[str]:
        with qtbot.waitSignal(window.session.context.ready, timeout=WAIT_MS):
            window.session.context.refresh()
        QApplication.processEvents()
        return sorted(panel.tiles, key=lambda name: panel.tiles[name].pos().toTuple()[::-1])  # by where they are seen

    before, said = dict(panel.tiles), shown_facts(panel)
    tiny = next(card.path for card in window.session.context.models if card.name == "tiny")
    shutil.copy(tiny, another := tiny.with_stem("another"))
    assert look_again() == list(panel.tiles) and panel.tiles.keys() - before.keys() == {"another"}
    assert all(panel.tiles[name] is tile for name, tile in before.items()) and shown_facts(panel) == said
    another.unlink()
    assert look_again() == list(panel.tiles) and panel.tiles == before


@pytest.mark.usefixtures("made_up")
def test_choosing_a_model_shows_its_card(panel: ModelsPage) -> None:
    panel.tiles["digits"].click()
    details = panel.details
    assert details.title.text() == "Digits" and "class-conditional U-Net" in details.about.text()
    said = facts(panel)
    assert said["Sampler"] == "DPM-Solver++ 2M" and said["Steps"] == "10" and said["Trained on"] == "MNIST"
    assert said["Right class"] == "99.7–100%" and said["Distance to real"].endswith("×") and said["Copies"] == "0"
    assert not details.rename.isEnabled() and not details.delete.isEnabled() and details.export.isEnabled()
    panel.tiles["judge"].click()
    assert details.draw.isHidden() and details.evaluate.isHidden() and facts(panel)["Read right"] == "99.7%"
    panel.tiles["colour"].click()
    assert details.draw.isVisible() and details.evaluate.isHidden()


@pytest.mark.usefixtures("made_up")
def test_arrow_keys_move_between_the_models(panel: ModelsPage, library: Models, qtbot: QtBot) -> None:
    first, second = list(panel.tiles)[:2]
    panel.tiles[first].setFocus()
    qtbot.keyClick(panel.tiles[first], Qt.Key.Key_Right)
    assert library.settings.chosen == second and panel.tiles[second].hasFocus()
    qtbot.keyClick(panel.tiles[second], Qt.Key.Key_Down)
    below = library.settings.chosen
    assert below not in (first, second) and panel.tiles[below].y() > panel.tiles[second].y()
    qtbot.keyClick(panel.tiles[below], Qt.Key.Key_Tab)
    focused = QApplication.focusWidget()
    assert focused is not None and focused not in panel.tiles.values()


@pytest.mark.usefixtures("made_up")
def test_everything_has_a_name_and_every_button_a_word(panel: ModelsPage, library: Models) -> None:
    for name in ("digits", "tiny", "judge"):
        library.change(chosen=name)
        for part in panel.findChildren(QWidget):
            if part.focusPolicy() != Qt.FocusPolicy.NoFocus and part.isVisible():
                assert part.accessibleName(), part
        for button in panel.findChildren(Button):
            assert button.toolTip(), button.text()


@pytest.mark.parametrize("size", [(1024, 700), (1920, 1080)])
def test_nothing_is_cut_off(panel: ModelsPage, window: MainWindow, qtbot: QtBot, size: tuple[int, int]) -> None:
    window.resize(*size)
    until(qtbot, lambda: len({tile.x() for tile in panel.tiles.values()}) == (2 if size[0] == 1024 else 4))
    for button in (panel.import_button, panel.details.draw, panel.details.rename, panel.details.export):
        assert button.width() >= button.sizeHint().width(), button.text()
    for tile in panel.tiles.values():
        layout = tile.layout()
        assert layout is not None and tile.height() >= layout.minimumSize().height()


def test_the_chosen_model_is_remembered(panel: ModelsPage, window: MainWindow, qtbot: QtBot) -> None:
    panel.tiles["student"].click()
    leave(window, qtbot)
    assert load_settings().models.chosen == "student" and load_settings().page == "models"


# ---- drawing and scoring


def test_a_model_is_drawn_with(panel: ModelsPage, window: MainWindow, qtbot: QtBot) -> None:
    panel.tiles["student"].click()
    panel.details.draw.click()
    assert window.rail.page() == "generate"
    generate = window.session.generate
    until(qtbot, lambda: not generate.busy and generate.request and generate.request.model == "student")
    assert generate.settings.sampler == "student"


def test_the_digits_model_is_scored(
    panel: ModelsPage, library: Models, window: MainWindow, qtbot: QtBot, mnist_root: Path
) -> None:
    window.session.context.use_data_root(mnist_root)
    panel.tiles["digits"].click()
    panel.details.count.button("100").click()
    panel.details.evaluate.click()
    assert library.busy and panel.details.stop.isVisible() and "Scoring digits" in window.status.job_text()
    until(qtbot, lambda: not library.busy)
    card = library.card
    assert card is not None
    scores = library.measured(card)
    assert scores["images"] == 100 and scores["seed 2026"]["accuracy"] >= 0.97, window.messages.title()
    assert 0.3 < scores["seed 2026"]["frechet_ratio"] < 3 and scores["seed 2026"]["memorised"] == 0

    def figures() -> list[str]:
        facts = panel.details.scores.findChildren(Fact)
        return [fact.accessibleName() for fact in facts if not fact.isHidden()]

    until(qtbot, lambda: [name.split(":")[0] for name in figures()].count("Right class") == 2)  # just now, and its card
    assert "seed 77" in card.scores  # which is left as it was


def test_the_scores_of_an_own_model_are_kept(
    panel: ModelsPage, library: Models, window: MainWindow, qtbot: QtBot, mnist_root: Path, home: Path
) -> None:
    window.session.context.use_data_root(mnist_root)
    assert "Not scored yet" in panel.tiles["tiny"].accessibleName()
    library.change(count=100)
    library.evaluate()
    until(qtbot, lambda: library.card and library.card.scores)
    assert (home / "models" / "tiny.json").is_file() and not library.busy
    assert "% right" in panel.tiles["tiny"].accessibleName() and "Right class" in facts(panel)


def test_scoring_says_how_far_it_is_and_can_be_stopped(
    panel: ModelsPage, library: Models, window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(qtbot, lambda: not window.session.context._jobs)
    engine = take_over(window.session.context.engine, monkeypatch)
    panel.tiles["digits"].click()
    panel.details.evaluate.click()
    job = engine.job("evaluate")
    engine.give(job, Progress("Drawing", 3, 10))
    assert panel.details.progress.text().startswith("Drawing")
    window.stop()
    assert job.control.cancelled and not library.busy and panel.details.evaluate.isVisible()
    assert library.card and not library.measured(library.card)


def test_a_judge_is_offered_where_there_is_none(
    panel: ModelsPage, library: Models, window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def words() -> str:
        return " ".join(label.text() for label in details.scores.findChildren(Label) if not label.isHidden())

    until(qtbot, lambda: not window.session.context._jobs)
    engine, details = take_over(window.session.context.engine, monkeypatch), panel.details
    panel.tiles["digits"].click()
    until(qtbot, lambda: "Judge: 99.7% of 10,000 real test images right." in words())
    assert not details.train_judge.isVisible()
    panel.tiles["colour"].click()
    until(qtbot, lambda: NO_JUDGE in words())
    assert details.train_judge.isVisible() and not details.evaluate.isVisible()
    details.train_judge.click()
    job = engine.job("train_judge")
    engine.give(job, Progress("Training a judge", 1, 4))
    assert details.progress.text() == "Training a judge · 1 of 4" and not details.train_judge.isVisible()
    card = model_cards.card(model_cards.bundled_folder() / "judge.safetensors")
    assert card is not None
    worse = card.model_copy(update={"scores": {"test_accuracy": 0.84, "test_images": 1}})
    monkeypatch.setattr("ml.registry.judges.find", lambda _header: worse)
    engine.end(job)
    until(qtbot, lambda: "Judge: 84% of 1 real test image right." in words())
    assert details.evaluate.isVisible()


def test_without_mnist_one_is_asked_for_it(
    panel: ModelsPage, library: Models, window: MainWindow, qtbot: QtBot, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    window.session.context.use_data_root(tmp_path)
    library.evaluate()
    until(qtbot, lambda: not window.messages.isHidden() and not library.busy)
    assert "isn't on this computer" in window.messages.title()
    asked: list[str] = []
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *words: asked.append(words[1]) or "")
    press(window, "Choose a folder…")
    assert asked == ["Choose the folder that contains MNIST"]


# ---- files


def test_a_model_is_renamed_and_followed(panel: ModelsPage, library: Models, window: MainWindow, qtbot: QtBot) -> None:
    panel.details.rename.click()
    assert panel.naming.edit.text() == "tiny"
    panel.naming.edit.setText("my first")
    panel.naming.ok.click()
    until(qtbot, lambda: own(window) == {"my first"})
    assert library.settings.chosen == "my first" and panel.details.title.text() == "my first"
    assert window.session.generate.settings.model == "my first" and panel.tiles["my first"].isChecked()
    panel.details.rename.click()
    for refused, why in (("../away", "as a model name"), ("digits", "reserved")):
        panel.naming.edit.setText(refused)
        panel.naming.ok.click()
        assert why in panel.naming.problem.text() and panel.naming.isVisible()
        assert panel.naming.edit.text() == refused and own(window) == {"my first"}  # what was typed stays
    panel.naming.cancel.click()


def test_a_deleted_model_comes_back_with_undo_and_from_the_trash(
    panel: ModelsPage, library: Models, window: MainWindow, qtbot: QtBot
) -> None:
    for way in ("undo", "trash", "keys"):
        panel.details.delete.click()
        until(qtbot, lambda: own(window) == set())
        assert "Moved “tiny” to the trash" in window.messages.title() and panel.trash_button.isVisible()
        assert library.settings.chosen == "digits" and window.session.generate.settings.model == "digits"
        if way == "undo":
            press(window, "Undo")
        elif way == "keys":
            window.messages.dismiss()
            window._undo()
        else:
            panel.trash_button.click()
            panel.trash_menu.actions()[0].trigger()
            panel.trash_menu.close()
        until(qtbot, lambda: own(window) == {"tiny"})
        assert library.settings.chosen == "tiny" and not panel.trash_button.isVisible()


def test_the_trash_is_emptied_on_request(panel: ModelsPage, library: Models, window: MainWindow, qtbot: QtBot) -> None:
    panel.details.delete.click()
    until(qtbot, lambda: own(window) == set())
    for answer in ("Keep", "Delete permanently"):
        panel.trash_button.click()
        panel.trash_menu.actions()[-1].trigger()
        panel.trash_menu.close()
        assert window.messages.title() == "Permanently delete 1 model?" and "tiny" in window.messages.report()
        assert [item.name for item in library.trash] == ["tiny"]
        press(window, answer)
        assert window.messages.isHidden() and panel.trash_button.isVisible()
    until(qtbot, lambda: not panel.trash_button.isVisible())
    assert library.trash == []


def test_the_run_that_is_training_stays_and_goes_whole_once_it_has_ended(
    panel: ModelsPage, library: Models, window: MainWindow, qtbot: QtBot, home: Path
) -> None:
    train, run = window.session.train, home / "runs" / "mine"
    run.mkdir(parents=True)
    shutil.copy(home / "models" / "tiny.safetensors", run / MODEL_FILE)
    window.session.context.refresh()
    until(qtbot, lambda: window.session.context.card("mine"))
    library.change(chosen="mine")
    train._started = train.config(), run
    train._set_state("running")
    panel.details.delete.click()
    assert "being trained" in window.messages.title()
    library.rename("other")
    until(qtbot, lambda: window.session.context.at_rest)
    assert (run / MODEL_FILE).is_file()
    train._set_state("done")
    panel.details.delete.click()
    until(qtbot, lambda: window.session.context.card("mine") is None)
    assert not run.exists() and [item.name for item in library.trash] == ["mine"]


def test_a_model_is_exported_and_imported(
    panel: ModelsPage, library: Models, window: MainWindow, qtbot: QtBot, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    answering(monkeypatch, QFileDialog, "getSaveFileName", tmp_path / "copy.safetensors")
    panel._fill_export_menu()
    whole, onnx, diffusers = panel.export_menu.actions()
    assert whole.isEnabled() and onnx.isEnabled() and "ONNX Runtime" in onnx.toolTip()
    assert not diffusers.isEnabled() and "isn't a UNet2DModel" in diffusers.toolTip()
    whole.trigger()
    until(qtbot, lambda: (tmp_path / "copy.json").is_file() and not window.messages.isHidden())
    assert "Saved copy.safetensors" in window.messages.title()
    answering(monkeypatch, QFileDialog, "getOpenFileName", tmp_path / "copy.safetensors")
    panel.import_button.click()
    until(qtbot, lambda: own(window) == {"tiny", "copy"})
    assert library.settings.chosen == "copy" and panel.tiles["copy"].isChecked()
    until(qtbot, lambda: library.card and library.preview(library.card) is not None)


def test_a_pipeline_of_diffusers_that_is_dropped_becomes_a_model(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    folder = write_pipeline(tmp_path / "theirs")
    for path in (folder, folder / PIPELINE_INDEX):
        assert drop_effect(path, drawing=True) == "Imports the model in it"
        window.open_file(path)
    until(qtbot, lambda: own(window) == {"tiny", "theirs", "theirs-2"})
    assert window.rail.page() == "models"
    library = window.session.models
    until(qtbot, lambda: library.card and library.card.name == "theirs-2" and library.preview(library.card) is not None)


def test_foreign_weights_are_asked_about_taken_or_refused(
    panel: ModelsPage, window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = tmp_path / "witness"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return (open, (str(witness), "w"))

    torch.save({"weight": Evil()}, tmp_path / "evil.pt")
    answering(monkeypatch, QFileDialog, "getOpenFileName", tmp_path / "evil.pt")
    panel.import_button.click()
    until(qtbot, lambda: not window.messages.isHidden())
    assert "more than plain weights" in window.messages.title() and not witness.exists()
    card = window.session.context.card("shuffle-flow")
    assert card is not None
    torch.save(load_model(card.path)[1], tmp_path / "theirs.pt")
    answering(monkeypatch, QFileDialog, "getOpenFileName", tmp_path / "theirs.pt")
    asked: list[list[str]] = []

    def choose(*words: object) -> tuple[str, bool]:
        kinds = next(word for word in words if isinstance(word, list))
        asked.append(kinds)
        return "shuffle-flow", True

    monkeypatch.setattr(QInputDialog, "getItem", choose)
    panel.import_button.click()
    until(qtbot, lambda: own(window) == {"tiny", "theirs"})
    assert asked == [["shuffle-flow", "shuffle"]]
    assert window.session.context.card("theirs").header.model == card.header.model  # type: ignore[union-attr]


def test_before_the_models_are_known_the_page_says_so(opened: Opener, settings: AppSettings, qtbot: QtBot) -> None:
    window = opened(settings.with_changes(page="models"))
    panel = window.page("models")
    assert isinstance(panel, ModelsPage) and panel.empty.isVisibleTo(panel)
    assert not panel.details.draw.isEnabled() and "Choose a model" in panel.details.about.text()
    until(qtbot, lambda: panel.tiles)
    assert not panel.empty.isVisibleTo(panel)
