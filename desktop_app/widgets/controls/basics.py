"""Small shared parts: cards, labels, buttons, a combo box and a slider, styled by the theme."""

from collections.abc import Mapping

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionButton,
    QStyleOptionComboBox,
    QWidget,
)

from desktop_app.theme.controller import theme
from desktop_app.theme.icons import icon, paint_icon
from desktop_app.theme.tokens import Radius
from desktop_app.widgets.controls.choice_list import LINE_ROLE, ChoiceDelegate
from desktop_app.widgets.controls.hideable import Hideable

ROOM = 12  # of a list's padding


def restyle(widget: QWidget, **properties: object) -> None:
    """Set dynamic properties that the style sheet selects by, and restyle the widget if one has changed."""
    new = {name: value for name, value in properties.items() if widget.property(name) != value}
    if not new:
        return
    for name, value in new.items():
        widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    widget.update()


class Card(QFrame):
    """A rounded surface with a thin border."""

    def __init__(self, kind: str = "card") -> None:
        super().__init__()
        self.setProperty("kind", kind)


class Label(QLabel):
    """Text of one kind: `muted`, `small`, `strong`, `title`, `heading`, `section`, `number` or plain."""

    def __init__(self, text: str = "", kind: str = "") -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("kind", kind)


class ElidedLabel(Label):
    """One line that ends in an ellipsis if it is too long; the tooltip then has the whole text."""

    def __init__(self, text: str = "", kind: str = "") -> None:
        super().__init__("", kind)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self._full = ""
        self.set_text(text)

    def set_text(self, text: str) -> None:
        self._full = text
        self.setAccessibleName(text)
        self._elide()
        self.updateGeometry()

    def full_text(self) -> str:
        return self._full

    def sizeHint(self) -> QSize:
        self.ensurePolished()
        return QSize(QFontMetrics(self.font()).horizontalAdvance(self._full) + 2, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        self.ensurePolished()
        shown = QFontMetrics(self.font()).elidedText(self._full, Qt.TextElideMode.ElideRight, max(self.width(), 0))
        self.setText(shown)
        self.setToolTip(self._full if shown != self._full else "")


class Button(Hideable, QPushButton):
    """A push button. Kinds: plain, `primary`, `warm`, `flat`, `tool`, `chip`, `segment`, `link`."""

    def __init__(self, text: str = "", icon_name: str = "", kind: str = "", name: str = "", tip: str = "") -> None:
        super().__init__(text)
        self._kind = kind
        self.setProperty("kind", kind)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click does not move the keyboard focus
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(name or text)
        self.setToolTip(tip)
        if icon_name:
            self.set_icon(icon_name)

    def set_icon(self, icon_name: str) -> None:
        role = {"primary": "on_accent", "warm": "on_warm"}.get(self._kind, "text")
        self.setIcon(icon(icon_name, role))
        self.setIconSize(QSize(16 if self._kind == "tool" else 22, 16))  # wider: room between icon and word

    def set_kind(self, kind: str) -> None:
        self._kind = kind
        restyle(self, kind=kind)


class Mark(QWidget):
    """An icon in the theme's colours; screen readers skip it."""

    def __init__(self, name: str = "", role: str = "text", size: int = 20) -> None:
        super().__init__()
        self._name, self._role = name, role
        self.setFixedSize(size, size)

    def set_icon(self, name: str, role: str) -> None:
        self._name, self._role = name, role
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._name:
            paint_icon(QPainter(self), self._name, self.rect(), self._role)


TEXT_PAD = 4  # pixels between the text of a combo box and the edge of its room


class Combo(QComboBox):
    """A combo box with the theme's caret, whose list is as wide as its entries, and whose long choice ends in dots.

    The mouse wheel does not change it.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(4)
        self.setItemDelegate(ChoiceDelegate(self))

    def showPopup(self) -> None:
        """Open the list, as wide as its widest entry."""
        view = self.view()
        view.setMinimumWidth(max(self.width(), view.sizeHintForColumn(0) + 2 * view.frameWidth() + ROOM))
        super().showPopup()

    def set_lines(self, lines: Mapping[str, str]) -> None:
        """Set the lines under the entries, by the entries' data."""
        for row in range(self.count()):
            line = lines.get(str(self.itemData(row)), "")
            self.setItemData(row, line, LINE_ROLE)
            self.setItemData(row, line, Qt.ItemDataRole.AccessibleDescriptionRole)

    def initStyleOption(self, option: QStyleOptionComboBox) -> None:
        """Shorten the text where there is not enough room for it."""
        super().initStyleOption(option)
        edit = QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, edit, self).width() - TEXT_PAD
        text = self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideRight, max(room, 0))
        option.currentText = text  # type: ignore[attr-defined]

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        paint_caret(self)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


def paint_stage(painter: QPainter, room: QRect, border: str = "stage_border") -> None:
    """Paint the dark surface with round corners behind images."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme().colors.color(border), 1))
    painter.setBrush(theme().colors.color("stage"))
    painter.drawRoundedRect(QRectF(room).adjusted(0.5, 0.5, -0.5, -0.5), Radius.CARD, Radius.CARD)


def square_in(room: QRect, margin: int) -> QRectF:
    """The largest centred square within a margin."""
    side = float(max(min(room.width(), room.height()) - 2 * margin, 1))
    return QRectF((room.width() - side) / 2, (room.height() - side) / 2, side, side)


class Check(Hideable, QCheckBox):
    """A check box in the theme's colours."""

    def __init__(self, text: str, tip: str = "") -> None:
        super().__init__(text)
        self.setToolTip(tip)
        self.setAccessibleName(text)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.isChecked():
            option = QStyleOptionButton()
            self.initStyleOption(option)
            box = self.style().subElementRect(QStyle.SubElement.SE_CheckBoxIndicator, option, self)
            paint_icon(QPainter(self), "check-bold", box.adjusted(3, 3, -3, -3), "on_accent")


def paint_caret(widget: QWidget) -> None:
    """Paint the caret at the right end of a widget that opens a list."""
    place = QRect(widget.width() - 21, (widget.height() - 11) // 2, 11, 11)
    paint_icon(QPainter(widget), "caret-down-bold", place, "muted" if widget.isEnabled() else "faint")


class Slider(QSlider):
    """A slim slider: a click jumps there, and positions beyond `limit` cannot be reached."""

    HANDLE = 8.0  # radius in pixels

    def __init__(self, name: str = "") -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._limit: int | None = None
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedHeight(24)
        self.setMinimumWidth(60)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.actionTriggered.connect(self._clamp)
        theme().changed.connect(self.update)

    def set_limit(self, limit: int | None) -> None:
        """The highest value that can be reached now; the rest of the groove is fainter."""
        self._limit = limit
        if limit is not None and self.value() > limit:
            self.setValue(limit)
        self.update()

    def x_of(self, value: float) -> float:
        """The middle of the handle at a value, in widget coordinates."""
        span = max(1, self.maximum() - self.minimum())
        return self.HANDLE + 1 + (self.width() - 2 * self.HANDLE - 2) * (value - self.minimum()) / span

    def value_at(self, x: float) -> int:
        """The value nearest to a position, within range and limit."""
        room = max(1.0, self.width() - 2 * self.HANDLE - 2)
        share = min(1.0, max(0.0, (x - self.HANDLE - 1) / room))
        value = self.minimum() + round(share * (self.maximum() - self.minimum()))
        return value if self._limit is None else min(value, self._limit)

    def _clamp(self, _action: int) -> None:
        if self._limit is not None and self.sliderPosition() > self._limit:
            self.setSliderPosition(self._limit)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self.setSliderPosition(self.value_at(event.position().x()))
            event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setSliderPosition(self.value_at(event.position().x()))
            event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(False)
            event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()  # the page scrolls instead

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme().colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        middle, here, end = self.height() / 2, self.x_of(self.sliderPosition()), self.width() - 1.0
        _groove(painter, 1, end, middle, colors.color("border"))
        if self._limit is not None and self._limit > self.minimum():
            reached = end if self._limit >= self.maximum() else self.x_of(self._limit)
            _groove(painter, 1, reached, middle, colors.color("border_strong"))
        if here > self.HANDLE + 1:
            _groove(painter, 1, here, middle, colors.color("accent" if self.isEnabled() else "faint"))
        if self.hasFocus():
            halo = colors.color("accent")
            halo.setAlpha(70)
            painter.setBrush(halo)
            painter.drawEllipse(QRectF(here - 10, middle - 10, 20, 20))
        painter.setBrush(colors.color("handle" if self.isEnabled() else "control"))
        painter.setPen(QPen(colors.color("accent" if self.isEnabled() else "faint"), 3))
        radius = self.HANDLE - (1 if self.underMouse() else 2)
        painter.drawEllipse(QRectF(here - radius, middle - radius, 2 * radius, 2 * radius))


def _groove(painter: QPainter, left: float, right: float, middle: float, color: QColor) -> None:
    painter.setBrush(color)
    painter.drawRoundedRect(QRectF(left, middle - 2, max(0.0, right - left), 4), 2, 2)


def row(*parts: QWidget | int, spacing: int = 8) -> QHBoxLayout:
    """A horizontal layout without margins; an int is a stretch."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for part in parts:
        if isinstance(part, int):
            layout.addStretch(part)
        else:
            layout.addWidget(part)
    return layout
