"""Lessons of several steps: replies are checked, answers change the page, and progress is kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from desktop_app import lesson_file as files
from desktop_app.lesson_file import Lesson, Question, Step
from desktop_app.settings import AppSettings, LessonProgress
from desktop_app.viewmodels import lessons as lessons_module
from ml.errors import BadFile, BadRequest
from tests.support.fake_app import FakeApp

COURSE: dict[str, Any] = {
    "version": 1,
    "title": "Steps",
    "question": "What do two steps give?",
    "answer": "A blur.",
    "choices": ["A blur", "A digit"],
    "right": 0,
    "reveals": {"steps": 20},
    "page": "generate",
    "generate": {"model": "digits", "steps": 2, "prompt": "38", "rows": 1},
    "later_steps": [
        {"question": "How many now?", "between": [18, 22]},
        {"question": "Draw!", "answer": "Well done.", "page": "draw", "changes": {"pen": 3.0}, "written": True},
        {"question": "And back.", "page": "generate", "changes": {"steps": 4}},
    ],
}


def lesson(**changes: object) -> Lesson:
    return Lesson.model_validate(COURSE | changes)


def bad(step: object) -> dict[str, object]:
    return {"later_steps": [step]}


BAD: dict[str, tuple[dict[str, object], str]] = {
    "one choice": ({"choices": ["A"], "right": None}, "two choices"),
    "a choice that is not there": ({"right": 2}, "not among"),
    "limits the wrong way round": (bad({"question": "?", "between": [3, 1]}), "above the largest"),
    "two kinds of reply": (bad({"question": "?", "between": [1, 3], "written": True}), "two of them"),
    "a wrong setting": (bad({"question": "?", "changes": {"steps": -1}}), "steps"),
    "a wrong setting of the answer": ({"reveals": {"steps": "many"}}, "steps"),
    "a file of a model": (bad({"question": "?", "changes": {"model": "/etc/passwd"}}), "disk"),
    "a file in the answer": ({"reveals": {"clip": "\\\\host\\share\\clip.pt"}}, "disk"),
    "a picture": (bad({"question": "?", "page": "explore", "changes": {"picture": "secret.png"}}), "image from a disk"),
    "no page": (bad({"question": "?", "page": "../etc"}), "page"),
    "too many steps": ({"later_steps": [{"question": "?"}] * files.MAX_STEPS}, "later_steps"),
    "too many choices": ({"choices": [str(k) for k in range(files.MAX_CHOICES + 1)]}, "choices"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_step_is_refused_in_words(tmp_path: Path, name: str) -> None:
    changes, said = BAD[name]
    path = tmp_path / f"mine{files.SUFFIX}"
    path.write_text(json.dumps(COURSE | changes), encoding="utf-8")
    with pytest.raises(BadFile) as refused:
        files.read(path)
    assert said in refused.value.message and "\n" not in refused.value.message


def test_replies_are_checked() -> None:
    choice, number, words = lesson().steps[:3]
    assert choice.is_right("A blur") is True and choice.is_right("A digit") is False
    assert [number.is_right(reply) for reply in ("18", " 22,0 ", "17.9", "23")] == [True, True, False, False]
    assert words.is_right("Done") is None and Question(question="?").is_right("") is None
    assert Question(question="?", choices=("a", "b")).is_right("b") is None  # a matter of opinion
    for question, reply in ((choice, ""), (number, "many"), (number, "nan"), (number, ""), (words, " ")):
        with pytest.raises(BadRequest):
            question.is_right(reply)


def test_a_step_begins_with_what_the_steps_before_have_shown() -> None:
    found = lesson()
    assert [found.page_of(k) for k in range(4)] == ["generate", "generate", "draw", "generate"]
    steps = [getattr(found.settings_of(k), "steps", None) for k in range(4)]
    assert steps == [2, 20, None, 4] and getattr(found.settings_of(0, revealed=True), "steps", 0) == 20
    assert getattr(found.settings_of(2), "pen", 0) == 3.0
    assert getattr(found.settings_of(3), "prompt", "") == "38"  # of the first step, kept on that page
    other = lesson(later_steps=[{"question": "?", "changes": {"model": "student"}}])
    assert found.model_names == {"digits"} and other.model_names == {"digits", "student"}


def test_all_steps_come_back_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / f"out{files.SUFFIX}"
    files.write(path, lesson())
    assert files.read(path) == lesson() and files.read(path).key == lesson().key != lesson(title="T").key


# ---- a student's way


def test_a_lesson_is_walked_through_and_every_page_is_given_back(app: FakeApp) -> None:
    session, lessons = app.session, app.session.lessons
    own = session.generate.settings, session.draw.settings
    lessons.begin(lesson())
    with pytest.raises(BadRequest):
        lessons.answer("")
    assert not lessons.replies and session.generate.settings.steps == 2
    lessons.answer("A digit")
    assert session.generate.settings.steps == 20 and lessons.score == (0, 1)
    lessons.answer("A blur")
    assert lessons.replies == {0: "A digit"}  # the first reply counts
    session.generate.change(seed=9, live=False)
    lessons.go(1)
    assert session.generate.settings.seed == 9  # a step that changes nothing keeps what the student did
    lessons.answer("20")
    lessons.go(2)
    assert lessons.page == "draw" and session.draw.settings.pen == 3.0
    lessons.answer("  Done ")
    assert lessons.replies[2] == "Done" and not lessons.finished
    lessons.go(3)
    assert lessons.finished and lessons.score == (1, 2) and session.generate.settings.steps == 4
    lessons.go(4)
    lessons.go(-1)
    assert lessons.step == 3
    lessons.go(0)
    assert session.generate.settings.steps == 20  # as its answer left it
    assert lessons.own_settings()["draw"] == own[1]
    lessons.exit()
    assert (session.generate.settings, session.draw.settings) == own
    session.draw.change(pen=1.0)
    assert getattr(lessons.own_settings()["draw"], "pen", 0) == 1.0
    session.generate.stop()


def test_a_lesson_continues_where_it_was_left_and_a_finished_one_begins_anew(app: FakeApp) -> None:
    lessons, kept = app.session.lessons, app.context.lesson_progress
    lessons.begin(lesson())
    lessons.answer("A blur")
    lessons.go(1)
    lessons.exit()
    progress = kept[lesson().key]
    assert (progress.step, progress.steps, progress.replies, progress.finished) == (1, 4, {0: "A blur"}, False)
    lessons.begin(lesson())
    assert (lessons.step, lessons.replies) == (1, {0: "A blur"}) and app.session.generate.settings.steps == 20
    for step, reply in ((1, "20"), (2, "x")):
        lessons.go(step)
        lessons.answer(reply)
    lessons.go(3)
    lessons.begin(lesson())
    assert (lessons.step, lessons.replies) == (0, {}) and kept[lesson().key].finished
    app.session.generate.stop()


def test_progress_is_kept_for_the_next_start_and_bounded(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons_module, "MOST_REMEMBERED", 2)
    before = AppSettings(lesson_progress={"a": LessonProgress(), "b": LessonProgress(step=1)})
    app = make(AppSettings.model_validate_json(before.model_dump_json()))
    app.session.lessons.begin(lesson())
    assert list(app.context.lesson_progress) == ["b", lesson().key]
    app.session.generate.stop()


def test_an_old_lesson_is_one_step_that_is_done_when_its_answer_is_shown(app: FakeApp) -> None:
    lessons = app.session.lessons
    old = {key: COURSE[key] for key in ("version", "title", "question", "answer", "page", "generate")}
    lessons.begin(Lesson.model_validate(old))
    assert not lessons.finished and lessons.question is lessons.lesson and lessons.next_lesson is None
    lessons.answer()
    assert lessons.finished and lessons.score == (0, 0)
    lessons.begin(Lesson.model_validate(old | {"answer": ""}))
    assert lessons.finished
    app.session.generate.stop()


# ---- the course


def test_the_course_is_long_and_every_lesson_of_it_is_whole() -> None:
    course = [files.read(path) for path in files.bundled()]
    assert len(course) >= 12 and len({each.key for each in course}) == len(course)
    assert {path.stem for path in files.bundled()} == {path.stem for path in files.bundled()[0].parent.iterdir()}
    for each in course:
        assert 3 <= len(each.steps) <= 5, each.title
        for step in each.steps:
            assert step.asks and step.answer, each.title
            assert len(step.question) < 330 and len(step.answer) < 330, step.question
            if isinstance(step, Step):  # what it names exists, since unknown names are ignored
                page = each.page_of(each.steps.index(step))
                names = set(type(each.settings_of(each.steps.index(step))).model_fields)
                assert set(step.changes) | set(step.reveals) <= names, (each.title, page)


@pytest.mark.parametrize("path", files.bundled(), ids=lambda path: path.stem)
def test_every_lesson_of_the_course_is_walked_through(app: FakeApp, path: Path) -> None:
    lessons = app.session.lessons
    found = files.read(path)
    lessons.begin(found)
    for number, step in enumerate(found.steps):
        lessons.go(number)
        settings = app.session.pages[found.page_of(number)].settings
        assert settings == found.settings_of(number)
        right = step.choices[step.right or 0] if step.choices else f"{step.between[0]}" if step.between else "So."
        lessons.answer(right)
        assert app.session.pages[lessons.page].settings == found.settings_of(number, revealed=True)
    right, checked = lessons.score
    assert lessons.finished and right == checked > 0 and not app.messages
    following = lessons.next_lesson
    course = files.bundled()
    assert following == (course[course.index(path) + 1] if path != course[-1] else None)
    lessons.exit()
    app.session.generate.stop()
