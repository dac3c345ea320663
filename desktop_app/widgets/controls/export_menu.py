"""The Generate page's export formats in groups, and the export scale."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from PySide6.QtCore import Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget, QWidgetAction

from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Label
from ml.export.base import Content
from ml.export.formats import FORMATS

SCALES = (1, 2, 4, 8)
DIGITS = "digits"  # key: one file per image
PICTURE = ".png"  # key: a plain grid


class Entry(NamedTuple):
    """A file that can be written."""

    suffix: str
    words: str
    labelled: bool = False

    @property
    def key(self) -> str:
        """The suffix, with "-sheet" for a labelled sheet of a format that also holds a plain grid."""
        return f"{self.suffix}-sheet" if self.labelled and FORMATS[self.suffix].content == "picture" else self.suffix

    @property
    def filter(self) -> str:
        """The filter for a file dialog."""
        return f"{self.words} (*{self.suffix})"


def entries(words: str, *contents: Content, labelled: bool = False) -> list[Entry]:
    """The formats with these contents, in the order of their table; the words "Animation" give "Animation (GIF)"."""
    found = [file_format for file_format in FORMATS.values() if file_format.content in contents]
    return [Entry(file_format.suffix, f"{words} ({file_format.title})", labelled) for file_format in found]


GROUPS = {
    "Image": (*entries("Grid", "picture"), *entries("Labelled sheet", "picture", "sheet", labelled=True)),
    "Animation of the denoising": entries("Animation", "film"),
    "Arrays": entries("Arrays", "arrays"),
}
ENTRIES: dict[str, Entry] = {entry.key: entry for group in GROUPS.values() for entry in group}


class ExportMenu(QMenu):
    """Emits `chosen(key)` of ENTRIES or DIGITS, and `scaleChosen(scale)` of SCALES."""

    chosen = Signal(str)
    scaleChosen = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName("Export")
        for title, group in GROUPS.items():
            self._add_group(title, {entry.key: entry.words for entry in group})
        self._add_group("Single images", {DIGITS: ""})
        self._single = self.actions()[-1]
        self.set_noun("digit")
        self.addSeparator()
        self._scales = self.addMenu("")
        self._scales.setAccessibleName("Scale of images and animations")
        self._group = QActionGroup(self)
        for scale in SCALES:
            action = self._scales.addAction(f"{scale}×", partial(self.scaleChosen.emit, scale))
            action.setCheckable(True)
            self._group.addAction(action)
        self.set_scale(4)

    def _add_group(self, title: str, choices: Mapping[str, str]) -> None:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(Space.M, Space.S, Space.M, 2)
        column.addWidget(Label(title.upper(), "section"))
        header = QWidgetAction(self)
        header.setText(title)
        header.setDefaultWidget(holder)
        header.setEnabled(False)
        self.addAction(header)
        for key, words in choices.items():
            self.addAction(words, partial(self.chosen.emit, key)).setData(key)

    def set_noun(self, noun: str) -> None:
        """Say "digit" or "image"."""
        self._single.setText(f"One PNG per {noun}…")

    def set_scale(self, scale: int) -> None:
        """Show the export scale."""
        self._scales.setTitle(f"Scale: {scale}×")
        self._group.actions()[SCALES.index(scale)].setChecked(True)
