"""Design tokens: colors, spaces, radii, type."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Literal

from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette

Mode = Literal["system", "light", "dark"]


class Space(IntEnum):
    """Gaps and margins in pixels."""

    XS = 4
    S = 8
    M = 12
    L = 16
    XL = 20


class Radius(IntEnum):
    """Corner radii in pixels."""

    SMALL = 4
    CONTROL = 8
    CARD = 12


class Type(IntEnum):
    """Font sizes in pixels."""

    CAPTION = 11
    SMALL = 12
    BODY = 13
    HEADING = 18


RAIL_WIDTH = 72


SETTINGS_WIDTH = 288


STATUS_HEIGHT = 28


CONTROL_HEIGHT = 30


FIELD_HEIGHT = 38


@dataclass(frozen=True, slots=True)
class Colors:
    """Every colour on the screen, as #rrggbb. `plots` stay apart for colour-blind people."""

    page: str
    card: str
    control: str
    hover: str
    border: str
    border_strong: str
    text: str
    muted: str
    faint: str  # decoration only: too quiet for words
    accent: str
    accent_hover: str
    on_accent: str
    warm: str
    warm_hover: str
    on_warm: str
    ok: str
    warning: str
    error: str
    handle: str
    stage: str
    stage_border: str
    stage_text: str
    stage_warning: str
    stage_accent: str
    plots: tuple[str, ...]

    def color(self, role: str) -> QColor:
        """The colour of a role, ready to paint with."""
        return QColor(getattr(self, role))


DARK = Colors(
    page="#14161b",
    card="#1a1d24",
    control="#222630",
    hover="#2a2f3b",
    border="#2d3240",
    border_strong="#454c5f",
    text="#e9ebf0",
    muted="#a0a6b4",
    faint="#5c6477",
    accent="#6ea8fe",
    accent_hover="#8abaff",
    on_accent="#0c1a30",
    warm="#f0a35e",
    warm_hover="#f5b67e",
    on_warm="#2b1703",
    ok="#56c596",
    warning="#f0b35e",
    error="#ff8a80",
    handle="#ffffff",
    stage="#0d0f13",
    stage_border="#2d3240",
    stage_text="#9aa1b0",
    stage_warning="#f5b05f",
    stage_accent="#6ea8fe",
    plots=("#6ea8fe", "#f0a35e", "#3fa77c", "#c9eef2", "#e9dc3c"),
)


LIGHT = Colors(
    page="#f6f7f9",
    card="#ffffff",
    control="#eef0f4",
    hover="#e3e7ee",
    border="#d9dde6",
    border_strong="#b4bbca",
    text="#1b1f27",
    muted="#596072",
    faint="#a3abbb",
    accent="#2463e0",
    accent_hover="#1b52c4",
    on_accent="#ffffff",
    warm="#b85c0f",
    warm_hover="#9c4d0a",
    on_warm="#ffffff",
    ok="#187a50",
    warning="#96590a",
    error="#c0322b",
    handle="#ffffff",
    stage="#20242d",
    stage_border="#20242d",
    stage_text="#aeb4c1",
    stage_warning="#f5b05f",
    stage_accent="#6ea8fe",
    plots=("#2463e0", "#c8701e", "#0f6b4a", "#262659", "#4d99b2"),
)


def ui_font(size: int = Type.BODY, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The system's own interface font at a pixel size."""
    font = QFont(_families())
    font.setPixelSize(size)
    font.setWeight(weight)
    font.setHintingPreference(QFont.HintingPreference.PreferVerticalHinting)
    return font


def formula_font(size: int) -> QFont:
    """A serif font for formulas, with combining accents such as hats."""
    font = QFont(["STIX Two Text", "Cambria", "DejaVu Serif"])
    font.setStyleHint(QFont.StyleHint.Serif)
    font.setPixelSize(size)
    return font


@cache
def _families() -> list[str]:
    """The system's font; on a Linux whose font is the wide DejaVu, narrower ones come first."""
    system = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont).family()
    if QFontDatabase.hasFamily(system) and not system.startswith("DejaVu"):
        return [system]
    preferred = ("Inter", "Noto Sans", "Cantarell", "Ubuntu", "DejaVu Sans Condensed", "DejaVu Sans")
    return [family for family in preferred if QFontDatabase.hasFamily(family)] or [system]


def palette(colors: Colors) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: colors.page,
        QPalette.ColorRole.WindowText: colors.text,
        QPalette.ColorRole.Base: colors.control,
        QPalette.ColorRole.AlternateBase: colors.card,
        QPalette.ColorRole.Text: colors.text,
        QPalette.ColorRole.PlaceholderText: colors.muted,
        QPalette.ColorRole.Button: colors.control,
        QPalette.ColorRole.ButtonText: colors.text,
        QPalette.ColorRole.BrightText: colors.error,
        QPalette.ColorRole.ToolTipBase: colors.card,
        QPalette.ColorRole.ToolTipText: colors.text,
        QPalette.ColorRole.Highlight: colors.accent,
        QPalette.ColorRole.HighlightedText: colors.on_accent,
        QPalette.ColorRole.Link: colors.accent,
        QPalette.ColorRole.LinkVisited: colors.accent,
    }
    for role, value in roles.items():
        palette.setColor(role, QColor(value))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(colors.faint))
    return palette
