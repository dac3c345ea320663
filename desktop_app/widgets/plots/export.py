"""Plots as files: SVG and PDF as vectors with real text, PNG, and CSV of what they show.

They are drawn in the light colours on white, whatever the theme, so that they fit into a report.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QIODevice, QLineF, QMarginsF, QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPageSize, QPainter, QPdfWriter, QPen, QPolygonF
from PySide6.QtSvg import QSvgGenerator

from desktop_app.theme.tokens import LIGHT, Type, ui_font
from ml import __version__
from ml.errors import BadRequest, CannotWrite
from ml.export.plot_metadata import digest
from ml.system.files import atomic

Numbers = NDArray[np.float64]
SUFFIXES = (".svg", ".pdf", ".png", ".csv")
WIDTH, HEIGHT = 560, 360  # of one plot, in points
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 16, 52
ROW, KEY, GAP = 20, 26, 16  # of the legend
PNG_SCALE, PDF_DPI = 2, 1200
DRAWN_POINTS = 1200  # more than a plot has pixels; a curve is reduced to about this many


@dataclass(frozen=True, slots=True)
class Curve:
    """A line, or with `dots` a circle at each point; `color` is an index into the theme's plot colours."""

    name: str
    x: Numbers
    y: Numbers
    color: int = 0
    dash: Qt.PenStyle = Qt.PenStyle.SolidLine
    faint: bool = False
    dots: bool = False


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Values (rows, columns) as colours, the first row at the bottom; the columns are at `x`."""

    x: Numbers
    values: Numbers
    picture: QImage
    ends: tuple[str, str]  # labels at the bottom and at the top
    legend: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One plot: curves over an axis, or a map."""

    title: str
    x_label: str
    curves: Sequence[Curve] = ()
    heat_map: HeatMap | None = None
    logarithmic: bool = False


def save_plots(path: Path, figures: Sequence[Figure], metadata: Mapping[str, object] | None = None) -> None:
    """Write figures side by side, in the format that the suffix names.

    The metadata are JSON in an SVG's description, an attachment of a PDF, the text `noiseloom` of a PNG, or a column of
    a CSV's first row. `ml.export.plot_metadata.prove` checks a file against them. Raises BadRequest, CannotWrite.
    """
    suffix = path.suffix.lower()
    writers = {".svg": _svg, ".pdf": _pdf, ".png": _png, ".csv": _csv}
    if suffix not in writers:
        raise BadRequest(f"{path.name}: a plot cannot be written as that.", f"Use one of {', '.join(SUFFIXES)}.")
    stamped = {"noiseloom": __version__, **(metadata or {})}
    content = writers[suffix](figures, json.dumps(stamped, ensure_ascii=False))
    if not content:
        raise CannotWrite(f"Cannot draw {path.name}.", "Choose another format.")
    stamped["shown"] = digest(suffix, content)  # of a first version, since the file contains it
    content = writers[suffix](figures, json.dumps(stamped, ensure_ascii=False))
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def _size(figures: Sequence[Figure]) -> QSize:
    return QSize(WIDTH * len(figures), HEIGHT)


def _svg(figures: Sequence[Figure], metadata: str) -> bytes:
    generator = QSvgGenerator(QSvgGenerator.SvgVersion.Svg11)
    buffer = _buffer()
    generator.setOutputDevice(buffer)
    generator.setTitle(" · ".join(figure.title for figure in figures))
    generator.setDescription(metadata)
    generator.setSize(_size(figures))
    generator.setViewBox(QRectF(QPointF(), QSizeF(_size(figures))))
    painter = QPainter(generator)
    _paint_all(painter, figures)
    painter.end()
    return bytes(buffer.data().data())


def _pdf(figures: Sequence[Figure], metadata: str) -> bytes:
    buffer = _buffer()
    writer = QPdfWriter(buffer)
    writer.setCreator("Noiseloom")
    writer.addFileAttachment("noiseloom.json", metadata.encode(), "application/json")
    writer.setTitle(" · ".join(figure.title for figure in figures))
    writer.setPageSize(
        QPageSize(QSizeF(_size(figures)), QPageSize.Unit.Point, "", QPageSize.SizeMatchPolicy.ExactMatch)
    )
    writer.setPageMargins(QMarginsF())
    writer.setResolution(PDF_DPI)
    painter = QPainter(writer)
    painter.scale(PDF_DPI / 72, PDF_DPI / 72)
    _paint_all(painter, figures)
    painter.end()
    return bytes(buffer.data().data())


def picture_of(figures: Sequence[Figure]) -> QImage:
    """Figures side by side as a picture, as they are in a PNG."""
    image = QImage(_size(figures) * PNG_SCALE, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    painter.scale(PNG_SCALE, PNG_SCALE)
    _paint_all(painter, figures)
    painter.end()
    return image


def _png(figures: Sequence[Figure], metadata: str) -> bytes:
    image, buffer = picture_of(figures), _buffer()
    image.setText("noiseloom", metadata)
    image.save(buffer, "PNG")  # pyright: ignore[reportArgumentType, reportCallIssue]
    return bytes(buffer.data().data())


def _buffer() -> QBuffer:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    return buffer


def _csv(figures: Sequence[Figure], metadata: str) -> bytes:
    """A row for every point of every curve, however many are drawn."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("plot", "curve", figures[0].x_label, "value", "made by"))
    for figure in figures:
        for name, x, y in _points(figure):
            for at, value in zip(x, y, strict=True):
                writer.writerow((figure.title, name, f"{at:.10g}", f"{value:.10g}", metadata))
                metadata = ""
    return text.getvalue().encode()


def _points(figure: Figure) -> Iterator[tuple[str, Numbers, Numbers]]:
    for curve in figure.curves:
        yield curve.name, curve.x, curve.y
    if figure.heat_map:
        rows = len(figure.heat_map.values)
        for k, values in enumerate(figure.heat_map.values):
            yield f"noise {k / rows:.1f}-{(k + 1) / rows:.1f}", figure.heat_map.x, values


# ---- painting


def extremes(x: Numbers, y: Numbers, points: int = DRAWN_POINTS) -> tuple[Numbers, Numbers]:
    """Reduce a curve to about `points`, keeping the lowest and highest of every bucket so that no spike is lost."""
    size = -(-2 * len(y) // points)
    if size < 3:
        return x, y
    whole = len(y) // size * size
    buckets = y[:whole].reshape(-1, size)
    ends = np.stack([buckets.argmin(1), buckets.argmax(1)], 1)
    ends.sort(1)
    keep = (ends + np.arange(len(buckets))[:, None] * size).ravel()
    keep = np.append(keep, np.arange(whole, len(y)))
    return x[keep], y[keep]


def _paint_all(painter: QPainter, figures: Sequence[Figure]) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillRect(QRectF(QPointF(), QSizeF(_size(figures))), QColor("white"))
    for index, figure in enumerate(figures):
        _paint(painter, QRectF(index * WIDTH, 0, WIDTH, HEIGHT), figure)


def _paint(painter: QPainter, room: QRectF, figure: Figure) -> None:
    """Paint the title, legend, axes and data into a rectangle."""
    left, width = room.left() + LEFT, room.width() - LEFT - RIGHT
    _write(painter, QRectF(left, room.top() + TOP, width, ROW), figure.title, "text", Type.BODY, bold=True)
    top = _legend(painter, QRectF(left, room.top() + TOP + ROW + 4, width, ROW), figure) + 10
    area = QRectF(left, top, width, room.bottom() - BOTTOM - top)
    _write(
        painter,
        QRectF(left, area.bottom() + 24, width, ROW),
        figure.x_label,
        "muted",
        align=Qt.AlignmentFlag.AlignHCenter,
    )
    if figure.heat_map:
        _paint_map(painter, area, figure.heat_map)
        return
    axes = _Axes(area, figure)
    axes.paint(painter)
    for curve in figure.curves:
        _paint_curve(painter, axes, curve)


def _write(
    painter: QPainter,
    room: QRectF,
    words: str,
    role: str,
    size: int = Type.SMALL,
    *,
    bold: bool = False,
    align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
) -> None:
    font = ui_font(size)
    font.setBold(bold)
    painter.setFont(font)
    painter.setPen(LIGHT.color(role))
    painter.drawText(room, align | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine, words)


def _pen(curve: Curve) -> QPen:
    color = QColor(LIGHT.plots[curve.color % len(LIGHT.plots)])
    color.setAlpha(110 if curve.faint else 255)
    return QPen(color, 0.8 if curve.faint else 1.8, curve.dash, Qt.PenCapStyle.FlatCap, Qt.PenJoinStyle.RoundJoin)


def _legend(painter: QPainter, line: QRectF, figure: Figure) -> float:
    """Paint each curve's name beside a piece of its line, in as many rows as needed; returns the bottom."""
    if figure.heat_map:
        _write(painter, line, figure.heat_map.legend, "muted")
        return line.bottom()
    metrics, x, y = QFontMetricsF(ui_font(Type.SMALL)), line.left(), line.top()
    for curve in figure.curves:
        name = metrics.elidedText(curve.name, Qt.TextElideMode.ElideMiddle, line.width() - KEY - 8)
        width = KEY + 8 + metrics.horizontalAdvance(name) + 4
        if x > line.left() and x + width > line.right():
            x, y = line.left(), y + ROW
        painter.setPen(_pen(curve))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if curve.dots:
            painter.drawEllipse(QPointF(x + KEY / 2, y + ROW / 2), 2.6, 2.6)
        else:
            painter.drawLine(QLineF(x, y + ROW / 2, x + KEY, y + ROW / 2))
        _write(painter, QRectF(x + KEY + 8, y, width - KEY - 8, ROW), name, "text")
        x += width + GAP
    return y + ROW


class _Axes:
    """The mapping from values to the page."""

    def __init__(self, area: QRectF, figure: Figure) -> None:
        self.area, self._log = area, figure.logarithmic
        xs = np.concatenate([curve.x for curve in figure.curves] or [np.zeros(1)])
        ys = np.concatenate([self._scaled(curve.y) for curve in figure.curves] or [np.zeros(1)])
        self.x, self.y = _range(xs), _range(ys)

    def _scaled(self, y: Numbers) -> Numbers:
        return np.log10(np.where(y > 0, y, np.nan)) if self._log else y

    def places(self, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        """Points on the page; nan for values that have none."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (self._scaled(y) - self.y[0]) / (self.y[1] - self.y[0])
        return self.area.left() + across * self.area.width(), self.area.bottom() - up * self.area.height()

    def paint(self, painter: QPainter) -> None:
        area = self.area
        levels = _log_ticks(*self.y) if self._log else _ticks(*self.y)
        for value, words in levels:
            up = area.bottom() - (value - self.y[0]) / (self.y[1] - self.y[0]) * area.height()
            painter.setPen(QPen(LIGHT.color("border"), 0.8))
            painter.drawLine(QLineF(area.left(), up, area.right(), up))
            right = Qt.AlignmentFlag.AlignRight
            _write(painter, QRectF(area.left() - LEFT, up - ROW / 2, LEFT - 8, ROW), words, "muted", align=right)
        for value, words in _ticks(*self.x):
            across = area.left() + (value - self.x[0]) / (self.x[1] - self.x[0]) * area.width()
            middle = Qt.AlignmentFlag.AlignHCenter
            _write(painter, QRectF(across - 40, area.bottom() + 5, 80, ROW), words, "muted", align=middle)


def _range(values: Numbers) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """About five round numbers in a range, with their text."""
    rough = (high - low) / 5
    power = 10 ** floor(log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough)
    values = [k * step for k in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]
    return [(value, f"{value:,.0f}" if step >= 1 else f"{value:.4g}") for value in values]


def _log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Powers of ten in a range of logarithms, with their multiples by 2 and 5 if it is short."""
    times = (1, 2, 5) if high - low < 2.5 else (1,)
    values = [k + log10(n) for k in range(floor(low), ceil(high) + 1) for n in times]
    found = [(value, f"{10**value:.2g}") for value in values if low - 1e-9 <= value <= high + 1e-9]
    return found if len(found) > 1 else [(value, f"{10**value:.3g}") for value, _ in _ticks(low, high)]


def _paint_curve(painter: QPainter, axes: _Axes, curve: Curve) -> None:
    across, up = axes.places(*(curve.x, curve.y) if curve.dots else extremes(curve.x, curve.y))
    known = np.isfinite(across) & np.isfinite(up)
    painter.setPen(_pen(curve))
    painter.setBrush(QColor("white") if curve.dots else Qt.BrushStyle.NoBrush)
    if curve.dots:
        for x, y in zip(across[known], up[known], strict=True):
            painter.drawEllipse(QPointF(float(x), float(y)), 2.6, 2.6)
        return
    gaps = np.flatnonzero(~known)
    for part in np.split(np.arange(len(known)), gaps):
        points = [QPointF(float(across[k]), float(up[k])) for k in part if known[k]]
        if len(points) > 1:
            painter.drawPolyline(QPolygonF(points))


def _paint_map(painter: QPainter, area: QRectF, heat_map: HeatMap) -> None:
    painter.drawImage(area, heat_map.picture)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    right = Qt.AlignmentFlag.AlignRight
    for words, up in zip(heat_map.ends, (area.bottom() - ROW, area.top()), strict=True):
        _write(painter, QRectF(area.left() - LEFT, up, LEFT - 8, ROW), words, "muted", align=right)
    low, high = _range(heat_map.x)
    for value, words in _ticks(low, high):
        across = area.left() + (value - low) / (high - low) * area.width()
        middle = Qt.AlignmentFlag.AlignHCenter
        _write(painter, QRectF(across - 40, area.bottom() + 5, 80, ROW), words, "muted", align=middle)
