"""The interpolation pad: images between four corners, and a handle at the chosen position."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Type, ui_font
from desktop_app.widgets.controls.basics import paint_stage, square_in
from desktop_app.widgets.images.qimage import to_qimage

Pixels = NDArray[np.uint8]
HANDLE, MARGIN = 12, 14
KEY_STEP = 0.05
RIM = 190  # how dark the rims of the handle are, of 255, so that it is seen on white


class InterpolationPad(QWidget):
    """A square; `moved(x, y)` in [0, 1]² from the upper left, by mouse or arrow keys."""

    moved = Signal(float, float)

    def __init__(self) -> None:
        super().__init__()
        self._place = (0.5, 0.5)
        self._picture: QImage | None = None
        self.setAccessibleName("Pad between four corners")
        self.setToolTip("Drag the handle: closer corners count more")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setMinimumSize(200, 200)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def place(self) -> tuple[float, float]:
        return self._place

    def set_place(self, x: float, y: float) -> None:
        """Show a position without emitting."""
        self._update_handle()
        self._place = (x, y)
        self._update_handle()
        self.setAccessibleDescription(f"{x:.0%} from the left, {y:.0%} from the top")

    def _update_handle(self) -> None:
        """Repaint the surroundings of the handle."""
        at, room = self.point(), HANDLE + 4
        self.update(QRectF(at.x() - room, at.y() - room, 2 * room, 2 * room).toAlignedRect())

    def set_picture(self, picture: Pixels | None) -> None:
        """Show the images between the corners, as one picture (H, W) grey or (H, W, 3)."""
        self._picture = None if picture is None else to_qimage(picture)
        self.update()

    def square(self) -> QRectF:
        """The rectangle of the pad in the widget."""
        return square_in(self.rect(), MARGIN)

    def point(self) -> QPointF:
        """The position of the handle in the widget."""
        area = self._reach()
        return QPointF(area.left() + self._place[0] * area.width(), area.top() + self._place[1] * area.height())

    def _reach(self) -> QRectF:
        """The rectangle between the middles of the corner images."""
        area = self.square()
        inset = area.width() / 10  # half of one of the five images across
        return area.adjusted(inset, inset, -inset, -inset)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colors, area = theme().colors, self.square()
        paint_stage(painter, self.rect(), "stage_accent" if self.hasFocus() else "stage_border")
        if self._picture is not None:
            painter.drawImage(area, self._picture)
        else:
            painter.setPen(colors.color("stage_text"))
            painter.setFont(ui_font(Type.SMALL))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "Generating the images in between…")
        if self._picture is not None:
            self._paint_handle(painter)

    def _paint_handle(self, painter: QPainter) -> None:
        """A ring, through which the map is seen, with a dot in its middle."""
        rim, at = QColor(0, 0, 0, RIM), self.point()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, width in ((rim, 5.0), (theme().colors.color("stage_accent"), 3.0)):
            painter.setPen(QPen(color, width))
            painter.drawEllipse(at, HANDLE, HANDLE)
        for color, radius in ((rim, 3.0), (theme().colors.color("handle"), 2.0)):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            painter.drawEllipse(at, radius, radius)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._go_to(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go_to(event.position())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {
            Qt.Key.Key_Left: (-KEY_STEP, 0.0),
            Qt.Key.Key_Right: (KEY_STEP, 0.0),
            Qt.Key.Key_Up: (0.0, -KEY_STEP),
            Qt.Key.Key_Down: (0.0, KEY_STEP),
        }
        move = moves.get(Qt.Key(event.key()))
        if move is None:
            super().keyPressEvent(event)
        else:
            self._take(self._place[0] + move[0], self._place[1] + move[1])

    def _go_to(self, position: QPointF) -> None:
        area = self._reach()
        self._take((position.x() - area.left()) / area.width(), (position.y() - area.top()) / area.height())

    def _take(self, x: float, y: float) -> None:
        place = (round(min(max(x, 0.0), 1.0), 3), round(min(max(y, 0.0), 1.0), 3))
        if place != self._place:
            self.set_place(*place)
            self.moved.emit(*place)
