"""The data of the next run: looked at behind everything else, once for each way to read them."""

from pathlib import Path

import numpy as np
import pytest

from desktop_app.tasks.data import ClassImages, DataChoice, FirstImages, NotHere, NotReadable
from desktop_app.viewmodels.training_data import ALL, KEPT, TrainingData
from ml.data.survey import ClassCount, SizeCount, Survey, strip
from ml.events import Progress, RunStarted
from ml.registry import presets
from ml.specs import IMAGE_FOLDER
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments

SIDE = 16
LABELS = (0, 0, 1, 1, 1)


def survey(channels: int = 1, side: int = SIDE) -> Survey:
    """Five images of two classes, each of a shade of its own."""
    images = np.stack([np.full((side, side, channels), 10 * k, np.uint8) for k in range(len(LABELS))])
    return Survey(
        name="folder:/images",
        classes=(ClassCount(name="cat", train=20, held_out=2), ClassCount(name="dog", train=30, held_out=3)),
        sizes=(SizeCount(width=64, height=48, count=55),),
        side=side,
        channels=channels,
        thumbnail_labels=LABELS,
        thumbnail_strip=strip(images),
    )


@pytest.fixture
def data(app: FakeApp) -> TrainingData:
    app.session.train.change(data=f"{IMAGE_FOLDER}/images")
    return app.session.train.data


def shades(data: TrainingData) -> list[int]:
    assert data.pictures is not None
    return [int(image.flat[0]) for image in data.pictures]


def test_nothing_is_read_before_the_data_are_looked_at(app: FakeApp, data: TrainingData) -> None:
    assert data.state == "waiting" and not app.engine.jobs
    data.look()
    job = app.engine.job("survey_data")
    assert job.background and data.state == "reading"
    assert arguments(job) == (DataChoice(f"{IMAGE_FOLDER}/images"), False)
    data.look()
    assert app.engine.jobs == [job]  # one at a time


def test_data_are_looked_at_once_for_each_way_to_read_them(app: FakeApp, data: TrainingData) -> None:
    train = app.session.train
    data.look()
    app.engine.give(app.engine.job("survey_data"), Progress("Reading images", 1, 4))
    assert data.doing == ("Reading images", 0.25)
    first = survey()
    app.engine.end(app.engine.job("survey_data"), first)
    assert data.state == "here" and data.survey is first and shades(data) == [0, 10, 20, 30, 40]
    data.look()
    assert not app.engine.jobs
    train.set_own("fit", "whole")
    assert data.choice.fit == "whole" and data.survey is first  # until the other is read
    data.look()
    app.engine.end(app.engine.job("survey_data"), second := survey(channels=3))
    assert data.survey is second and data.pictures is not None and data.pictures.shape == (5, SIDE, SIDE, 3)
    train.set_own("fit", "crop")
    data.look()
    assert data.survey is first and not app.engine.jobs and data.state == "here"


def test_images_are_shown_before_all_of_them_are_read(app: FakeApp, data: TrainingData) -> None:
    data.look()
    job = app.engine.job("survey_data")
    app.engine.give(job, FirstImages(first := survey()), Progress("Reading images", 1, 4))
    assert data.state == "reading" and data.survey is first and shades(data) == [0, 10, 20, 30, 40]
    data.show_class(1)
    assert shades(data) == [20, 30, 40] and not app.engine.jobs_of("class_images")
    app.engine.end(job, survey())
    assert data.shown_class == 1 and app.engine.jobs_of("class_images")


def test_what_is_chosen_decides_how_data_are_read(app: FakeApp, data: TrainingData) -> None:
    train = app.session.train
    train.change(preset="1-minute")
    for name, value in {"model.image_size": 28, "model.channels": 1, "fit": "stretch", "ground": "#ff0000"}.items():
        train.set_own(name, value)
    assert data.choice == DataChoice(f"{IMAGE_FOLDER}/images", None, 28, 1, "stretch", "#ff0000")
    assert train.config().model.image_size == 28 and "image_size" in train.config().model.model_fields_set
    train.set_own("model.image_size", None)
    train.set_own("ground", "auto")
    assert set(train.settings.own) == {"model.channels", "fit"} and data.choice.side is None
    train.change(preset="colour")
    assert data.choice == DataChoice(f"{IMAGE_FOLDER}/images", None, 32, 3)
    app.context.use_data_root(Path("data"))
    assert data.choice.root == Path("data")
    train.change(own={"model.image_size": "large"})  # of a settings file that was changed by hand
    assert data.choice.side == 32


def test_another_choice_cancels_what_is_read_and_drops_its_result(app: FakeApp, data: TrainingData) -> None:
    data.look()
    late = app.engine.job("survey_data")
    app.session.train.change(data=f"{IMAGE_FOLDER}/others")
    assert late.control.cancelled and data.state == "waiting"
    data.look()
    app.engine.end(late, survey())
    assert data.survey is None and data.state == "reading"


def test_a_run_that_is_started_does_not_wait_for_a_look(app: FakeApp, data: TrainingData) -> None:
    data.look()
    looking = app.engine.job("survey_data")
    app.session.train.start()
    assert looking.control.cancelled and data.state == "waiting"


@pytest.mark.parametrize("problem", [NotHere(), NotReadable("There is no folder.", "Choose another one.")])
def test_data_that_cannot_be_shown_are_asked_for_once(app: FakeApp, data: TrainingData, problem: object) -> None:
    data.look()
    app.engine.end(app.engine.job("survey_data"), problem)
    assert data.state == ("not here" if isinstance(problem, NotHere) else "unreadable") and not app.messages
    data.look()
    assert not app.engine.jobs and data.problem is problem
    data.look_again() if isinstance(problem, NotReadable) else data.look(download=True)
    again = app.engine.job("survey_data")
    assert arguments(again)[1] is isinstance(problem, NotHere) and data.state == "reading"
    app.engine.end(again, survey())
    assert data.state == "here" and data.problem is None


def test_a_folder_that_may_have_changed_is_read_again(app: FakeApp, data: TrainingData) -> None:
    data.look()
    app.engine.end(app.engine.job("survey_data"), first := survey())
    data.look_again()
    assert data.state == "reading" and data.survey is first
    app.engine.end(app.engine.job("survey_data"), second := survey())
    assert data.survey is second


def test_a_class_is_shown_with_the_images_at_hand_and_then_with_more(app: FakeApp, data: TrainingData) -> None:
    data.show_class(1)
    assert data.shown_class == ALL  # nothing is known yet
    data.look()
    app.engine.end(app.engine.job("survey_data"), survey())
    data.show_class(1)
    assert shades(data) == [20, 30, 40] and data.labels == (1, 1, 1)
    job = app.engine.job("class_images")
    assert arguments(job) == (data.choice, 1) and not job.background
    data.show_class(0)
    assert job.control.cancelled and shades(data) == [0, 10]
    more = np.full((7, SIDE, SIDE), 9, np.uint8)
    app.engine.end(job, ClassImages(1, more))  # too late
    assert data.labels == (0, 0)
    app.engine.end(app.engine.job("class_images"), ClassImages(0, more))
    assert data.pictures is more and data.labels == (0,) * 7
    data.show_class(5)
    assert data.shown_class == 0  # there is no such class
    data.show_class(ALL)
    assert shades(data) == [0, 10, 20, 30, 40] and not app.engine.jobs
    app.session.train.change(data=f"{IMAGE_FOLDER}/others")
    assert data.shown_class == ALL and data.pictures is None


def test_the_chosen_class_stays_while_only_the_reading_changes(app: FakeApp, data: TrainingData) -> None:
    data.look()
    app.engine.end(app.engine.job("survey_data"), survey())
    data.show_class(1)
    app.engine.end(app.engine.job("class_images"))
    app.session.train.set_own("model.image_size", 24)
    data.look()
    app.engine.end(app.engine.job("survey_data"), survey(side=24))
    assert data.shown_class == 1 and data.pictures is not None and data.pictures.shape == (3, 24, 24)
    assert arguments(app.engine.job("class_images"))[0].side == 24


def test_only_so_many_surveys_are_kept(app: FakeApp, data: TrainingData) -> None:
    for number in range(KEPT + 1):
        app.session.train.change(data=f"{IMAGE_FOLDER}/{number}")
        data.look()
        app.engine.end(app.engine.job("survey_data"), survey())
    app.session.train.change(data=f"{IMAGE_FOLDER}/1")
    assert data.state == "here"
    app.session.train.change(data=f"{IMAGE_FOLDER}/0")
    assert data.state == "waiting"


def test_a_folder_that_is_dropped_is_chosen_on_the_train_page(app: FakeApp, tmp_path: Path) -> None:
    opened: list[str] = []
    app.session.opener.opened.connect(opened.append)
    train = app.session.train
    app.session.opener.open(tmp_path)
    assert train.settings.data == f"{IMAGE_FOLDER}{tmp_path}" and opened == ["train"] and not app.messages
    train.start()
    assert train.folder is not None
    app.engine.give(app.engine.job("train"), RunStarted(presets.load("1-minute"), train.folder, "CPU", 1, 0, None))
    (tmp_path / "more").mkdir()
    app.session.opener.open(tmp_path / "more")
    assert app.messages[-1].title == "Chosen for the next run: Images in “more”"
