"""The entries of a combo box's list: a title, and a line below it that says what it means."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Space, Type, ui_font

LINE_ROLE = Qt.ItemDataRole.UserRole + 1
ONE, TWO = 26, 44  # height of an entry without a line, and with one
MARGIN, WIDEST = 10, 540

Index = QModelIndex | QPersistentModelIndex


class ChoiceDelegate(QStyledItemDelegate):
    """Paints title and line; an entry is as wide as the longer of them, WIDEST at most."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        title, line = _words(index)
        widths = [_metrics(words, small).horizontalAdvance(words) for words, small in ((title, False), (line, True))]
        return QSize(min(max(widths) + 2 * MARGIN + Space.S, WIDEST), TWO if line else ONE)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        title, line = _words(index)
        styled = QStyleOptionViewItem(option)
        self.initStyleOption(styled, index)
        styled.text = ""
        widget = option.widget
        widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, styled, painter, widget)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        room: QRect = option.rect.adjusted(MARGIN, 4 if line else 0, -MARGIN, -4 if line else 0)
        high = Qt.AlignmentFlag.AlignTop if line else Qt.AlignmentFlag.AlignVCenter
        _write(painter, room, high, title, small=False, role="on_accent" if chosen else "text")
        _write(painter, room, Qt.AlignmentFlag.AlignBottom, line, small=True, role="on_accent" if chosen else "muted")


def _words(index: Index) -> tuple[str, str]:
    return index.data(Qt.ItemDataRole.DisplayRole) or "", index.data(LINE_ROLE) or ""


def _metrics(_words: str, small: bool) -> QFontMetrics:
    return QFontMetrics(ui_font(Type.CAPTION if small else Type.BODY))


def _write(painter: QPainter, room: QRect, high: Qt.AlignmentFlag, words: str, *, small: bool, role: str) -> None:
    painter.setFont(ui_font(Type.CAPTION if small else Type.BODY))
    painter.setPen(theme().colors.color(role))
    fitted = _metrics(words, small).elidedText(words, Qt.TextElideMode.ElideRight, room.width())
    painter.drawText(room, high | Qt.AlignmentFlag.AlignLeft, fitted)
