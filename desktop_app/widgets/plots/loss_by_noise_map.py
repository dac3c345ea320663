"""The loss at each noise level over the training steps, as a heat map.

Importing this module imports pyqtgraph: do it after the window is there.
"""

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QLinearGradient, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Space, Type, ui_font
from desktop_app.widgets.controls.basics import Card, ElidedLabel, Label, row
from desktop_app.widgets.plots.export import Figure, HeatMap
from desktop_app.widgets.plots.plot_button import PlotButton

Numbers = NDArray[np.float64]
COLUMNS = 240  # of the map, at most
HEIGHT = 84
NO_DATA = 40  # alpha of cells without data


def reduced(table: Numbers, columns: int = COLUMNS) -> Numbers:
    """Average (1 + levels, n) of steps and losses to at most `columns` columns; nan where there are no data."""
    count = table.shape[1]
    if count <= columns:
        return table
    edges = np.linspace(0, count, columns + 1).astype(int)[:-1]
    known = np.isfinite(table)
    sums = np.add.reduceat(np.where(known, table, 0.0), edges, axis=1)
    counts = np.add.reduceat(known, edges, axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def filled(losses: Numbers) -> Numbers:
    """Fill gaps in (levels, n) with the last known value of the level."""
    out = losses.copy()
    for column in range(1, out.shape[1]):
        gap = ~np.isfinite(out[:, column])
        out[gap, column] = out[gap, column - 1]
    return out


class LossByNoiseMap(Card):
    """A card with the map; rows from nearly clean (bottom) to pure noise (top), columns from the first step on."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Loss by noise level over training steps")
        self.setToolTip(
            "The loss at each noise level over the run. "
            "Dark means low; the model is still learning at noise levels whose rows get darker."
        )
        self.readout = Label("", "small")
        self.map = _Map(self.readout)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, Space.M, 14, Space.M)
        column.setSpacing(Space.S)
        self.legend = _Legend()
        self.legend.hide()
        self.export = PlotButton("the loss by noise level", lambda: [self.figure()])
        self.export.setEnabled(False)
        title, along = Label("Loss by noise level", "title"), ElidedLabel("over the training steps", "muted")
        column.addLayout(row(title, along, 1, self.readout, self.legend, self.export))
        line = QHBoxLayout()
        line.setSpacing(Space.S)
        side = QVBoxLayout()
        side.setSpacing(0)
        for text in ("noise", "image"):
            side.addWidget(Label(text, "small"))
            if text == "noise":
                side.addStretch(1)
        line.addLayout(side)
        line.addWidget(self.map, 1)
        column.addLayout(line)
        theme().changed.connect(self.map.update)

    def clear(self) -> None:
        """Clear the map, for another run."""
        self.set_table(np.empty((2, 0)))

    def set_table(self, table: Numbers) -> None:
        """Show a run: (1 + levels, n) of steps and losses, from nearly clean to pure noise."""
        self.map.set_rows([tuple(column) for column in table.T.tolist()])
        self._name_range()

    def append(self, step: int, losses: tuple[float, ...]) -> None:
        """Add the losses at a step, from nearly clean to pure noise; nan where unknown."""
        self.map.add((float(step), *losses))
        self._name_range()

    def _name_range(self) -> None:
        self.legend.set_range(*self.map.range())
        self.export.setEnabled(bool(self.map.table()[1:].size))

    def figure(self) -> Figure:
        """The map as a figure for export."""
        table, (low, high) = self.map.table(), self.map.range()
        legend = f"dark: {low:.2g}, bright: {high:.2g}"
        heat_map = HeatMap(table[0], table[1:], self.map.picture(), ("image", "noise"), legend)
        return Figure("Loss by noise level", "step", heat_map=heat_map)


class _Legend(QWidget):
    """The colours, from the lowest loss to the highest."""

    def __init__(self) -> None:
        super().__init__()
        self._low, self._high = Label("", "small"), Label("", "small")
        bar = _Bar()
        line = row(self._low, bar, self._high, spacing=Space.XS)
        self.setLayout(line)

    def set_range(self, low: float, high: float) -> None:
        known = np.isfinite(low) and np.isfinite(high)
        self.setVisible(bool(known))
        self._low.setText(f"loss {low:.2g}" if known else "")
        self._high.setText(f"{high:.2g}" if known else "")


class _Bar(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(72, 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        gradient = QLinearGradient(QPointF(0, 0), QPointF(self.width(), 0))
        for share in np.linspace(0, 1, 9):
            gradient.setColorAt(float(share), QColor(*_colors()[round(float(share) * 255)].tolist()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(gradient)
        painter.drawRoundedRect(QRectF(self.rect()), 4, 4)


def _colors() -> NDArray[np.uint8]:
    """The Viridis colour map, which colour-blind people can read: (256, 3)."""
    viridis = pg.colormap.get("viridis")
    assert viridis is not None
    return np.asarray(viridis.getLookupTable(nPts=256), np.uint8)


class _Map(QWidget):
    """Paints the table; the readout shows the value under the pointer."""

    def __init__(self, readout: Label) -> None:
        super().__init__()
        self._readout = readout
        self._rows: list[tuple[float, ...]] = []
        self._shown: Numbers | None = None
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)

    def set_rows(self, rows: list[tuple[float, ...]]) -> None:
        self._rows, self._shown = rows, None
        self.update()

    def add(self, entry: tuple[float, ...]) -> None:
        self._rows.append(entry)
        self._shown = None
        self.update()

    def table(self) -> Numbers:
        """(1 + levels, columns) as shown."""
        if self._shown is None:
            whole = reduced(np.array(self._rows).T if self._rows else np.empty((2, 0)))
            self._shown = np.concatenate([whole[:1], filled(whole[1:])])
        return self._shown

    def range(self) -> tuple[float, float]:
        """The lowest and the highest loss of the colour scale."""
        losses = self.table()[1:]
        known = losses[np.isfinite(losses) & (losses > 0)]
        return (float(known.min()), float(known.max())) if known.size else (np.nan, np.nan)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        losses = self.table()[1:]
        if not losses.size:
            painter.setPen(theme().colors.color("muted"))
            painter.setFont(ui_font(Type.SMALL))
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter, "The loss by noise level appears here during training"
            )
            return
        painter.drawImage(QRectF(self.rect()), self.picture())

    def picture(self) -> QImage:
        """A pixel for every loss of the table, pure noise on top."""
        losses = self.table()[1:]
        low, high = np.log(self.range())
        share = (np.log(np.maximum(losses, 1e-12)) - low) / max(high - low, 1e-9)
        known = np.isfinite(share)
        pixels = np.empty((*share.shape, 4), np.uint8)
        pixels[..., :3] = _colors()[np.clip(np.where(known, share, 0) * 255, 0, 255).astype(int)]
        pixels[..., 3] = np.where(known, 255, NO_DATA)
        pixels = np.ascontiguousarray(pixels[::-1])  # pure noise on top
        image = QImage(pixels.data, share.shape[1], share.shape[0], 4 * share.shape[1], QImage.Format.Format_RGBA8888)
        return image.copy()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        table = self.table()
        if not table[1:].size:
            return
        levels, columns = table[1:].shape
        column = min(columns - 1, max(0, int(event.position().x() / self.width() * columns)))
        level = min(levels - 1, max(0, int((1 - event.position().y() / self.height()) * levels)))
        loss = table[1 + level, column]
        text = f"{loss:.3g}" if np.isfinite(loss) else "unknown"
        between = f"{level * 100 // levels}–{(level + 1) * 100 // levels} % noise"
        self._readout.setText(f"step {table[0, column]:,.0f} · {between} · {text}")

    def leaveEvent(self, event: object) -> None:
        self._readout.setText("")
