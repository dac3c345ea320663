"""Lessons: opened with what they hide, left without a trace, saved and opened again, and refused where they are bad."""

import json
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from desktop_app import lesson_file as lessons
from desktop_app.lesson_file import Lesson
from desktop_app.pages.explore import ExplorePage
from desktop_app.pages.registry import PAGE_KEYS
from desktop_app.settings import AppSettings, load_settings
from desktop_app.widgets.controls.hideable import Hideable
from desktop_app.widgets.controls.rows import Section
from desktop_app.window.main_window import MainWindow
from ml.errors import BadRequest
from tests.app.conftest import Opener, leave
from tests.patience import WAIT_MS

GOOD: dict[str, Any] = {
    "version": 1,
    "title": "How few?",
    "question": "How few steps will do?\nLook at the 8.",
    "answer": "Six.",
    "page": "generate",
    "hidden": ["Advanced"],
    "generate": {"model": "tiny", "steps": 2, "prompt": "38", "rows": 1},
}


def lesson_file(folder: Path, **changes: object) -> Path:
    path = folder / f"mine{lessons.SUFFIX}"
    path.write_text(json.dumps(GOOD | changes), encoding="utf-8")
    return path


def open_lesson(window: MainWindow, qtbot: QtBot, path: Path) -> Lesson:
    with qtbot.waitSignal(window.session.lessons.changed, timeout=WAIT_MS):
        window.open_file(path)
    lesson = window.session.lessons.lesson
    assert lesson is not None
    return lesson


def section(window: MainWindow, page: str, title: str) -> Section:
    return next(found for found in window.page(page).findChildren(Section) if found.title == title)


def test_a_lesson_sets_the_page_up_and_leaving_it_brings_everything_back(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    generate, card = window.session.generate, window.lesson_card
    own = generate.settings
    advanced = section(window, "generate", "Advanced")
    open_lesson(window, qtbot, lesson_file(tmp_path))
    assert card.isVisible() and card.question.text() == GOOD["question"] and not card.answer.isVisible()
    card.reveal.click()
    assert card.answer.isVisible() and card.answer.text() == "Six."
    assert not advanced.isVisible() and section(window, "generate", "Sampling").isVisible()
    qtbot.waitUntil(lambda: generate.sampled is not None and not generate.busy, timeout=WAIT_MS)
    assert generate.request is not None and (generate.request.steps, generate.request.labels) == (2, (3, 8))
    generate.change(steps=3, live=False)
    for _ in range(3):
        generate.undo()
    assert generate.settings.steps == 2  # Ctrl+Z does not lead out of the lesson
    card.leave.click()
    assert generate.settings == own and advanced.isVisible() and not card.isVisible()
    qtbot.waitUntil(lambda: not generate.busy, timeout=WAIT_MS)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=() if path.stem in ("1-steps", "2-guidance") else pytest.mark.slow)
        for path in lessons.bundled()
    ],
)
def test_the_lessons_that_ship_are_taught_from_start_to_end(window: MainWindow, qtbot: QtBot, path: Path) -> None:
    lesson = open_lesson(window, qtbot, path)
    assert window.rail.page() == lesson.page and lesson.answer
    assert window.session.lessons._pages[lesson.page].settings == lesson.settings
    groups = {found.title for found in window.page(lesson.page).findChildren(Section)}
    assert set(lesson.hidden) <= groups
    assert not set(window.page(lesson.page).controls()) & set(lesson.hidden)
    generate = window.session.generate
    qtbot.waitUntil(lambda: not generate.busy, timeout=WAIT_MS)
    if lesson.page == "generate":
        assert generate.sampled is not None and generate.sampled.request.model == generate.settings.model != "tiny"
    state, card = window.session.lessons, window.lesson_card
    for number, step in enumerate(lesson.steps):
        if step.choices:
            card.choices[step.right or 0].click()
        else:
            card.entry.setText(f"{step.between[0]:g}" if step.between else "I see it.")
        card.check.click()
        assert number in state.replies and card.verdict.text() != "Not quite."
        qtbot.waitUntil(lambda: window.session.context.at_rest, timeout=WAIT_MS)
        assert window.rail.page() == lesson.page_of(number) and window.messages.isHidden()
        if card.next.isVisible():
            card.next.click()
    assert state.finished and card.progress.text().startswith("Lesson finished")


def test_the_explore_page_lists_the_lessons(window: MainWindow, qtbot: QtBot) -> None:
    window.rail.set_page("explore")
    panel = window.page("explore")
    assert isinstance(panel, ExplorePage)
    assert len(panel.lesson_buttons) == len(lessons.bundled()) >= 12
    with qtbot.waitSignal(window.session.lessons.changed, timeout=WAIT_MS):
        panel.lesson_buttons[6].click()
    assert window.rail.page() == "compare" and window.session.compare.settings.rows == "guidance"
    window.lesson_card.entry.setText("It is clearer.")
    window.lesson_card.check.click()
    assert panel.lesson_buttons[6].accessibleName() == "What does guidance do?: 1 of 3 steps done"


def test_what_a_lesson_hides_stays_hidden_when_the_page_would_show_it(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    path = lesson_file(tmp_path, page="explore", explore={"digit": 5}, hidden=["Questions", "Image"])
    open_lesson(window, qtbot, path)
    explore, questions = window.session.explore, section(window, "explore", "Questions")
    explore.change(tab="questions")
    assert not questions.isVisible()
    window.session.lessons.exit()
    assert window.rail.page() == "generate"  # where the lesson was opened
    window.rail.set_page("explore")
    assert explore.settings.tab == "forward" and section(window, "explore", "Image").isVisible()
    explore.change(tab="questions")
    assert questions.isVisible()


def test_one_lesson_after_another_keeps_the_persons_own_settings(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    generate, draw = window.session.generate.settings, window.session.draw.settings
    open_lesson(window, qtbot, lesson_file(tmp_path))
    open_lesson(window, qtbot, lesson_file(tmp_path, page="draw", draw={"pen": 3.0}, hidden=["What it is"]))
    assert window.session.generate.settings == generate and window.session.draw.settings.pen == 3.0
    assert not section(window, "draw", "Recognition").isVisible()  # the name is that of version 1
    assert section(window, "generate", "Advanced").isVisibleTo(window.generate)
    window.session.lessons.exit()
    assert window.session.draw.settings == draw


def test_closing_in_a_lesson_remembers_the_persons_own_settings(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    own = window.session.generate.settings
    open_lesson(window, qtbot, lesson_file(tmp_path))
    leave(window, qtbot)
    assert load_settings().generate == own


def test_a_lesson_is_opened_by_the_command_line(
    home: Path, qtbot: QtBot, settings: AppSettings, tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    from desktop_app import __main__, app

    made: list[MainWindow] = []
    open_window = app.open_window
    monkeypatch.setattr(app, "open_window", lambda _remembered, file: made.append(open_window(settings, file)))
    monkeypatch.setattr(app, "run", lambda _app, _window: 0)
    monkeypatch.setattr("sys.argv", ["noiseloom"])
    __main__.main([str(lesson_file(tmp_path))])
    (window,) = made
    qtbot.waitUntil(lambda: window.session.lessons.lesson is not None, timeout=WAIT_MS)
    assert window.lesson_card.isVisible() and window.messages.isHidden()
    leave(window, qtbot)
    window.deleteLater()


def test_a_page_is_saved_as_a_lesson_and_opened_again(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = window.session.compare
    window.rail.set_page("compare")
    compare.change(rows="eta", columns="", seed=11)
    taught = compare.settings
    dialog = window.save_lesson()
    assert {"Axes", "Rows", "Columns", "Shared settings", "Model"} <= set(dialog.hide_boxes)
    dialog.save_button.click()
    assert dialog.isVisible() and "title" in dialog.problem.text()
    dialog.title.setText("What is eta?")
    dialog.question.setPlainText("What does <b>eta</b> do?")
    dialog.hide_boxes["Shared settings"].setChecked(True)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "eta"), ""))
    with qtbot.waitSignal(window.session.context.message, timeout=WAIT_MS):
        dialog.save_button.click()
    path = tmp_path / f"eta{lessons.SUFFIX}"
    assert window.messages.title() == f"Saved {path.name}" and path.stat().st_size < 2000
    assert "generate" not in json.loads(path.read_text(encoding="utf-8"))
    compare.change(rows="steps", seed=1)
    lesson = open_lesson(window, qtbot, path)
    assert compare.settings == taught and lesson.hidden == ("Shared settings",) and not lesson.answer
    assert (
        window.lesson_card.question.text() == "What does <b>eta</b> do?" and not window.lesson_card.reveal.isVisible()
    )


def test_single_controls_stay_hidden_in_a_lesson_whatever_the_page_shows(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    sampling = window.generate.sampling
    dialog = window.save_lesson()
    assert dialog.hide_boxes["Steps"].isEnabled() and {"Sampler", "Guidance w", "View"} <= set(dialog.hide_boxes)
    dialog.title.setText("Blind")
    dialog.question.setPlainText("How many steps were these?")
    dialog.hide_boxes["Steps"].setChecked(True)
    dialog.hide_boxes["Advanced"].setChecked(True)
    lesson = dialog.lesson()
    dialog.reject()
    assert set(lesson.hidden) == {"Steps", "Advanced"}
    path = tmp_path / f"blind{lessons.SUFFIX}"
    lessons.write(path, lesson)
    open_lesson(window, qtbot, path)
    assert not sampling.steps.isVisible() and sampling.guidance.isVisible()
    sampling.steps.setVisible(True)  # as a page does whenever its settings change
    assert not sampling.steps.isVisible()
    window.lesson_card.leave.click()
    assert sampling.steps.isVisible() and section(window, "generate", "Advanced").isVisible()
    qtbot.waitUntil(lambda: not window.session.generate.busy, timeout=WAIT_MS)


def test_old_names_of_controls_stand_for_names_that_are_on_a_page(window: MainWindow) -> None:
    parts = [part for key in PAGE_KEYS for part in window.page(key).findChildren(Hideable)]
    names = {part.title if isinstance(part, Section) else part.accessibleName() for part in parts}
    assert set(lessons.RENAMED.values()) <= names and not set(lessons.RENAMED) & names


def test_a_lesson_of_steps_is_answered_on_its_card_and_printed(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate, card = window.session.generate, window.lesson_card
    steps = [
        {"question": "How many?", "answer": "Two.", "between": [2, 2]},
        {"question": "Why so?", "answer": "Because <b>.", "written": True},
    ]
    choices = {"choices": ["A blur", "A digit"], "right": 1, "reveals": {"steps": 3}, "later_steps": steps}
    open_lesson(window, qtbot, lesson_file(tmp_path, **choices))
    qtbot.waitUntil(lambda: generate.sampled is not None and not generate.busy, timeout=WAIT_MS)
    assert card.progress.text() == "Step 1 of 3" and not card.reveal.isVisible() and not card.back.isEnabled()
    card.check.click()
    assert card.problem.isVisible() and generate.settings.steps == 2
    card.choices[0].click()
    card.check.click()
    assert card.verdict.text() == "Not quite." and card.answer.isVisible() and generate.settings.steps == 3
    assert [button.accessibleName() for button in card.choices] == ["A blur: not right", "A digit: right"]
    card.next.click()
    assert not card.answer.isVisible() and card.entry.isVisible()
    qtbot.keyClicks(card.entry, "2")
    qtbot.keyClick(card.entry, Qt.Key.Key_Return)
    assert card.verdict.text() == "Right." and window.lesson_card.accessibleDescription().endswith("Right. Two.")
    card.next.click()
    assert not card.next.isVisible()
    card.entry.setText("I think so & more")
    card.check.click()
    assert card.progress.text() == "Lesson finished · 1 of 2 right" and not card.verdict.isVisible()
    assert load_settings().lesson_progress[window.session.lessons.lesson.key].finished  # type: ignore[union-attr]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "sheet"), ""))
    card.sheet.click()
    assert window.messages.title() == "Saved sheet.pdf"
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF")
    assert set(window._lesson_pictures) == {0, 1, 2}
    card.back.click()
    assert card.entry.text() == "2" and card.entry.isReadOnly()
    card.leave.click()
    qtbot.waitUntil(lambda: not generate.busy, timeout=WAIT_MS)


def test_steps_are_written_moved_and_edited_again(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    window.rail.set_page("draw")
    draw = window.session.draw
    draw.change(pen=2.0)
    dialog = window.save_lesson()
    dialog.title.setText("Pens")
    dialog.question.setPlainText("Which?")
    dialog.reply.combo.setCurrentIndex(dialog.reply.combo.findData("choose"))
    dialog.reply.combo.activated.emit(dialog.reply.combo.currentIndex())
    dialog.right.setPlainText("one")
    with pytest.raises(BadRequest):
        dialog.lesson()
    dialog.right.setPlainText("thin\n*thick")
    dialog.add.click()
    dialog.question.setPlainText("How thick?")
    dialog.reply.combo.setCurrentIndex(dialog.reply.combo.findData("number"))
    dialog.reply.combo.activated.emit(dialog.reply.combo.currentIndex())
    dialog.right.setPlainText("1,5 3")
    dialog.as_now.setChecked(True)
    draw.change(pen=2.5)
    dialog.add.click()
    dialog.question.setPlainText("Why?")
    dialog.earlier.click()
    lesson = dialog.lesson()
    dialog.reject()
    assert [step.question for step in lesson.steps] == ["Which?", "Why?", "How thick?"]
    assert (lesson.choices, lesson.right) == (("thin", "thick"), 1) and lesson.steps[2].between == (1.5, 3)
    assert getattr(lesson.settings_of(2), "pen", 0) == 2.5 and not lesson.later_steps[0].changes
    window.session.lessons.begin(lesson)
    edit = window.save_lesson(lesson)
    assert edit.title.text() == "Pens" and edit.right.toPlainText() == "thin\n*thick"
    assert edit.lesson() == lesson
    edit.next.click()
    edit.remove.click()
    assert [step.question for step in edit.lesson().steps] == ["Which?", "How thick?"]
    edit.earlier.click()
    swapped = edit.lesson()
    assert [step.question for step in swapped.steps] == ["How thick?", "Which?"] and swapped.page == "draw"
    edit.reject()
    window.session.lessons.exit()
