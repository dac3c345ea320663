"""The history: a thumbnail of each recent result, which reopens it."""

from collections.abc import Collection, Sequence

import numpy as np
from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QFrame, QScrollArea

from desktop_app.theme.controller import theme
from desktop_app.theme.icons import paint_icon
from desktop_app.widgets.images.image_grid import ImageGrid, Pixels

HEIGHT, MARGIN, GAP = 54, 4, 6
BAR = 12  # height of the scroll bar
STAR = 13  # side of the star of a starred result


class HistoryStrip(ImageGrid):
    """Thumbnails in a row, the latest at the right. Out of sight until there are two.

    `cellClicked(index)`, and `dragged(index)` where one is pulled away.
    """

    dragged = Signal(int)
    moved = Signal(int)  # the index that the keyboard moved to

    def __init__(self) -> None:
        super().__init__("Recent results", framed=False, margin=MARGIN, gap=GAP, leading=True)
        self.setFixedHeight(HEIGHT)
        self.setToolTip("Click a result to reopen it with its settings, or drag it out as a file")
        self._pressed: QPoint | None = None
        self._starred: Collection[int] = ()
        self.set_history([], None)

    def set_history(self, thumbnails: Sequence[Pixels], shown: int | None, starred: Collection[int] = ()) -> None:
        """Show these thumbnails, of which some are `starred`; `shown` is the index of the result on the page."""
        self._starred = starred
        self.setVisible(len(thumbnails) > 1)
        self.setFixedWidth(2 * MARGIN + len(thumbnails) * (HEIGHT - 2 * MARGIN + GAP))
        self.set_images(np.stack(thumbnails) if thumbnails else None, max(len(thumbnails), 1))
        self.set_selected(shown)

    def current(self) -> int | None:
        """The index of the thumbnail that the keyboard is at."""
        return self._current if 0 <= self._current < len(self.images()) else None

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        for index in self._starred:
            corner = self.cell_rect(index).topRight().toPoint()
            place = QRect(corner.x() - STAR, corner.y() + 1, STAR, STAR)
            if event.rect().intersects(place):
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme().colors.color("stage"))
                painter.drawEllipse(place)
                paint_icon(painter, "star-fill", place.adjusted(2, 2, -2, -2), "stage_warning")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        super().keyPressEvent(event)
        self.moved.emit(self._current)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = event.position().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if self._pressed is None or not event.buttons() & Qt.MouseButton.LeftButton:
            return
        index = self.cell_at(self._pressed)
        way = (event.position().toPoint() - self._pressed).manhattanLength()
        if index >= 0 and way >= QApplication.startDragDistance():
            self._pressed = None
            self.dragged.emit(index)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click counts on release: until then it may become a drag."""
        if self._pressed is not None:
            self._pressed = None
            super().mousePressEvent(event)


class HistoryView(QScrollArea):
    """A scroll area for the strip: it scrolls to new thumbnails, and the wheel scrolls back."""

    def __init__(self, strip: HistoryStrip) -> None:
        super().__init__()
        self._strip = strip
        self.setAccessibleName("History")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(strip)
        strip.moved.connect(self._show)
        self.horizontalScrollBar().rangeChanged.connect(self._follow)
        self.fit()

    def fit(self) -> None:
        """Fit the height to the strip, or hide with it."""
        self.setVisible(not self._strip.isHidden())
        self.setFixedHeight(HEIGHT + (BAR if self._strip.width() > self.width() else 0))

    def _follow(self, _low: int, high: int) -> None:
        self.horizontalScrollBar().setValue(high)

    def _show(self, index: int) -> None:
        middle = self._strip.cell_rect(index).center().toPoint()
        self.ensureVisible(middle.x(), middle.y(), HEIGHT, 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        way = event.angleDelta().y() or event.angleDelta().x()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - way)
        event.accept()
