"""Phosphor icons as QIcons that are painted in the theme's current colour."""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontDatabase, QIcon, QIconEngine, QPainter, QPixmap

from desktop_app.theme.controller import theme


@cache
def _phosphor() -> tuple[str, dict[str, str]]:
    """Font family and code points by name.

    The font lies in the qtawesome package; importing qtawesome itself would cost the start a quarter of a second.
    """
    spec = find_spec("qtawesome")
    assert spec and spec.submodule_search_locations, "qtawesome is a dependency"
    folder = Path(spec.submodule_search_locations[0], "fonts")
    number = QFontDatabase.addApplicationFont(str(next(folder.glob("phosphor-[0-9]*.ttf"))))
    charmap = json.loads(next(folder.glob("phosphor-charmap-*.json")).read_text())
    return QFontDatabase.applicationFontFamilies(number)[0], charmap


def paint_icon(painter: QPainter, name: str, rect: QRect | QRectF, role: str) -> None:
    """Draw an icon to fill the height of `rect`, centred, in the colour of a theme role."""
    family, charmap = _phosphor()
    font = QFont(family)
    font.setPixelSize(max(1, round(rect.height())))
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    painter.save()
    painter.setFont(font)
    painter.setPen(theme().colors.color(role))
    painter.drawText(QRectF(rect), Qt.AlignmentFlag.AlignCenter, chr(int(charmap[name], 16)))
    painter.restore()


def icon(name: str, role: str = "text", on_role: str = "") -> QIcon:
    """A Phosphor icon such as `play-fill`; `role` is a field of Colors, `on_role` the one while checked."""
    return QIcon(_Engine(name, role, on_role or role))


class _Engine(QIconEngine):
    def __init__(self, name: str, role: str, on_role: str) -> None:
        super().__init__()
        self._name, self._role, self._on_role = name, role, on_role

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        role = self._on_role if state == QIcon.State.On else self._role
        paint_icon(painter, self._name, rect, "faint" if mode == QIcon.Mode.Disabled else role)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._role, self._on_role)
