"""The dialog that saves a page as a lesson: title, question, optional answer, and controls to hide."""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop_app.lesson_file import SUFFIX, Lesson
from desktop_app.pages.base import Page
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.lessons import Lessons
from desktop_app.widgets.controls.basics import Button, Check, Label, row
from ml.errors import BadRequest
from ml.system.files import free_name

WIDTH, LINES_HEIGHT, LIST_HEIGHT = 460, 64, 168


class LessonDialog(QDialog):
    """Asks for the text of a lesson, and then for its file."""

    def __init__(self, parent: QWidget, lessons: Lessons, key: str, page: Page) -> None:
        super().__init__(parent)
        self._lessons, self._key, self._page = lessons, key, page
        self.setWindowTitle("Save as a lesson")
        self.setFixedWidth(WIDTH)
        self.title = QLineEdit()
        self.question, self.answer = QPlainTextEdit(), QPlainTextEdit()
        self.hide_boxes: dict[str, Check] = {}  # by the name of a control or of a group
        self.problem = Label("", "problem")
        self.problem.setWordWrap(True)
        self.save_button = Button("Save…", "floppy-disk", kind="primary", tip="Choose a file for the lesson")
        self.cancel = Button("Cancel", tip="Close without saving")
        self._arrange()
        self.save_button.clicked.connect(self._save)
        self.cancel.clicked.connect(self.reject)

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.XL, Space.XL, Space.XL, Space.L)
        column.setSpacing(Space.S)
        column.addWidget(Label("Save as a lesson", "heading"))
        text = f"The lesson opens the {self._page.accessibleName()} page as it is now, with your question above it."
        intro = Label(text, "muted")
        intro.setWordWrap(True)
        column.addWidget(intro)
        fields = (
            ("Title", self.title, "The title of the lesson"),
            ("Question", self.question, "What the student should find out"),
            ("Answer (optional)", self.answer, "Shown when the student asks for it"),
        )
        for name, field, tip in fields:
            label = Label(name, "muted")
            label.setBuddy(field)
            field.setAccessibleName(name)
            field.setToolTip(tip)
            column.addSpacing(Space.XS)
            column.addWidget(label)
            column.addWidget(field)
        for edit in (self.question, self.answer):
            edit.setFixedHeight(LINES_HEIGHT)
            edit.setTabChangesFocus(True)
        column.addSpacing(Space.S)
        column.addWidget(Label("Hide from the student", "muted"))
        column.addWidget(self._make_list())
        column.addWidget(self.problem)
        self.problem.hide()
        column.addSpacing(Space.L)
        column.addLayout(row(1, self.cancel, self.save_button))

    def _make_list(self) -> QScrollArea:
        """A check box for each group of controls, and below it one for each control."""
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(Space.M, Space.S, Space.M, Space.S)
        column.setSpacing(Space.XS)
        for group, names in self._page.controls().items():
            whole = self._box(group, f"Hide all controls in “{group}”") if group else None
            if whole:
                column.addWidget(whole)
            for name in names:
                box = self._box(name, f"Hide “{name}”")
                if whole:
                    whole.toggled.connect(box.setDisabled)
                column.addLayout(_indented(box, Space.XL if whole else 0))
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setProperty("kind", "list")
        scroll.setAccessibleName("Hide from the student")
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setFixedHeight(min(LIST_HEIGHT, content.sizeHint().height() + 2))
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for transparent in (scroll.viewport(), content):
            transparent.setAutoFillBackground(False)
        return scroll

    def _box(self, name: str, tip: str) -> Check:
        """The check box of a name; controls with the same name share one."""
        return self.hide_boxes.setdefault(name, Check(name, tip))

    def lesson(self) -> Lesson:
        """The lesson as entered; raises BadRequest."""
        title, question = self.title.text().strip(), self.question.toPlainText().strip()
        if not title or not question:
            raise BadRequest("A lesson needs a title and a question.")
        hidden = tuple(name for name, box in self.hide_boxes.items() if box.isChecked() and box.isEnabled())
        return self._lessons.describe(self._key, title, question, self.answer.toPlainText(), hidden)

    def _save(self) -> None:
        try:
            lesson = self.lesson()
        except BadRequest as error:
            self.problem.setText(error.message)
            self.problem.show()
            return
        plain = "".join(letter if letter.isalnum() else "-" for letter in lesson.title.lower()).strip("-")[:40]
        suggested = free_name((self._page.export_folder or Path.home()) / f"{plain or 'lesson'}{SUFFIX}")
        name, _ = QFileDialog.getSaveFileName(self, "Save the lesson", str(suggested), f"Lesson (*{SUFFIX})")
        if name:
            path = Path(name)
            self._page.export_folder = path.parent
            target = path if path.suffix.lower() == SUFFIX else free_name(path.with_name(path.name + SUFFIX))
            self._lessons.save(target, lesson)
            self.accept()


def _indented(box: Check, by: int) -> QHBoxLayout:
    line = row(box, 1)
    line.setContentsMargins(by, 0, 0, 0)
    return line
