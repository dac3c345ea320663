"""An image grid with names above its columns and beside its rows."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Space, Type, ui_font
from desktop_app.widgets.images.image_grid import ImageGrid
from ml.imaging.figure import Head

TOP, WIDEST = 38, 132  # height of the column heads, greatest width of the row heads


class LabelledGrid(QWidget):
    """`grid` shows the cells; the heads are painted above its first row and beside its first column."""

    def __init__(self, name: str, gap: int = Space.S) -> None:
        super().__init__()
        self._gap = gap
        self.grid = ImageGrid(name, margin=14, gap=gap)
        self._rows: Sequence[Head] = ()
        self._columns: Sequence[Head] = ()
        self._column = QVBoxLayout(self)
        self._column.setSpacing(0)
        self._column.addWidget(self.grid)
        theme().changed.connect(self.update)
        self.set_heads((), ())

    def set_heads(self, rows: Sequence[Head], columns: Sequence[Head]) -> None:
        """Set the names and notes; heads without a name take no room."""
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
        painter, metrics = QPainter(self), QFontMetrics(ui_font(Type.CAPTION))
        origin, gap, wide = self.grid.pos(), self._gap, max(1, len(self._columns))
        cells = [self.grid.cell_rect(k).translated(origin) for k in range(wide)]
        short = any(metrics.horizontalAdvance(h.note) > cells[0].width() + gap for h in self._columns)
        for head, cell in zip(self._columns, cells, strict=False):
            room = QRectF(cell.left() - gap / 2, 0, cell.width() + gap, self.grid.y() - 4)
            self._paint_head(painter, head, room, Qt.AlignmentFlag.AlignHCenter, short=short)
        for k, head in enumerate(self._rows):
            middle = self.grid.cell_rect(k * wide).translated(origin).center().y()
            room = QRectF(0, middle - 18, self.grid.x() - Space.S, 36)
            self._paint_head(painter, head, room, Qt.AlignmentFlag.AlignLeft, short=True)

    def _paint_head(self, painter: QPainter, head: Head, room: QRectF, align: Qt.AlignmentFlag, *, short: bool) -> None:
        """The name over the note, or over the `short` form of it."""
        note = _short(head.note) if short else head.note
        lines = ((head.name, _name_font(), "text"), (note, ui_font(Type.CAPTION), "muted"))
        shown = [(text, font, role, QFontMetrics(font)) for text, font, role in lines if text]
        y = room.center().y() - sum(metrics.height() for *_, metrics in shown) / 2
        for text, font, role, metrics in shown:
            painter.setFont(font)
            painter.setPen(theme().colors.color(role))
            fitted = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(room.width()))
            painter.drawText(QRectF(room.left(), y, room.width(), metrics.height()), align, fitted)
            y += metrics.height()


def _name_font() -> QFont:
    return ui_font(Type.SMALL, QFont.Weight.DemiBold)


def _short(note: str) -> str:
    """The last part of a note: `98% right` of `mean 0.12 s · 98% right`."""
    return note.rsplit(" · ", 1)[-1]
