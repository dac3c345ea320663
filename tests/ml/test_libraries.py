"""Libraries of large packages are loaded beforehand, and the interpreter is free meanwhile."""

import subprocess
import sys

import pytest

LONGEST = """
import sys, threading, time
from ml.libraries import load_libraries

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
took = time.perf_counter() - began
assert "torch" not in sys.modules
print(longest / took)
import torch
print(torch.ones(3).sum().item())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="torch loads its libraries by ctypes there")
def test_other_threads_go_on_while_the_libraries_of_torch_are_loaded() -> None:
    share, total = _said(LONGEST)
    assert float(share) < 0.5  # of the time that loading took; an import alone keeps them waiting for nearly all of it
    assert float(total) == 3


def test_what_is_not_there_is_left_to_the_import() -> None:
    code = "from ml import libraries; libraries._LIBRARIES['no_such_package'] = ()\n"
    assert _said(code + "libraries.load_libraries('no_such_package'); print('done')") == ["done"]


def _said(code: str) -> list[str]:
    """What a fresh Python prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
