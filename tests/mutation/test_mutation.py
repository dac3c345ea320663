"""The planted mistakes can be planted, and the tests notice them; what plants them tells the three outcomes apart."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.lists import MUTANTS
from tests.mutation.mutant import Mutant
from tests.mutation.runner import covers, misplaced
from tests.patience import WAIT_S

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
REPO = Path(__file__).resolve().parents[2]
AT_LEAST, AT_MOST_SURVIVE = 200, 0.05
A_MUTANT_S = 60  # a quarter of that is usual

CALC = """
def add(a, b):
    if a < 0:
        return b + a
    return a + b

def fraction(a, b):
    return a / b
"""
TESTS = """
import os, pytest
from ml.calc import add, fraction

def test_add():
    assert add(2, 3) == 5

def test_add_in_another_program():
    import subprocess, sys
    program = "from ml.calc import add; assert add(2, 3) == 5"
    subprocess.run([sys.executable, "-c", program], cwd=os.path.expanduser("~"), check=True)

def test_fraction():
    assert fraction(6, 3) == 2

def test_skipped():
    pytest.skip("never runs")

@pytest.mark.slow
def test_slow():
    assert fraction(5, 2) == 2.5

def test_wrong():
    assert not "right"
"""
PROJECT = '[tool.pytest.ini_options]\npythonpath = ["."]\nmarkers = ["slow: slow", "bench: bench"]\n'
SCRIPT = """
import json, sys
from pathlib import Path
from tests.mutation.mutant import Mutant
from tests.mutation.runner import run

folder, mutants, options = json.loads(sys.argv[1])
mutants = [Mutant("ml/calc.py", *mutant) for mutant in mutants]
for outcome in run(mutants, 1, repo=Path(folder), warm=("pytest",), **options):
    print(json.dumps([outcome.mutant.new, outcome.kind, outcome.why]))
"""
SUM = "return a + b"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    for name, text in {"ml/calc.py": CALC, "tests/test_calc.py": TESTS, "pyproject.toml": PROJECT}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def planted(toy: Path, mutants: list[tuple[str, str, str]], **options: float) -> dict[str, tuple[str, str]]:
    """What became of each, by what was planted."""
    told = json.dumps([str(toy), mutants, options])
    environment = {**os.environ, "PYTHONPATH": str(REPO), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-c", SCRIPT, told]
    done = subprocess.run(command, cwd=toy, env=environment, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {new: (kind, why) for new, kind, why in lines}


def test_every_mistake_can_be_planted_and_its_tests_are_there() -> None:
    assert misplaced(MUTANTS) == []
    places = [(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize(
    ("mutant", "trouble"),
    [
        (Mutant("ml/calc.py", "return", "yield", "tests/test_calc.py"), "3 times in its file"),
        (Mutant("ml/calc.py", "a * b", "a", "tests/test_calc.py"), "0 times in its file"),
        (Mutant("ml/calc.py", SUM, SUM, "tests/test_calc.py"), "changes nothing"),
        (Mutant("ml/calc.py", SUM, "return a +", "tests/test_calc.py"), "is not Python"),
        (Mutant("ml/none.py", SUM, "return a", "tests/test_calc.py"), "no such file"),
        (Mutant("other/calc.py", SUM, "return a", "tests/test_calc.py"), "no such file among those that are copied"),
        (Mutant("ml/calc.py", SUM, "return a", ""), "names no test"),
        (Mutant("ml/calc.py", SUM, "return a", "tests/test_calc.py -k sum"), "no test of the keyword sum"),
        (Mutant("ml/calc.py", SUM, "return a", "tests/test_none.py"), "no tests/test_none.py"),
        (Mutant("ml/calc.py", SUM, "return a", "tests/test_calc.py::test_ad"), "no test test_ad in tests/test_calc.py"),
    ],
)
def test_a_mistake_that_cannot_be_planted_is_named_with_the_reason(toy: Path, mutant: Mutant, trouble: str) -> None:
    (toy / "other").mkdir()
    (toy / "other" / "calc.py").write_text(CALC)
    (line,) = misplaced([mutant], toy)
    assert line.startswith(str(mutant)) and trouble in line
    good = Mutant("ml/calc.py", SUM, "return a", "tests tests/test_calc.py::test_add[1] tests/test_calc.py")
    assert misplaced([good], toy) == []


@pytest.mark.parametrize(
    ("word", "test", "inside"),
    [
        ("tests", "tests/ml/test_a.py::test_b", True),
        ("tests/ml/test_a.py", "tests/ml/test_a.py::test_b[1]", True),
        ("tests/ml/test_a.py::test_b", "tests/ml/test_a.py::test_b[1]", True),
        ("tests/ml/test_a.py::test_b", "tests/ml/test_a.py::test_bc", False),
        ("tests/m", "tests/ml/test_a.py::test_b", False),
    ],
)
def test_a_name_covers_what_is_in_it(word: str, test: str, inside: bool) -> None:
    assert covers(word, test) is inside


def test_noticed_survived_and_broken_are_told_apart(toy: Path) -> None:
    file = "tests/test_calc.py"
    some = " ".join(f"{file}::{name}" for name in ("test_add", "test_fraction", "test_skipped"))
    alone = f"{file}::test_add_in_another_program"
    found = planted(
        toy,
        [
            (SUM, "return a - b", some),
            ("return a / b", "return a // b", some),
            ("def add(", "def plus(", some),
            (SUM, "import os; os.abort()", some),
            (SUM, "import os; os._exit(1)", some),
            (SUM, "return 2 * a", alone),
            (SUM, "return 2 * b", f"{file} -k 'add or wrong'"),
            ("return a / b", "return int(a / b)", f"{file}::test_slow"),
            ("return b + a", "return b - a", some),
            (SUM, "return a - a", f"{file} -k add"),
            (SUM, "return a + b + 0", f"{file} -k 'fraction or skipped'"),
        ],
    )
    assert found == {
        "return a - b": ("noticed", f"{file}::test_add"),
        "return a // b": ("survived", "2 tests passed"),
        "return b - a": ("survived", "2 tests passed"),
        "def plus(": ("broken", "the tests cannot be run"),
        "import os; os.abort()": ("noticed", "ended by SIGABRT"),
        "import os; os._exit(1)": ("noticed", "a test that did not end, or ended its process"),
        "return 2 * a": ("noticed", alone),
        "return 2 * b": ("broken", f"fails without the mistake: {file}::test_wrong"),
        "return int(a / b)": ("noticed", f"{file}::test_slow"),
        "return a - a": ("noticed", f"{file}::test_add"),
        "return a + b + 0": ("broken", f"fails without the mistake: {file}::test_wrong"),
    }
    assert (toy / "ml" / "calc.py").read_text() == CALC  # the project itself is left alone
    assert sorted(path.name for path in toy.iterdir()) == ["ml", "pyproject.toml", "tests"]


def test_where_no_test_ran_nothing_survived_and_slow_ones_run_only_where_they_are_named(toy: Path) -> None:
    (toy / "tests" / "test_calc.py").write_text(TESTS.replace("def test_wrong", "def wrong"))
    file = "tests/test_calc.py"
    found = planted(
        toy,
        [
            (SUM, "return a", f"{file}::test_skipped"),
            ("return a / b", "return a // b", file),
        ],
    )
    assert found == {"return a": ("broken", "no test ran"), "return a // b": ("survived", "3 tests passed")}


def test_a_mistake_that_never_ends_is_noticed(toy: Path) -> None:
    endless = [(SUM, "while True: pass", "tests/test_calc.py::test_add")]
    assert planted(toy, endless, limit_s=1.0) == {"while True: pass": ("noticed", "did not end")}


@pytest.mark.slow
@pytest.mark.timeout(AT_LEAST * A_MUTANT_S)
def test_planted_mistakes_are_noticed_but_those_that_do_no_harm(tmp_path: Path) -> None:
    """Some of them, spread evenly over the lists; `python -m tests.mutation` plants all, which takes hours."""
    assert len(MUTANTS) >= AT_LEAST
    command = [sys.executable, "-m", "tests.mutation", "--some", str(AT_LEAST), "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    print(
        "\n".join(
            line for line in done.stdout.splitlines() if not line.startswith(tuple("0123456789")) or " of " in line
        )
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = [path.stem.partition("-")[2] for path in tmp_path.iterdir()]
    assert len(kinds) == AT_LEAST
    assert kinds.count("survived") < AT_MOST_SURVIVE * len(kinds)
