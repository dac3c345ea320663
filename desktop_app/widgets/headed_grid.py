"""An image grid with names above its columns and beside its rows."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop_app.theme import Space, Type, theme, ui_font
from desktop_app.widgets.image_grid import ImageGrid
from ml.figures import Head

TOP, WIDEST = 38, 132  # height of the columns' heads, most width of the rows'


class HeadedGrid(QWidget):
    """`grid` shows the cells; heads are painted where it has its first row and column."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.grid = ImageGrid(name, margin=14, gap=8)
        self._rows: Sequence[Head] = ()
        self._columns: Sequence[Head] = ()
        self._column = QVBoxLayout(self)
        self._column.setSpacing(0)
        self._column.addWidget(self.grid)
        theme().changed.connect(self.update)
        self.set_heads((), ())

    def set_heads(self, rows: Sequence[Head], columns: Sequence[Head]) -> None:
        """The names and notes; where none has a name, no room is taken."""
        self._rows, self._columns = rows, columns
        name, note = QFontMetrics(_name_font()), QFontMetrics(ui_font(Type.CAPTION))
        named = [head for head in rows if head.name]
        wide = max(
            (max(name.horizontalAdvance(h.name), note.horizontalAdvance(_short(h.note))) for h in named), default=0
        )
        left = min(wide + Space.M, WIDEST) if named else 0
        top = TOP if any(head.name for head in columns) else 0
        self._column.setContentsMargins(left, top, 0, 0)
        self.setAccessibleDescription("; ".join(f"{h.name}: {h.note}" for h in (*rows, *columns) if h.name and h.note))
        QTimer.singleShot(0, self, self.update)  # once the grid has its new place

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not len(self.grid.images()):
            return
        painter = QPainter(self)
        origin, gap = self.grid.pos(), Space.S
        for k, head in enumerate(self._columns):
            cell = self.grid.cell_rect(k).translated(origin)
            room = QRectF(cell.left() - gap / 2, 0, cell.width() + gap, self.grid.y() - 4)
            self._paint_head(painter, head, room, Qt.AlignmentFlag.AlignHCenter)
        for k, head in enumerate(self._rows):
            cell = self.grid.cell_rect(k * max(1, len(self._columns))).translated(origin)
            room = QRectF(0, cell.center().y() - 18, self.grid.x() - Space.S, 36)
            self._paint_head(painter, head, room, Qt.AlignmentFlag.AlignLeft)

    def _paint_head(self, painter: QPainter, head: Head, room: QRectF, align: Qt.AlignmentFlag) -> None:
        """The name over the note, both shortened to the room."""
        if not head.name:
            return
        colors, note = theme().colors, head.note
        if QFontMetrics(ui_font(Type.CAPTION)).horizontalAdvance(note) > room.width():
            note = _short(note)
        lines = ((head.name, _name_font(), "text"), (note, ui_font(Type.CAPTION), "muted"))
        shown = [line for line in lines if line[0]]
        heights = [QFontMetrics(font).height() for _, font, _ in shown]
        y = room.center().y() - sum(heights) / 2
        for (text, font, role), height in zip(shown, heights, strict=True):
            painter.setFont(font)
            painter.setPen(colors.color(role))
            fitted = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, int(room.width()))
            painter.drawText(QRectF(room.left(), y, room.width(), height), align, fitted)
            y += height


def _name_font() -> QFont:
    return ui_font(Type.SMALL, QFont.Weight.DemiBold)


def _short(note: str) -> str:
    """The last part of a note: `98% right` of `mean 0.12 s · 98% right`."""
    return note.rsplit(" · ", 1)[-1]
