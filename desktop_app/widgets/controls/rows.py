"""Rows of a settings column: slider, choice, switch between few options, collapsible group, number card."""

from collections.abc import Mapping, Sequence
from functools import partial
from math import exp, log

from PySide6.QtCore import QLocale, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QStandardItemModel, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QButtonGroup,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from desktop_app.theme.icons import icon
from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Button, Card, Combo, Label, Slider, row
from desktop_app.widgets.controls.hideable import Hideable

LABEL_WIDTH, NARROW_LABEL = 100, 86  # narrow: beside a choice and two buttons
ROW_HEIGHT = 32
LOG_POSITIONS = 400
Choice = tuple[str, str]  # key, text


class _Box(QDoubleSpinBox):
    """A number box without arrows; the wheel changes it only while it has the focus."""

    def __init__(self) -> None:
        super().__init__()
        self.setLocale(QLocale.c())
        self.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedWidth(54)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class SettingRow(Hideable, QWidget):
    """A label of fixed width, followed by the control of a value."""

    def __init__(self, label: str, tip: str) -> None:
        super().__init__()
        self.setToolTip(tip)
        self.setAccessibleName(label)
        self.label = Label(label, "muted")
        self.label.setFixedWidth(LABEL_WIDTH)
        self._line = QHBoxLayout(self)
        self._line.setContentsMargins(0, 0, 0, 0)
        self._line.setSpacing(Space.S)
        self.setFixedHeight(ROW_HEIGHT)
        self._line.addWidget(self.label)


class SliderRow(SettingRow):
    """Label, slider and number box for one value; whole numbers where `decimals` is 0.

    `slider_max` lets the box go further (to `maximum`) than the slider, whose useful range is often shorter.
    """

    valueChanged = Signal(float)

    def __init__(
        self,
        label: str,
        minimum: float,
        maximum: float,
        value: float,
        *,
        step: float = 1,
        decimals: int = 0,
        logarithmic: bool = False,
        slider_max: float | None = None,
        tip: str = "",
    ) -> None:
        super().__init__(label, tip)
        self._low, self._high, self._step, self._log = minimum, slider_max or maximum, step, logarithmic
        self.slider, self.box = Slider(label), _Box()
        self.slider.setRange(0, LOG_POSITIONS if logarithmic else round((self._high - minimum) / step))
        self.slider.setPageStep(max(1, self.slider.maximum() // 10))
        self.box.setDecimals(decimals)
        self.box.setRange(minimum, maximum)
        self.box.setSingleStep(step)
        self.box.setAccessibleName(f"{label}, number")
        self.label.setBuddy(self.box)
        self._line.addWidget(self.slider, 1)
        self._line.addWidget(self.box)
        self.set_value(value)
        self.slider.valueChanged.connect(self._slid)
        self.box.valueChanged.connect(self._typed)

    def value(self) -> float:
        return self.box.value()

    def set_value(self, value: float) -> None:
        """Show a value without emitting `valueChanged`."""
        with QSignalBlocker(self.box), QSignalBlocker(self.slider):
            if round(value, self.box.decimals()) != self.box.value():  # avoids a repaint
                self.box.setValue(value)
            self.slider.setValue(self._position(self.box.value()))

    def _position(self, value: float) -> int:
        if self._log:
            return round(LOG_POSITIONS * log(max(value, self._low) / self._low) / log(self._high / self._low))
        return round((value - self._low) / self._step)

    def _slid(self, position: int) -> None:
        share = position / LOG_POSITIONS
        ratio = self._high / self._low if self._log else 1.0
        self.box.setValue(self._low * exp(share * log(ratio)) if self._log else self._low + position * self._step)

    def _typed(self, value: float) -> None:
        with QSignalBlocker(self.slider):
            self.slider.setValue(self._position(value))
        self.valueChanged.emit(value)


class ChoiceRow(SettingRow):
    """Label and combo box; `valueChanged` carries the key that the user chose."""

    valueChanged = Signal(str)

    def __init__(
        self,
        label: str,
        choices: Sequence[Choice] = (),
        value: str = "",
        *,
        tip: str = "",
        lines: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(label, tip)
        self.combo = Combo(label)
        self._lines = lines or {}
        self.label.setBuddy(self.combo)
        self._line.addWidget(self.combo, 1)
        self._choices: tuple[Choice, ...] = ()
        self.set_choices(choices, value)
        self.combo.activated.connect(self._chosen)

    def set_choices(self, choices: Sequence[Choice], value: str = "") -> None:
        """Replace the choices; without `value` the current choice is kept if it still exists."""
        chosen = value or self.value()
        if tuple(choices) != self._choices:
            self._choices = tuple(choices)
            self.combo.clear()
            for key, text in choices:
                self.combo.addItem(text, key)
            self.combo.set_lines(self._lines)
        self.set_value(chosen)

    def set_lines(self, lines: Mapping[str, str]) -> None:
        """Set what stands under each choice in the list, by its key."""
        if lines != self._lines:
            self._lines = lines
            self.combo.set_lines(lines)

    def disable(self, reasons: Mapping[str, str]) -> None:
        """Disable the choices that have a reason, which becomes their tooltip."""
        items = self.combo.model()
        for index, (key, _) in enumerate(self._choices):
            reason = reasons.get(key, "")
            item = items.item(index) if isinstance(items, QStandardItemModel) else None
            if item is not None:
                item.setEnabled(not reason)
                item.setToolTip(reason)

    def value(self) -> str:
        return self.combo.currentData() or ""

    def set_value(self, value: str) -> None:
        """Show a choice, or the first one if it does not exist."""
        self.combo.setCurrentIndex(max(0, self.combo.findData(value)) if self.combo.count() else -1)

    def _chosen(self, _index: int) -> None:
        self.valueChanged.emit(self.value())


class EditableRow(SettingRow):
    """Label and a field with a list of suggestions; `valueChanged` carries the text, typed or chosen."""

    valueChanged = Signal(str)

    def __init__(self, label: str, *, tip: str = "", most: int) -> None:
        super().__init__(label, tip)
        self.combo = Combo(label)
        self.combo.setEditable(True)
        self.combo.setInsertPolicy(Combo.InsertPolicy.NoInsert)
        self.field.setMaxLength(most)
        self.field.setAccessibleName(label)
        self.label.setBuddy(self.combo)
        self._line.addWidget(self.combo, 1)
        self._choices: tuple[str, ...] = ()
        self.combo.currentTextChanged.connect(self.valueChanged)

    @property
    def field(self) -> QLineEdit:
        """Where the text is typed."""
        field = self.combo.lineEdit()
        assert field is not None
        return field

    def set_choices(self, choices: Sequence[str], value: str) -> None:
        """Replace the suggestions, and show a text, without emitting `valueChanged`."""
        with QSignalBlocker(self.combo):
            if tuple(choices) != self._choices:
                self._choices = tuple(choices)
                self.combo.clear()
                self.combo.addItems(self._choices)
                self.combo.setCurrentIndex(-1)
            if self.combo.currentText() != value:
                self.combo.setEditText(value)


class Segmented(Hideable, QFrame):
    """Small buttons of which exactly one is on; arrow keys move between them."""

    valueChanged = Signal(str)

    def __init__(self, choices: Sequence[Choice], value: str = "", *, name: str = "", tips: Sequence[str] = ()) -> None:
        super().__init__()
        self.setProperty("kind", "segmented")
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        line = QHBoxLayout(self)
        line.setContentsMargins(2, 2, 2, 2)
        line.setSpacing(2)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, Button] = {}
        for index, (key, text) in enumerate(choices):
            tip = tips[index] if index < len(tips) else ""
            button = Button(text, kind="segment", name=f"{name}: {text}" if name else text, tip=tip)
            button.setCheckable(True)
            self._group.addButton(button)
            self._buttons[key] = button
            line.addWidget(button)
            button.toggled.connect(lambda on, key=key: self.valueChanged.emit(key) if on else None)
            button.clicked.connect(partial(self._move_focus, button))
        self.set_value(value or choices[0][0])

    def _move_focus(self, clicked: Button) -> None:
        """Keep the focus ring off a segment that is not chosen any more."""
        if any(button.hasFocus() for button in self._buttons.values()):
            clicked.setFocus()

    def value(self) -> str:
        return next(key for key, button in self._buttons.items() if button.isChecked())

    def set_value(self, value: str) -> None:
        """Switch without emitting `valueChanged`."""
        blocked = [QSignalBlocker(button) for button in self._buttons.values()]
        self._buttons[value].setChecked(True)
        blocked.clear()

    def button(self, key: str) -> Button:
        return self._buttons[key]

    def key_of(self, button: Button) -> str:
        return next(key for key, other in self._buttons.items() if other is button)


class Section(Hideable, QWidget):
    """A group of a settings column under a small header; `collapsible` ones fold away."""

    toggled = Signal(bool)

    def __init__(self, title: str, *, collapsible: bool = False, expanded: bool = True) -> None:
        super().__init__()
        self.title = title
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(Space.S)
        self._top = row(1)
        self.body = QWidget()
        self.body_layout = QVBoxLayout(self.body)
        self.body_layout.setContentsMargins(0, 0, 0, 0)
        self.body_layout.setSpacing(10)
        if collapsible:
            self.header: QWidget = self._fold_button(title, expanded)
            self.body.setVisible(expanded)
        else:
            self.header = Label(title.upper(), "section")
        self._top.insertWidget(0, self.header)
        outer.addLayout(self._top)
        outer.addWidget(self.body)

    def _fold_button(self, title: str, expanded: bool) -> Button:
        button = Button(title.upper(), kind="section", name=title, tip="Show or hide these settings")
        button.setCheckable(True)
        button.setChecked(expanded)
        button.setIconSize(QSize(10, 10))
        self._set_caret(button, expanded)
        button.toggled.connect(self._fold)
        return button

    def _set_caret(self, button: Button, expanded: bool) -> None:
        button.setIcon(icon("caret-down-bold" if expanded else "caret-right-bold", "muted"))

    def _fold(self, expanded: bool) -> None:
        assert isinstance(self.header, Button)
        self._set_caret(self.header, expanded)
        self.body.setVisible(expanded)
        self.toggled.emit(expanded)

    def add(self, widget: QWidget) -> None:
        self.body_layout.addWidget(widget)

    def set_corner(self, widget: QWidget) -> None:
        """Add a widget at the right of the header."""
        self._top.addWidget(widget)


class StatCard(Card):
    """A large number under a small label."""

    def __init__(self, label: str, value: str = "–", *, tip: str = "") -> None:
        super().__init__("stat")
        self._label, self._value = Label(label, "small"), Label(value, "number")
        self.setToolTip(tip)
        self.setMinimumWidth(84)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.M, 10, Space.S, 10)
        column.setSpacing(2)
        column.addWidget(self._label)
        column.addWidget(self._value)
        self.set_value(value)

    def set_value(self, value: str) -> None:
        self._value.setText(value)
        self.setAccessibleName(f"{self._label.text()}: {value}")

    def set_label(self, label: str) -> None:
        self._label.setText(label)
        self.setAccessibleName(f"{label}: {self._value.text()}")

    def value(self) -> str:
        return self._value.text()
