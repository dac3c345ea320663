"""What lies over the window while a file is dragged over it: that it can be dropped, and what then happens."""

from PySide6.QtCore import QEvent, QObject, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.icons import paint_icon
from desktop_app.theme.tokens import Radius, Space, Type, ui_font

EDGE, ICON, VEIL = 14, 40, 225  # pixels from the window's edge, of the sign; alpha over what is below


class DropHint(QWidget):
    """Covers `over` while it is shown; the mouse goes through it."""

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self._title = self._text = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        over.installEventFilter(self)
        self.hide()

    def offer(self, title: str, text: str) -> None:
        """Say what can be dropped, and what it brings."""
        self._title, self._text = title, text
        self.setAccessibleName(f"{title}: {text}")
        self.setGeometry(self._over.rect())
        self.raise_()
        self.show()
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self.setGeometry(self._over.rect())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        colors, painter = theme().colors, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(colors.page)
        veil.setAlpha(VEIL)
        painter.fillRect(self.rect(), veil)
        painter.setPen(QPen(colors.color("accent"), 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(EDGE, EDGE, -EDGE, -EDGE), Radius.CARD, Radius.CARD)
        middle = self.rect().center()
        sign = QRect(middle.x() - ICON // 2, middle.y() - ICON - Space.L, ICON, ICON)
        paint_icon(painter, "download-simple", sign, "accent")
        lines = (
            (self._title, ui_font(Type.HEADING, QFont.Weight.Bold), "text", 0),
            (self._text, ui_font(), "muted", 30),
        )
        for words, font, role, down in lines:
            painter.setFont(font)
            painter.setPen(colors.color(role))
            room = QRectF(2 * EDGE, middle.y() + down, self.width() - 4 * EDGE, 28)
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter, words)
