"""A tile of the model list: the model's name, images by it, its data and its scores."""

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QScrollArea, QVBoxLayout, QWidget

from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Button, ElidedLabel, Label, row
from desktop_app.widgets.images.image_grid import ImageGrid, Pixels

STRIP_HEIGHT, WIDEST = 52, 10
LEAST_WIDTH, HEIGHT = 296, 142  # the style sheet repeats the height
MEANING = "Right: read as requested by the judge. Distance: to real images, relative to their distance to each other."


class ModelTile(Button):
    """A model, one of which is chosen by a click or the arrow keys."""

    def __init__(self, title: str, whose: str, lines: tuple[str, str]) -> None:
        parts = [part for part in (f"{title}, {whose}", *lines) if part]
        super().__init__(kind="tile", name=". ".join(parts), tip="\n".join([*parts, MEANING]))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCheckable(True)
        self.setMinimumWidth(LEAST_WIDTH)
        self.setFixedHeight(HEIGHT)
        self.title = title
        self.strip = ImageGrid(f"Preview of {title}", margin=6, gap=3)
        self.strip.setFixedHeight(STRIP_HEIGHT)
        self.strip.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.lines = [ElidedLabel(line, "small") for line in lines]
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(2)
        column.addLayout(row(ElidedLabel(title, "title"), 1, Label(whose, "small")))
        column.addSpacing(4)
        column.addWidget(self.strip)
        column.addSpacing(6)
        for line in self.lines:
            column.addWidget(line)
        for child in (self.strip, *self.lines):
            child.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def show_preview(self, images: Pixels | None, instead: str) -> None:
        """Show images by the model, or `instead` a word."""
        self.strip.set_empty_text(instead)
        self.strip.set_images(images, WIDEST)

    def sizeHint(self) -> QSize:
        return QSize(LEAST_WIDTH, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(LEAST_WIDTH, HEIGHT)


class TilePlate(QScrollArea):
    """Tiles in as many columns as fit."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._tiles: tuple[ModelTile, ...] = ()
        self._columns = 0
        content = QWidget()
        self._grid = QGridLayout(content)
        self._grid.setContentsMargins(0, 0, Space.S, Space.S)
        self._grid.setSpacing(Space.M)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        for transparent in (self.viewport(), content):
            transparent.setAutoFillBackground(False)

    def set_tiles(self, tiles: Sequence[ModelTile]) -> None:
        """Show these tiles, and delete the previous ones that are not among them."""
        for tile in set(self._tiles) - set(tiles):
            tile.hide()
            tile.deleteLater()
        self._tiles, self._columns = tuple(tiles), 0
        self._place()
        for tile, following in pairwise(tiles):
            self.setTabOrder(tile, following)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        columns = max(1, (self.width() - Space.S) // (LEAST_WIDTH + Space.M))
        if columns != self._columns:
            self._columns = columns
            for index, tile in enumerate(self._tiles):
                self._grid.addWidget(tile, index // columns, index % columns)
