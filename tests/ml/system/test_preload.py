"""Libraries of large packages are loaded beforehand, and the interpreter is free meanwhile."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ml.system import preload
from tests.patience import WAIT_S
from tests.support.warm_fork import REPO

LONGEST = """
import sys, threading, time
from ml.system.preload import load_libraries

longest, last = 0.0, time.perf_counter()
def watch():
    global longest, last
    while True:
        time.sleep(0.001)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()

threading.Thread(target=watch, daemon=True).start()
time.sleep(0.05)
longest, began = 0.0, time.perf_counter()
load_libraries("torch")
print(longest / (time.perf_counter() - began))
"""
LOADED = """
import sys
from pathlib import Path
from ml.system.preload import load_libraries

load_libraries("torch")
print("torch" in sys.modules, "libtorch" in Path("/proc/self/maps").read_text())
import torch
print(torch.ones(3).sum().item())
"""
WAITS = """
import sys, threading
from ml.system import preload

sys.path.insert(0, sys.argv[1])
preload._LIBRARIES["slow"] = (("lib/slow.so", 0),)
loading = threading.Thread(target=preload.load_libraries, args=("slow",))
loading.start()
with open(f"{sys.argv[1]}/slow/lib/slow.so", "wb"):  # which loading waits for
    print("free")
loading.join()
print("slow" in sys.modules)
"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="torch loads its libraries by ctypes there")


def test_the_interpreter_is_free_while_a_library_is_loaded(tmp_path: Path) -> None:
    """Here the library is a pipe, which has no content before another thread opens it."""
    folder = tmp_path / "slow" / "lib"
    folder.mkdir(parents=True)
    (tmp_path / "slow" / "__init__.py").touch()
    os.mkfifo(folder / "slow.so")
    assert _said(WAITS, str(tmp_path)) == ["free", "False"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux which libraries are there")
def test_the_libraries_of_torch_are_there_before_it_is_imported() -> None:
    assert _said(LOADED) == ["False", "True", "3.0"]


@pytest.mark.bench
def test_other_threads_go_on_while_the_libraries_of_torch_are_loaded() -> None:
    (share,) = _said(LONGEST)
    assert float(share) < 0.5  # of the time that loading took; an import alone keeps them waiting for nearly all of it


def test_what_is_not_there_is_left_to_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(preload._LIBRARIES, "no_such_package", ())
    preload.load_libraries("no_such_package")
    assert "no_such_package" not in sys.modules


def _said(code: str, *arguments: str) -> list[str]:
    """What a fresh Python prints."""
    line = [sys.executable, "-c", code, *arguments]
    return subprocess.run(line, cwd=REPO, capture_output=True, text=True, check=True, timeout=WAIT_S).stdout.split()
