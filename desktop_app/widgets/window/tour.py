"""The tour: a few stops, each with a card beside the part of the window that it explains."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QCloseEvent,
    QColor,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Radius, Space
from desktop_app.widgets.controls.basics import Button, Card, Label, row

CARD_WIDTH, MARGIN, VEIL = 320, 6, 150  # pixels; around the part explained; opacity of the veil (0 to 255)

ARROWS = (Qt.Key.Key_Left, Qt.Key.Key_Right)


@dataclass(frozen=True, slots=True)
class Stop:
    """A part of the window, and what is said about it."""

    title: str
    text: str
    part: QWidget


class Tour(QWidget):
    """Covers the widget `over` but for the part that a stop explains. Nothing moves by itself.

    The right arrow or Enter goes on, the left arrow back, Escape ends it. Emits `ended()`, and deletes itself.
    """

    ended = Signal()

    def __init__(self, over: QWidget, stops: Sequence[Stop]) -> None:
        super().__init__(over)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._over, self._stops, self._at = over, stops, 0
        self._focused_before = over.window().focusWidget()
        self.card = Card("tour")
        self.card.setParent(self)
        self.title, self.text, self.count = Label("", "title"), Label(""), Label("", "small")
        self.text.setWordWrap(True)
        self.skip = Button("Skip tour", kind="flat", tip="End the tour (Escape)")
        self.back = Button("Back", tip="Go to the stop before (left arrow)")
        self.next = Button("Next", kind="primary", tip="Go to the next stop (right arrow)")
        column = QVBoxLayout(self.card)
        column.setContentsMargins(Space.L, Space.M, Space.L, Space.M)
        column.setSpacing(Space.S)
        for label in (self.title, self.text):
            column.addWidget(label)
        column.addLayout(row(self.count, 1, self.skip, self.back, self.next))
        self.skip.clicked.connect(self.close)
        self.back.clicked.connect(lambda: self.go(self._at - 1))
        self.next.clicked.connect(lambda: self.go(self._at + 1))
        over.installEventFilter(self)
        for button in (self.skip, self.back, self.next):
            button.installEventFilter(self)
        self.show()
        self.go(0)

    @property
    def stop(self) -> Stop:
        """The current stop."""
        return self._stops[self._at]

    def go(self, number: int) -> None:
        """Show a stop; after the last one the tour ends."""
        if number == len(self._stops):
            self.close()
            return
        self._at, last = max(number, 0), number == len(self._stops) - 1
        self.title.setText(self.stop.title)
        self.text.setText(self.stop.text)
        self.count.setText(f"{self._at + 1} of {len(self._stops)}")
        self.back.setEnabled(self._at > 0)
        self.next.setText("Done" if last else "Next")
        self.next.setAccessibleName(self.next.text())
        self.skip.setVisible(not last)
        self.setAccessibleName(f"Tour, stop {self.count.text()}: {self.stop.title}")
        self.setAccessibleDescription(self.stop.text)
        self._place()
        self.raise_()
        self.next.setFocus(Qt.FocusReason.TabFocusReason)
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))
        self.update()

    def hole(self) -> QRect:
        """The part that is explained, with a margin, in the tour's coordinates."""
        part = self.stop.part
        corner = part.mapTo(self._over.window(), QPoint()) - self._over.mapTo(self._over.window(), QPoint())
        return QRect(corner, part.size()).adjusted(-MARGIN, -MARGIN, MARGIN, MARGIN)

    def _place(self) -> None:
        """Put the card where there is room: beside a small part, below or above a wide one; always in the window."""
        self.setGeometry(self._over.rect())
        self.text.ensurePolished()
        self.card.setFixedWidth(CARD_WIDTH)
        self.card.setFixedHeight(self.card.heightForWidth(CARD_WIDTH))
        hole, size, gap = self.hole(), self.card.size(), Space.M
        places = (
            QPoint(hole.left(), hole.bottom() + gap),
            QPoint(hole.left(), hole.top() - gap - size.height()),
            QPoint(hole.right() + gap, hole.top()),
            QPoint(hole.left() - gap - size.width(), hole.top()),
        )
        inside = self.rect().adjusted(gap, gap, -gap, -gap)
        if hole.width() < size.width() / 2 and places[2].x() + size.width() <= inside.right():
            places = (places[2], *places)
        for place in places:
            x = min(max(place.x(), inside.left()), inside.right() - size.width())
            y = min(max(place.y(), inside.top()), inside.bottom() - size.height())
            self.card.move(x, y)
            if not self.card.geometry().intersects(hole):
                return

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._over:
            if event.type() == QEvent.Type.Resize:
                self._place()
        elif isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in ARROWS:
            self.keyPressEvent(event)  # buttons would move the focus
            return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Escape:
                self.close()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                (self.back if self.back.hasFocus() else self.skip if self.skip.hasFocus() else self.next).click()
            case Qt.Key.Key_Right:
                self.go(self._at + 1)
            case Qt.Key.Key_Left if self._at:
                self.go(self._at - 1)
            case _:
                event.accept()  # the page below gets no keys

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()  # nor does the window take them as shortcuts
            return True
        return super().event(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab moves among the buttons of the card."""
        buttons = [button for button in (self.skip, self.back, self.next) if button.isVisible() and button.isEnabled()]
        if not buttons:  # the tour is being closed
            return False
        focused = [button.hasFocus() for button in buttons]
        at = focused.index(True) if True in focused else 0
        buttons[(at + (1 if forward else -1)) % len(buttons)].setFocus(Qt.FocusReason.TabFocusReason)
        return True

    def closeEvent(self, event: QCloseEvent) -> None:
        self._over.removeEventFilter(self)
        (self._focused_before or self._over.window()).setFocus()
        self.ended.emit()
        super().closeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        hole = QRectF(self.hole()).adjusted(0.5, 0.5, -0.5, -0.5)
        around = QPainterPath()
        around.addRect(QRectF(self.rect()))
        bright = QPainterPath()
        bright.addRoundedRect(hole, Radius.CONTROL, Radius.CONTROL)
        painter.fillPath(around.subtracted(bright), QColor(0, 0, 0, VEIL))
        painter.setPen(QPen(theme().colors.color("accent"), 2))
        painter.drawPath(bright)
