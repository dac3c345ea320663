"""The prompt, the seed, the Generate button, and how the prompt is interpreted."""

import random
from collections.abc import Collection, Sequence

from PySide6.QtCore import QEvent, QObject, QRegularExpression, QSize, Qt, Signal
from PySide6.QtGui import (
    QFont,
    QFontMetrics,
    QInputMethodEvent,
    QRegularExpressionValidator,
    QResizeEvent,
    QTextCharFormat,
)
from PySide6.QtWidgets import QApplication, QBoxLayout, QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from desktop_app.text.subject import DIGIT, Subject
from desktop_app.theme.controller import theme
from desktop_app.theme.icons import icon
from desktop_app.theme.tokens import FIELD_HEIGHT, Space, Type, ui_font
from desktop_app.widgets.controls.basics import Button, Label, restyle, row
from desktop_app.widgets.controls.chip_bar import Chip, ChipBar
from desktop_app.widgets.controls.rows import Segmented
from ml.specs import ROUTES, titles

MAX_SEED = 2**53 - 1  # as in SampleRequest
BUTTON_WIDTH, ANYWAY_WIDTH = 104, 152
SHORT_CHIPS = 330  # width of chips up to which the interpretation is always beside them ...
READING_WIDTH = 240  # ... and its width from which on it is beside longer ones
READING_HEIGHT = 32  # two lines, for errors in a narrow window
EXAMPLES = {
    "class": "Try 7, seven, 2026, 0-9, or two or five",
    "text": "Try a bold slanted seven, two or five, or 2026",
    "clip": "Try a bold seven, or a thin 3 leaning to the left",
}
ALL_MOST = 100  # classes up to which there is a chip for all of them


class SeedBox(QFrame):
    """A seed to type, and a die for a random one. Emits `seedChanged(int)` when the user changes it."""

    seedChanged = Signal(object)  # a seed needs more bits than Qt's int has

    def __init__(self, seed: int = 2026) -> None:
        super().__init__()
        self.setProperty("kind", "field")
        self.setFixedHeight(FIELD_HEIGHT)
        self.setAccessibleName("Seed")
        self.setToolTip("The seed determines the noise: the same seed gives the same images")
        self._seed = seed
        self.die = Button(kind="tool", name="New random seed", tip="New random seed")
        self.die.setIcon(icon("dice-five"))
        self.die.setIconSize(QSize(18, 18))
        self.edit = QLineEdit()
        self.edit.setProperty("kind", "bare")
        self.edit.setAccessibleName("Seed")
        self.edit.setValidator(QRegularExpressionValidator(QRegularExpression(r"\d{1,16}")))
        self.edit.installEventFilter(self)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(Space.XS)
        line.addWidget(self.die)
        line.addWidget(Label("Seed", "muted"))
        line.addWidget(self.edit)
        line.addStretch(1)
        self.die.clicked.connect(lambda: self._take(random.randrange(10_000)))
        self.edit.editingFinished.connect(self.take_typed)
        self.set_seed(seed)

    def seed(self) -> int:
        return self._seed

    def set_seed(self, seed: int) -> None:
        """Show a seed without emitting."""
        self._seed = seed
        self.edit.setText(str(seed))
        metrics = QFontMetrics(ui_font(Type.BODY, QFont.Weight.DemiBold))
        self.edit.setFixedWidth(min(150, max(44, metrics.horizontalAdvance(str(seed)) + 10)))

    def take_typed(self) -> None:
        """Use the number in the box, even while it is being typed."""
        self._take(min(int(self.edit.text() or self._seed), MAX_SEED))

    def _take(self, seed: int) -> None:
        changed = seed != self._seed
        self.set_seed(seed)
        if changed:
            self.seedChanged.emit(seed)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            restyle(self, active="true" if event.type() == QEvent.Type.FocusIn else "false")
        return super().eventFilter(watched, event)


class PromptBar(QWidget):
    """Prompt, seed and Generate above the chips and the interpretation of the prompt.

    A chip replaces the prompt, or with Shift or Ctrl adds to it, and submits it. While busy the button stops the work.
    Signals: `textChanged(str)` for every change, `submitted()` by Enter, the button or a chip, `seedChanged(int)`,
    `stopRequested()`, `routeChanged(str)`.
    """

    textChanged = Signal(str)
    submitted = Signal()
    seedChanged = Signal(object)
    stopRequested = Signal()
    routeChanged = Signal(str)

    def __init__(self, text: str = "0-9", seed: int = 2026) -> None:
        super().__init__()
        self._busy, self._able, self._action = False, True, "Generate"
        self._full_reading, self._subject, self._shown_route = "", DIGIT, "class"
        self._waiting = self._wrong = False
        self._marks: tuple[tuple[int, int], ...] = ()
        self.edit = QLineEdit(text)
        self.edit.setProperty("kind", "prompt")
        self.edit.setPlaceholderText(EXAMPLES["class"])
        self.edit.setAccessibleName("Prompt")
        self.edit.setToolTip("What to generate, as one row of the grid; press Enter to generate")
        self.edit.setMaxLength(10_000)  # the page says that a prompt is too long
        self.edit.setFixedHeight(FIELD_HEIGHT)
        self.seed_box = SeedBox(seed)
        self.button = Button("Generate", kind="primary", tip="Generate (Ctrl+Enter)")
        self.button.setFixedSize(BUTTON_WIDTH, FIELD_HEIGHT)
        self.chips = ChipBar()
        self.chips.set_chips(chips_of(DIGIT))
        self._lead, self._reading = Label("", "small"), Label("", "strong")
        self._reading.setWordWrap(True)
        self._reading.setFixedHeight(READING_HEIGHT)
        self._reading.setMinimumWidth(1)  # shows what fits without widening the window
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.S)
        top = row(self.edit, self.seed_box, self.button)
        top.setStretch(0, 1)
        column.addLayout(top)
        self.route = Segmented(titles(ROUTES), name="Prompt mode", tips=[route.about for route in ROUTES.values()])
        self.route.valueChanged.connect(self.routeChanged)
        reading = row(self._lead, self._reading, self.route)
        reading.setStretch(1, 1)
        self._below = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._below.setSpacing(Space.S)
        self._below.addWidget(self.chips)
        self._below.addLayout(reading, 1)
        column.addLayout(self._below)
        self.edit.textChanged.connect(self.textChanged)
        theme().changed.connect(self._show_marks)
        self.edit.returnPressed.connect(self._submit)
        self.button.clicked.connect(self._pressed)
        self.seed_box.seedChanged.connect(self.seedChanged)
        self.chips.chosen.connect(self._chip_clicked)

    def _chip_clicked(self, prompt: str) -> None:
        adding = QApplication.keyboardModifiers() & (
            Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier
        )
        present = self.edit.text().strip()
        self.edit.setText(f"{present}, {prompt}" if adding and present else prompt)
        self._submit()

    def text(self) -> str:
        return self.edit.text()

    def set_text(self, text: str) -> None:
        self.edit.setText(text)
        self.edit.setCursorPosition(0)

    def seed(self) -> int:
        return self.seed_box.seed()

    def set_seed(self, seed: int) -> None:
        self.seed_box.set_seed(seed)

    def set_route(self, route: str, possible: Collection[str]) -> None:
        """Show the prompt mode; hidden where only one is possible."""
        self.route.set_value(route)
        self.route.setVisible(len(possible) > 1)
        for key in ROUTES:
            self.route.button(key).setVisible(key in possible or key == route)
        self._shown_route = route
        self._show_subject()

    def set_subject(self, subject: Subject) -> None:
        """Show the chips and the examples of a model's classes."""
        self._subject = subject
        self.chips.set_chips(chips_of(subject))
        self._show_subject()

    def _show_subject(self) -> None:
        self.chips.setVisible(self._shown_route == "class" and bool(self._subject.classes))
        self.edit.setPlaceholderText(example_of(self._subject, self._shown_route))
        self._arrange()

    def _arrange(self) -> None:
        """Show the interpretation beside the chips, or below long ones."""
        chips = self.chips.whole_width()
        others = READING_WIDTH + (0 if self.route.isHidden() else self.route.sizeHint().width())
        beside = chips <= SHORT_CHIPS or chips + others <= self.width()
        directions = QBoxLayout.Direction
        self._below.setDirection(directions.LeftToRight if beside else directions.TopToBottom)

    def set_reading(self, reading: str, *, error: bool = False) -> None:
        """Show how the prompt is interpreted, or with `error` what is wrong or doubtful in it."""
        self._wrong, self._full_reading = error, reading
        self._show_lead()
        restyle(self._reading, kind="problem" if error else "strong")
        self.edit.setAccessibleDescription(reading)
        self._fit_reading()

    def set_marks(self, marks: Sequence[tuple[int, int]]) -> None:
        """Underline the parts of the prompt from these places on, of these lengths: the words that count."""
        self._marks = tuple(marks)
        self._show_marks()

    def _show_marks(self) -> None:
        # QLineEdit takes formats only as an input method sends them, relative to the cursor.
        marked = QTextCharFormat()
        marked.setUnderlineStyle(QTextCharFormat.UnderlineStyle.SingleUnderline)
        marked.setUnderlineColor(theme().colors.color("accent"))
        kind, cursor = QInputMethodEvent.AttributeType.TextFormat, self.edit.cursorPosition()
        formats = [QInputMethodEvent.Attribute(kind, at - cursor, length, marked) for at, length in self._marks]
        QApplication.sendEvent(self.edit, QInputMethodEvent("", formats))

    def set_waiting(self, waiting: bool) -> None:
        """Say that nothing is drawn before the button is pressed."""
        self._waiting = waiting
        self._show_lead()

    def _show_lead(self) -> None:
        lead = "Press Generate for" if self._waiting else "Generates"
        self._lead.setText("" if self._wrong or not self._full_reading else lead)
        self._lead.setVisible(bool(self._lead.text()))

    def reading(self) -> str:
        return self._full_reading

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()
        self._column.activate()  # gives the label its new width
        self._fit_reading()

    def _fit_reading(self) -> None:
        """Show as many words as fit in two lines; the tooltip has all of them."""
        words, shown = self._full_reading.split(), self._full_reading
        self._reading.setText(shown)
        while len(words) > 1 and self._reading.heightForWidth(self._reading.width()) > READING_HEIGHT:
            words.pop()
            shown = " ".join(words) + " …"
            self._reading.setText(shown)
        self._reading.setToolTip(self._full_reading)

    def set_can_generate(self, able: bool, why_not: str = "", *, anyway: bool = False) -> None:
        """Enable the button; `anyway` where the prompt is doubtful. A running job can always be stopped."""
        self._able = able
        self._action = "Generate anyway" if anyway else "Generate"
        self.button.setFixedWidth(ANYWAY_WIDTH if anyway else BUTTON_WIDTH)
        self.button.setToolTip("Generate (Ctrl+Enter)" if able else why_not)
        self.set_busy(self._busy)

    def set_busy(self, busy: bool) -> None:
        """Turn the button into Stop and back."""
        self._busy = busy
        self.button.setText("Stop" if busy else self._action)
        self.button.setAccessibleName(self.button.text())
        self.button.set_kind("warm" if busy else "primary")
        self.button.setEnabled(busy or self._able)

    def _pressed(self) -> None:
        if self._busy:
            self.stopRequested.emit()
        else:
            self._submit()

    def _submit(self) -> None:
        if self._able:
            self.submitted.emit()


def chips_of(subject: Subject) -> list[Chip]:
    """A chip for each class, and one for all of them."""
    if subject.is_digits:
        return [*(Chip(name, name, f"Digit {name}") for name in subject.classes), Chip("0–9", "0-9", "Digit 0–9")]
    chips = [Chip(name, subject.prompt((label,)), f"Class {name}") for label, name in enumerate(subject.classes)]
    return [*chips, Chip("all", "all", "All classes")] if 1 < len(chips) <= ALL_MOST else chips


def example_of(subject: Subject, route: str) -> str:
    """What the empty prompt suggests."""
    if subject.is_digits:
        return EXAMPLES[route]
    if route != "class":
        return "Say what to draw"
    if not subject.classes:
        return "This model takes no prompt"
    first, last = subject.prompt((0,)), subject.prompt((len(subject.classes) - 1,))
    return f"Try {last}, {first} x3, or {first} and {last}"
