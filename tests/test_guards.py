"""The test suite's own guards: what a test leaves running fails that test."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE, WAIT_S

HERE = Path(__file__).resolve().parent

LEAKY = """
import threading, time, warnings
from PySide6.QtCore import QThread, QTimer

kept = []

class Busy(QThread):
    def run(self):
        while not self.isInterruptionRequested():
            self.msleep(5)

def test_leaves_a_timer(qapp):
    kept.append(QTimer()); kept[-1].start(1000)

def test_leaves_a_qthread(qapp):
    kept.append(Busy()); kept[-1].start()

def test_leaves_a_thread():
    kept.append(threading.Event()); threading.Thread(target=kept[-1].wait).start()

def test_warns():
    warnings.warn("unexpected")

def test_is_tidy(qapp):
    timer, thread = QTimer(), Busy()
    kept.append(thread)
    timer.start(1000); thread.start()
    timer.stop(); thread.requestInterruption()

def test_stops_what_it_left_so_that_this_process_can_end():
    kept[0].stop(); kept[1].requestInterruption(); kept[2].set()
    assert kept[1].wait(2000)
"""


def test_a_leak_or_a_warning_fails_the_test_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    for name in ("conftest.py", "patience.py", "progress.py"):
        shutil.copy(HERE / name, tmp_path / "tests")
    for name in ("launch.py", "pyproject.toml"):
        shutil.copy(HERE.parent / name, tmp_path)
    (tmp_path / "tests" / "test_leaky.py").write_text(LEAKY)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", f"--timeout={WAIT_S}"]
    impatient = {**os.environ, "NOISELOOM_TEST_PATIENCE": str(0.008 * PATIENCE)}  # two of these never end
    done = subprocess.run(command, cwd=tmp_path, env=impatient, capture_output=True, text=True, timeout=WAIT_S)
    for name in ("test_leaves_a_timer", "test_leaves_a_qthread", "test_leaves_a_thread"):
        assert f"ERROR tests/test_leaky.py::{name} - AssertionError: left running" in done.stdout, done.stdout
    assert "FAILED tests/test_leaky.py::test_warns" in done.stdout
    assert "test_is_tidy PASSED" in done.stdout
    assert "3 errors" in done.stdout
