"""The scores of a run's checkpoints: class accuracy and distance to real images, and which checkpoint to keep.

Importing this module imports pyqtgraph: do it after the window is there.
"""

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QVBoxLayout

from desktop_app.text.formatting import count
from desktop_app.text.scores import percent, times
from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Button, Card, ElidedLabel, Label, row
from desktop_app.widgets.plots.base import SIDES, PlainAxis, QuietPlot
from desktop_app.widgets.plots.export import Curve, Figure
from desktop_app.widgets.plots.plot_button import PlotButton
from ml.events import CheckpointScored

HEIGHT = 104
MARKS = tuple(factor * 10**power for power in range(5) for factor in (1, 2, 5))  # of the distances
MOST_MARKS = 4
ACCURACY, DISTANCE = "Right class, %", "Distance, ×"
KEEP_TIP = "Take the weights of this checkpoint as the run's model"
NOTHING = "Scores appear here for runs that were started with “Score checkpoints”"


class ScorePlot(Card):
    """A card with two small plots over the doubling steps; a click chooses a checkpoint, at first the best one.

    `keep(step)`: that checkpoint is to become the model.
    """

    keep = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Scores of the checkpoints over training steps")
        self._points: list[CheckpointScored] = []
        self._best = self._model = 0
        self._can_keep = True
        self._chosen: int | None = None  # None: the best
        self._about = ElidedLabel("", "muted")
        self.readout = Label("", "small")
        self.button = Button("Keep the best", "check", tip=KEEP_TIP)
        self.button.clicked.connect(self._keep)
        self.export = PlotButton("the scores", self.figures)
        self._empty = Label(NOTHING, "muted")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setFixedHeight(HEIGHT)
        self.plots = {name: _Plot(name) for name in (ACCURACY, DISTANCE)}
        column = QVBoxLayout(self)
        column.setContentsMargins(14, Space.M, 14, Space.M)
        column.setSpacing(Space.S)
        column.addLayout(row(Label("Scores", "title"), self._about, 1, self.readout, self.button, self.export))
        column.addLayout(row(*self.plots.values(), spacing=Space.M))
        column.addWidget(self._empty)
        for plot in self.plots.values():
            plot.viewport().installEventFilter(self)
        theme().changed.connect(self._draw)
        self._draw()

    def set_points(self, points: Sequence[CheckpointScored], best: int, model: int, *, can_keep: bool) -> None:
        """Show the scores of a run; `best` and `model` are steps, the latter of the weights that the model has."""
        if self._chosen not in [point.step for point in points]:
            self._chosen = None
        now, before = ([*points], best, model, can_keep), (self._points, self._best, self._model, self._can_keep)
        self._points, self._best, self._model, self._can_keep = now
        if now != before:
            self._draw()

    @property
    def chosen(self) -> CheckpointScored | None:
        """The checkpoint that a click chose, else the best one."""
        wanted = self._best if self._chosen is None else self._chosen
        return next((point for point in self._points if point.step == wanted), None)

    def choose(self, step: int) -> None:
        """Choose a checkpoint."""
        self._chosen = step
        self._draw()

    def figures(self) -> list[Figure]:
        """Both plots for export."""
        steps = np.array([point.step for point in self._points], float)
        return [
            Figure(name, "step", [Curve(name, steps, values, color), Curve(name, steps, values, color, dots=True)])
            for color, (name, values) in enumerate(self._values().items())
        ]

    def _values(self) -> dict[str, np.ndarray]:
        shares = [np.nan if point.accuracy is None else 100 * point.accuracy for point in self._points]
        ratios = [np.nan if point.frechet_ratio is None else point.frechet_ratio for point in self._points]
        return {ACCURACY: np.array(shares, float), DISTANCE: np.array(ratios, float)}

    def _keep(self) -> None:
        if point := self.chosen:
            self.keep.emit(point.step)

    def _draw(self) -> None:
        chosen = self.chosen
        known = bool(self._points)
        self._empty.setVisible(not known)
        for color, (name, values) in enumerate(self._values().items()):
            self.plots[name].setVisible(known)
            index = self._points.index(chosen) if chosen else None
            self.plots[name].draw_points([point.step for point in self._points], values, color, index)
        self.export.setEnabled(known)
        judged = next((point.judge_accuracy for point in self._points if point.judge_accuracy is not None), None)
        reason = next((point.reason for point in reversed(self._points) if point.reason), "")
        judge = "" if judged is None else f"the judge reads {percent(judged)} of real images right"
        self._about.set_text(" · ".join(filter(None, [judge, reason])))
        self.readout.setText(_in_words(chosen) if chosen else "")
        self.button.setVisible(chosen is not None)
        if chosen:
            is_model = chosen.step == self._model
            best = chosen.step == self._best
            self.button.setText("Is the model" if is_model else "Keep the best" if best else "Keep this one")
            self.button.setEnabled(self._can_keep and not is_model)
            self.button.setToolTip(KEEP_TIP if self._can_keep else "Once the run has ended")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonPress and isinstance(event, QMouseEvent) and self._points:
            plot = next(plot for plot in self.plots.values() if plot.viewport() is watched)
            self.choose(self._points[plot.index_at(event.position().x())].step)
        return super().eventFilter(watched, event)


class _Plot(QuietPlot):
    """One figure at evenly spaced points, whose steps stand below."""

    def __init__(self, name: str) -> None:
        super().__init__(name, left_width=44, text_offset=6, axes={side: PlainAxis(side) for side in SIDES})
        self._steps: list[int] = []
        self.setFixedHeight(HEIGHT)
        self.setToolTip(f"{name}, of 200 images at every doubling of steps; click a point to choose it")
        self._line = pg.PlotDataItem(connect="finite", antialias=True, symbol="o", pxMode=True)
        self.addItem(self._line)
        self.getAxis("left").setLabel(name)
        self._logarithmic = name == DISTANCE  # which falls from a hundred to one
        self.setLogMode(y=self._logarithmic)

    def index_at(self, x: float) -> int:
        """The index of the point nearest to a position of the pointer."""
        at = self.getViewBox().mapSceneToView(self.mapToScene(round(x), 0)).x()
        return min(max(round(at), 0), len(self._steps) - 1)

    def draw_points(self, steps: list[int], values: np.ndarray, color: int, chosen: int | None) -> None:
        """Show values at steps; the chosen point is filled."""
        self._steps = steps
        self.restyle()
        if not steps:
            return
        paint = theme().colors.plots[color]
        sharp = self.devicePixelRatioF()
        card = theme().colors.color("card")
        brushes = [pg.mkBrush(paint if index == chosen else card) for index in range(len(steps))]
        self._line.setData(
            np.arange(len(steps)), values, pen=pg.mkPen(paint, width=2 * sharp), symbolSize=7,
            symbolPen=pg.mkPen(paint, width=1.4 * sharp), symbolBrush=brushes,
        )  # fmt: skip
        self.getAxis("bottom").setTicks([[(index, _short(step)) for index, step in enumerate(steps)]])
        seen = values[np.isfinite(values) & ((values > 0) | (not self._logarithmic))]
        seen = np.log10(seen) if self._logarithmic else seen
        low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
        if self._logarithmic:
            marks = [mark for mark in MARKS if low - 0.2 <= np.log10(mark) <= high + 0.2]
            few = marks if len(marks) <= MOST_MARKS else [mark for mark in marks if str(mark)[0] == "1"]
            self.getAxis("left").setTicks([[(np.log10(mark), f"{mark}") for mark in few]])
        room = max(0.15 * (high - low), 0.1 if self._logarithmic else 2.0)
        self.getViewBox().setRange(
            xRange=(-0.4, max(len(steps) - 0.6, 0.4)), yRange=(low - room, high + room), padding=0,
            disableAutoRange=True,
        )  # fmt: skip


def _short(step: int) -> str:
    """100, 1.6k, 51k."""
    if step < 1000:
        return f"{step}"
    return f"{step / 1000:.1f}k".replace(".0k", "k") if step < 10_000 else f"{step / 1000:.0f}k"


def _in_words(point: CheckpointScored) -> str:
    figures = [] if point.accuracy is None else [f"{percent(point.accuracy)} right class"]
    figures += [] if point.frechet_ratio is None else [f"distance {times(point.frechet_ratio)}"]
    return " · ".join([f"after {count(point.step, 'step')}", *figures])
