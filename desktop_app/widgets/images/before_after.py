"""Two pictures over each other, with a divider to drag between them."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Radius
from desktop_app.widgets.images.qimage import to_qimage

Pixels = NDArray[np.uint8]
KEY_STEP, PAGE_STEP = 0.02, 0.1
KNOB = 9
HIGHEST, LARGE = 200, 300  # at most, in a column; and where there is room
QWIDGETSIZE_MAX = 16_777_215  # Qt's own, which PySide6 does not export


class BeforeAfter(QWidget):
    """The first picture left of the divider, the second right of it; `moved(place)` in [0, 1] by mouse or keys.

    A single picture has no divider. Left and right move it, Home and End move it to the ends.
    """

    moved = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._images: list[QImage] = []
        self._names: tuple[str, ...] = ()
        self._place = 0.5
        self.setToolTip("Drag the divider: the first cell is on its left, the second on its right")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)
        self.show_pictures([], [])

    def show_pictures(self, pictures: list[Pixels], names: list[str]) -> None:
        """Up to two pictures (H, W) or (H, W, 3) of one size, with their names."""
        fresh = len(pictures) != len(self._images)
        self._images, self._names = [to_qimage(picture) for picture in pictures], tuple(names)
        if fresh:
            self._place = 0.5
        self.updateGeometry()
        self._describe()
        self.update()

    def set_large(self, large: bool) -> None:
        """Use the height of a large picture, or that of a picture in a column."""
        self.setMinimumHeight(LARGE if large else 0)
        self.setMaximumHeight(LARGE if large else QWIDGETSIZE_MAX)

    def place(self) -> float:
        """Where the divider is, from 0 at the left to 1."""
        return self._place

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        """The height of the pictures at that width, at most HIGHEST."""
        image = self._images[0] if self._images else None
        return min(round(width * image.height() / image.width()), HIGHEST) if image else 0

    def sizeHint(self) -> QSize:
        return QSize(256, self.heightForWidth(256))

    def area(self) -> QRectF:
        """The rectangle of the pictures: as large as fits, centred."""
        if not self._images:
            return QRectF(self.rect())
        image = self._images[0]
        scale = min(self.width() / image.width(), self.height() / image.height())
        width, height = image.width() * scale, image.height() * scale
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors, area = QPainter(self), theme().colors, self.area()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shape = QPainterPath()
        shape.addRoundedRect(area, Radius.SMALL, Radius.SMALL)
        painter.setClipPath(shape)
        painter.fillRect(area, colors.color("stage"))
        for image in self._images[-1:]:
            painter.drawImage(area, image)
        if len(self._images) == 2:
            self._paint_divided(painter, area)
        painter.setClipping(False)
        if self.hasFocus():
            painter.setPen(QPen(colors.color("accent"), 2))
            painter.drawPath(shape)

    def _paint_divided(self, painter: QPainter, area: QRectF) -> None:
        colors, x = theme().colors, area.left() + self._place * area.width()
        painter.save()
        painter.setClipRect(QRectF(area.left(), area.top(), x - area.left(), area.height()))
        painter.drawImage(area, self._images[0])
        painter.restore()
        painter.setPen(QPen(colors.color("stage_accent"), 2))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.setBrush(colors.color("handle"))
        painter.drawEllipse(QPointF(x, area.center().y()), KNOB, KNOB)
        for side in (-1, 1):  # the arrows on the knob
            tip = QPointF(x + side * 5.5, area.center().y())
            for end in (-3, 3):
                painter.drawLine(tip, tip + QPointF(-side * 3, end))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._go_to(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go_to(event.position())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        targets = {
            Qt.Key.Key_Left: self._place - KEY_STEP,
            Qt.Key.Key_Right: self._place + KEY_STEP,
            Qt.Key.Key_PageDown: self._place - PAGE_STEP,
            Qt.Key.Key_PageUp: self._place + PAGE_STEP,
            Qt.Key.Key_Home: 0.0,
            Qt.Key.Key_End: 1.0,
        }
        target = targets.get(Qt.Key(event.key()))
        if target is None:
            super().keyPressEvent(event)
        else:
            self._take(target)

    def _go_to(self, position: QPointF) -> None:
        area = self.area()
        self._take((position.x() - area.left()) / max(area.width(), 1.0))

    def _take(self, place: float) -> None:
        place = round(min(max(place, 0.0), 1.0), 3)
        if len(self._images) == 2 and place != self._place:
            self._place = place
            self._describe()
            self.update()
            self.moved.emit(place)

    def _describe(self) -> None:
        divided = len(self._images) == 2
        self.setAccessibleName(" and ".join(self._names) or "No cell chosen")
        self.setAccessibleDescription(f"divider at {self._place:.0%}" if divided else "")
        self.setCursor(Qt.CursorShape.SplitHCursor if divided else Qt.CursorShape.ArrowCursor)
