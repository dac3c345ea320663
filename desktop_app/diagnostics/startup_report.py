"""`noiseloom --startup-report`: the time until the window is shown, and until the first grid is generated."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer

from desktop_app.app import make_application, open_window
from desktop_app.settings import AppSettings
from ml.system.paths import HOME_VARIABLE

_IMPORTED = time.monotonic()
LIMIT_MS = 300_000


class Stopwatch(QObject):
    """Seconds from process start to the first time of each event; an event filter for the first paint."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.began = process_start()
        self.seconds: dict[str, float] = {}

    def note(self, what: str) -> None:
        self.seconds.setdefault(what, round(time.monotonic() - self.began, 3))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.note("window_shown_s")
        return super().eventFilter(watched, event)


def startup_report(as_json: bool = False) -> int:
    """Start with default settings, print the times, and quit; returns 1 if no grid was generated."""
    with tempfile.TemporaryDirectory(prefix="noiseloom-startup-", ignore_cleanup_errors=True) as home:
        os.environ[HOME_VARIABLE] = home
        app = make_application(sys.argv[:1])
        window = open_window(AppSettings())
        watch = Stopwatch(window)
        window.installEventFilter(watch)
        drawn = window.session.generate.finished
        drawn.connect(lambda: watch.note("first_grid_s"))
        drawn.connect(window.close)
        QTimer.singleShot(LIMIT_MS, window, window.close)
        app.setQuitOnLastWindowClosed(False)
        window.session.context.closed.connect(app.quit)
        app.exec()
        found = watch.seconds
    if as_json:
        print(json.dumps(found))
    else:
        for what, seconds in found.items():
            print(f"{what.removesuffix('_s').replace('_', ' '):<16}{seconds:7.2f} s after process start")
    return 0 if "first_grid_s" in found else 1


def process_start() -> float:
    """The start of this process on the clock of time.monotonic; if unknown, when this module was imported."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return _IMPORTED
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)
