"""The look in one place: spacing, type, colours light and dark, and the live switch between them."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Literal

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from desktop_app.theme.stylesheet import stylesheet

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


class Theme(QObject):
    """The current look. Emits `changed` after the colours or the motion setting changed."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._mode: Mode = "system"
        self._reduced_motion = False
        self._app: QApplication | None = None
        self._dressed: Colors | None = None  # what the application wears
        self._changing = False

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def dark(self) -> bool:
        """Whether the dark colours are in force; a system that does not say counts as light."""
        if self._mode != "system" or QGuiApplication.instance() is None:
            return self._mode == "dark"
        return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark

    @property
    def colors(self) -> Colors:
        return DARK if self.dark else LIGHT

    @property
    def reduced_motion(self) -> bool:
        """Whether things should appear at once where they would otherwise move by themselves."""
        return self._reduced_motion

    def set_reduced_motion(self, reduced: bool) -> None:
        if reduced != self._reduced_motion:
            self._reduced_motion = reduced
            self.changed.emit()

    def set_mode(self, mode: Mode) -> None:
        """Follow the system, or stay light or dark."""
        self._mode = mode
        scheme = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(mode, Qt.ColorScheme.Unknown)
        if self._app:
            QGuiApplication.styleHints().setColorScheme(scheme)  # title bars and native dialogs follow too
        self._refresh()

    def prepare(self, app: QApplication) -> None:
        """Give the application its style and font; it is to be dressed once the window is made."""
        if self._app is None:
            QGuiApplication.styleHints().colorSchemeChanged.connect(self._refresh)
        self._app = app
        app.setStyle("Fusion")
        app.setFont(ui_font())
        self._dressed = None

    def dress(self) -> None:
        """Dress the application, now and whenever the system's colours change.

        A window is made in half the time before that: of a dressed one Qt looks through every part that finds its
        place, with all that is in it.
        """
        if self._app and self._dressed is not self.colors:
            self._dress()
        self.changed.emit()

    def _refresh(self) -> None:
        if self._app and self._dressed and self._dressed is not self.colors:
            if self._app.topLevelWidgets():
                self._change()
            else:
                self._dress()
        self.changed.emit()

    def _change(self) -> None:
        """Undress and dress in turns of the event loop, since each takes a tenth of a second; unseen in between."""
        for window in self._windows():
            window.setUpdatesEnabled(False)
        if not self._changing:
            self._changing = True
            QTimer.singleShot(0, self._undress)

    def _undress(self) -> None:
        if self._app:
            self._app.setStyleSheet("")  # WORKAROUND: from one sheet to another, Qt takes four times as long
        QTimer.singleShot(0, self._dress)

    def _dress(self) -> None:
        self._changing, self._dressed = False, self.colors
        if self._app:
            self._app.setPalette(_palette(self.colors))
            self._app.setStyleSheet(stylesheet(self.colors))
        for window in self._windows():
            window.setUpdatesEnabled(True)

    def _windows(self) -> list[QWidget]:
        return self._app.topLevelWidgets() if self._app else []


@cache
def theme() -> Theme:
    """The one theme of this process."""
    return Theme()


def ui_font(size: int = Type.BODY, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The system's own interface font at a pixel size."""
    font = QFont(_families())
    font.setPixelSize(size)
    font.setWeight(weight)
    font.setHintingPreference(QFont.HintingPreference.PreferVerticalHinting)
    return font


def formula_font(size: int) -> QFont:
    """A serif font for formulas, whose letters carry their hats."""
    font = QFont(["STIX Two Text", "Cambria", "DejaVu Serif"])
    font.setStyleHint(QFont.StyleHint.Serif)
    font.setPixelSize(size)
    return font


@cache
def _families() -> list[str]:
    """The system's font; on a bare Linux, where that is a wide DejaVu, something narrower comes first."""
    system = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont).family()
    if QFontDatabase.hasFamily(system) and not system.startswith("DejaVu"):
        return [system]
    wanted = ("Inter", "Noto Sans", "Cantarell", "Ubuntu", "DejaVu Sans Condensed", "DejaVu Sans")
    return [family for family in wanted if QFontDatabase.hasFamily(family)] or [system]


def _palette(colors: Colors) -> QPalette:
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
