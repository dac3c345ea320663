"""A grid of small images on a dark stage, sharp at every size and display scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFontMetrics,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QStaticText,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Type, ui_font
from desktop_app.widgets.controls.basics import paint_stage
from desktop_app.widgets.images.waiting import Waiting

Pixels = NDArray[np.uint8]
SNAP = 0.9  # a whole scale factor is taken where it costs at most a tenth of the size
CAPTION_ROOM, TINY_CAPTION_ROOM = 20, 13  # height of a caption's line, and under images smaller than TINY
TINY, TINY_FONT = 44, 9
APART = 18  # pixels between two groups of columns
MOST_ROW_GAP = 8  # wide gaps make room for column captions, which rows do not need


@dataclass(frozen=True, slots=True)
class Caption:
    """The words under an image; `warn` marks a class other than the requested one."""

    text: str
    warn: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The positions of the cells, in device pixels from the widget's corner."""

    columns: int
    rows: int
    left: int
    top: int
    width: int  # of an image
    height: int
    pitch_x: int
    pitch_y: int
    tiny: bool  # small images leave less room for captions
    groups: tuple[int, ...]  # columns with which a further group begins ...
    apart: int  # ... so far from the one before

    def x(self, column: int) -> int:
        """The left edge of a column."""
        return self.left + column * self.pitch_x + self.apart * sum(first <= column for first in self.groups)

    def corner(self, index: int) -> tuple[int, int]:
        """Upper left corner of an image."""
        return self.x(index % self.columns), self.top + index // self.columns * self.pitch_y


class ImageGrid(QWidget):
    """Paints N uint8 images, (N, H, W) grey or (N, H, W, 3), with a caption, hover and selection each.

    Signals: `cellClicked(index)` by mouse or Enter, `cellHovered(index)` with -1 for none. Arrow keys, Home and
    End move between cells. Pixels are scaled by area coverage: at a whole factor exactly nearest neighbour, in
    between every source pixel keeps the same size.
    """

    cellClicked = Signal(int)
    cellHovered = Signal(int)

    def __init__(
        self, name: str = "Image grid", *, framed: bool = True, margin: int = 20, gap: int = 5, leading: bool = False
    ) -> None:
        super().__init__()
        self._leading = leading  # aligned to the left instead of centred
        self._name, self._framed, self._margin, self._gap = name, framed, margin, gap
        self._images: Pixels = np.zeros((0, 1, 1), np.uint8)
        self._fixed_columns: int | None = None
        self._groups: tuple[int, ...] = ()
        self._captions: list[Caption] = []
        self._caption_room = False
        self._empty_text = "Nothing here yet"
        self._hovered = self._selected = self._marked = self._current = -1
        self._atlas: QImage | None = None
        self._words: dict[tuple[str, int, int], tuple[QStaticText, int]] = {}
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(80, 40)
        self.waiting = Waiting(self, lambda: not len(self._images))
        theme().changed.connect(self.update)
        self._describe()

    def set_images(self, images: Pixels | None, columns: int | None = None) -> None:
        """Show images; `columns` None chooses the number that shows them largest."""
        if images is self._images and columns == self._fixed_columns:
            return
        new = np.zeros((0, 1, 1), np.uint8) if images is None else np.asarray(images)
        if new.dtype != np.uint8 or new.ndim not in (3, 4):
            raise ValueError(f"images must be uint8 (N, H, W[, 3]), not {new.dtype} {new.shape}")
        if len(new) != len(self._images):
            self._hovered = -1
            self._selected = self._selected if self._selected < len(new) else -1
            self._current = min(self._current, len(new) - 1)
        self._images, self._fixed_columns, self._atlas = new, columns, None
        self._describe()
        self.update()

    def set_groups(self, lengths: Sequence[int]) -> None:
        """Set the columns apart in groups of these lengths, where that is how many columns there are."""
        groups = tuple(lengths)
        if groups != self._groups:
            self._groups, self._atlas = groups, None
            self.update()

    def images(self) -> Pixels:
        return self._images

    def set_captions(self, captions: list[Caption], *, keep_room: bool = False) -> None:
        """Show captions under the cells, in order; `keep_room` reserves their line even without captions."""
        room = keep_room or bool(captions)
        if captions == self._captions and room == self._caption_room:
            return
        self._captions = captions
        if room != self._caption_room:
            self._caption_room, self._atlas = room, None
        self._describe()
        self.update()

    def set_selected(self, index: int | None) -> None:
        if index == self.selected() and index in (None, self._current):
            return
        self._selected = -1 if index is None else index
        if index is not None:
            self._current = index
        self._describe()
        self.update()

    def selected(self) -> int | None:
        return self._selected if self._selected >= 0 else None

    def set_marked(self, index: int | None) -> None:
        """Outline one more image, in another colour than the selected one."""
        marked = -1 if index is None else index
        if marked != self._marked:
            self._marked = marked
            self.update()

    def set_empty_text(self, text: str) -> None:
        self._empty_text = text
        self._describe()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(480, 320)

    # ---- geometry

    def _caption_height(self, tiny: bool) -> int:
        return (TINY_CAPTION_ROOM if tiny else CAPTION_ROOM) if self._caption_room else 0

    def layout_of_cells(self) -> Layout | None:
        """The arrangement at the present size, or None with nothing to show."""
        count = len(self._images)
        if not count:
            return None
        fixed = self._fixed_columns
        numbers = [min(count, fixed)] if fixed else range(1, count + 1)
        largest = max((self._arrange(columns) for columns in numbers), key=lambda layout: layout.width)
        tiny = self._caption_room and largest.width < TINY * self.devicePixelRatioF()
        return self._arrange(largest.columns, tiny=True) if tiny else largest

    def _arrange(self, columns: int, *, tiny: bool = False) -> Layout:
        ratio = self.devicePixelRatioF()
        full_w, full_h = floor(self.width() * ratio), floor(self.height() * ratio)
        margin, gap = round(self._margin * ratio), round(self._gap * ratio)
        below = round(self._caption_height(tiny) * ratio)
        row_gap = min(gap, round(MOST_ROW_GAP * ratio)) + (round(4 * ratio) if below and not tiny else 0)
        rows = ceil(len(self._images) / columns)
        groups = tuple(accumulate(self._groups))[:-1] if sum(self._groups) == columns else ()
        apart = round(APART * ratio)
        height, width = self._images.shape[1:3]
        room_w = (full_w - 2 * margin - (columns - 1) * gap - len(groups) * apart) / columns
        room_h = (full_h - 2 * margin - rows * below - (rows - 1) * row_gap) / rows
        scale = max(min(room_w / width, room_h / height), 1 / max(width, height))
        if floor(scale) >= SNAP * scale:
            scale = floor(scale)
        cell_w, cell_h = max(1, floor(width * scale)), max(1, floor(height * scale))
        pitch_x, pitch_y = cell_w + gap, cell_h + below + row_gap
        left = margin if self._leading else (full_w - columns * pitch_x - len(groups) * apart + gap) // 2
        top = (full_h - rows * pitch_y + row_gap) // 2
        return Layout(columns, rows, left, top, cell_w, cell_h, pitch_x, pitch_y, tiny, groups, apart)

    def cell_rect(self, index: int) -> QRectF:
        """An image's rectangle in widget coordinates."""
        layout = self.layout_of_cells()
        return self._rect(layout, index) if layout and 0 <= index < len(self._images) else QRectF()

    def _rect(self, layout: Layout, index: int) -> QRectF:
        ratio = self.devicePixelRatioF()
        x, y = layout.corner(index)
        return QRectF(x / ratio, y / ratio, layout.width / ratio, layout.height / ratio)

    def cell_at(self, position: QPoint | QPointF) -> int:
        """The cell, its caption included, under a point of the widget; -1 for none."""
        layout = self.layout_of_cells()
        if not layout:
            return -1
        ratio = self.devicePixelRatioF()
        x, y = position.x() * ratio, position.y() * ratio - layout.top
        found = [k for k in range(layout.columns) if 0 <= x - layout.x(k) < layout.width]
        column, row = found[0] if found else -1, floor(y / layout.pitch_y)
        inside = column >= 0 and 0 <= row < layout.rows
        index = row * layout.columns + column
        caption = self._caption_height(layout.tiny) * ratio
        inside = inside and y - row * layout.pitch_y < layout.height + caption
        return index if inside and index < len(self._images) else -1

    # ---- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme().colors
        painter = QPainter(self)
        if self._framed:
            paint_stage(painter, self.rect())
        layout = self.layout_of_cells()
        if layout:
            self._paint_cells(painter, layout, event.rect())
        else:
            painter.setPen(colors.color("stage_text" if self._framed else "muted"))
            painter.setFont(ui_font(Type.BODY))
            room = self.rect().adjusted(16, 8, -16, -8)
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._empty_text)

    def _paint_cells(self, painter: QPainter, layout: Layout, dirty: QRect) -> None:
        ratio = self.devicePixelRatioF()
        if self._atlas is None or self._atlas.width() != layout.width:
            self._atlas = _atlas(self._images, layout.width, layout.height)
        self._atlas.setDevicePixelRatio(ratio)
        below = self._caption_height(layout.tiny) + 3.0
        for index in range(len(self._images)):
            rect = self._rect(layout, index)
            if dirty.intersects(rect.adjusted(-3, -3, 3, below).toAlignedRect()):
                source = QRectF(0, index * layout.height, layout.width, layout.height)
                painter.drawImage(rect.topLeft(), self._atlas, source)
        self._paint_captions(painter, layout, dirty)
        self._paint_outlines(painter, layout)

    def _paint_captions(self, painter: QPainter, layout: Layout, dirty: QRect) -> None:
        if not self._captions:
            return
        colors = theme().colors
        font = ui_font(TINY_FONT if layout.tiny else Type.CAPTION)
        painter.setFont(font)
        metrics = QFontMetrics(font)
        quiet, loud = ("stage_text", "stage_warning") if self._framed else ("muted", "warning")
        room = self._caption_height(layout.tiny)
        lift = (room - metrics.height()) / 2 + 1
        for warn in (False, True):
            painter.setPen(colors.color(loud if warn else quiet))
            for index, caption in enumerate(self._captions[: len(self._images)]):
                if caption.warn == warn and caption.text:
                    rect = self._rect(layout, index)
                    words, width = self._fitted(caption.text, metrics, rect.width() + self._gap)
                    if dirty.bottom() >= rect.bottom() and dirty.top() <= rect.bottom() + room:
                        painter.drawStaticText(QPointF(rect.center().x() - width / 2, rect.bottom() + lift), words)

    def _fitted(self, text: str, metrics: QFontMetrics, room: float) -> tuple[QStaticText, int]:
        """A caption laid out once; on a tiny cell only its first word, "7" of "7 · 99%"."""
        key = text, metrics.height(), round(room)
        if key not in self._words:
            short = text if metrics.horizontalAdvance(text) <= room else text.split(" ", 1)[0]
            if len(self._words) > 5000:
                self._words.clear()
            self._words[key] = QStaticText(short), metrics.horizontalAdvance(short)
        return self._words[key]

    def _paint_outlines(self, painter: QPainter, layout: Layout) -> None:
        colors = theme().colors
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        accent = "stage_accent" if self._framed else "accent"
        marks = (
            (self._hovered, "stage_text", 1.0),
            (self._marked, "stage_warning", 2.0),
            (self._selected, accent, 2.0),
        )
        if self.hasFocus():
            marks += ((self._current, accent, 1.0),)
        for index, role, width in marks:
            if 0 <= index < len(self._images):
                painter.setPen(QPen(colors.color(role), width))
                outside = 1 + width / 2  # no pixel of the image is covered, not even by a round corner
                rect = self._rect(layout, index).adjusted(-outside, -outside, outside, outside)
                painter.drawRoundedRect(rect, 3, 3)

    # ---- mouse and keyboard

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self.cell_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(-1)

    def _hover(self, index: int) -> None:
        if index != self._hovered:
            self._hovered = index
            self.setCursor(Qt.CursorShape.PointingHandCursor if index >= 0 else Qt.CursorShape.ArrowCursor)
            self.update()
            self.cellHovered.emit(index)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.cell_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and index >= 0:
            self._move_to(index)
            self.cellClicked.emit(index)

    def inputMethodQuery(self, query: Qt.InputMethodQuery) -> object:
        """A context menu that is opened by key appears at the current image."""
        if query == Qt.InputMethodQuery.ImCursorRectangle and self._current >= 0:
            return self.cell_rect(self._current).toRect()
        return super().inputMethodQuery(query)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        layout = self.layout_of_cells()
        if not layout or event.modifiers() not in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        ):
            event.ignore()
            return
        last, here = len(self._images) - 1, max(0, self._current)
        targets = {
            Qt.Key.Key_Left: here - 1,
            Qt.Key.Key_Right: here + 1,
            Qt.Key.Key_Up: here - layout.columns,
            Qt.Key.Key_Down: here + layout.columns,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        if event.key() in targets:
            target = targets[Qt.Key(event.key())]
            self._move_to(target if 0 <= target <= last else here)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.cellClicked.emit(here)
        else:
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        if self._current < 0 and len(self._images):
            self._move_to(0)
        super().focusInEvent(event)

    def _move_to(self, index: int) -> None:
        self._current = index
        self._describe()
        self.update()

    def _describe(self) -> None:
        count = len(self._images)
        self.setAccessibleName(f"{self._name}: {count} images" if count else f"{self._name}: {self._empty_text}")
        if 0 <= self._current < count:
            words = self._captions[self._current].text if self._current < len(self._captions) else ""
            self.setAccessibleDescription(f"image {self._current + 1} of {count} {words}".strip())


@lru_cache(maxsize=64)
def _coverage(source: int, target: int) -> NDArray[np.float32]:
    """Share of each source pixel in each target pixel, (target, source); rows sum to 1."""
    edges = np.linspace(0, source, target + 1)
    pixel = np.arange(source)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    weights = np.clip(overlap, 0, None)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _atlas(images: Pixels, width: int, height: int) -> QImage:
    """All images scaled to width x height, one below the other in one QImage."""
    count, source_h, source_w = images.shape[:3]
    planes = np.moveaxis(images[..., None] if images.ndim == 3 else images, -1, 1)  # (N, C, H, W)
    if width % source_w == 0 and height % source_h == 0:
        rgb = _rgb32(planes).repeat(width // source_w, 2).repeat(height // source_h, 1)
    else:
        rows, columns = _coverage(source_h, height), _coverage(source_w, width)
        exact = rows @ (planes.astype(np.float32) @ columns.T)
        rgb = _rgb32((exact + 0.5).astype(np.uint8))
    image = QImage(rgb.data, width, count * height, 4 * width, QImage.Format.Format_RGB32)
    return image.copy()  # that owns its memory


def _rgb32(planes: Pixels) -> NDArray[np.uint32]:
    """Grey or coloured (N, 1 or 3, H, W) as Qt is quickest to draw it, (N, H, W)."""
    red, green, blue = planes[:, [0, -2 % planes.shape[1], -1]].astype(np.uint32).swapaxes(0, 1)
    return np.uint32(0xFF000000) | red << 16 | green << 8 | blue
