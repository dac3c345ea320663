"""Lessons' state: a lesson takes the page over and gives it back; one that is bad changes nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from desktop_app import lesson_file as files
from desktop_app.lesson_file import Lesson
from desktop_app.settings import AppSettings, DrawSettings, GenerateSettings
from ml.config import SampleRequest
from ml.control import RunControl
from ml.errors import BadFile, BadRequest
from ml.experiments.cells import Cell
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments
from tests.support.fake_events import images, sampled

GOOD: dict[str, Any] = {
    "version": 1,
    "title": "How few?",
    "question": "How few steps will do?\nLook at the 8.",
    "answer": "Six.",
    "page": "generate",
    "hidden": ["Advanced"],
    "generate": {"model": "digits", "steps": 2, "prompt": "38", "rows": 1},
}
BAD: dict[str, tuple[object, str]] = {
    "a newer one": ({"version": 2, "title": 7}, "lesson of a newer"),
    "out of range": ({"generate": {"steps": -1}}, "generate.steps"),
    "not a number": ('{"version": 1, "title": "t", "generate": {"eta": NaN}}', ""),
    "cut short": ('{"version": 1, "tit', "damaged"),
    "random bytes": ("\x00\x01\x02", "damaged"),
    "a list": ("[1]", "damaged"),
    "nested deeply": ("[" * 100_000, "damaged"),
    "too large": (" " * (files.MAX_BYTES + 1), "too large"),
    "no settings": ({"page": "draw"}, "missing"),
    "no page": ({"page": "../etc"}, "page"),
    "a file of a model": ({"generate": {"model": "/etc/passwd"}}, "disk"),
    "a share in a network": ({"generate": {"clip": "\\\\host\\share\\clip.pt"}}, "disk"),
    "a picture": ({"page": "explore", "explore": {"picture": "secret.png"}}, "image from a disk"),
    "a folder of data": ({"page": "train", "train": {"data": "folder:photos"}}, "disk"),
    "a preset": ({"page": "train", "train": {"preset": "none"}}, "preset"),
    "an axis": ({"page": "compare", "compare": {"values": {"model": "runs/mine"}}}, "disk"),
    "a wall of text": ({"question": "?\n" * 300}, "question"),
}


def lesson(**changes: object) -> Lesson:
    return Lesson.model_validate(GOOD | changes)


def write(folder: Path, content: object) -> Path:
    path = folder / f"mine{files.SUFFIX}"
    text = content if isinstance(content, str) else json.dumps({**GOOD, **dict(content)})  # type: ignore[call-overload]
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", BAD)
def test_a_bad_lesson_is_refused_in_words(tmp_path: Path, name: str) -> None:
    content, said = BAD[name]
    with pytest.raises(BadFile) as refused:
        list(files.reading(write(tmp_path, content), RunControl()))
    assert said in refused.value.message and refused.value.what_to_do


def test_a_lesson_as_large_as_it_may_be_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, {})
    text = path.read_text(encoding="utf-8")
    path.write_text(text + " " * (files.MAX_BYTES - len(text.encode())), encoding="utf-8")
    assert files.read(path) == lesson()
    with pytest.raises(BadFile, match="Cannot read none"):
        files.read(tmp_path / f"none{files.SUFFIX}")


def test_a_picture_in_a_corner_is_no_place_on_a_disk() -> None:
    corners = [{"label": 1, "picture": "iVBOR/a+b=="}] * 4
    found = lesson(page="interpolate", interpolate={"corners": corners})
    assert found.settings.model_names == {"digits"}


def test_a_lesson_knows_the_models_it_draws_with() -> None:
    lanes = [{"model": "student"}, {"model": "text"}]
    assert lesson().settings.model_names == {"digits"}
    assert lesson(page="compare", compare={"model": "colour", "lanes": lanes}).settings.model_names == {"colour"}
    raced = lesson(page="compare", compare={"mode": "race", "model": "colour", "lanes": lanes})
    assert raced.settings.model_names == {"student", "text"}
    assert lesson(page="draw", draw={"model": "shuffle-flow"}).settings.model_names == {"shuffle-flow"}
    assert lesson(page="explore", explore={}).settings.model_names == set()


def test_texts_of_a_lesson_are_tidied() -> None:
    found = lesson(title="  How \n few? ", question="  Why?\n\n", answer="\n")
    assert (found.title, found.question, found.answer) == ("How few?", "Why?", "")
    assert lesson(question="\n".join("12345678")).question.count("\n") == 7


def test_what_is_written_is_the_lessons_page_alone_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / f"out{files.SUFFIX}"
    both = lesson(draw={"pen": 3.0})
    files.write(path, both)
    assert "draw" not in json.loads(path.read_text(encoding="utf-8"))
    assert files.read(path) == lesson()


# ---- on and off


def test_a_lesson_takes_its_page_over_and_gives_it_back(app: FakeApp) -> None:
    session, lessons = app.session, app.session.lessons
    session.generate.change(seed=5, live=False)
    own = session.generate.settings
    changes: list[None] = []
    lessons.changed.connect(lambda: changes.append(None))
    lessons.begin(lesson())
    assert session.generate.settings.steps == 2 and arguments(app.engine.job("sample_and_judge"))[0].labels == (3, 8)
    assert lessons.own_settings()["generate"] == own and lessons.own_settings()["draw"] == session.draw.settings
    session.generate.undo()
    assert session.generate.settings.steps == 2  # taking back does not lead out of it
    session.draw.change(pen=2.0)
    lessons.exit()
    assert session.generate.settings == own and lessons.lesson is None and len(changes) == 2
    assert session.draw.settings.pen == 2.0 and lessons.own_settings()["generate"] == own
    lessons.exit()
    assert len(changes) == 2
    session.generate.stop()


def test_one_lesson_after_another_gives_each_page_back(app: FakeApp) -> None:
    session, lessons = app.session, app.session.lessons
    generate, draw = session.generate.settings, session.draw.settings
    lessons.begin(lesson())
    lessons.begin(lesson(generate={"model": "digits", "steps": 3}))
    assert session.generate.settings.steps == 3 and lessons.own_settings()["generate"] == generate
    lessons.begin(lesson(page="draw", draw={"pen": 3.0}))
    assert session.generate.settings == generate and session.draw.settings.pen == 3.0
    lessons.exit()
    assert session.draw.settings == draw
    session.generate.stop()


def test_a_lesson_whose_model_is_not_here_is_only_told_of(app: FakeApp) -> None:
    session, lessons = app.session, app.session.lessons
    own = session.generate.settings
    lessons.begin(lesson(generate={"model": "theirs"}))
    (told,) = app.messages
    assert (
        told.tone == "error" and "the model “theirs”, which isn't installed" in told.title and "How few?" in told.title
    )
    assert session.generate.settings == own and lessons.lesson is None and not app.engine.jobs
    lanes = [{"model": "digits"}, {"model": "x"}]
    lessons.begin(lesson(page="compare", compare={"mode": "race", "lanes": lanes}))
    assert "the model “x”" in app.messages[1].title and lessons.lesson is None


def test_what_a_lesson_was_begun_over_is_not_taken_back_into_it(app: FakeApp) -> None:
    session = app.session
    session.compare.change(seed=4)
    session.lessons.begin(lesson(page="compare", compare={"seed": 77}))
    session.undo.undo("compare")
    assert session.compare.settings.seed == 77


def test_other_settings_for_all_pages_end_the_lesson(app: FakeApp) -> None:
    session, lessons = app.session, app.session.lessons
    lessons.begin(lesson())
    wanted = AppSettings(generate=GenerateSettings(steps=6), draw=DrawSettings(pen=3.5))
    lessons.take_all(wanted)
    assert lessons.lesson is None and session.generate.settings.steps == 6 and session.draw.settings.pen == 3.5
    session.generate.stop()


def test_a_page_is_described_as_it_is_and_written(app: FakeApp, tmp_path: Path) -> None:
    session = app.session
    session.draw.change(pen=2.5)
    made = session.lessons.describe("draw", "T", "Q?", "", ("Recognition",))
    assert (made.page, made.title, made.question, made.hidden) == ("draw", "T", "Q?", ("Recognition",))
    assert made.settings == session.draw.settings
    with pytest.raises(BadRequest):
        session.lessons.describe("draw", "", "Q?", "", ())
    path = tmp_path / f"out{files.SUFFIX}"
    session.lessons.save(path, made)
    arguments(app.engine.job("export"))[1](lambda _done, _total: None)
    assert files.read(path) == made


def open_file(app: FakeApp, path: Path) -> None:
    app.session.opener.open(path)
    app.engine.perform(app.engine.job("reading"))


REFUSED: dict[str, tuple[object, str]] = BAD | {
    "a model that is not here": ({"generate": {"model": "theirs"}}, "theirs"),
    "a lane": (
        {"page": "compare", "compare": {"mode": "race", "lanes": [{"model": "x"}, {"model": "y"}]}},
        "model “x”",
    ),
}


@pytest.mark.parametrize("name", ["cut short", "a model that is not here", "a lane"])
def test_a_bad_lesson_is_refused_in_one_message_and_changes_nothing(app: FakeApp, tmp_path: Path, name: str) -> None:
    content, said = REFUSED[name]
    before = app.session.lessons.own_settings()
    open_file(app, write(tmp_path, content))
    (told,) = app.messages
    assert told.tone == "error" and said in told.title and not told.details
    assert app.session.lessons.own_settings() == before and app.session.lessons.lesson is None
    assert not app.engine.jobs


def test_a_lesson_that_is_gone_is_told_of(app: FakeApp, tmp_path: Path) -> None:
    open_file(app, tmp_path / f"none{files.SUFFIX}")
    (told,) = app.messages
    assert "Cannot read" in told.title


# ---- results


def test_a_lesson_over_a_comparison_takes_it_off_the_page_and_brings_it_back(app: FakeApp) -> None:
    compare, lessons = app.session.compare, app.session.lessons
    compare.compare()
    app.engine.end(app.engine.job("run_comparison"), own := Cell(0, 0, SampleRequest(labels=(3,)), images(1), 0.5, 1.0))
    app.context.use_page("explore")
    lessons.begin(Lesson.model_validate(GOOD | {"page": "compare", "compare": {"rows": "eta", "columns": ""}}))
    assert not compare.cells and compare.rows is None
    compare.compare()
    lessons.exit()
    assert not compare.busy and compare.cells == [own] and not compare.outdated and compare.settings.rows == "steps"
    assert lessons.came_from == "explore" and len(app.context.history.results) == 1


def test_opening_and_leaving_a_lesson_draws_nothing_that_is_shown(app: FakeApp) -> None:
    generate, lessons = app.session.generate, app.session.lessons
    generate.draw()
    job = app.engine.job("sample_and_judge")
    app.engine.end(job, sampled(arguments(job)[0]))
    own = generate.trajectory
    lessons.begin(lesson(generate=generate.settings.model_dump(mode="json")))
    lessons.exit()
    assert generate.trajectory is own and not generate.busy
    lessons.begin(lesson())
    assert generate.trajectory is not own
    lessons.exit()
    assert generate.trajectory is own and not generate.busy and len(app.context.history.results) == 1
