"""`python -m tests.conditions [NAME ...] [-- PYTEST ARGUMENTS]`: the tests under conditions they have to pass in.

Each condition gets a clean clone of this checkout in a temporary folder (what is not committed does not count), with
`shared` beside it where this one has it, and the interpreter that runs this. What pytest says goes to a file that is
named; at the end stands a table. Exit code 1 where anything failed. Linux only: it binds processes to cores.
"""

import argparse
import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import launch

REPO = Path(__file__).resolve().parent.parent
EMPTY = "an empty folder"  # stands for one that is made
# Ends by itself if this program cannot end it.
SPIN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


@dataclass(frozen=True)
class Condition:
    """What is different from a run on an idle machine."""

    cores: int | None = None  # bound to so many
    spinning: int = 0  # processes beside it, on the same cores, that never rest
    environment: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    folder: str = "noiseloom"


CONDITIONS = {
    "idle": Condition(),
    "busy": Condition(cores=2, spinning=4),
    "one-core": Condition(cores=1),
    "avx2": Condition(environment={"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    **{
        f"random-{seed}": Condition(arguments=("-p", "randomly", f"--randomly-seed={seed}"))  # files, and tests in them
        for seed in (1, 2, 3)
    },
    "c-locale-and-odd-path": Condition(environment={"LC_ALL": "C"}, folder="ein Umläut"),
    "without-data": Condition(environment={"NOISELOOM_DATA": EMPTY}),
}


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    code: int
    counts: dict[str, int]
    seconds: float


def cores(condition: Condition) -> list[int]:
    """Those that the tests may use, as many as there are."""
    return sorted(os.sched_getaffinity(0))[: condition.cores]


def bound(condition: Condition) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, cores(condition)))] if condition.cores else []


def command(condition: Condition, arguments: Sequence[str]) -> list[str]:
    """As `python3 launch.py test` would run the tests where there are only these cores."""
    processes = min(launch.workers(), len(cores(condition)))
    shared = ["-n", str(processes), "--dist", "loadfile"] if processes > 1 else []
    return [*bound(condition), sys.executable, "-m", "pytest", *shared, *condition.arguments, *arguments]


def shown(condition: Condition, words: Sequence[str]) -> str:
    """What a shell would be told."""
    variables = [f"{name}={shlex.quote(value)}" for name, value in condition.environment.items()]
    beside = f" beside {condition.spinning} processes that never rest" if condition.spinning else ""
    folder = f" in {condition.folder!r}" if condition.folder != Condition.folder else ""
    plain = ["python" if word == sys.executable else word for word in words]
    return " ".join([*variables, shlex.join(plain)]) + beside + folder


@contextlib.contextmanager
def spinning(condition: Condition) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that take all the time they can get, until the end of this."""
    with contextlib.ExitStack() as ends:
        processes: list[subprocess.Popen[bytes]] = []
        for _ in range(condition.spinning):
            process = subprocess.Popen([*bound(condition), sys.executable, "-c", SPIN])
            ends.callback(process.wait)
            ends.callback(process.kill)
            processes.append(process)
        yield processes


def run(condition: Condition, arguments: Sequence[str], output: Path) -> Outcome:
    """Clone, run and clean up."""
    with tempfile.TemporaryDirectory(prefix="noiseloom-condition-") as place:
        clone = Path(place) / condition.folder
        subprocess.run(["git", "clone", "-q", REPO, clone], check=True)
        if (REPO.parent / "shared").exists():
            (Path(place) / "shared").symlink_to(REPO.parent / "shared")
        empty = Path(place) / "empty"
        empty.mkdir()
        different = {name: str(empty) if value == EMPTY else value for name, value in condition.environment.items()}
        # The programs that tests start elsewhere are to be this clone's, too.
        environment = {**os.environ, **different, "PYTHONPATH": str(clone)}
        began = time.monotonic()
        with spinning(condition), output.open("wb") as file:
            words = command(condition, arguments)
            code = subprocess.run(words, cwd=clone, env=environment, stdout=file, stderr=file).returncode
        return Outcome(code, counts(output.read_text(errors="replace")), time.monotonic() - began)


def counts(said: str) -> dict[str, int]:
    """How many failed, passed and so on, of the last line that pytest said."""
    lines = [line for line in said.splitlines() if re.search(r" in [\d.]+s\b", line)]
    found = re.findall(r"(\d+) (failed|passed|skipped|error)", lines[-1]) if lines else []
    return {word: int(number) for number, word in found}


def table(outcomes: dict[str, Outcome], arguments: Sequence[str]) -> str:
    rows = [("condition", "what is run", "passed", "failed", "skipped", "seconds")]
    for name, outcome in outcomes.items():
        found = {word: outcome.counts.get(word, 0) for word in ("passed", "skipped")}
        wrong = outcome.counts.get("failed", 0) + outcome.counts.get("error", 0)
        failed = str(wrong) if wrong or outcome.code == 0 else f"ended with code {outcome.code}"
        condition = CONDITIONS[name]
        what = shown(condition, command(condition, arguments))
        rows.append((name, what, str(found["passed"]), failed, str(found["skipped"]), f"{outcome.seconds:.0f}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def main(words: list[str]) -> int:
    cut = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(prog="python -m tests.conditions", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CONDITIONS)}; all where none is named")
    parser.add_argument("--out", type=Path, help="folder for what pytest says (else a temporary one)")
    options = parser.parse_args(words[:cut])
    if unknown := [name for name in options.names if name not in CONDITIONS]:
        parser.error(f"no condition {unknown[0]}: there are {', '.join(CONDITIONS)}")
    if shutil.which("taskset") is None or not hasattr(os, "sched_getaffinity"):
        parser.error("needs Linux and its taskset")
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=REPO, capture_output=True, text=True).stdout
    if changed:
        print("not committed, and so not tested:", changed.rstrip(), sep="\n", file=sys.stderr, flush=True)
    out = options.out or Path(tempfile.mkdtemp(prefix="noiseloom-conditions-"))
    out.mkdir(parents=True, exist_ok=True)
    outcomes: dict[str, Outcome] = {}
    for name in options.names or CONDITIONS:
        output = out / f"{name}.txt"
        print(f"{name}: {output}", flush=True)
        outcomes[name] = run(CONDITIONS[name], words[cut + 1 :], output)
    print(table(outcomes, words[cut + 1 :]))
    return 1 if any(outcome.code for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
