"""A canvas to draw on with a soft pen, and a bar chart of the class probabilities."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop_app.text.subject import Subject
from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Type, ui_font
from desktop_app.widgets.controls.basics import paint_stage, square_in

Pixels = NDArray[np.uint8]
MARK_ALPHA = 110
BAR_HEIGHT, MARGIN = 16, 14
MAX_BARS, MAX_NAME = 12, 96  # classes with a bar, and the width of a name


class Canvas(QWidget):
    """Shows a drawing and its mark; `begun()`, then `touched(x, y)` in the drawing's pixels while a button is down."""

    begun = Signal()
    touched = Signal(float, float)

    def __init__(self) -> None:
        super().__init__()
        self._drawing: Pixels = np.zeros((28, 28), np.uint8)
        self._mask: Pixels = np.zeros((28, 28), np.uint8)
        self._last: QPointF | None = None
        self._hint = "Draw a digit here"
        self.setAccessibleName("Canvas")
        self.setToolTip("Draw with the mouse or a pen")
        self.setMinimumSize(200, 200)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_drawing(self, drawing: Pixels, mask: Pixels) -> None:
        """Show a drawing and its mask, both (H, W)."""
        self._drawing, self._mask = drawing, mask
        self.update()

    def set_hint(self, hint: str) -> None:
        """What an empty canvas says."""
        self._hint = hint
        self.update()

    def square(self) -> QRectF:
        """The rectangle of the drawing in the widget."""
        return square_in(self.rect(), MARGIN)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        area, colors = self.square(), theme().colors
        paint_stage(painter, self.rect())
        height, width = self._drawing.shape
        picture = QImage(
            np.ascontiguousarray(self._drawing).data, width, height, width, QImage.Format.Format_Grayscale8
        )
        painter.drawImage(area, picture)
        if self._mask.any():
            shade = QColor(colors.stage_accent)
            marked = np.zeros((height, width, 4), np.uint8)
            marked[self._mask > 0] = (shade.red(), shade.green(), shade.blue(), MARK_ALPHA)
            painter.drawImage(area, QImage(marked.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy())
        painter.setPen(QPen(colors.color("stage_text"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area)
        if not self._drawing.any():
            painter.setPen(colors.color("stage_text"))
            painter.setFont(ui_font(Type.BODY))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self._hint)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.begun.emit()
            self._last = None
            self._touch(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._touch(event.position())

    def _touch(self, position: QPointF) -> None:
        """Touch all points between the last position and this one, so that a quick stroke has no gaps."""
        area = self.square()
        scale = self._drawing.shape[1] / area.width()
        here = QPointF((position.x() - area.left()) * scale, (position.y() - area.top()) * scale)
        before = self._last or here
        away = here - before
        dabs = max(1, round(2 * np.hypot(away.x(), away.y())))
        for k in range(1, dabs + 1):
            at = before + away * (k / dabs)
            self.touched.emit(at.x(), at.y())
        self._last = here


class Bars(QWidget):
    """A bar for each class, the longest in the accent colour; of many classes, for the most probable ones."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._names: tuple[str, ...] = ()
        self._shares = np.zeros(0)
        self.setAccessibleName("Probability of each class")
        self.set_subject(subject)

    def set_subject(self, subject: Subject) -> None:
        """Show the classes of a subject, without shares if they are new."""
        if subject.classes != self._names:
            self._names = subject.classes
            self.set_shares(None)
            self.setFixedHeight(BAR_HEIGHT * min(len(self._names), MAX_BARS))

    def set_shares(self, shares: NDArray[np.floating] | None) -> None:
        """Show one share per class, in [0, 1]; None clears them."""
        self._shares = np.zeros(len(self._names)) if shares is None else np.asarray(shares, float)
        best = int(self._shares.argmax()) if shares is not None else 0
        self.setAccessibleDescription("" if shares is None else f"{self._names[best]}: {self._shares[best]:.0%}")
        self.update()

    def _shown(self) -> list[int]:
        """The classes that have a bar."""
        every = range(len(self._names))
        return list(every) if len(every) <= MAX_BARS else sorted(every, key=lambda k: -self._shares[k])[:MAX_BARS]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(ui_font(Type.SMALL))
        colors, shown, metrics = theme().colors, self._shown(), painter.fontMetrics()
        best = max(shown, key=lambda k: self._shares[k], default=0)
        left = min(max((metrics.horizontalAdvance(self._names[k]) for k in shown), default=0), MAX_NAME)
        for row, index in enumerate(shown):
            top, share = row * BAR_HEIGHT, self._shares[index]
            painter.setPen(colors.color("text" if share and index == best else "muted"))
            name = metrics.elidedText(self._names[index], Qt.TextElideMode.ElideRight, left)
            painter.drawText(QRectF(0, top, left + 4, BAR_HEIGHT), Qt.AlignmentFlag.AlignVCenter, name)
            room = QRectF(left + 14, top + 4, self.width() - left - 56, BAR_HEIGHT - 8)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colors.color("control"))
            painter.drawRoundedRect(room, 4, 4)
            if share > 0.002:
                painter.setBrush(colors.color("accent" if index == best else "border_strong"))
                painter.drawRoundedRect(
                    QRectF(room.left(), room.top(), max(room.width() * share, 4), room.height()), 4, 4
                )
            painter.setPen(colors.color("muted"))
            words = f"{share:.0%}" if self._shares.any() else ""
            painter.drawText(QRectF(self.width() - 38, top, 38, BAR_HEIGHT), Qt.AlignmentFlag.AlignRight, words)
