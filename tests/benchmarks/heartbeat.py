"""How fluid the window stays: the delay of a 10 ms timer in the GUI thread while the app trains and draws.

Run by hand: `python tests/benchmarks/heartbeat.py [--seconds 20] [--json]`. Runs the real window (offscreen unless a
display is named), the Train page in front with its live plot, then the Generate page with a drawing after the other,
then both at once. Prints p50, p99 and the longest delay of each part, in milliseconds.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from PySide6.QtCore import QCoreApplication, QEventLoop, QObject, Qt, QTimer

BEAT_MS = 10
PERCENTILE = 99


class Heartbeat(QObject):
    """A 10 ms timer that writes down how late it comes, and how long the thread itself computed in the meantime."""

    def __init__(self) -> None:
        super().__init__()
        self.delays_ms: list[float] = []
        self.busy_ms: list[float] = []  # whatever else goes on in the machine
        self._busy = time.thread_time()
        self._last = time.perf_counter()
        self._timer = QTimer(self, interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self.delays_ms.clear()
        self.busy_ms.clear()
        self._busy = time.thread_time()
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> dict[str, float]:
        self._timer.stop()
        delays = np.array(self.delays_ms)
        return {
            "beats": len(delays),
            "p50_ms": round(float(np.median(delays)), 2),
            "p99_ms": round(float(np.percentile(delays, PERCENTILE)), 2),
            "worst_ms": round(float(delays.max()), 2),
        }

    def _beat(self) -> None:
        now, busy = time.perf_counter(), time.thread_time()
        self.delays_ms.append(max(0.0, (now - self._last) * 1000 - BEAT_MS))
        self.busy_ms.append((busy - self._busy) * 1000)
        self._last, self._busy = now, busy


def wait(seconds: float) -> None:
    """Run the event loop for a while."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def measure(seconds: float, data: str, preset: str) -> dict[str, dict[str, float]]:
    """The three parts, each of that length."""
    from desktop_app.app import make_application, open_window
    from desktop_app.settings import AppSettings, TrainSettings

    app = make_application(["heartbeat"])
    root = os.environ.get("NOISELOOM_DATA")
    train = TrainSettings(data=data, preset=preset, minutes=60)
    window = open_window(AppSettings(train=train, data_root=Path(root) if root else None))
    session, beat = window.session, Heartbeat()
    results: dict[str, dict[str, float]] = {}
    while session.generate.verdict is None:
        wait(0.2)

    def again() -> None:
        session.generate.change(seed=session.generate.settings.seed + 1, live=False)
        session.generate.draw()

    def part(name: str) -> None:
        beat.start()
        wait(seconds)
        results[name] = beat.stop()

    session.generate.judged.connect(again)
    again()
    part("drawing")
    session.generate.judged.disconnect(again)
    window.rail.set_page("train")
    session.train.start()
    while session.train.last is None and session.train.state != "failed":
        wait(0.2)
    part("training")
    session.generate.judged.connect(again)
    window.rail.set_page("generate")
    again()
    part("drawing while training")
    session.generate.judged.disconnect(again)
    session.context.closed.connect(app.quit)
    window.close()
    QCoreApplication.exec()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--data", default="synthetic")
    parser.add_argument("--preset", default="1-minute")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        os.environ.setdefault("NOISELOOM_HOME", home)
        results = measure(options.seconds, options.data, options.preset)
    if options.json:
        print(json.dumps(results))
        return
    for name, numbers in results.items():
        print(f"{name:<24}", *(f"{key} {value}" for key, value in numbers.items()), sep="  ")


if __name__ == "__main__":
    main()
