"""The data before a run, on the Train page: the wall, the classes, what is left out, and how images are read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QFileDialog
from pytestqt.qtbot import QtBot

from desktop_app.pages.image_choices import AUGMENTED, OTHER
from desktop_app.pages.train import TrainPage
from desktop_app.settings import AppSettings, TrainSettings
from desktop_app.tasks.data import ClassImages, NotHere, NotReadable
from desktop_app.viewmodels.training_data import ALL
from desktop_app.widgets.controls.rows import ChoiceRow
from ml.data.survey import ClassCount, LeftOut, SizeCount, Some, Survey, strip
from ml.events import Progress, RunStarted
from ml.registry import presets
from ml.specs import DATASETS, IMAGE_FOLDER
from tests.app.conftest import Opener
from tests.patience import WAIT_MS
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments

SIDE = 16


def survey(classes: int = 2, **changes: object) -> Survey:
    """Thirty images of each class, two of which are shown."""
    labels = tuple(k // 2 for k in range(2 * classes))
    images = np.stack([np.full((SIDE, SIDE, 3), k, np.uint8) for k in range(len(labels))])
    found = Survey(
        name="folder:/images",
        classes=tuple(ClassCount(name=f"class {k}", train=27, held_out=3) for k in range(classes)),
        sizes=(SizeCount(width=64, height=48, count=50), SizeCount(width=48, height=64, count=10)),
        side=SIDE,
        channels=3,
        thumbnail_labels=labels,
        thumbnail_strip=strip(images),
    )
    return found.with_changes(**changes)


@pytest.fixture
def panel(app: FakeApp, qtbot: QtBot) -> TrainPage:
    """The page on a folder that has not been looked at, without the window around it."""
    app.session.train.change(data=f"{IMAGE_FOLDER}/images")
    panel = TrainPage(app.session.train, app.context)
    qtbot.addWidget(panel)
    panel.resize(1208, 728)
    panel.show()
    panel.look()
    return panel


def pick(row: ChoiceRow, key: str) -> None:
    """Choose as a person does: only then `valueChanged` comes."""
    row.combo.setCurrentIndex(row.combo.findData(key))
    row.combo.activated.emit(row.combo.currentIndex())


def notes(panel: TrainPage) -> list[str]:
    return [note.text for note in panel.data.notes.notes]


def test_the_data_are_what_one_sees_before_the_first_run(app: FakeApp, panel: TrainPage) -> None:
    data = panel.data
    assert data.isVisible() and not panel.progress.isVisible() and not panel.showing.isVisible()
    assert not panel.preview_section.isVisible()
    job = app.engine.job("survey_data")
    app.engine.give(job, Progress("Reading images", 1, 4))
    assert data.stage.currentWidget() is data.panel and data.panel.bar.value() == 250
    assert data.panel.title.text() == "Images in “images”" and data.panel.text.text() == "Reading images…"
    app.engine.end(job, survey())
    assert data.stage.currentWidget() is data.wall and len(data.wall.images()) == 4
    shown = {key: card.value() for key, card in data.stats.items()}
    assert shown == {"images": "54", "held_out": "6", "classes": "2", "size": "64 × 48", "read": "16 × 16",
                     "left_out": "0"}  # fmt: skip
    assert "48 × 64: 10 images" in data.stats["size"].toolTip() and not notes(panel)
    assert data.caption.full_text() == "4 of 60 images, as the model will see them"


def test_what_is_left_out_and_what_to_know_is_said_in_sentences(app: FakeApp, panel: TrainPage) -> None:
    left_out = (
        LeftOut(reason="images that cannot be read", count=1, first=("a/broken.png",)),
        LeftOut(reason="files of other kinds", count=5, first=("1.txt", "2.txt", "3.txt", "4.txt")),
    )
    smaller = Some(count=1, first=("b/tiny.png",))
    warning = "No image is held out."
    app.engine.end(
        app.engine.job("survey_data"),
        survey(left_out=left_out, transparent=2, ground="black", smaller=smaller, warnings=(warning,)),
    )
    assert notes(panel) == [
        warning,
        "1 left out: images that cannot be read (a/broken.png).",
        "5 left out: files of other kinds (1.txt, 2.txt, 3.txt, …).",
        "1 image is smaller than 16 × 16 and is enlarged (b/tiny.png).",
        "2 images have transparent parts, shown on black.",
    ]
    tones = [note.tone for note in panel.data.notes.notes]
    assert tones == ["warning", "warning", "info", "info", "info"]
    assert panel.data.notes.notes[2].more == "1.txt\n2.txt\n3.txt\n4.txt\n…"
    assert panel.data.stats["left_out"].value() == "6"


def test_a_class_is_shown_by_a_click_in_the_list_or_on_one_of_its_images(
    app: FakeApp, panel: TrainPage, qtbot: QtBot
) -> None:
    data = panel.data
    app.engine.end(app.engine.job("survey_data"), survey())
    assert data.class_card.isVisible() and data.classes.count() == 3
    qtbot.mouseClick(data.classes.viewport(), Qt.MouseButton.LeftButton, pos=data.classes.visualItemRect(
        data.classes.item(2)).center())  # fmt: skip
    assert app.session.train.data.shown_class == 1 and len(data.wall.images()) == 2
    assert data.caption.full_text() == "2 of 30 images of “class 1”, as the model will see them"
    app.engine.end(app.engine.job("class_images"), ClassImages(1, np.zeros((30, SIDE, SIDE, 3), np.uint8)))
    assert data.caption.full_text() == "30 images of “class 1”, as the model will see them"
    data.wall.cellClicked.emit(0)
    assert data.classes.currentRow() == 0 and len(data.wall.images()) == 4
    data.wall.cellClicked.emit(0)
    assert app.session.train.data.shown_class == 0 and data.classes.currentRow() == 1
    qtbot.keyClick(data.classes, Qt.Key.Key_Up)
    assert app.session.train.data.shown_class == ALL


def test_images_without_classes_have_no_list_of_them(app: FakeApp, panel: TrainPage) -> None:
    app.engine.end(app.engine.job("survey_data"), survey(classes=1))
    assert not panel.data.class_card.isVisible() and panel.data.stats["classes"].value() == "1"


def test_what_is_missing_is_offered_where_the_images_would_be(
    app: FakeApp, panel: TrainPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, train = panel.data, app.session.train

    def button(text: str) -> None:
        next(one for one in data.panel.action_buttons() if one.text().startswith(text)).click()

    app.engine.end(app.engine.job("survey_data"), NotReadable("There is no folder.", "Choose another one."))
    assert data.panel.title.text() == "There is no folder." and data.panel.text.text() == "Choose another one."
    button("Try again")
    app.engine.end(app.engine.job("survey_data"), NotReadable("There is no folder.", "Choose another one."))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    button("Your own images")
    assert train.settings.data == f"{IMAGE_FOLDER}{tmp_path}" and train.data.state == "reading"
    pick(panel.setup.data, "mnist")
    app.engine.end(app.engine.jobs_of("survey_data")[0])  # the cancelled one
    app.engine.end(app.engine.job("survey_data"), NotHere())
    size = DATASETS["mnist"].size
    assert size in data.panel.text.text() and panel.setup.source.combo.currentText() == f"Download ({size})"
    button("Download")
    assert arguments(app.engine.job("survey_data"))[1] is True
    app.engine.end(app.engine.job("survey_data"), survey(classes=10))
    assert panel.setup.source.combo.currentText() == "On this machine"


def test_how_images_are_read_is_chosen_beside_them(
    app: FakeApp, panel: TrainPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, train = panel.setup.images, app.session.train
    assert images.side.combo.currentText() == images.channels.combo.currentText() == "As the images"
    assert images.fit.isVisible() and images.ground.isVisible()
    app.engine.end(app.engine.job("survey_data"), survey())
    assert images.side.combo.currentText() == "16 × 16 (found)"
    assert images.channels.combo.currentText() == "Colour (found)"
    assert not images.ground.isVisible()  # nothing is transparent, and nothing is around an image
    pick(images.fit, "whole")
    assert images.ground.isVisible() and train.settings.own == {"fit": "whole"}
    pick(images.side, "64")
    pick(images.channels, "1")
    assert images.side.combo.currentText() == "64 × 64"
    answers = iter([QColor(), QColor("#ff8000")])
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: next(answers))
    pick(images.ground, OTHER)  # and cancel
    assert images.ground.value() == "auto"
    pick(images.ground, OTHER)
    assert images.ground.combo.currentText() == "#ff8000"
    choice = train.data.choice
    assert (choice.side, choice.channels, choice.fit, choice.ground) == (64, 1, "whole", "#ff8000")
    config = train.config()
    assert (config.model.image_size, config.model.channels, config.fit, config.ground) == (64, 1, "whole", "#ff8000")
    pick(images.side, "")
    assert "model.image_size" not in train.settings.own
    images.augmentations["mirror"].click()
    images.augmentations["augment_share"].click()
    config = train.config()
    assert config.mirror and config.augment_share == AUGMENTED["augment_share"] and not train.contradiction
    images.augmentations["augment_share"].click()
    assert "augment_share" not in train.settings.own and images.augmentations["mirror"].isChecked()
    pick(panel.setup.preset, "colour")
    assert images.side.combo.currentText() == "32 × 32 (preset)" and train.settings.own == {}
    pick(panel.setup.data, "synthetic")
    assert images.side.isVisible() and not images.fit.isVisible() and not images.ground.isVisible()
    pick(panel.setup.preset, "latent")
    assert not images.isVisible()  # the autoencoder has decided


def test_the_page_follows_what_is_done(app: FakeApp, panel: TrainPage) -> None:
    train = app.session.train
    app.engine.end(app.engine.job("survey_data"), survey())
    panel.start_button.click()
    assert panel.progress.isVisible() and panel.preview_section.isVisible() and panel.showing.isVisible()
    panel.showing.button("data").click()
    assert panel.data.isVisible() and not app.engine.jobs_of("survey_data")
    assert not panel.data.again_link.isVisible() and not panel.data.other_link.isVisible()
    assert train.folder is not None
    chosen = presets.load("1-minute").with_changes(note="A small network, since there are 60 images.")
    app.engine.give(app.engine.job("train"), RunStarted(chosen, train.folder, "CPU", 1000, 0, None))
    assert panel.setup.note.text() == chosen.note
    train.change(data="synthetic")
    assert panel.data.panel.text.text() == "The images are shown here once the run has ended."
    app.engine.end(app.engine.job("train"))
    assert panel.progress.isVisible()
    train.change(data=f"{IMAGE_FOLDER}/images")
    assert panel.data.isVisible() and len(panel.data.wall.images()) == 4


def test_a_folder_of_ones_own_is_seen_as_the_model_will_see_it(opened: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    for name in ("leaf", "stone"):
        (folder / name).mkdir(parents=True)
        for k in range(6):
            image = Image.new("RGB", (40, 20), (10 * k, 200, 0))
            image.paste((255, 0, 0), (0, 0, 8, 20))
            image.save(folder / name / f"{k}.png")
    (folder / "leaf" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "leaf" / "notes.txt").write_text("not an image")
    clear = Image.new("RGBA", (40, 20))
    clear.paste((255, 255, 255, 255), (10, 5, 30, 15))
    clear.save(folder / "stone" / "clear.png")
    window = opened(AppSettings(train=TrainSettings(data="synthetic"), reduced_motion=True, page="train"))
    window.open_file(folder)  # dropped
    data, page = window.session.train.data, window.page("train")
    assert isinstance(page, TrainPage)
    qtbot.waitUntil(lambda: data.state == "here" and not data.busy, timeout=WAIT_MS)
    assert data.survey is not None and data.survey.train + data.survey.held_out == 13
    assert [page.data.classes.item(k).text() for k in range(3)] == ["All classes", "leaf", "stone"]
    assert page.data.stats["left_out"].value() == "2" and page.data.stats["read"].value() == "32 × 32"
    said = "\n".join(notes(page))
    assert "broken.png" in said and "notes.txt" in said and "1 image has transparent parts, shown on" in said
    cropped = data.pictures
    assert cropped is not None and not (cropped[0, ..., 0] == 255).all(axis=0).any()  # the red edge is cropped off
    pick(page.setup.images.fit, "whole")
    qtbot.waitUntil(lambda: data.state == "here" and not data.busy, timeout=WAIT_MS)
    whole = data.pictures
    assert whole is not None and whole.shape == cropped.shape and (whole != cropped).any()
    assert page.data.wall.images().tobytes() == whole[page.data.wall.shown].tobytes()
