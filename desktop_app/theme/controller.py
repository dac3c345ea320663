"""The look in one place: spacing, type, colours light and dark, and the live switch between them."""

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
