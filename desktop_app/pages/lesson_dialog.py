"""The dialog that saves a page as a lesson: title, the questions of its steps, and controls to hide."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

from desktop_app.lesson_file import MAX_STEPS, SUFFIX, Lesson, Question, Step, file_name
from desktop_app.pages.base import Page
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.lessons import Lessons
from desktop_app.widgets.controls.basics import Button, Check, Label, row
from desktop_app.widgets.controls.rows import ChoiceRow
from ml.errors import BadRequest
from ml.system.files import free_name

WIDTH, LINES_HEIGHT, LIST_HEIGHT = 460, 54, 108
REPLIES = (("look", "The student looks"), ("choose", "A choice"), ("number", "A number"), ("write", "Own words"))
HINTS = {
    "choose": "One answer a line; * before the right one",
    "number": "The least and the largest right number, such as 8 15",
}
RIGHT = "*"  # before the right one of the choices


@dataclass
class _Draft:
    """A step as it is being written. `kept` are the fields that the dialog does not show."""

    question: str = ""
    answer: str = ""
    reply: str = "look"
    right: str = ""  # the choices, or the limits of a number
    as_now: bool = False  # it begins with the page as it is now
    kept: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, step: Question) -> "_Draft":
        """The draft of a step that exists."""
        draft = cls(step.question, step.answer)
        if step.choices:
            draft.reply = "choose"
            draft.right = "\n".join(RIGHT * (k == step.right) + choice for k, choice in enumerate(step.choices))
        elif step.between:
            draft.reply, draft.right = "number", " ".join(f"{limit:g}" for limit in step.between)
        elif step.written:
            draft.reply = "write"
        draft.kept = step.model_dump(mode="json", include={"reveals", "page", "changes"} & set(type(step).model_fields))
        if not isinstance(step, Step):
            draft.kept.pop("page")  # of the lesson
        return draft

    def described(self) -> dict[str, Any]:
        """The fields of the step; raises BadRequest for what is no step."""
        if not self.question.strip():
            raise BadRequest("Every step needs a question.")
        fields = self.kept | {"question": self.question, "answer": self.answer, "written": self.reply == "write"}
        if self.reply == "choose":
            lines = [line.strip() for line in self.right.splitlines() if line.strip()]
            right = [k for k, line in enumerate(lines) if line.startswith(RIGHT)]
            if len(lines) < 2 or len(right) > 1:
                raise BadRequest(f"A choice needs at least two answers, with {RIGHT} before one of them or none.")
            choices = [line.removeprefix(RIGHT).strip() for line in lines]
            return fields | {"choices": choices, "right": right[0] if right else None}
        if self.reply == "number":
            try:
                low, high = (float(word.replace(",", ".")) for word in self.right.split())
            except ValueError as error:
                raise BadRequest("A number needs two limits, such as 8 15.") from error
            return fields | {"between": (low, high)}
        return fields


class LessonDialog(QDialog):
    """Asks for the text of a lesson, and then for its file."""

    def __init__(self, parent: QWidget, lessons: Lessons, key: str, page: Page, edited: Lesson | None = None) -> None:
        """`edited` is a lesson of that page to begin with."""
        super().__init__(parent)
        self._lessons, self._key, self._page, self._edited = lessons, key, page, edited
        self._drafts = [_Draft.of(step) for step in edited.steps] if edited else [_Draft(as_now=True)]
        self._at = 0
        self.setWindowTitle("Save as a lesson")
        self.setFixedWidth(WIDTH)
        self.title = QLineEdit(edited.title if edited else "")
        self.question, self.answer = QPlainTextEdit(), QPlainTextEdit()
        self.right = QPlainTextEdit()
        self.reply = ChoiceRow("Reply", REPLIES, tip="What the student answers the question with")
        self.as_now = Check("Begin this step with the page as it is now", "Otherwise its settings are kept")
        self.step_label = Label("", "title")
        self.back = _tool("Step before", "caret-left-bold", "Write the step before")
        self.next = _tool("Step after", "caret-right-bold", "Write the step after")
        self.earlier = _tool("Move step earlier", "arrow-left", "Move this step before the one before it")
        self.later = _tool("Move step later", "arrow-right", "Move this step behind the one after it")
        self.remove = _tool("Remove step", "trash", "Remove this step")
        self.add = _tool("Add step", "plus", "Add a step behind this one")
        self.hide_boxes: dict[str, Check] = {}  # by the name of a control or of a group
        self.problem = Label("", "problem")
        self.problem.setWordWrap(True)
        self.save_button = Button("Save…", "floppy-disk", kind="primary", tip="Choose a file for the lesson")
        self.cancel = Button("Cancel", tip="Close without saving")
        self._arrange()
        self._connect_steps()
        self._show_step()
        self.save_button.clicked.connect(self._save)
        self.cancel.clicked.connect(self.reject)

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.XL, Space.XL, Space.XL, Space.L)
        column.setSpacing(Space.S)
        column.addWidget(Label("Save as a lesson", "heading"))
        name = self._page.accessibleName()
        text = f"The lesson opens the {name} page as it is now, with your question above it. Steps can follow."
        intro = Label(text, "muted")
        intro.setWordWrap(True)
        column.addWidget(intro)
        fields = (
            ("Title", self.title, "The title of the lesson"),
            ("Question", self.question, "What the student should find out"),
            ("Answer (optional)", self.answer, "Shown when the student asks for it"),
        )
        for name, part, tip in fields:
            label = Label(name, "muted")
            label.setBuddy(part)
            part.setAccessibleName(name)
            part.setToolTip(tip)
            column.addSpacing(Space.XS)
            if part is self.question:
                column.addLayout(row(self.step_label, 1, *self._step_buttons(), spacing=Space.XS))
            if part is self.answer:
                column.addWidget(self.reply)
                column.addWidget(self.right)
            column.addWidget(label)
            column.addWidget(part)
        column.addWidget(self.as_now)
        self.right.setAccessibleName("Right answers")
        for edit in (self.question, self.answer, self.right):
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
        for name in self._edited.hidden if self._edited else ():
            self._box(name, f"Hide “{name}”").setChecked(True)
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
        title = self.title.text().strip()
        if not title or not self._drafts[0].question.strip():
            raise BadRequest("A lesson needs a title and a question.")
        hidden = tuple(name for name, box in self.hide_boxes.items() if box.isChecked() and box.isEnabled())
        now = self._lessons.page_settings(self._key)
        first, *later = (draft.described() for draft in self._drafts)
        for step, draft in zip(later, self._drafts[1:], strict=True):
            if draft.as_now:
                step |= {"page": self._key, "changes": now}
        if self._edited and not self._drafts[0].as_now:
            first[self._key] = self._edited.settings.model_dump(mode="json")
        for name in ("page", "changes"):  # where it was a later step
            first.pop(name, None)
        question, answer = first.pop("question"), first.pop("answer")
        return self._lessons.describe(self._key, title, question, answer, hidden, **first, later_steps=later)

    # ---- steps

    def _step_buttons(self) -> tuple[Button, ...]:
        return self.back, self.next, self.earlier, self.later, self.remove, self.add

    def _connect_steps(self) -> None:
        self.question.textChanged.connect(lambda: self._write(question=self.question.toPlainText()))
        self.answer.textChanged.connect(lambda: self._write(answer=self.answer.toPlainText()))
        self.right.textChanged.connect(lambda: self._write(right=self.right.toPlainText()))
        self.reply.valueChanged.connect(lambda key: self._write(reply=key))
        self.reply.valueChanged.connect(lambda _key: self._show_step())
        self.as_now.toggled.connect(lambda on: self._write(as_now=on))
        self.back.clicked.connect(lambda: self._go(self._at - 1))
        self.next.clicked.connect(lambda: self._go(self._at + 1))
        self.earlier.clicked.connect(lambda: self._move(self._at - 1))
        self.later.clicked.connect(lambda: self._move(self._at + 1))
        self.remove.clicked.connect(self._remove)
        self.add.clicked.connect(self._add)

    def _write(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self._drafts[self._at], name, value)

    def _go(self, step: int) -> None:
        self._at = step
        self._show_step()

    def _add(self) -> None:
        self._drafts.insert(self._at + 1, _Draft())
        self._go(self._at + 1)
        self.question.setFocus()

    def _remove(self) -> None:
        del self._drafts[self._at]
        self._go(min(self._at, len(self._drafts) - 1))

    def _move(self, to: int) -> None:
        drafts = self._drafts
        drafts[self._at], drafts[to] = drafts[to], drafts[self._at]
        self._go(to)

    def _show_step(self) -> None:
        draft, count = self._drafts[self._at], len(self._drafts)
        self.step_label.setText(f"Step {self._at + 1} of {count}")
        self.reply.set_value(draft.reply)
        self.right.setVisible(draft.reply in HINTS)
        self.right.setPlaceholderText(HINTS.get(draft.reply, ""))
        for edit, text in ((self.question, draft.question), (self.answer, draft.answer), (self.right, draft.right)):
            if edit.toPlainText() != text:
                edit.setPlainText(text)
        self.as_now.setChecked(draft.as_now)
        self.as_now.setVisible(self._at > 0 or self._edited is not None)
        last = self._at == count - 1
        for button, able in (
            (self.back, self._at > 0),
            (self.next, not last),
            (self.earlier, self._at > 0),
            (self.later, not last),
            (self.remove, count > 1),
            (self.add, count < MAX_STEPS),
        ):
            button.setEnabled(able)

    def _save(self) -> None:
        try:
            lesson = self.lesson()
        except BadRequest as error:
            self.problem.setText(error.message)
            self.problem.show()
            return
        suggested = free_name((self._page.export_folder or Path.home()) / f"{file_name(lesson)}{SUFFIX}")
        name, _ = QFileDialog.getSaveFileName(self, "Save the lesson", str(suggested), f"Lesson (*{SUFFIX})")
        if name:
            path = Path(name)
            self._page.export_folder = path.parent
            target = path if path.suffix.lower() == SUFFIX else free_name(path.with_name(path.name + SUFFIX))
            self._lessons.save(target, lesson)
            self.accept()


def _tool(name: str, icon_name: str, tip: str) -> Button:
    button = Button(kind="tool", name=name, tip=tip)
    button.set_icon(icon_name)
    return button


def _indented(box: Check, by: int) -> QHBoxLayout:
    line = row(box, 1)
    line.setContentsMargins(by, 0, 0, 0)
    return line
