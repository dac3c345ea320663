"""The layout of every page: content in the middle, settings in a column on the right."""

from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from desktop_app.theme.tokens import SETTINGS_WIDTH, Space
from desktop_app.widgets.controls.basics import Label, row
from desktop_app.widgets.controls.hideable import Hideable
from desktop_app.widgets.controls.rows import Section, Segmented, SettingRow
from desktop_app.widgets.images.timeline import Timeline
from ml.events import Pixels

SIDE_MARGIN = 16
Kind = TypeVar("Kind", bound=QWidget)


class Page(QWidget):
    """`body` is the column in the middle, `side` the scrolling column of settings, `foot` the fixed part below it.

    Emits `pageRequested(key)` to bring another page to the front, and `scaleChosen(scale)` of exported images.
    """

    pageRequested = Signal(str)
    scaleChosen = Signal(int)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.export_folder: Path | None = None  # folder of the last export
        self.export_scale = 4  # width of an image pixel in exported files
        self.outdated = Label("Made with other settings", "small")
        self.outdated.setToolTip("What is shown was made before the settings changed")
        self.outdated.hide()
        self.setAccessibleName(name)
        middle = QWidget()
        middle.setProperty("kind", "page")
        self.body = QVBoxLayout(middle)
        self.body.setContentsMargins(Space.L, Space.M, Space.L, Space.M)
        self.body.setSpacing(Space.M)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(0)
        line.addWidget(middle, 1)
        line.addWidget(self._make_side(name))

    def add_header(self, title: QWidget, subtitle: QWidget, *right: QWidget) -> None:
        """Add the title, a subtitle below it, and at the right the controls of the whole page."""
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addLayout(row(title, self.outdated, 1, spacing=Space.M))
        words.addWidget(subtitle)
        header = row(1, *right)
        header.insertLayout(0, words)
        self.body.addLayout(header)

    def look(self) -> None:
        """Compute what the page shows; called whenever it comes to the front."""

    def film(self) -> Timeline | None:
        """The timeline that Space and the arrow keys control from anywhere on the page."""

    def export_shown(self) -> bool:
        """Export what the page shows; False if it has nothing to export."""
        return False

    def set_export_scale(self, scale: int) -> None:
        """Set the width of an image pixel in exported files."""
        self.export_scale = scale

    def copy_shown(self) -> None:
        """Copy what the page shows, if anything."""

    def shown_picture(self) -> Pixels | None:
        """What the page shows as a picture, (H, W) or (H, W, 3); None without anything."""

    def controls(self) -> dict[str, list[str]]:
        """The names of the visible controls by the title of their group; "" for those in none."""
        found: dict[str, list[str]] = {}
        for part in self.findChildren(Hideable):
            if isinstance(part, Section):
                if part.isVisibleTo(self):
                    found.setdefault(part.title, [])
            elif part.accessibleName() and _stands_alone(part) and part.isVisibleTo(self):
                group = _within(part, Section)
                if group or isinstance(part, Segmented | SettingRow):
                    found.setdefault(group.title if group else "", []).append(part.accessibleName())
        return {title: list(dict.fromkeys(names)) for title, names in found.items()}

    def hide_controls(self, names: Collection[str]) -> None:
        """Hide these controls and groups, and show all others."""
        for part in self.findChildren(Hideable):
            if isinstance(part, Section):
                part.hide_for_lesson(part.title in names)
            elif _stands_alone(part):
                part.hide_for_lesson(part.accessibleName() in names)

    def _make_side(self, name: str) -> QWidget:
        column = QFrame()
        column.setProperty("kind", "side")
        column.setFixedWidth(SETTINGS_WIDTH)
        content = QWidget()
        self.side = QVBoxLayout(content)
        self.side.setContentsMargins(SIDE_MARGIN, SIDE_MARGIN, SIDE_MARGIN, Space.S)
        self.side.setSpacing(Space.M)
        scroll = QScrollArea()
        scroll.setAccessibleName(f"{name} settings")
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for transparent in (scroll.viewport(), content):
            transparent.setAutoFillBackground(False)
        bar = scroll.verticalScrollBar()
        bar.rangeChanged.connect(lambda _low, high: self._leave_room(bar.sizeHint().width() if high > 0 else 0))
        foot = QFrame()
        foot.setProperty("kind", "foot")
        self.foot = QVBoxLayout(foot)
        self.foot.setContentsMargins(SIDE_MARGIN, 0, SIDE_MARGIN, SIDE_MARGIN)
        self.foot.setSpacing(Space.S)
        outer = QVBoxLayout(column)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(Space.S)
        outer.addWidget(scroll, 1)
        outer.addWidget(foot)
        return column

    def _leave_room(self, bar: int) -> None:
        """Keep the width of the column: the scroll bar takes its place in the margin."""
        self.side.setContentsMargins(SIDE_MARGIN, SIDE_MARGIN, SIDE_MARGIN - bar, Space.S)


def _stands_alone(part: QWidget) -> bool:
    """Whether a widget is a separate control: not part of another one, and not the header of a group."""
    around = _within(part, Hideable)
    if isinstance(around, Section):
        return part is not around.header and part.property("kind") not in ("chip", "tool")
    return around is None


def _within(part: QWidget, kind: type[Kind]) -> Kind | None:
    """The closest ancestor of a kind, or None."""
    around = part.parentWidget()
    while around is not None and not isinstance(around, kind):
        around = around.parentWidget()
    return around
