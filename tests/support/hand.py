"""A synthetic hand: it draws signs with the mouse on the real canvas, each time a little differently."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent

from desktop_app.viewmodels.draw import Draw
from desktop_app.widgets.images.canvas import Canvas
from ml.events import Pixels

Stroke = NDArray[np.float64]  # (points, 2): x to the right and y down, from 0 to 1
CANVAS_SIDE = 400


def _curve(x: Callable[[Stroke], Stroke], y: Callable[[Stroke], Stroke], end: float = 2 * np.pi) -> Stroke:
    t = np.linspace(0, end, 24)
    return np.stack([x(t), y(t)], axis=1)


def _line(*points: tuple[float, float]) -> Stroke:
    return np.array(points)


SIGNS: Mapping[str, Sequence[Stroke]] = {
    "heart": [
        _curve(
            lambda t: 0.5 + 0.34 * np.sin(t) ** 3,
            lambda t: 0.46 - (0.33 * np.cos(t) - 0.13 * np.cos(2 * t) - 0.05 * np.cos(3 * t) - 0.025 * np.cos(4 * t)),
        )
    ],
    "lambda": [
        _line((0.3, 0.16), (0.4, 0.18), (0.55, 0.5), (0.72, 0.84)), _line((0.5, 0.42), (0.38, 0.64), (0.26, 0.84))
    ],
    "triangle": [_line((0.5, 0.16), (0.18, 0.8), (0.82, 0.8), (0.5, 0.16))],
    "alpha": [
        _line((0.8, 0.25), (0.62, 0.52), (0.48, 0.7), (0.3, 0.74), (0.19, 0.58), (0.22, 0.38), (0.35, 0.26),
              (0.52, 0.34), (0.64, 0.52), (0.72, 0.68), (0.82, 0.74))
    ],
    "star": [_line((0.5, 0.14), (0.7, 0.82), (0.14, 0.4), (0.86, 0.4), (0.3, 0.82), (0.5, 0.14))],
    "pi": [
        _line((0.16, 0.26), (0.84, 0.24)), _line((0.36, 0.26), (0.3, 0.82)),
        _line((0.64, 0.25), (0.66, 0.6), (0.72, 0.82)),
    ],
    "spiral": [
        _curve(lambda t: 0.5 + 0.03 * t * np.cos(t), lambda t: 0.5 + 0.03 * t * np.sin(t), 3.6 * np.pi)
    ],
    "house": [
        _line((0.22, 0.46), (0.22, 0.84), (0.78, 0.84), (0.78, 0.46), (0.5, 0.16), (0.22, 0.46), (0.78, 0.46))
    ],
    "omega": [
        _line((0.18, 0.82), (0.36, 0.8), (0.22, 0.58), (0.22, 0.38), (0.36, 0.2), (0.5, 0.17), (0.64, 0.2),
              (0.78, 0.38), (0.78, 0.58), (0.64, 0.8), (0.82, 0.82))
    ],
    "arrow": [_line((0.16, 0.5), (0.84, 0.5)), _line((0.58, 0.26), (0.84, 0.5), (0.58, 0.74))],
}  # fmt: skip


def strokes(sign: str, rng: np.random.Generator) -> list[Stroke]:
    """One drawing of a sign: turned, sheared, stretched and shifted at random, by a hand that trembles."""
    angle, shear, away = rng.normal(0, 0.12), rng.normal(0, 0.1), rng.normal(0, 0.04, 2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    form = np.diag(1 + rng.normal(0, 0.08, 2)) @ np.array([[1, 0], [shear, 1]]) @ turn
    tremble = [rng.normal(0, 0.02 * min(1, 12 / len(stroke)), stroke.shape) for stroke in SIGNS[sign]]
    return [(stroke + off - 0.5) @ form + 0.5 + away for stroke, off in zip(SIGNS[sign], tremble, strict=True)]


class Hand:
    """Draws on a canvas of its own, with the pen of the Draw page."""

    def __init__(self, draw: Draw, seed: int) -> None:
        self._draw, self._rng, self.canvas = draw, np.random.default_rng(seed), Canvas()
        self.canvas.resize(CANVAS_SIDE, CANVAS_SIDE)
        self.canvas.begun.connect(draw.begin_stroke)
        self.canvas.touched.connect(draw.dab)

    def draw(self, sign: str) -> Pixels:
        """One more drawing of a sign, (28, 28)."""
        self._draw.clear()
        self._draw.change(pen=float(np.clip(self._rng.normal(1.3, 0.12), 1, 1.6)))
        for stroke in strokes(sign, self._rng):
            trace(self.canvas, stroke)
        return self._draw.drawing.copy()


def trace(canvas: Canvas, stroke: Stroke) -> None:
    """Press the mouse at the first point of a stroke, move it through the others, and release it."""
    area, press, move, release = (
        canvas.square(), QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove, QEvent.Type.MouseButtonRelease
    )  # fmt: skip
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    places = [QPointF(area.left() + x * area.width(), area.top() + y * area.height()) for x, y in stroke]
    events = [(press, places[0], left, left), *((move, place, none, left) for place in places[1:]),
              (release, places[-1], left, none)]  # fmt: skip
    for kind, place, button, held in events:
        event = QMouseEvent(kind, place, canvas.mapToGlobal(place), button, held, Qt.KeyboardModifier.NoModifier)
        QCoreApplication.sendEvent(canvas, event)
