"""How soon the window is shown and the first grid is drawn, beside a bare window of PySide6 and pyqtgraph."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.common import Table

BAR = 1.2
BARE = """
import time
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication
import pyqtgraph

class Painted(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            print(time.monotonic())
            app.quit()
        return False

app = QApplication([])
window = pyqtgraph.PlotWidget()
painted = Painted()
window.viewport().installEventFilter(painted)
window.resize(1280, 800)
window.show()
app.exec()
"""
OURS = ("-m", "desktop_app", "--startup-report", "--json")


def measure(turns: int) -> dict[str, Any]:
    """Medians in seconds since each process was started, in turns; both with their modules compiled beforehand."""
    bare: list[float] = []
    ours: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="noiseloom-startup-", ignore_cleanup_errors=True) as cache:
        for turn in range(turns + 1):
            began = time.monotonic()
            shown = float(_run("-c", BARE, cache=cache)) - began
            report = json.loads(_run(*OURS, cache=cache))
            if turn:  # the first compiles
                bare.append(shown)
                ours.append(report)
    shown_s, grid_s = (statistics.median(report[key] for report in ours) for key in ("window_shown_s", "first_grid_s"))
    middle = statistics.median(bare)
    return {
        "turns": turns,
        "bare_s": middle,
        "window_s": shown_s,
        "first_grid_s": grid_s,
        "times_bare": shown_s / middle,
    }


def _run(*arguments: str, cache: str) -> str:
    """What a fresh Python says."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment | {"PYTHONPYCACHEPREFIX": cache},
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def table(found: dict[str, Any]) -> Table:
    """As a person reads it."""
    heads = ("", "seconds", f"times a bare window (bar {BAR})")
    rows = [
        ("a bare window of PySide6 and pyqtgraph", found["bare_s"], None),
        ("the window is shown", found["window_s"], found["times_bare"]),
        ("the first grid is drawn", found["first_grid_s"], None),
    ]
    return Table("From the start of the process", heads, rows, f"Medians of {found['turns']} turns.")
