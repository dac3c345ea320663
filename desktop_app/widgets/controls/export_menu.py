"""What the Generate page can write, in groups, and how large."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from PySide6.QtCore import Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget, QWidgetAction

from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Label

SCALES = (1, 2, 4, 8)
DIGITS = "digits"  # the key of one file per digit


class Format(NamedTuple):
    """Something that can be written; an empty ending is a folder's."""

    key: str
    ending: str
    words: str


GROUPS = {
    "Picture": (
        Format("png", ".png", "Grid (PNG)"),
        Format("sheet", ".png", "Labelled sheet (PNG)"),
        Format("svg", ".svg", "Labelled sheet (SVG)"),
    ),
    "Film of the denoising": (
        Format("mp4", ".mp4", "Film (MP4)"),
        Format("gif", ".gif", "Film (GIF)"),
        Format("webp", ".webp", "Film (WebP)"),
        Format("apng", ".apng", "Film (APNG)"),
    ),
    "Arrays": (Format("npz", ".npz", "Arrays (NPZ)"),),
    "Single digits": (Format(DIGITS, "", "One PNG per digit…"),),
}
FORMATS: dict[str, Format] = {found.key: found for group in GROUPS.values() for found in group}


class ExportMenu(QMenu):
    """Emits `chosen(key)` of FORMATS, and `scaleChosen(scale)` of SCALES."""

    chosen = Signal(str)
    scaleChosen = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName("Export")
        for title, formats in GROUPS.items():
            self._add_group(title, formats)
        self.addSeparator()
        self._scales = self.addMenu("")
        self._scales.setAccessibleName("Scale of pictures and films")
        self._group = QActionGroup(self)
        for scale in SCALES:
            action = self._scales.addAction(f"{scale}×", partial(self.scaleChosen.emit, scale))
            action.setCheckable(True)
            self._group.addAction(action)
        self.set_scale(4)

    def _add_group(self, title: str, formats: Sequence[Format]) -> None:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(Space.M, Space.S, Space.M, 2)
        column.addWidget(Label(title.upper(), "section"))
        header = QWidgetAction(self)
        header.setText(title)
        header.setDefaultWidget(holder)
        header.setEnabled(False)
        self.addAction(header)
        for key, _, words in formats:
            self.addAction(words, partial(self.chosen.emit, key)).setData(key)

    def set_scale(self, scale: int) -> None:
        """Show how large pictures and films are written."""
        self._scales.setTitle(f"Scale: {scale}×")
        self._group.actions()[SCALES.index(scale)].setChecked(True)
