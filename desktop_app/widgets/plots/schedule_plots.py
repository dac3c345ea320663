"""Three small plots of the schedules: beta, alpha-bar and the logarithm of the signal-to-noise ratio.

Importing this module imports pyqtgraph: do it after the window is there.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Card, ElidedLabel, row
from desktop_app.widgets.plots.base import QuietPlot
from desktop_app.widgets.plots.export import Curve, Figure
from ml.specs import DISCRETE, SCHEDULES

if TYPE_CHECKING:
    from ml.evaluation.forward_process import ForwardProcess

DASHES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)
PLOTS = (
    ("beta", "log₁₀ β: noise per step"),
    ("alpha_bar", "ᾱ: share of the image"),
    ("log_snr", "log₁₀ of the signal-to-noise ratio"),
)
LOWEST_SNR = 1e-5  # values below it are clipped


class SchedulePlots(QWidget):
    """One card for each of PLOTS, with a curve for each of DISCRETE, in its own colour and dashes.

    The plots are made when they are first shown, one per turn of the event loop, since each takes a while.
    """

    def __init__(self) -> None:
        super().__init__()
        self._noisings: Sequence[ForwardProcess] = ()
        self._plots: dict[str, QuietPlot] = {}
        self._curves: dict[tuple[str, str], pg.PlotDataItem] = {}
        self._columns: dict[str, QVBoxLayout] = {}
        line = row(spacing=Space.M)
        for key, title in PLOTS:
            card = self._card(key, title)
            card.setMinimumWidth(1)  # so that all cards have the same width
            line.addWidget(card, 1)
        self.setLayout(line)
        self._make_soon = QTimer(self, singleShot=True, interval=0)
        self._make_soon.timeout.connect(self._make_next)
        theme().changed.connect(self._restyle)

    def _card(self, key: str, title: str) -> Card:
        card = Card()
        card.setAccessibleName(f"{title}, by step")
        self._columns[key] = column = QVBoxLayout(card)
        column.setContentsMargins(14, Space.M, 14, Space.S)
        column.setSpacing(Space.XS)
        named = ElidedLabel(title, "strong")
        named.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        named.setAlignment(Qt.AlignmentFlag.AlignTop)
        column.addWidget(named)
        return card

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._make_soon.start()

    def _make_next(self) -> None:
        """Make the next plot."""
        for key, title in PLOTS:
            if key not in self._plots:
                self._columns[key].addWidget(self._plot(key, title), 1)
                self._restyle()
                self._show(key)
                self._make_soon.start()
                return

    def _plot(self, key: str, title: str) -> QuietPlot:
        plot = QuietPlot(title, left_width=40, text_offset=6)
        plot.setMinimumHeight(96)
        for name in DISCRETE:
            self._curves[key, name] = pg.PlotDataItem(antialias=True)
            plot.addItem(self._curves[key, name])
        self._plots[key] = plot
        return plot

    def show_all(self, noisings: "Sequence[ForwardProcess]") -> None:
        """Show the curves of these schedules."""
        self._noisings = noisings
        for key in self._plots:
            self._show(key)

    def _show(self, key: str) -> None:
        if not self._noisings:
            return
        for noising in self._noisings:
            values = _values(noising, key)
            self._curves[key, noising.schedule].setData(np.arange(len(values)), values)
        last = len(self._noisings[0].beta)
        plot = self._plots[key]
        plot.getViewBox().autoRange(padding=0.03)
        plot.getAxis("bottom").setTicks([[(t, f"t = {t:,}") for t in (last // 4, 3 * last // 4)]])

    def figures(self) -> list[Figure]:
        """The plots as figures for export."""
        return [Figure(title, "step t", [_curve(each, key) for each in self._noisings]) for key, title in PLOTS]

    def key(self, name: str) -> QWidget:
        """A short piece of a schedule's line, for a legend."""
        return _Key(name)

    def _restyle(self) -> None:
        for plot in self._plots.values():
            plot.restyle()
        for (_, name), curve in self._curves.items():
            curve.setPen(pen(name, 2.2 * self.devicePixelRatioF()))  # pens are in device pixels

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._restyle()
        return super().event(event)


def _values(noising: "ForwardProcess", key: str) -> NDArray[np.float64]:
    """The values of a schedule in one of PLOTS, by step."""
    if key == "beta":
        return np.log10(noising.beta)
    return noising.alpha_bar if key == "alpha_bar" else np.log10(np.maximum(noising.snr, LOWEST_SNR))


def _curve(noising: "ForwardProcess", key: str) -> Curve:
    index, values = DISCRETE.index(noising.schedule), np.asarray(_values(noising, key), float)
    return Curve(SCHEDULES[noising.schedule].title, np.arange(len(values), dtype=float), values, index, DASHES[index])


def pen(name: str, width: float = 2.2) -> QPen:
    """The pen of a schedule, in plots and legends."""
    index = DISCRETE.index(name)
    return pg.mkPen(QColor(theme().colors.plots[index]), width=width, style=DASHES[index])


class _Key(QWidget):
    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.setFixedSize(26, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(pen(self._name))
        painter.drawLine(0, self.height() // 2, self.width(), self.height() // 2)
