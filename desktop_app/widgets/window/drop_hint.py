"""The overlay shown while a file is dragged over the window: what dropping it does."""

from PySide6.QtCore import QEvent, QObject, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.icons import paint_icon
from desktop_app.theme.tokens import Radius, Space, Type, ui_font

EDGE, ICON, VEIL = 14, 40, 225  # margin and icon size in pixels; opacity of the overlay (0 to 255)


class DropHint(QWidget):
    """Covers the widget `over`; transparent to the mouse."""

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self._title = self._text = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        over.installEventFilter(self)
        self.hide()

    def offer(self, title: str, text: str) -> None:
        """Show the file's name, and what dropping it does."""
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
