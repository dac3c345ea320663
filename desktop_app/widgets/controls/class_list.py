"""A list of classes with the number of their images, as numbers and as bars."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Radius, Space, Type, ui_font

ROW, BAR = 34, 3  # heights in pixels
ENTRY = Qt.ItemDataRole.UserRole


@dataclass(frozen=True, slots=True)
class Entry:
    """A class, or all of them: how many images are trained on, and how many are held out."""

    name: str
    train: int
    held_out: int

    @property
    def numbers(self) -> tuple[str, str]:
        return f"{self.train:,}", f" + {self.held_out:,}"


class ClassList(QListWidget):
    """The first entry stands for all classes. `chosen(index)` is -1 for it, else the index of the class."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "classes")
        self.setAccessibleName("Classes")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setItemDelegate(_Delegate(self))
        self._entries: Sequence[Entry] = ()
        self.most = 1  # images of the largest class
        self.numbers_width = 0  # of the widest numbers
        self.currentRowChanged.connect(self._on_row)
        theme().changed.connect(self.viewport().update)

    def set_entries(self, whole: Entry, classes: Sequence[Entry]) -> None:
        """Show these classes below the entry for all of them, which is chosen."""
        entries = (whole, *classes)
        if entries == self._entries:
            return
        self._entries = entries
        self.most = max((each.train + each.held_out for each in classes), default=1) or 1
        metrics = QFontMetrics(ui_font(Type.SMALL))
        self.numbers_width = max(metrics.horizontalAdvance("".join(entry.numbers)) for entry in entries)
        blocked = self.blockSignals(True)
        self.clear()
        for entry in entries:
            item = QListWidgetItem(entry.name)
            item.setData(ENTRY, entry)
            item.setSizeHint(QSize(0, ROW))
            words = f"{entry.name}: {entry.train:,} to train on, {entry.held_out:,} held out"
            item.setToolTip(words)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, words)
            self.addItem(item)
        self.setCurrentRow(0)
        self.blockSignals(blocked)

    def choose(self, index: int) -> None:
        """Show a class as chosen, -1 for all, without emitting `chosen`."""
        blocked = self.blockSignals(True)
        self.setCurrentRow(index + 1)
        self.blockSignals(blocked)
        self.viewport().update()

    def _on_row(self, row: int) -> None:
        if row >= 0:
            self.chosen.emit(row - 1)


class _Delegate(QStyledItemDelegate):
    """Paints the name, both numbers, and a bar whose length is the share of the largest class."""

    def __init__(self, classes: ClassList) -> None:
        super().__init__(classes)
        self._list = classes

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        entry: Entry = index.data(ENTRY)
        colors = theme().colors
        rect, state = QRectF(option.rect), option.state  # pyright: ignore[reportAttributeAccessIssue]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(colors.color("control" if chosen else "hover"))
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), Radius.SMALL + 2, Radius.SMALL + 2)
        room = rect.adjusted(Space.S, 2, -Space.S, -BAR - 4)
        name_room = room.adjusted(0, 0, -self._list.numbers_width - Space.S, 0)
        font = ui_font(Type.SMALL, QFont.Weight.DemiBold if chosen or index.row() == 0 else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(colors.color("text"))
        name = QFontMetrics(font).elidedText(entry.name, Qt.TextElideMode.ElideMiddle, int(name_room.width()))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(name_room, middle | Qt.AlignmentFlag.AlignLeft, name)
        painter.setFont(ui_font(Type.SMALL))
        right = middle | Qt.AlignmentFlag.AlignRight
        train, held_out = entry.numbers
        painter.drawText(room.adjusted(0, 0, -painter.fontMetrics().horizontalAdvance(held_out), 0), right, train)
        painter.setPen(colors.color("muted"))
        painter.drawText(room, right, held_out)
        if index.row():
            self._paint_bar(painter, entry, rect)
        painter.restore()

    def _paint_bar(self, painter: QPainter, entry: Entry, rect: QRectF) -> None:
        colors = theme().colors
        width, bottom = rect.width() - 2 * Space.S, rect.bottom() - BAR - 3
        scale = width / self._list.most
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colors.color("border"))
        painter.drawRoundedRect(QRectF(rect.left() + Space.S, bottom, width, BAR), 1.5, 1.5)
        both = scale * (entry.train + entry.held_out)
        painter.setBrush(colors.color("faint"))
        painter.drawRoundedRect(QRectF(rect.left() + Space.S, bottom, both, BAR), 1.5, 1.5)
        painter.setBrush(colors.color("accent"))
        painter.drawRoundedRect(QRectF(rect.left() + Space.S, bottom, scale * entry.train, BAR), 1.5, 1.5)
