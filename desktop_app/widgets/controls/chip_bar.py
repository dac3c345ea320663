"""The chips of a prompt: a button for each class in at most two lines, and a menu of the classes that do not fit."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from desktop_app.widgets.controls.basics import Button

GAP, HEIGHT, LINES = 3, 24, 2
NARROW, PADDING, WIDEST = 23, 16, 168  # widths: of a single character, around a name, of the longest name
MAX_BUTTONS = 60  # of the classes that may fit; the others are in the menu alone


class Chip(NamedTuple):
    """What a chip shows, what it writes into the prompt, and its name for a screen reader."""

    text: str
    prompt: str
    name: str


class ChipBar(QWidget):
    """Emits `chosen(prompt)`. As wide as its chips where they fit into one line, else as wide as there is room."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._chips: tuple[Chip, ...] = ()
        self.buttons: list[Button] = []
        self.more = Button(kind="chip", name="More classes", tip="Choose one of the other classes")
        self.more.setParent(self)
        self._menu = QMenu(self)
        self.more.clicked.connect(self._open_menu)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def set_chips(self, chips: Sequence[Chip]) -> None:
        """Replace the chips."""
        if tuple(chips) == self._chips:
            return
        for button in self.buttons:
            button.hide()
            button.deleteLater()
        self._chips = tuple(chips)
        self.buttons = [self._button(chip) for chip in self._chips[:MAX_BUTTONS]]
        self.more.raise_()  # and last in the tab order
        self.updateGeometry()
        self._place()

    def _button(self, chip: Chip) -> Button:
        tip = f"Generate {chip.text}; Shift+click adds it to the prompt"
        button = Button(chip.text, kind="chip", name=chip.name, tip=tip)
        button.setParent(self)
        button.ensurePolished()
        words = button.fontMetrics().elidedText(chip.text, Qt.TextElideMode.ElideRight, WIDEST - PADDING)
        button.setText(words.replace("&", "&&"))
        width = NARROW if len(words) == 1 else button.fontMetrics().horizontalAdvance(words) + PADDING
        button.setFixedSize(width, HEIGHT)
        button.clicked.connect(partial(self._choose, chip.prompt))
        return button

    def _choose(self, prompt: str, _checked: bool = False) -> None:
        self.chosen.emit(prompt)

    def whole_width(self) -> int:
        """The width of all chips in one line."""
        return sum(button.width() + GAP for button in self.buttons) - GAP

    def sizeHint(self) -> QSize:
        return QSize(max(self.whole_width(), 0), self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(min(max(self.whole_width(), 0), WIDEST), self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        """Put the chips in lines; those beyond the last line go into the menu."""
        fitting = self._fitting(len(self._chips))
        if fitting < len(self._chips):
            self.more.setText(f"{len(self._chips) - fitting} more…")
            self.more.ensurePolished()
            self.more.setFixedSize(self.more.fontMetrics().horizontalAdvance("9999 more…") + PADDING, HEIGHT)
            fitting = self._fitting(len(self._chips), self.more.width() + GAP)
            self.more.setText(f"{len(self._chips) - fitting} more…")
            self.more.setAccessibleName(f"{len(self._chips) - fitting} more classes")
        shown = [*self.buttons[:fitting], *([self.more] if fitting < len(self._chips) else [])]
        x = y = 0
        for button in shown:
            if x and x + button.width() > self.width():
                x, y = 0, y + HEIGHT + GAP
            button.move(x, y)
            x += button.width() + GAP
        for button in (*self.buttons, self.more):
            button.setVisible(button in shown)
        self.setFixedHeight(y + HEIGHT)

    def _fitting(self, count: int, reserved: int = 0) -> int:
        """How many of the chips fit into the lines, with room reserved at the end of the last one."""
        x, line = 0, 1
        for number, button in enumerate(self.buttons[:count]):
            if x and x + button.width() > self.width() - (reserved if line == LINES else 0):
                x, line = 0, line + 1
            if line > LINES:
                return number
            x += button.width() + GAP
        return min(count, len(self.buttons))

    def _open_menu(self) -> None:
        self._menu.clear()
        for chip in self._chips[sum(button.isVisible() for button in self.buttons) :]:
            self._menu.addAction(chip.text.replace("&", "&&"), partial(self.chosen.emit, chip.prompt))
        self._menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))
