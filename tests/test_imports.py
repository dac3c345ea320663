"""Imports run down the list of folders and in no circle; the engine needs no screen, and the window no torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parent.parent

# The folders from top to bottom: a folder may import itself and those below. Folders in one line import neither the
# other. "cli" has `__main__` beside it, "api" is what scripts import of `ml`, and "" is what lies beside the folders.
ENGINE = (
    ("__init__",),
    ("cli",),
    ("api",),
    ("experiments",),
    ("training",),
    ("evaluation",),
    ("export",),
    ("generation",),
    ("tracking",),
    ("registry",),
    ("models",),
    ("text",),
    ("data",),
    ("diffusion",),
    ("imaging",),
    ("system",),
    ("distributed",),
    ("",),
)
WINDOW = (
    ("packaging",),
    ("__main__",),
    ("diagnostics",),
    ("app",),
    ("window",),
    ("pages",),
    ("viewmodels", "widgets"),
    ("tasks",),
    ("",),  # the settings and the lesson file
    ("theme", "text", "worker"),
)
TOP = {
    "ml": "__init__",
    "ml.api": "api",
    "ml.__main__": "cli",
    "desktop_app.__main__": "__main__",
    "desktop_app.app": "app",
}

# Modules that a window or a command loads before torch; every file of these packages, and the __init__ of each.
LEAVES = ("ml.api", "ml.specs", "ml.config", "ml.control", "ml.errors", "ml.events", "ml.registry.run_layout",
          "ml.registry.model_cards", "ml.system.paths", "ml.system.files", "ml.system.versions",
          "ml.text.prompt_parser")  # fmt: skip
LEAF_PACKAGES = ("export", "imaging", "tracking")

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

IMPORT_LEAVES = """
import importlib, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ImportError("torch is blocked")

sys.meta_path.insert(0, NoTorch())
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(name)
"""


def python(script: str, *arguments: str) -> str:
    """What a fresh interpreter prints that runs `script`."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules(package: str) -> dict[str, Path]:
    """Every module of a package with its file."""
    found = (path.relative_to(REPO) for path in (REPO / package).rglob("*.py"))
    return {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in found}


def imported(path: Path, known: set[str]) -> Iterator[str]:
    """What a file imports of the known modules: at its top, inside functions, and for its types alone."""
    for node in ast.walk(ast.parse((REPO / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in known or node.module in known:
                    yield whole if whole in known else str(node.module)


def arrows(package: str) -> Iterator[tuple[str, str]]:
    """Every pair of a module and another one of its package that it imports."""
    known = modules(package)
    for module, path in known.items():
        yield from ((module, target) for target in {*imported(path, set(known))} - {module, package})


def folder(module: str) -> str:
    """The folder that a module is in."""
    path = REPO.joinpath(*module.split(".")[:2])
    return TOP.get(module, path.name if path.is_dir() and path.parent != REPO else "")


@pytest.mark.parametrize(("package", "layers"), [("ml", ENGINE), ("desktop_app", WINDOW)])
def test_imports_run_down_the_list_of_folders(package: str, layers: tuple[tuple[str, ...], ...]) -> None:
    heights = {name: height for height, layer in enumerate(layers) for name in layer}
    upwards = []
    for module, target in arrows(package):
        above, below = folder(module), folder(target)
        if below != above and heights[below] <= heights[above]:
            upwards.append(f"{module} imports {target}")
    assert upwards == []


@pytest.mark.parametrize("package", ["ml", "desktop_app"])
def test_no_imports_go_in_a_circle(package: str) -> None:
    graph: dict[str, set[str]] = {}
    for module, target in arrows(package):
        graph.setdefault(module, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_every_module_of_ml_imports_without_qt() -> None:
    names = python(IMPORT_ALL_OF_ML).split()
    assert {"ml.config", "ml.events", "ml.diffusion.samplers", "ml.models.unet"} <= set(names)


def test_the_window_does_not_wait_for_what_it_does_not_need() -> None:
    assert python(IMPORT_THE_APP).split() == []


def test_a_leaf_imports_no_torch() -> None:
    known = modules("ml")
    packages = [module for module, path in known.items() if path.name == "__init__.py" and module != "ml.models"]
    leaves = [module for module in known if folder(module) in LEAF_PACKAGES]
    assert len(packages) > 10 and len(leaves) > 20
    assert python(IMPORT_LEAVES, *packages, *leaves, *LEAVES).split() == []
