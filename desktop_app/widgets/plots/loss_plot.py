"""Loss over training steps: raw and smoothed, linear or logarithmic, several runs in one picture.

Importing this module imports pyqtgraph, which takes a quarter of a second: do it after the window is there.
"""

from dataclasses import dataclass, field
from math import log10

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QColor, QMouseEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Card, ElidedLabel, Label, row
from desktop_app.widgets.controls.rows import Segmented
from desktop_app.widgets.plots.base import SIDES, PlainAxis, QuietPlot
from desktop_app.widgets.plots.export import DRAWN_POINTS, Curve, Figure, extremes
from desktop_app.widgets.plots.plot_button import PlotButton

Numbers = NDArray[np.float64]
REDRAW_MS = 50
SCALE_TIPS = ("Linear axis", "Logarithmic axis, which spreads small losses")
DASHES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)


class Series:
    """A growing table of steps, raw losses and smoothed losses, (3, n) as `values`."""

    def __init__(self) -> None:
        self._rows: Numbers = np.empty((3, 1024))
        self._count = 0

    @property
    def values(self) -> Numbers:
        return self._rows[:, : self._count]

    def append(self, step: float, raw: float, smooth: float) -> None:
        if self._count == self._rows.shape[1]:
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)], axis=1)
        self._rows[:, self._count] = step, raw, smooth
        self._count += 1

    def replace(self, steps: Numbers, raw: Numbers, smooth: Numbers) -> None:
        table = np.array([steps, raw, smooth], float)
        self._rows, self._count = np.concatenate([table, np.empty((3, 1024))], axis=1), len(steps)


@dataclass
class _Run:
    color: QColor
    dash: Qt.PenStyle
    raw: pg.PlotDataItem
    smooth: pg.PlotDataItem
    held_out: pg.PlotDataItem
    held_out_losses: list[tuple[float, float]] = field(default_factory=list)  # step and loss on held-out images
    series: Series = field(default_factory=Series)
    visible: bool = True


class LossPlot(Card):
    """A card with the loss of one or several named runs.

    `append` is cheap; the picture is redrawn at most every REDRAW_MS, and not while hidden, from at most about
    DRAWN_POINTS points. The readout shows the newest visible run's values under the pointer.
    """

    def __init__(self, title: str = "Loss") -> None:
        super().__init__()
        self.setAccessibleName(f"{title} over training steps")
        self._runs: dict[str, _Run] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REDRAW_MS)
        self._timer.timeout.connect(self._redraw)
        self._verdict = ElidedLabel("", "muted")
        self.scale = Segmented((("linear", "linear"), ("log", "log")), name="Loss axis", tips=SCALE_TIPS)
        self._readout = Label("", "small")
        self._empty = Label("The loss appears here during training", "muted")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        axes = {side: PlainAxis(side) for side in SIDES}
        self._plot = QuietPlot("Loss curve", left_width=48, text_offset=8, axes=axes)
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._prepare_plot()
        self._held_out_key = Label("○ held-out images", "small")
        self._held_out_key.setToolTip("The loss on images that are held out of training, always with the same noise")
        self._held_out_key.hide()
        self.export = PlotButton("the loss", lambda: [self.figure()])
        head = row(Label(title, "title"), self._verdict, 1, self._readout, self._held_out_key, self.scale, self.export)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, Space.M, 14, Space.M)
        column.setSpacing(Space.S)
        column.addLayout(head)
        column.addWidget(self._empty, 1)
        column.addWidget(self._plot, 1)
        self._plot.hide()
        self.setMinimumHeight(180)
        self.scale.valueChanged.connect(self._redraw)
        theme().changed.connect(self._restyle)
        self._restyle()

    def _prepare_plot(self) -> None:
        self._plot.setToolTip("The loss of each batch (thin line) and smoothed (thick line)")
        view = self._plot.getViewBox()
        view.setDefaultPadding(0)
        self._plot.addItem(self._cursor)
        self._cursor.hide()
        viewport = self._plot.viewport()
        viewport.setMouseTracking(True)
        viewport.installEventFilter(self)
        self._plot.getAxis("bottom").setLabel("training step")

    # ---- runs

    def append(self, name: str, step: int, raw: float, smooth: float) -> None:
        """Add a point to a run; the first one adds the run."""
        self._run(name).series.append(step, raw, smooth)
        self._mark_stale()

    def set_run(self, name: str, steps: Numbers, raw: Numbers, smooth: Numbers) -> None:
        """Replace the points of a run; its visibility is kept."""
        run = self._run(name)
        run.series.replace(steps, raw, smooth)
        run.held_out_losses[:] = [each for each in run.held_out_losses if len(steps) and each[0] <= steps[-1]]
        self._mark_stale()

    def add_held_out(self, name: str, step: int, loss: float) -> None:
        """Add a circle: the loss of a run on held-out images."""
        self._run(name).held_out_losses.append((step, loss))
        self._mark_stale()

    def has_run(self, name: str) -> bool:
        return name in self._runs

    def remove_run(self, name: str) -> None:
        run = self._runs.pop(name, None)
        if run:
            for item in (run.raw, run.smooth, run.held_out):
                self._plot.removeItem(item)
            self._mark_stale()

    def rename_run(self, old: str, new: str) -> None:
        """Rename a run; its appearance is kept."""
        if old in self._runs:
            self._runs = {new if name == old else name: run for name, run in self._runs.items()}

    def clear(self) -> None:
        for name in list(self._runs):
            self.remove_run(name)
        self.set_verdict("")

    def runs(self) -> list[str]:
        return list(self._runs)

    def shown(self) -> list[str]:
        """The runs whose curves are visible."""
        return list(self._shown())

    def set_visible(self, name: str, visible: bool) -> None:
        """Hide or show a run; its colour is kept."""
        self._runs[name].visible = visible
        self._mark_stale()

    def color_of(self, name: str) -> QColor:
        return self._runs[name].color

    def set_verdict(self, text: str) -> None:
        """Set the text beside the title, such as "still learning"."""
        self._verdict.set_text(text)

    def values(self, name: str) -> Numbers:
        """Steps, raw and smoothed losses of a run, (3, n)."""
        return self._runs[name].series.values

    def _run(self, name: str) -> _Run:
        if name not in self._runs:
            palette, used = len(theme().colors.plots), {run.raw.zValue() for run in self._runs.values()}
            number = next(n for n in range(len(used) + 1) if -n - 1 not in used)
            raw, smooth = pg.PlotDataItem(connect="finite"), pg.PlotDataItem(connect="finite", antialias=True)
            held_out = pg.PlotDataItem(symbol="o", pen=None, pxMode=True)
            raw.setZValue(-number - 1)
            for item in (raw, smooth, held_out):
                self._plot.addItem(item)
            self._runs[name] = _Run(QColor(), DASHES[number // palette % len(DASHES)], raw, smooth, held_out)
            self._color(self._runs[name])
        return self._runs[name]

    def figure(self) -> Figure:
        """The visible curves as a figure for export."""
        curves: list[Curve] = []
        for name, run in self._shown().items():
            steps, raw, smooth = run.series.values.copy()
            color = int(-run.raw.zValue() - 1)
            curves.append(Curve(f"{name}, each batch", steps, raw, color, faint=True))
            curves.append(Curve(f"{name}, smoothed", steps, smooth, color, run.dash))
            if run.held_out_losses:
                at, losses = np.array(run.held_out_losses, float).T
                curves.append(Curve(f"{name}, held-out images", at, losses, color, dots=True))
        return Figure("Loss over training", "step", curves, logarithmic=self.scale.value() == "log")

    def _shown(self) -> dict[str, _Run]:
        return {name: run for name, run in self._runs.items() if run.visible and run.series.values.size}

    # ---- drawing

    def _mark_stale(self) -> None:
        if not self._timer.isActive() and self.isVisible():
            self._timer.start()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._restyle()
        return super().event(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._redraw()  # points were added while the page was hidden

    def _redraw(self, *_: object) -> None:
        shown = list(self._shown().values())
        self.export.setEnabled(bool(shown))
        self._empty.setVisible(not shown)
        self._plot.setVisible(bool(shown))
        logarithmic = self.scale.value() == "log"
        self._plot.setLogMode(y=logarithmic)
        for run in self._runs.values():
            run.raw.setVisible(run in shown)
            run.smooth.setVisible(run in shown)
            run.held_out.setVisible(run in shown)
            steps, raw, smooth = run.series.values
            run.raw.setData(*extremes(steps, raw))
            run.smooth.setData(*extremes(steps, smooth))
            points = np.array(run.held_out_losses[-DRAWN_POINTS:]).reshape(-1, 2)
            run.held_out.setData(points[:, 0], points[:, 1])
        self._held_out_key.setVisible(any(run.held_out_losses for run in shown))
        if shown:
            self._fit(shown, logarithmic)

    def _fit(self, shown: list[_Run], logarithmic: bool) -> None:
        last = max(run.series.values[0, -1] for run in shown)
        first = min(run.series.values[0, 0] for run in shown)
        raw = np.concatenate([extremes(*run.series.values[:2])[1] for run in shown])
        raw = raw[np.isfinite(raw) & (raw > 0 if logarithmic else True)]
        smooth = np.concatenate([run.series.values[2] for run in shown])
        smooth = smooth[np.isfinite(smooth)]
        if not len(raw) or not len(smooth):
            return
        # One early spike must not flatten the rest of the curve.
        high = max(smooth.max(), float(np.quantile(raw, 0.995))) * 1.06
        low = float(raw.min()) * 0.9 if logarithmic else min(0.0, float(raw.min()))
        if logarithmic:
            low, high = log10(low), log10(max(high, low * 1.1))
        self._plot.getViewBox().setRange(
            xRange=(first, max(last, first + 1)), yRange=(low, high), padding=0.02, disableAutoRange=True
        )

    def _color(self, run: _Run) -> None:
        plots = theme().colors.plots
        run.color = QColor(plots[int(-run.raw.zValue() - 1) % len(plots)])
        faint = QColor(run.color)
        faint.setAlpha(120)
        sharp = self.devicePixelRatioF()  # pens are in device pixels
        run.raw.setPen(pg.mkPen(faint, width=sharp))
        run.held_out.setSymbolPen(pg.mkPen(run.color, width=1.4 * sharp))
        run.held_out.setSymbolBrush(theme().colors.color("card"))
        run.held_out.setSymbolSize(6)  # in logical pixels
        run.smooth.setPen(pg.mkPen(run.color, width=2.2 * sharp, style=run.dash))

    def _restyle(self) -> None:
        self._plot.restyle()
        self._cursor.setPen(pg.mkPen(theme().colors.color("warm"), width=self.devicePixelRatioF()))
        for run in self._runs.values():
            self._color(run)

    # ---- readout

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseMove and isinstance(event, QMouseEvent):
            self._read(event.position().x())
        elif event.type() == QEvent.Type.Leave:
            self._cursor.hide()
            self._readout.setText("")
        return super().eventFilter(watched, event)

    def _read(self, x: float) -> None:
        shown = list(self._shown().items())
        if not shown:
            return
        name, run = shown[-1]
        steps, _, smooth = run.series.values
        at = self._plot.getViewBox().mapSceneToView(self._plot.mapToScene(round(x), 0)).x()
        index = min(len(steps) - 1, int(np.searchsorted(steps, at)))
        self._cursor.setPos(steps[index])
        self._cursor.show()
        prefix = f"{name} · " if len(shown) > 1 else ""
        self._readout.setText(f"{prefix}step {steps[index]:,.0f} · {smooth[index]:.4f}")
