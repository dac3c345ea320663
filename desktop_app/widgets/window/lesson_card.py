"""The card of the open lesson: question, answer on request, and a button to exit."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout

from desktop_app.lesson_file import Lesson
from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Button, Card, Label, Mark


class LessonCard(Card):
    """Hidden until `show_lesson` gets a lesson. Signal: `left`."""

    left = Signal()

    def __init__(self) -> None:
        super().__init__("lesson")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.title, self.question, self.answer = Label("", "title"), Label(""), Label("", "muted")
        for label in (self.title, self.question, self.answer):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.reveal = Button("Show answer", "lightbulb", tip="Show or hide the answer")
        self.reveal.setCheckable(True)
        self.leave = Button("Exit lesson", tip="Restore your settings and all controls")
        words = QVBoxLayout()
        words.setSpacing(Space.XS)
        for label in (self.title, self.question, self.answer):
            words.addWidget(label)
        words.addStretch(1)
        buttons = QVBoxLayout()
        buttons.setSpacing(Space.XS)
        for button in (self.reveal, self.leave):
            buttons.addWidget(button)
        buttons.addStretch(1)
        line = QHBoxLayout(self)
        line.setContentsMargins(14, Space.M, Space.M, Space.M)
        line.setSpacing(Space.M)
        line.addWidget(Mark("graduation-cap", "accent"), 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(words, 1)
        line.addLayout(buttons)
        self.reveal.toggled.connect(self._show_answer)
        self.leave.clicked.connect(self.left)
        self.hide()

    def show_lesson(self, lesson: Lesson | None) -> None:
        """Show a lesson with its answer hidden; None hides the card."""
        self.setVisible(lesson is not None)
        if lesson:
            self.title.setText(lesson.title)
            self.question.setText(lesson.question)
            self.answer.setText(lesson.answer)
            self.reveal.setVisible(bool(lesson.answer))
            self.reveal.setChecked(False)
            self._show_answer(False)
            self.setAccessibleName(f"Lesson: {lesson.title}")
            self.setAccessibleDescription(lesson.question)

    def _show_answer(self, shown: bool) -> None:
        self.answer.setVisible(shown)
        self.reveal.setText("Hide answer" if shown else "Show answer")
        self.reveal.setAccessibleName(self.reveal.text())
