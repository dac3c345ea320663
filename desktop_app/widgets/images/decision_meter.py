"""The decision meter: the judge's class probabilities at each step, which show when an image is decided."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop_app.text.subject import DIGIT, Subject
from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Type, ui_font

Probabilities = NDArray[np.floating]  # (steps + 1, classes)
HEIGHT, PAD, LETTER = 56, 7, 12
SCALE = 34  # room for the scale at the right
NAME_WIDTH = 90
RIVAL = 0.2  # classes that reach this probability have a line


def decided_at(probabilities: Probabilities) -> int:
    """The first step from which on the most probable class is the final one."""
    best = probabilities.argmax(axis=1)
    other = np.flatnonzero(best != best[-1])
    return int(other[-1]) + 1 if len(other) else 0


class DecisionMeter(QWidget):
    """Paints the final class's probability over the steps as an area, others as lines. `stepChosen(step)` by mouse."""

    stepChosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._probabilities: Probabilities = np.zeros((0, 0), np.float32)
        self._subject = DIGIT
        self._step = 0
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(
            "Probability of each class in the network's guess, by step; the image is decided once the area is full"
        )
        theme().changed.connect(self.update)
        self.set_decision(None)

    def sizeHint(self) -> QSize:
        return QSize(200, HEIGHT)

    def set_decision(self, probabilities: Probabilities | None, subject: Subject = DIGIT) -> None:
        """Probabilities (steps + 1, classes) of the classes of a subject; None where nothing is known."""
        self._subject = subject
        self._probabilities = np.zeros((0, 0), np.float32) if probabilities is None else probabilities
        self.setAccessibleName(f"Decision meter: {self.words()}")
        self.update()

    def set_step(self, step: int) -> None:
        """Move the cursor to a step."""
        self._step = step
        self.update()

    def words(self) -> str:
        """The step at which the image is decided, as text."""
        if not len(self._probabilities):
            return "not known yet"
        best, last = int(self._probabilities[-1].argmax()), len(self._probabilities) - 1
        return f"{self._subject.name(best)}, from step {decided_at(self._probabilities)} of {last} on"

    def _point(self, step: int, share: float) -> QPointF:
        last = max(len(self._probabilities) - 1, 1)
        x = PAD + (self.width() - PAD - SCALE) * step / last
        return QPointF(x, self.height() - PAD - (self.height() - 2 * PAD) * share)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme().colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_scale(painter)
        if not len(self._probabilities):
            return
        best = int(self._probabilities[-1].argmax())
        self._paint_winner(painter, best)
        for rival in np.flatnonzero(self._probabilities.max(axis=0) >= RIVAL):
            if rival != best:
                self._paint_rival(painter, int(rival))
        painter.setPen(QPen(colors.color("warm"), 1.5))
        painter.drawLine(self._point(self._step, 0), self._point(self._step, 1))

    def _paint_scale(self, painter: QPainter) -> None:
        """Paint the scale of the area's height."""
        painter.setPen(QPen(theme().colors.color("border"), 1))
        for share in (0.0, 1.0):
            painter.drawLine(self._point(0, share), self._point(max(len(self._probabilities) - 1, 1), share))
        painter.setFont(ui_font(Type.CAPTION))
        painter.setPen(theme().colors.color("muted"))
        for share, words in ((1.0, "100%"), (0.0, "0%")):
            room = QRectF(0, self._point(0, share).y() - LETTER / 2, self.width(), LETTER)
            painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, words)

    def _line(self, label: int) -> QPainterPath:
        shares = self._probabilities[:, label].tolist()
        path = QPainterPath(self._point(0, shares[0]))
        for step, share in enumerate(shares[1:], 1):
            path.lineTo(self._point(step, share))
        return path

    def _paint_winner(self, painter: QPainter, label: int) -> None:
        colors, line = theme().colors, self._line(label)
        area = QPainterPath(line)
        area.lineTo(self._point(len(self._probabilities) - 1, 0))
        area.lineTo(self._point(0, 0))
        fill = colors.color("accent")
        fill.setAlpha(60)
        painter.fillPath(area, fill)
        painter.setPen(QPen(colors.color("accent"), 1.8))
        painter.drawPath(line)
        corner = self._point(len(self._probabilities) - 1, 0)
        self._write(painter, label, QPointF(corner.x() - LETTER / 2, corner.y() - LETTER), "accent")

    def _paint_rival(self, painter: QPainter, label: int) -> None:
        shares = self._probabilities[:, label]
        painter.setPen(QPen(theme().colors.color("muted"), 1.2, Qt.PenStyle.DashLine))
        painter.drawPath(self._line(label))
        top = self._point(int(shares.argmax()), float(shares.max()))
        self._write(painter, label, QPointF(top.x() + 8 + LETTER / 2, max(top.y() + 4, PAD + LETTER / 2)), "muted")

    def _write(self, painter: QPainter, label: int, at: QPointF, role: str) -> None:
        """Write the name of a class, at the left of a point; a long one is shortened."""
        painter.setFont(ui_font(Type.CAPTION))
        painter.setPen(theme().colors.color(role))
        name = painter.fontMetrics().elidedText(self._subject.name(label), Qt.TextElideMode.ElideRight, NAME_WIDTH)
        width = max(LETTER, painter.fontMetrics().horizontalAdvance(name))
        box = QRectF(max(at.x() - width, PAD), at.y() - LETTER / 2, width, LETTER)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if len(self._probabilities):
            last = len(self._probabilities) - 1
            share = (event.position().x() - PAD) / max(self.width() - PAD - SCALE, 1)
            self.stepChosen.emit(round(min(max(share, 0.0), 1.0) * last))
