"""The card of the open lesson: a step's question, the reply, the answer after it, and the way through the steps."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent, QIcon
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QHBoxLayout, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from desktop_app.lesson_file import MAX_REPLY, Lesson, Question
from desktop_app.theme.icons import icon
from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Button, Card, Label, Mark, restyle, row

LONG_CHOICE, NUMBER_WIDTH = 30, 96  # letters from which on choices take two columns; pixels
RIGHT, WRONG = "Right.", "Not quite."


class LessonCard(Card):
    """Hidden until `show_step` gets a lesson.

    Signals: `replied(str)` for a reply to the question, `stepRequested(int)`, `nextRequested()` for the next lesson,
    `sheetRequested()` for the printable sheet, `left()`.
    """

    replied = Signal(str)
    stepRequested = Signal(int)
    nextRequested = Signal()
    sheetRequested = Signal()
    left = Signal()

    def __init__(self) -> None:
        super().__init__("lesson")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._lesson: Lesson | None = None
        self._step = 0
        self.title, self.progress, self.question = Label("", "title"), Label("", "small"), Label("")
        self.verdict, self.answer, self.problem = Label("", "strong"), Label("", "muted"), Label("", "problem")
        for label in (self.title, self.question, self.verdict, self.answer):
            label.setWordWrap(label is not self.title)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.choices: list[Button] = []
        self.group: QButtonGroup | None = None
        self.choice_room = QWidget()
        self.entry = QLineEdit()
        self.entry.setMaxLength(MAX_REPLY)
        self.reveal = Button("Show answer", "lightbulb", tip="Show or hide the answer")
        self.reveal.setCheckable(True)
        self.check = Button("Check", "check-bold", tip="Check your answer, and see what happens")
        self.back = Button(kind="tool", name="Back", tip="Go to the step before")
        self.back.set_icon("caret-left-bold")
        self.next = Button("Next", tip="Go to the next step")
        self.next_lesson = Button("Next lesson", kind="primary", tip="Open the next lesson of the course")
        self.sheet = Button(kind="tool", name="Save a sheet", tip="Save the lesson as a PDF to print: what was shown, "
                            "your answers, and room for those still open")  # fmt: skip
        self.sheet.set_icon("printer")
        self.leave = Button("Exit lesson", tip="Restore your settings and all controls; your progress is kept")
        self._arrange()
        self.reveal.toggled.connect(self._show_answer)
        self.reveal.clicked.connect(lambda on: self.replied.emit("") if on else None)
        self.check.clicked.connect(self._reply)
        self.entry.returnPressed.connect(self._reply)
        self.back.clicked.connect(lambda: self.stepRequested.emit(self._step - 1))
        self.next.clicked.connect(lambda: self.stepRequested.emit(self._step + 1))
        self.next_lesson.clicked.connect(self.nextRequested)
        self.sheet.clicked.connect(self.sheetRequested)
        self.leave.clicked.connect(self.left)
        self.hide()

    def _arrange(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(Space.XS)
        words.addLayout(row(self.title, self.progress, 1))
        for widget in (self.question, self.choice_room, self.entry, self.problem, self.verdict, self.answer):
            words.addWidget(widget)
        words.addStretch(1)
        buttons = QVBoxLayout()
        buttons.setSpacing(Space.XS)
        for button in (self.check, self.reveal):
            buttons.addWidget(button)
        way = row(self.back, self.next, spacing=Space.XS)
        way.setStretch(1, 1)
        buttons.addLayout(way)
        buttons.addWidget(self.next_lesson)
        end = row(self.sheet, self.leave, spacing=Space.XS)
        end.setStretch(1, 1)
        buttons.addLayout(end)
        buttons.addStretch(1)
        line = QHBoxLayout(self)
        line.setContentsMargins(14, Space.M, Space.M, Space.M)
        line.setSpacing(Space.M)
        line.addWidget(Mark("graduation-cap", "accent"), 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(words, 1)
        line.addLayout(buttons)

    def show_step(
        self, lesson: Lesson | None, step: int = 0, reply: str | None = None, *, closing: str = "", more: bool = False
    ) -> None:
        """Show a step of a lesson, and its answer if there was a `reply`; None hides the card.

        `closing` is what is said of a finished lesson; `more` offers the next one.
        """
        self._lesson, self._step = lesson, step
        self.setVisible(lesson is not None)
        if lesson is None:
            return
        question, count = lesson.steps[step], len(lesson.steps)
        self.title.setText(lesson.title)
        self.progress.setText(closing or (f"Step {step + 1} of {count}" if count > 1 else ""))
        self.question.setText(question.question)
        self._show_reply(question, reply)
        self.answer.setText(question.answer)
        replied = reply is not None
        self.check.setVisible(question.asks and not replied)
        self.check.setText("Check" if question.checks else "Answer")
        self.check.setAccessibleName(self.check.text())
        self.reveal.setVisible(bool(question.answer) and not question.asks)
        self.reveal.setChecked(replied and bool(question.answer))
        self._show_answer(replied)
        self.back.setVisible(count > 1)
        self.back.setEnabled(step > 0)
        self.next.setVisible(count > 1 and step < count - 1)
        self.next.set_kind("primary" if replied else "")
        self.next_lesson.setVisible(more)
        self.setAccessibleName(f"Lesson: {lesson.title} {self.progress.text()}".strip())
        self.setAccessibleDescription("\n".join(filter(None, (question.question, self.spoken_answer()))))

    def spoken_answer(self) -> str:
        """The verdict and the answer, where they are shown."""
        return " ".join(label.text() for label in (self.verdict, self.answer) if not label.isHidden())

    def _show_reply(self, question: Question, reply: str | None) -> None:
        replied = reply is not None
        self.problem.hide()
        self._show_choices(question, reply)
        self.entry.setVisible(bool(question.between) or question.written)
        self.entry.setText(reply or "")
        self.entry.setReadOnly(replied)
        self.entry.setAccessibleName("Your answer")
        self.entry.setPlaceholderText("A number" if question.between else "Your answer in your own words")
        self.entry.setMaximumWidth(NUMBER_WIDTH if question.between else 16_777_215)
        right = question.is_right(reply) if replied and question.checks else None
        self.verdict.setVisible(right is not None)
        self.verdict.setText("" if right is None else RIGHT if right else WRONG)

    def _show_choices(self, question: Question, reply: str | None) -> None:
        """A button for each choice; after a reply, a mark at the right one, and at one that was chosen wrongly."""
        words = self.choice_room.parentWidget()
        fresh = QWidget(words)
        fresh.setAccessibleName("Answers to choose from")
        grid = QGridLayout(fresh)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(Space.XS)
        columns = 2 if max(map(len, question.choices), default=0) > LONG_CHOICE else len(question.choices)
        self.group, self.choices = QButtonGroup(fresh), []
        for index, choice in enumerate(question.choices):
            button = Button(choice, kind="question")
            button.setCheckable(True)
            button.setChecked(reply == choice)
            if reply is not None:
                button.setEnabled(False)
                self._mark(button, index, question)
            self.group.addButton(button)
            self.choices.append(button)
            grid.addWidget(button, index // columns, index % columns)
        layout = self.layout()
        assert layout is not None
        layout.replaceWidget(self.choice_room, fresh)
        self.choice_room.hide()
        self.choice_room.deleteLater()
        self.choice_room = fresh
        fresh.setVisible(bool(question.choices))

    def _mark(self, button: Button, index: int, question: Question) -> None:
        right = index == question.right
        if right or (button.isChecked() and question.right is not None):
            mark = icon("check-bold" if right else "x-bold", "ok" if right else "error")
            in_color = QIcon()
            in_color.addPixmap(mark.pixmap(button.iconSize()), QIcon.Mode.Disabled)
            button.setIcon(in_color)
            button.setAccessibleName(f"{button.text()}: {'right' if right else 'not right'}")
            restyle(button, outcome="right" if right else "wrong")

    def reply(self) -> str:
        """The reply as entered so far."""
        chosen = next((button.text() for button in self.choices if button.isChecked()), "")
        return chosen or self.entry.text()

    def show_problem(self, text: str) -> None:
        """Say what is missing in the reply."""
        self.problem.setText(text)
        self.problem.show()
        QAccessible.updateAccessibility(QAccessibleEvent(self.problem, QAccessible.Event.Alert))

    def _reply(self) -> None:
        if not self.check.isHidden():
            self.replied.emit(self.reply())

    def _show_answer(self, shown: bool) -> None:
        self.answer.setVisible(shown and bool(self.answer.text()))
        self.reveal.setText("Hide answer" if shown else "Show answer")
        self.reveal.setAccessibleName(self.reveal.text())
