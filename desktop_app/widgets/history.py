"""The history: a small picture of everything that was drawn, to go back to."""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from desktop_app.widgets.image_grid import ImageGrid, Pixels
from ml.images import grid

SIDE, HEIGHT, MARGIN = 60, 54, 4
CORNER = 2  # images across and down that stand for all


def thumbnail(images: Pixels) -> Pixels:
    """Images (N, H, W[, 3]) as one small picture, (SIDE, SIDE, 3): the only one, or four of them."""
    count = 1 if len(images) < CORNER**2 else CORNER**2
    chosen = np.linspace(0, len(images) - 1, count).round().astype(int)
    whole = Image.fromarray(grid(images[chosen], 1 if count == 1 else CORNER, gap=2)).convert("RGB")
    return np.array(whole.resize((SIDE, SIDE), Image.Resampling.BOX))


class HistoryStrip(ImageGrid):
    """Thumbnails in a row, the latest at the right. Out of sight until there are two.

    `cellClicked(index)`, and `dragged(index)` where one is pulled away.
    """

    dragged = Signal(int)

    def __init__(self) -> None:
        super().__init__("What was drawn before", framed=False, margin=MARGIN, gap=6, leading=True)
        self.setFixedHeight(HEIGHT)
        self.setToolTip("What was drawn before: click to go back to it, with its settings, or drag it out as a file")
        self._pressed: QPoint | None = None
        self.set_history([], None)

    def set_history(self, thumbnails: Sequence[Pixels], shown: int | None) -> None:
        """Show what there is; `shown` is on the screen now."""
        self.setVisible(len(thumbnails) > 1)
        room = max((self.width() + 6) // (HEIGHT - 2 * MARGIN + 6), 1)
        self.first = max(len(thumbnails) - room, 0)
        kept = thumbnails[self.first :]
        self.set_images(np.stack(kept) if kept else None, max(len(kept), 1))
        self.set_selected(None if shown is None or shown < self.first else shown - self.first)

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
        """A click counts when it is over: until then it may become a drag."""
        if self._pressed is not None:
            self._pressed = None
            super().mousePressEvent(event)
