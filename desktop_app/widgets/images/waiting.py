"""A veil over a widget whose content is being computed: what it shows is old, and what is computed is said."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Radius, Space, Type, ui_font

WAIT_MS = 300  # what is there sooner is not announced, so that nothing flickers
VEIL, PILL, OPAQUE = 150, 235, 255  # of 255


class Waiting(QWidget):
    """Covers the widget `over` while there are words; transparent to the mouse.

    Where `is_empty` there is nothing old to be seen through it. `surface` and `ink` are the theme's colours.
    """

    def __init__(
        self,
        over: QWidget,
        is_empty: Callable[[], bool] = lambda: False,
        surface: str = "stage",
        ink: str = "stage_text",
    ) -> None:
        super().__init__(over)
        self._over, self._is_empty, self._surface, self._ink = over, is_empty, surface, ink
        self._words = ""
        self._soon = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._soon.timeout.connect(self._appear)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        over.installEventFilter(self)
        self.hide()

    @property
    def words(self) -> str:
        """What is computed; empty if nothing is."""
        return self._words

    def set_words(self, words: str) -> None:
        """Say what is computed; "" once it is there."""
        if words == self._words:
            return
        begins = not self._words
        self._words = words
        self.setAccessibleName(words)
        if not words:
            self._soon.stop()
            self.hide()
        elif begins:
            self._soon.start()
        self.update()

    def _appear(self) -> None:
        self.setGeometry(self._over.rect())
        self.raise_()
        self.show()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self.setGeometry(self._over.rect())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, surface = QPainter(self), theme().colors.color(self._surface)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_faded(surface, OPAQUE if self._is_empty() else VEIL))
        whole = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        painter.drawRoundedRect(whole, Radius.CARD, Radius.CARD)
        font = ui_font(Type.BODY)
        metrics = QFontMetrics(font)
        words = metrics.elidedText(self._words, Qt.TextElideMode.ElideRight, self.width() - 4 * Space.M)
        pill = QRectF(0, 0, metrics.horizontalAdvance(words) + 2 * Space.M, metrics.height() + Space.M)
        pill.moveCenter(whole.center())
        painter.setBrush(_faded(surface, PILL))
        painter.drawRoundedRect(pill, pill.height() / 2, pill.height() / 2)
        painter.setPen(theme().colors.color(self._ink))
        painter.setFont(font)
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, words)


def _faded(color: QColor, alpha: int) -> QColor:
    faded = QColor(color)
    faded.setAlpha(alpha)
    return faded
