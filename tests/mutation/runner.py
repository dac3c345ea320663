"""Plants each mistake in a copy of the project and runs the tests that should notice it.

The copies lie beside one another in a temporary folder, one for each process. A warm process, which has imported what
takes seconds to import, forks once for each mutant, so that a mutant costs little more than its tests.
"""

import compileall
import contextlib
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

from tests.mutation.mutant import Mutant

REPO = Path(__file__).resolve().parents[2]
COPIED = ("ml", "desktop_app", "tests", "pyproject.toml", "launch.py", "build.spec", "constraints.txt", "README.md")
WARM = (
    "numpy",
    "pytest",
    "torch",
    "PIL.Image",
    "pydantic",
    "safetensors.torch",
    "PySide6.QtWidgets",
    "open_clip",
    "av",
)
LIMIT_S = 600.0  # a mutant that never ends was noticed
NOTICED, SURVIVED, BROKEN = "noticed", "survived", "broken"


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant, and what pytest printed."""

    mutant: Mutant
    kind: str
    seconds: float
    output: str


@dataclass
class _Running:
    mutant: Mutant
    folder: Path
    log: Path
    original: str
    began: float


def misplaced(mutants: Sequence[Mutant]) -> list[str]:
    """Mutants whose `old` does not stand in its file exactly once."""
    return [
        f"{mutant} ({found} times)"
        for mutant in mutants
        if (found := (REPO / mutant.file).read_text(encoding="utf-8").count(mutant.old)) != 1
    ]


def run(mutants: Sequence[Mutant], processes: int) -> Iterator[Outcome]:
    """Plant each, and say what became of it as soon as it is known."""
    for name in WARM:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="noiseloom-mutants-") as place:
        idle = [_copy(Path(place) / f"copy-{number}") for number in range(processes)]
        waiting, running = list(mutants), dict[int, _Running]()
        while waiting or running:
            while waiting and idle:
                begun = _plant(waiting.pop(0), idle.pop())
                running[_fork(begun)] = begun
            pid, code = _ended(running)
            done = running.pop(pid)
            (done.folder / done.mutant.file).write_text(done.original, encoding="utf-8")
            idle.append(done.folder)
            kind = {0: SURVIVED, 1: NOTICED, -signal.SIGKILL: NOTICED}.get(code, NOTICED if code < 0 else BROKEN)
            yield Outcome(done.mutant, kind, time.monotonic() - done.began, done.log.read_text(errors="replace"))


def _copy(folder: Path) -> Path:
    """The project's code, compiled so that Python never looks whether the source has changed since."""
    folder.mkdir()
    for name in COPIED:
        source = REPO / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    (folder / "resources").symlink_to(REPO / "resources")
    for package in ("ml", "desktop_app", "tests"):
        compileall.compile_dir(folder / package, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    return folder


def _plant(mutant: Mutant, folder: Path) -> _Running:
    path = folder / mutant.file
    original = path.read_text(encoding="utf-8")
    path.write_text(original.replace(mutant.old, mutant.new), encoding="utf-8")
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        compiled.unlink()
    return _Running(mutant, folder, folder / "output.txt", original, time.monotonic())


def _fork(begun: _Running) -> int:
    """Start the tests of a mutant in a process of its own."""
    pid = os.fork()
    if pid:
        return pid
    code = 3
    try:
        os.setsid()
        log = os.open(begun.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.chdir(begun.folder)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        os.environ.setdefault("NOISELOOM_DATA", str(REPO.parent / "shared" / "data"))
        sys.dont_write_bytecode = True
        sys.path[:] = [str(begun.folder), *(path for path in sys.path if path not in ("", str(REPO)))]
        for name in [name for name in sys.modules if name.partition(".")[0] in ("ml", "desktop_app", "tests")]:
            del sys.modules[name]
        pytest = importlib.import_module("pytest")
        options = [
            "-x",
            "-q",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            "-o",
            "addopts=--import-mode=importlib",
        ]
        code = int(pytest.main([*options, *begun.mutant.tests.split()]))
    except BaseException:  # nothing of the parent's may run here
        traceback.print_exc()
    os._exit(code)


def _ended(running: dict[int, _Running]) -> tuple[int, int]:
    """The next process that ends, and its exit code; one that takes too long is killed, with all that it started."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            return pid, os.waitstatus_to_exitcode(status)
        for number, begun in running.items():
            if time.monotonic() - begun.began > LIMIT_S:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(number, signal.SIGKILL)
        time.sleep(0.05)
