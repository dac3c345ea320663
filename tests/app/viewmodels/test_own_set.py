"""A person's set of drawings: what is added, asked, removed and restored, and the run that learns it."""

from pathlib import Path

import numpy as np
import pytest

from desktop_app.viewmodels.own_set import ENOUGH, OwnSet
from ml.data import own_sets
from ml.events import RunFinished
from tests.support.fake_app import FakeApp, own_card
from tests.support.fake_engine import arguments
from tests.support.full_disk import small_files


@pytest.fixture
def own(app: FakeApp) -> OwnSet:
    return app.session.draw.own_set


def draw_stroke(app: FakeApp, column: int = 14) -> np.ndarray:
    stroke = np.zeros((28, 28), np.uint8)
    stroke[5:23, column] = 255
    app.session.draw.take(stroke)
    return stroke


def add(app: FakeApp, name: str, column: int = 14) -> np.ndarray:
    own = app.session.draw.own_set
    stroke = draw_stroke(app, column)
    own.choose_class(name)
    own.add(app.session.draw.drawing)
    while app.engine.jobs:
        app.engine.perform()
    return stroke


def test_a_drawing_is_kept_and_the_canvas_is_empty_for_the_next(app: FakeApp, own: OwnSet) -> None:
    assert "Name what you draw" in own.status
    strokes = [add(app, "heart", column) for column in (10, 11, 12)]
    assert own.status == f"3 of {ENOUGH} drawings of heart" and app.session.draw.empty
    assert [drawing.pixels.tolist() for drawing in own.drawings] == [stroke.tolist() for stroke in strokes]
    app.session.draw.undo()  # the last drawing, to go on from
    assert np.array_equal(app.session.draw.drawing, strokes[-1])
    for column in range(ENOUGH - 3):
        add(app, " heart", column)  # its name is set in order
    assert own.status == f"{ENOUGH} drawings of heart: enough to train" and [*own.classes] == ["heart"]
    assert not app.messages


def test_on_a_full_disk_the_drawing_stays_on_the_canvas(app: FakeApp, own: OwnSet) -> None:
    with small_files(10):
        stroke = add(app, "heart")
    assert app.messages[-1].tone == "error" and not own.drawings
    assert np.array_equal(app.session.draw.drawing, stroke)


@pytest.mark.parametrize("name", ["a/b", "   ", "nul", "x" * 100])
def test_a_name_that_no_folder_can_have_is_refused_in_a_sentence(app: FakeApp, own: OwnSet, name: str) -> None:
    add(app, name)
    assert app.messages[-1].tone == "error" and app.messages[-1].what_to_do
    assert not own.classes and not app.session.draw.empty


def test_a_digit_that_the_model_has_is_replaced_or_gets_a_companion(app: FakeApp, own: OwnSet) -> None:
    stroke = add(app, "3")
    assert not own.drawings and np.array_equal(app.session.draw.drawing, stroke)
    assert [words for _, words in app.messages[-1].actions] == ["Replace its 3", "Add as “my 3”"]
    own.remedy("beside")
    own.remedy("replace")  # asked and answered
    app.engine.perform()
    assert not app.engine.jobs and own.class_name == "my 3" and len(own.drawings) == 1
    add(app, "7")
    own.remedy("replace")
    app.engine.perform()
    assert own.class_name == "7" and len(own.drawings) == 1
    messages = len(app.messages)
    add(app, "7")  # known by now
    assert len(own.drawings) == 2 and len(app.messages) == messages


def test_a_removed_drawing_is_restored(app: FakeApp, own: OwnSet) -> None:
    for column in (10, 11):
        add(app, "heart", column)
    kept = own.drawings
    own.remove(0)
    own.remove(5)  # there is none
    app.engine.perform()
    assert own.drawings[0].path == kept[1].path and app.messages[-1].actions == (("own-set:undo", "Undo"),)
    own.choose_class("leaf")
    own.remedy("undo")
    own.remedy("undo")  # once
    app.engine.perform()
    assert not app.engine.jobs and own.class_name == "heart"
    assert [drawing.path for drawing in own.drawings] == [drawing.path for drawing in kept]


def test_a_class_is_renamed(app: FakeApp, own: OwnSet) -> None:
    own.rename("leaf")  # nothing to rename
    assert not app.engine.jobs
    add(app, "hart")
    own.rename("heart")
    app.engine.perform()
    assert own.class_name == "heart" and [*own.classes] == ["heart"]


def test_another_set_is_begun_and_gone_back_to(app: FakeApp, own: OwnSet) -> None:
    add(app, "heart")
    own.choose("a/b")
    assert own.name == "drawings" and app.messages[-1].tone == "error"
    own.choose("signs")
    assert own.name == "signs" and own.names == ("drawings", "signs") and not own.class_name
    app.engine.perform()
    assert not own.classes and own.names == ("drawings", "signs")
    own.choose("drawings")
    app.engine.perform()
    assert [*own.classes] == ["heart"] and own.names == ("drawings",)  # an empty one is none


def test_what_another_set_says_is_not_heard(app: FakeApp, own: OwnSet) -> None:
    add(app, "heart")
    own.read()
    own.choose("signs")
    app.engine.perform()
    assert not own.classes


def test_damaged_files_are_passed_over(app: FakeApp, own: OwnSet) -> None:
    add(app, "heart")
    (own.drawings[0].path.with_name("0002.png")).write_bytes(b"no image")
    own.read()
    app.engine.perform()
    assert len(own.drawings) == 1


def test_the_digits_model_learns_the_set_and_draws_it(app: FakeApp, own: OwnSet, tmp_path: Path) -> None:
    own.train()
    train, generate = app.session.train, app.session.generate
    assert train.state == "idle"
    for name in ("heart", "leaf"):
        add(app, name)
    own.train()
    config, folder, *_ = arguments(app.engine.job("train"))
    assert config.data == f"folder:{own_sets.folder_of('drawings')}" and config.minutes == 1
    assert (config.begin_with, config.keep_classes, config.images_per_class) == ("digits", True, 500)
    own.train()
    assert app.messages[-1].title == "A run is in progress already"
    assert len(app.engine.jobs_of("train")) == 1
    app.context.models = (*app.context.models, own_card(folder.name, (*"0123456789", "heart", "leaf")))
    app.engine.end(app.engine.job("train"), RunFinished(3, 60.0, folder / "model.safetensors", True))
    assert generate.settings.model == folder.name and generate.settings.prompt == "heart, leaf"
    assert arguments(app.engine.job("sample_and_judge"))[0].labels[:2] == (10, 11)
    assert app.messages[-1].actions == (("page:generate", "See them"),)
    own.train()
    messages = len(app.messages)
    app.engine.fail(app.engine.job("train"), "diverged", "The loss is NaN.")
    assert len(app.messages) == messages + 1 and train.state == "failed"
    generate.use_model("digits")
    train.draw_with.emit(folder.name, config.defaults)
    assert generate.settings.prompt == "heart, leaf"  # the last one about these images
