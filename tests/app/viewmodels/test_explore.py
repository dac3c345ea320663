"""Explore's state: what is shown is what was asked for last."""

from pathlib import Path

import numpy as np
import pytest

from desktop_app.tasks.explore import Answered, NoisedImage, RowDone
from desktop_app.viewmodels.explore import QUESTIONS, Explore
from ml.config import SampleRequest
from ml.errors import BadFile
from ml.events import Failed, Progress
from ml.experiments import questions
from ml.experiments.questions import Answer, Row
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments
from tests.support.fake_events import images

FIGURE = np.zeros((4, 4, 3), np.uint8)


@pytest.fixture
def explore(app: FakeApp) -> Explore:
    return app.session.explore


def answer(*requests: SampleRequest) -> Answered:
    rows = tuple(Row("a row", images(1), "", request) for request in requests)
    return Answered(Answer("steps", 1, "How many?", rows), FIGURE)


# ---- noise


def test_noise_on_an_image_of_before_is_not_shown(app: FakeApp, explore: Explore) -> None:
    explore.look()
    old = app.engine.job("add_noise")
    explore.look()
    assert len(app.engine.jobs) == 1  # that is on its way
    explore.change(digit=3)
    new = app.engine.job("add_noise")
    assert new is not old and arguments(new)[0].digit == 3
    app.engine.end(old, NoisedImage((), "a 7"))
    assert explore.what == ""
    app.engine.end(new, NoisedImage((), "a 3"))
    assert explore.what == "a 3"
    explore.change(tab="schedules")
    assert not app.engine.jobs  # all tabs show the same
    explore.change(digit=7)
    assert app.engine.jobs


def test_a_picture_that_cannot_be_read_gives_way_to_a_digit(app: FakeApp, explore: Explore, tmp_path: Path) -> None:
    explore.use_picture(tmp_path / "wrong.png")
    app.engine.end(app.engine.job("add_noise"), Failed("file", "no picture", "", ""))
    assert explore.settings.picture is None and arguments(app.engine.job("add_noise"))[0].picture is None


def test_a_picture_that_cannot_be_read_leaves_the_one_before_it(app: FakeApp, explore: Explore, tmp_path: Path) -> None:
    explore.use_picture(tmp_path / "mine.png")
    app.engine.end(app.engine.job("add_noise"), NoisedImage((), "mine"))
    explore.use_picture(tmp_path / "wrong.png")
    app.engine.end(app.engine.job("add_noise"), Failed("file", "no picture", "", ""))
    assert explore.settings.picture == tmp_path / "mine.png" and explore.what == "mine"
    app.engine.end(app.engine.job("add_noise"), Failed("file", "gone meanwhile", "", ""))
    assert explore.settings.picture is None


def test_schedules_of_a_plot_are_shown_again(explore: Explore, tmp_path: Path) -> None:
    said = explore.restore({"digit": 4, "timesteps": 200})
    assert (explore.settings.digit, explore.settings.timesteps, explore.settings.tab) == (4, 200, "schedules")
    assert "200 steps" in said and "picture" not in said
    said = explore.restore({"timesteps": 300, "picture": str(tmp_path / "theirs.png")})
    assert explore.settings.picture is None and "theirs.png" in said  # no file tells which others are opened
    explore.use_picture(tmp_path / "mine.png")
    explore.restore({"timesteps": 400, "picture": str(tmp_path / "mine.png")})
    assert explore.settings.picture == tmp_path / "mine.png"
    with pytest.raises(BadFile):
        explore.restore({"timesteps": 5})


# ---- questions


def test_the_answer_to_a_question_that_was_left_is_not_heard(app: FakeApp, explore: Explore) -> None:
    explore.ask("steps")
    old = app.engine.job("answer_question")
    assert arguments(old) == ("steps",)
    app.engine.give(old, Progress("drawing", 1, 4))
    assert explore.doing == ("Answering a question", 0.25)
    explore.ask("eta")
    new = app.engine.job("answer_question")
    assert old.control.cancelled and explore.question == "eta" and explore.doing == ("Answering a question", None)
    app.engine.end(old, Progress("drawing", 3, 4), answer())
    assert explore.answer is None and explore.progress is None and explore.busy
    app.engine.end(new, Progress("drawing", 4, 4), found := answer())
    assert explore.answer is found.answer and explore.figure is FIGURE and not explore.busy
    assert explore.question == "eta"
    explore.stop()
    assert explore.question == "eta"  # there is nothing to be stopped
    explore.ask("steps")
    assert explore.answer is None and explore.figure is None and explore.doing == ("Answering a question", None)
    stopped = app.engine.job("answer_question")
    explore.stop()
    assert not explore.busy and explore.question == "" and stopped.control.cancelled
    app.engine.end(stopped, answer())
    assert explore.answer is None


def test_a_row_of_the_answer_is_tried_out(app: FakeApp, explore: Explore) -> None:
    explore.open_row(0)
    assert not app.engine.jobs
    explore.ask("steps")
    first, second = SampleRequest(labels=(1,), steps=3), SampleRequest(labels=(2,), steps=4)
    app.engine.end(app.engine.job("answer_question"), answer(first, second))
    explore.open_row(1)
    assert arguments(app.engine.job("sample_and_judge"))[0].steps == 4
    assert app.session.generate.settings.prompt == "2"


def test_the_page_asks_every_question_there_is() -> None:
    known = {name: found.question for name, found in questions.EXPERIMENTS.items()}
    assert known.pop("guidance") == known["guidance-wide"]  # of figures of before, in which guidance hardly acts
    assert known == {
        **QUESTIONS,
        "words": "Which digits does CLIP guidance get right?",
    }  # fmt: skip


def test_rows_come_as_they_are_done_and_the_answer_ends_with_a_sentence(app: FakeApp, explore: Explore) -> None:
    explore.ask("steps")
    job = app.engine.job("answer_question")
    first, second = (Row(f"{n} steps", images(1), "", SampleRequest(labels=(n,))) for n in (1, 2))
    app.engine.give(job, RowDone(first))
    assert explore.rows == [first] and explore.busy
    explore.open_row(0)
    assert arguments(app.engine.job("sample_and_judge"))[0].labels == (1,) * 30
    explore.open_row(1)  # which isn't there yet
    app.engine.end(job, Answered(Answer("steps", 1, "?", (first, second)), FIGURE, "Two are enough."))
    assert explore.rows == [first, second] and explore.conclusion == "Two are enough."
    explore.ask("eta")
    app.engine.give(app.engine.job("answer_question"), RowDone(second))
    explore.stop()
    assert explore.rows == [second] and explore.asked == "eta" and explore.conclusion == ""
