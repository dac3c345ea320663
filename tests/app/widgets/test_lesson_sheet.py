"""The printable sheet of a lesson: room for answers where there are none, and the pictures in their size."""

import re
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QImage, QTextDocument
from PySide6.QtWidgets import QApplication

from desktop_app.lesson_file import Lesson
from desktop_app.widgets.window.lesson_sheet import HIGHEST, WIDEST, sheet, write_sheet

LESSON = Lesson.model_validate(
    {
        "version": 1,
        "title": "Is 1 < 2?",
        "question": "Which?\nThink.",
        "answer": "The first.",
        "choices": ["This & that", "Neither"],
        "right": 0,
        "page": "draw",
        "draw": {},
        "later_steps": [{"question": "How many?", "between": [1, 2]}, {"question": "Why?", "written": True}],
    }
)


def test_a_sheet_has_the_replies_so_far_and_room_for_the_others(qapp: QApplication) -> None:
    empty, half = sheet(LESSON, {}, {}).toPlainText(), sheet(LESSON, {0: "Neither", 1: "<3"}, {}).toPlainText()
    assert all(part in empty for part in ("Is 1 < 2?", "Name _", "\n2.\n", "☐ This & that", "☐ Neither"))
    assert "The first." not in empty and empty.count("_" * 78) == 1 + 4
    assert "☒ Neither" in half and "☐ This & that" in half and "Answer: The first." in half
    assert "Your answer: <3" in half and half.count("_" * 78) == 4
    old = LESSON.model_copy(update={"later_steps": ()})
    assert "1." not in sheet(old, {}, {}).toPlainText()


@pytest.mark.parametrize("shape", [(28, 28), (400, 3000, 3), (3000, 40)])
def test_pictures_are_as_large_as_there_is_room(qapp: QApplication, tmp_path: Path, shape: tuple[int, ...]) -> None:
    pictures = {1: {False: np.zeros(shape, np.uint8)}}
    document = sheet(LESSON, {}, pictures)
    (width, height) = map(int, re.findall(r'width="(\d+)" height="(\d+)"', document.toHtml())[0])
    assert 0 < width <= WIDEST and 0 < height <= HIGHEST and (width > WIDEST - 30 or height > HIGHEST - 30)
    kept = document.resource(QTextDocument.ResourceType.ImageResource, QUrl("before:1"))
    assert isinstance(kept, QImage) and kept.width() >= width
    path = tmp_path / "sheet.pdf"
    write_sheet(path, LESSON, {}, pictures)
    assert path.read_bytes().startswith(b"%PDF") and path.stat().st_size < 200_000


def test_a_picture_that_the_answer_changes_is_there_twice(qapp: QApplication) -> None:
    black, white = np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)
    shown = {0: {False: black, True: white}, 1: {False: black, True: black}, 2: {True: white}}
    found = re.findall(r'src="([a-z]+:\d)"', sheet(LESSON, {}, shown).toHtml())
    assert found == ["before:0", "after:0", "before:1", "after:2"]
