"""A wall of as many images as fill the stage at a size at which they can be told apart."""

from math import sqrt

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent

from desktop_app.widgets.images.image_grid import ImageGrid, Pixels

LEAST_CELL, GAP, MARGIN = 52, 4, 14  # pixels of the screen


class ImageWall(ImageGrid):
    """Shows some of many images, evenly chosen, in full rows. Few images are enlarged to fill the stage.

    `shownChanged` follows when there is room for more or fewer.
    """

    shownChanged = Signal()

    def __init__(self, name: str) -> None:
        super().__init__(name, margin=MARGIN, gap=GAP)
        self._all: Pixels | None = None
        self._whole = False
        self.shown: list[int] = []  # which of the images the cells show

    def show_wall(self, images: Pixels | None, *, whole: bool = False) -> None:
        """Show as many of these images, (N, H, W) or (N, H, W, 3), as fit. `whole`: there are no others."""
        self._all, self._whole = images, whole
        self._fill()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        before = self.shown
        self._fill()
        if self.shown != before:
            self.shownChanged.emit()

    def _fill(self) -> None:
        if self._all is None or not len(self._all):
            self.shown = []
            self.set_images(None)
            return
        number = len(self._all)
        if number <= self._number(self.width()) * (self._number(self.height()) if self._whole else 1):
            self._show_some(number, None)
        else:
            self._show_some(*self._best(number))

    def _best(self, most: int) -> tuple[int, int]:
        """The number of images, in full rows, and the columns: many images that cover much of the room."""
        found: list[tuple[float, int, int]] = []  # how good it is, images, columns
        width, height = (room - 2 * MARGIN + GAP for room in (self.width(), self.height()))
        for columns in range(1, max(1, min(most, self._number(self.width()))) + 1):
            pitch = max(width // columns, 1)
            rows = max(1, min(most // columns, height // pitch))
            cell = min(pitch, height // rows) - GAP
            number = columns * rows
            found.append((number * cell**2 * sqrt(number), number, columns))
        _, number, columns = max(found)
        return number, columns

    @staticmethod
    def _number(room: int) -> int:
        """How many of the smallest images stand in a row, or one below the other."""
        return (room - 2 * MARGIN + GAP) // (LEAST_CELL + GAP)

    def _show_some(self, number: int, columns: int | None) -> None:
        assert self._all is not None
        self.shown = [k * len(self._all) // number for k in range(number)]
        self.set_images(self._all[self.shown], columns)
