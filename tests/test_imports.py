"""The engine works without a screen, and the window comes before the engine."""

import subprocess
import sys
from pathlib import Path

from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parent.parent

IMPORT_ALL_OF_ML = """
import importlib, pkgutil, sys

class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"PySide6", "shiboken6", "pyqtgraph", "qtpy", "qtawesome", "superqt", "desktop_app"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, NoQt())
import ml
names = [m.name for m in pkgutil.walk_packages(ml.__path__, "ml.") if not m.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(*names)
"""

IMPORT_THE_APP = """
import sys
import desktop_app.app
heavy = {"torch", "torchvision", "open_clip", "diffusers", "scipy", "pyqtgraph", "PIL", "ssl"} & sys.modules.keys()
print(*heavy)
"""


def python(script: str) -> str:
    """What a fresh interpreter prints that runs `script`."""
    done = subprocess.run([sys.executable, "-c", script], cwd=REPO, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_of_ml_imports_without_qt() -> None:
    names = python(IMPORT_ALL_OF_ML).split()
    assert {"ml.config", "ml.events", "ml.diffusion.samplers", "ml.models.unet"} <= set(names)


def test_the_window_does_not_wait_for_what_it_does_not_need() -> None:
    assert python(IMPORT_THE_APP).split() == []
