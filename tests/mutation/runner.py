"""Plants each mistake in a copy of the project and runs the tests that should notice it.

The copies lie beside one another in a temporary folder, one for each process. A warm process, which has imported what
takes seconds to import, forks once for each mutant, so that a mutant costs little more than its tests. Before that
every test that is named runs once without a mistake: one that fails anyhow would notice everything.
"""

import ast
import compileall
import contextlib
import importlib
import json
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

from tests.mutation.mutant import Mutant
from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parents[2]
COPIED = (
    "ml",
    "desktop_app",
    "docs",
    "tests",
    "pyproject.toml",
    "launch.py",
    "build.spec",
    "constraints.txt",
    "README.md",
)
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
LIMIT_S = 8 * WAIT_S  # longer than any test may take: a mutant that never ends was noticed
NOTICED, SURVIVED, BROKEN = "noticed", "survived", "broken"
OPTIONS = (
    "-q",
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
    *("-p", "no:cacheprovider"),
    *("-p", "no:randomly"),
    *("-o", "addopts=--import-mode=importlib"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant, why, and what pytest printed."""

    mutant: Mutant
    kind: str
    why: str
    seconds: float
    output: str


@dataclass
class _Copy:
    """A copy of the project, and the process whose tests run in it."""

    folder: Path
    mutant: Mutant | None = None
    original: str = ""
    process: int = 0
    began: float = 0.0

    @property
    def log(self) -> Path:
        return self.folder / "output.txt"

    @property
    def heard(self) -> Path:
        return self.folder / "heard.json"


class _Ear:
    """In the process that runs tests: hears how many ran and which failed, and leaves the slow ones that no one named.

    They are heard by mistakes that name them, and not by those that name the file around them.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.named = [word for word in words if "::" in word]
        self.ran, self.failed = 0, list[str]()

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [
            item
            for item in items
            if any(covers(word, item.nodeid) for word in self.named)
            or not (item.get_closest_marker("slow") or item.get_closest_marker("bench"))
        ]

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.ran += report.when == "call" and not report.skipped
        if report.failed:
            self.failed.append(report.nodeid)


def covers(word: str, test: str) -> bool:
    """Whether what pytest takes (a folder, a file, a test) has this test in it."""
    return re.match(re.escape(word.rstrip("/")) + r"($|/|::|\[)", test) is not None


def misplaced(mutants: Sequence[Mutant], repo: Path = REPO) -> list[str]:
    """Mutants that cannot be planted, or whose tests there are not, and why."""
    found = [(mutant, _trouble(mutant, repo)) for mutant in mutants]
    return [f"{mutant}: {trouble}" for mutant, trouble in found if trouble]


def _trouble(mutant: Mutant, repo: Path) -> str:
    path = repo / mutant.file
    if not path.is_file() or mutant.file.partition("/")[0] not in COPIED:
        return "no such file among those that are copied"
    text = path.read_text(encoding="utf-8")
    if (times := text.count(mutant.old)) != 1:
        return f"{times} times in its file"
    if mutant.old == mutant.new:
        return "changes nothing"
    if path.suffix == ".py":
        try:
            ast.parse(text.replace(mutant.old, mutant.new))
        except SyntaxError as error:
            return f"is not Python ({error})"
    names, keyword = named(mutant)
    for word in names:
        file, _, test = word.partition("::")
        if not (repo / file).exists():
            return f"no {file}"
        name = test.partition("[")[0].rpartition("::")[2]
        if name and not re.search(rf"^\s*def {re.escape(name)}\(", (repo / file).read_text(encoding="utf-8"), re.M):
            return f"no test {name} in {file}"
    if keyword.isidentifier() and not any(keyword.lower() in _words(repo / name.partition("::")[0]) for name in names):
        return f"no test of the keyword {keyword}"
    return "" if names else "names no test"


def _words(path: Path) -> str:
    """What a keyword may be found in."""
    files = path.rglob("test_*.py") if path.is_dir() else [path]
    return "\n".join(file.read_text(encoding="utf-8").lower() for file in files)


def named(mutant: Mutant) -> tuple[list[str], str]:
    """The files and tests that should notice a mistake, and the keyword (pytest's -k) that picks some of these."""
    words = shlex.split(mutant.tests)
    cut = words.index("-k") if "-k" in words else len(words)
    return words[:cut], " ".join(words[cut + 1 :])


def concerns(mutant: Mutant, test: str) -> bool:
    """Whether a test is one of those that should notice a mistake."""
    names, keyword = named(mutant)
    picked = not keyword.isidentifier() or keyword.lower() in test.lower()
    return picked and any(covers(name, test) for name in names)


def run(
    mutants: Sequence[Mutant],
    processes: int,
    repo: Path = REPO,
    warm: Iterable[str] = WARM,
    limit_s: float = LIMIT_S,
    check: bool = True,
) -> Iterator[Outcome]:
    """Plant each, and say what became of it as soon as it is known; `check` runs all their tests first."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for torch: the others want the cores, too
    for name in warm:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="noiseloom-mutants-") as place, contextlib.ExitStack() as ends:
        copies = [_copy(repo, Path(place) / f"copy-{number}") for number in range(processes)]
        for copy in copies:
            ends.callback(_kill, copy)
        failing = _failing(mutants, copies, repo) if check and mutants else []
        waiting, idle, running = list(mutants), list(copies), dict[int, _Copy]()
        while waiting or running:
            while waiting and idle:
                copy = idle.pop()
                _plant(waiting.pop(0), copy)
                assert copy.mutant is not None
                names, keyword = named(copy.mutant)
                running[_fork(copy, names, ["-x", *(("-k", keyword) if keyword else ())], repo)] = copy
            pid, code, late = _ended(running, limit_s)
            copy = running.pop(pid)
            outcome = _outcome(copy, code, late, failing)
            _restore(copy)
            idle.append(copy)
            yield outcome


def _failing(mutants: Sequence[Mutant], copies: Sequence[_Copy], repo: Path) -> list[str]:
    """Tests that fail without any mistake, of those that are named."""
    words = dict.fromkeys(name for mutant in mutants for name in named(mutant)[0])
    parts = [part for number in range(len(copies)) if (part := list(words)[number :: len(copies)])]
    running = {_fork(copy, part, [], repo): copy for copy, part in zip(copies, parts, strict=False)}
    failing: list[str] = []
    while running:
        pid, code, _ = _ended(running, float("inf"))
        copy = running.pop(pid)
        if code not in (0, 1) or not copy.heard.is_file():
            raise RuntimeError(f"the tests do not run without a mistake:\n{copy.log.read_text(errors='replace')}")
        failing += json.loads(copy.heard.read_text())["failed"]
        _kill(copy)
    return failing


def _outcome(copy: _Copy, code: int, late: bool, failing: Sequence[str]) -> Outcome:
    assert copy.mutant is not None
    heard = json.loads(copy.heard.read_text()) if copy.heard.is_file() else {"ran": 0, "failed": []}
    anyhow = [test for test in failing if concerns(copy.mutant, test)]
    if anyhow:
        kind, why = BROKEN, f"fails without the mistake: {anyhow[0]}"
    elif late:
        kind, why = NOTICED, "did not end"
    elif code < 0:
        kind, why = NOTICED, f"ended by {signal.Signals(-code).name}"
    elif code == 1:
        kind, why = NOTICED, heard["failed"][0] if heard["failed"] else "a test that did not end, or ended its process"
    elif code == 0 and heard["ran"]:
        kind, why = SURVIVED, f"{heard['ran']} tests passed"
    else:
        kind, why = BROKEN, "no test ran" if code in (0, 5) else "the tests cannot be run"
    seconds = time.monotonic() - copy.began
    return Outcome(copy.mutant, kind, why, seconds, copy.log.read_text(errors="replace"))


def _copy(repo: Path, folder: Path) -> _Copy:
    """The project's code, compiled so that Python never looks whether the source has changed since."""
    folder.mkdir()
    for name in COPIED:
        source = repo / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            compileall.compile_dir(folder / name, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
        elif source.exists():
            shutil.copy(source, folder / name)
    if (repo / "resources").exists():
        (folder / "resources").symlink_to(repo / "resources")
    return _Copy(folder)


def _plant(mutant: Mutant, copy: _Copy) -> None:
    path = copy.folder / mutant.file
    copy.mutant, copy.original = mutant, path.read_text(encoding="utf-8")
    path.write_text(copy.original.replace(mutant.old, mutant.new), encoding="utf-8")
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        compiled.unlink()


def _restore(copy: _Copy) -> None:
    _kill(copy)
    assert copy.mutant is not None
    (copy.folder / copy.mutant.file).write_text(copy.original, encoding="utf-8")


def _kill(copy: _Copy) -> None:
    """The process that runs the tests, and whatever they started and left."""
    if copy.process:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(copy.process, signal.SIGKILL)
        copy.process = 0


def _fork(copy: _Copy, words: Sequence[str], options: Sequence[str], repo: Path) -> int:
    """Run tests in a process of its own, in a copy."""
    copy.began = time.monotonic()
    copy.heard.unlink(missing_ok=True)
    scratch = copy.folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    sys.stdout.flush()
    copy.process = os.fork()
    if copy.process:
        with contextlib.suppress(OSError):  # where the child was quicker
            os.setpgid(copy.process, copy.process)
        return copy.process
    code = 3
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        log = os.open(copy.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.chdir(copy.folder)
        os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(copy.folder), "TMPDIR": str(scratch)}
        tempfile.tempdir = None
        os.environ.setdefault("NOISELOOM_DATA", str(repo.parent / "shared" / "data"))
        sys.dont_write_bytecode = True
        sys.path[:] = [str(copy.folder), *(path for path in sys.path if path not in ("", str(REPO), str(repo)))]
        for name in [
            name for name in sys.modules if name.partition(".")[0] in ("ml", "desktop_app", "tests", "launch")
        ]:
            del sys.modules[name]
        ear = _Ear(words)
        code = int(importlib.import_module("pytest").main([*OPTIONS, *options, *words], plugins=[ear]))
        copy.heard.write_text(json.dumps({"ran": ear.ran, "failed": ear.failed}))
    except BaseException:  # nothing of the parent's may run here
        traceback.print_exc()
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _ended(running: dict[int, _Copy], limit_s: float) -> tuple[int, int, bool]:
    """The next process that ends, its exit code, and whether it took too long, and so was killed."""
    late: set[int] = set()
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in running:
            return pid, os.waitstatus_to_exitcode(status), pid in late
        for number, copy in running.items():
            if number not in late and time.monotonic() - copy.began > limit_s:
                late.add(number)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(number, signal.SIGKILL)
        time.sleep(0.05)
