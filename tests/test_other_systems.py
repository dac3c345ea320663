"""What is for Linux alone has a way around it: modules import, and functions answer, as on Windows and macOS.

Nothing here has been tried on those systems; these tests run their branches on this one.
"""

import ctypes
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QThread

import launch
from desktop_app.diagnostics import startup_report
from desktop_app.packaging import build
from desktop_app.worker import compute_thread
from ml.system import preload, versions
from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parent.parent
LINUX_ALONE = ("fork", "nice", "sched_getaffinity", "sched_setaffinity", "geteuid", "getuid", "getpriority", "sysconf",
               "mkfifo", "posix_fadvise", "statvfs", "uname", "killpg", "setsid")  # fmt: skip

# Imports every module of ours on a system that lacks those functions and modules; libraries are imported before.
IMPORT_ALL = """
import importlib, os, pkgutil, signal, sys
for name in ("torch", "torchvision", "numpy", "PIL.Image", "pydantic", "typer", "psutil", "filelock", "platformdirs",
             "safetensors.torch", "tensorboard", "av", "open_clip", "PySide6.QtWidgets", "PySide6.QtSvg", "pyqtgraph",
             "qtawesome", "multiprocessing", "concurrent.futures", "asyncio", "tempfile", "shutil"):
    try:
        importlib.import_module(name)
    except ImportError:
        pass

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {"fcntl", "resource", "pwd", "grp", "termios", "posix"}:
            raise ImportError(f"{name} is blocked")

for name in sys.argv[1:]:
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGSTOP", "SIGCONT"):
    delattr(signal, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
import desktop_app, ml
for package in (ml, desktop_app):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
print("all")
"""


@pytest.mark.slow
def test_every_module_imports_without_what_is_linuxs_alone() -> None:
    command = [sys.executable, "-W", "ignore", "-c", IMPORT_ALL, *LINUX_ALONE]
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, timeout=WAIT_S)
    assert done.stdout.strip() == "all", done.stderr


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_the_launcher_asks_for_no_linux_library(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    for name in LINUX_ALONE:
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(launch, "system_libraries", lambda testing: pytest.fail("asked for Linux's libraries"))
    assert launch.can_show({}, window_libraries=False)
    assert not launch.is_root()
    assert launch.cores() == os.cpu_count()
    assert 1 <= launch.workers() <= 4
    assert launch.main(["--libraries"]) == 0


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_a_thread_gives_way_by_qts_priority_alone(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.delattr(os, "nice")
    asked: list[QThread.Priority] = []
    monkeypatch.setattr(QThread, "setPriority", lambda self, priority: asked.append(priority))
    compute_thread._lower_priority()
    assert asked == [QThread.Priority.LowPriority]


def test_windows_loads_no_library_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("dlopen"))
    preload.load_libraries.__wrapped__("triton")


def test_without_proc_the_processor_has_its_architecture_and_the_start_its_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(self: Path, *_: object, **__: object) -> str:
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "read_text", absent)
    assert versions._processor("model name")
    assert startup_report.process_start() == startup_report._IMPORTED


def test_windows_gets_a_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "noiseloom"
    folder.mkdir()
    (folder / "noiseloom.exe").write_bytes(b"MZ")
    monkeypatch.setattr(build, "os", SimpleNamespace(name="nt"))
    archive = build.pack(folder)
    assert archive.suffix == ".zip"
    assert "noiseloom/noiseloom.exe" in zipfile.ZipFile(archive).namelist()
