"""A plot in the style of its card, without interaction.

Importing this module imports pyqtgraph: do it after the window is there.
"""

from collections.abc import Mapping

import pyqtgraph as pg
from PySide6.QtWidgets import QMenu

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Type, ui_font

SIDES = ("left", "bottom")


class PlainAxis(pg.AxisItem):
    """Tick labels such as 1,500 and 0.25; steps are whole numbers."""

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.logMode:
            return self.logTickStrings(values, scale, spacing)
        if self.orientation == "bottom":
            return [f"{value:,.0f}" if value == round(value) else "" for value in values]
        return [f"{value:,.0f}" if abs(value) >= 10 else f"{value:.4g}" for value in values]

    def logTickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [f"{10**value:.2g}" for value in values]


class QuietPlot(pg.PlotWidget):
    """A pyqtgraph plot with horizontal grid lines, without frame, background, menu, buttons or mouse interaction."""

    def __init__(
        self, name: str, left_width: int, text_offset: int, axes: Mapping[str, pg.AxisItem] | None = None
    ) -> None:
        item = pg.PlotItem(enableMenu=False, axisItems=dict(axes or {}))
        super().__init__(plotItem=item)
        menu: QMenu = item.ctrlMenu  # type: ignore[assignment]  # made despite enableMenu, and without a parent
        self.destroyed.connect(menu.deleteLater)
        self.setAccessibleName(name)
        self.setBackground(None)
        self.setFrameShape(self.Shape.NoFrame)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.showGrid(y=True, alpha=1.0)
        for side in SIDES:
            axis = self.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setZValue(-1000)  # grid lines lie under the curves
            axis.setStyle(tickLength=0, tickTextOffset=text_offset, maxTickLevel=0)
        self.getAxis("left").setWidth(left_width)

    def restyle(self) -> None:
        """Paint the axes in the colours of the theme."""
        colors = theme().colors
        for side in SIDES:
            axis = self.getAxis(side)
            axis.setPen(pg.mkPen(None))
            axis.setTickPen(pg.mkPen(colors.color("border"), width=1))
            axis.setTextPen(pg.mkPen(colors.color("muted")))
            axis.setTickFont(ui_font(Type.CAPTION))
            axis.label.setFont(ui_font(Type.CAPTION))
