"""The theme: light and dark colours, reduced motion, and the switch between them."""

from functools import cache

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

from desktop_app.theme.stylesheet import stylesheet
from desktop_app.theme.tokens import DARK, LIGHT, Colors, Mode, palette, ui_font


class Theme(QObject):
    """The current look. Emits `changed` after the colours or the motion setting changed."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._mode: Mode = "system"
        self._reduced_motion = False
        self._app: QApplication | None = None
        self._applied: Colors | None = None  # that the application shows
        self._changing = False

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def dark(self) -> bool:
        """Whether the dark colours are used; a system without a preference counts as light."""
        if self._mode != "system" or QGuiApplication.instance() is None:
            return self._mode == "dark"
        return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark

    @property
    def colors(self) -> Colors:
        return DARK if self.dark else LIGHT

    @property
    def reduced_motion(self) -> bool:
        """Whether changes are shown at once instead of as an animation."""
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
        """Set the application's style and font; `apply` follows once the window is made."""
        if self._app is None:
            QGuiApplication.styleHints().colorSchemeChanged.connect(self._refresh)
        self._app = app
        app.setStyle("Fusion")
        app.setFont(ui_font())
        self._applied = None

    def apply(self) -> None:
        """Apply the style sheet and the palette, now and whenever the system's colours change.

        Making a window before that takes half the time: with a style sheet, Qt restyles the children of each widget
        that is added.
        """
        if self._app and self._applied is not self.colors:
            self._apply()
        self.changed.emit()

    def _refresh(self) -> None:
        if self._app and self._applied and self._applied is not self.colors:
            if self._app.topLevelWidgets():
                self._change()
            else:
                self._apply()
        self.changed.emit()

    def _change(self) -> None:
        """Remove and apply the style sheet in two turns of the event loop, since each takes a tenth of a second."""
        for window in self._windows():
            window.setUpdatesEnabled(False)
        if not self._changing:
            self._changing = True
            QTimer.singleShot(0, self._remove)

    def _remove(self) -> None:
        if self._app:
            self._app.setStyleSheet("")  # WORKAROUND: from one sheet to another, Qt takes four times as long
        QTimer.singleShot(0, self._apply)

    def _apply(self) -> None:
        self._changing, self._applied = False, self.colors
        if self._app:
            self._app.setPalette(palette(self.colors))
            self._app.setStyleSheet(stylesheet(self.colors))
        for window in self._windows():
            window.setUpdatesEnabled(True)

    def _windows(self) -> list[QWidget]:
        return self._app.topLevelWidgets() if self._app else []


@cache
def theme() -> Theme:
    """The one theme of this process."""
    return Theme()
