"""The conditions under which the tests have to pass are what they are called, and their table says what happened."""

import os
import shutil
import sys
from pathlib import Path

import psutil
import pytest

from tests import conditions
from tests.conditions import CONDITIONS, Condition, Outcome

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="binds processes to cores")
REPO = Path(__file__).resolve().parent.parent


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {4, 5})
    monkeypatch.setattr("launch.workers", lambda: 2)


def test_every_condition_is_run_as_it_is_called(two_cores: None) -> None:
    told = {name: conditions.shown(it, conditions.command(it, ["-x"])) for name, it in CONDITIONS.items()}
    shared = "python -m pytest -n 2 --dist loadfile"
    assert told == {
        "idle": f"{shared} -x",
        "busy": f"taskset -c 4,5 {shared} -x beside 4 processes that never rest",
        "one-core": "taskset -c 4 python -m pytest -x",
        "avx2": f"ONEDNN_MAX_CPU_ISA=AVX2 {shared} -x",
        "random-1": f"{shared} -p randomly --randomly-seed=1 -x",
        "random-2": f"{shared} -p randomly --randomly-seed=2 -x",
        "random-3": f"{shared} -p randomly --randomly-seed=3 -x",
        "c-locale-and-odd-path": f"LC_ALL=C {shared} -x in 'ein Umläut'",
        "without-data": f"NOISELOOM_DATA='an empty folder' {shared} -x",
    }


def test_the_processes_beside_it_share_its_cores_and_end_with_it() -> None:
    busy = Condition(cores=1, spinning=2)
    with pytest.raises(KeyboardInterrupt), conditions.spinning(busy) as processes:
        core = set(conditions.cores(busy))
        while any(set(psutil.Process(process.pid).cpu_affinity() or ()) != core for process in processes):
            assert all(process.poll() is None for process in processes)
        raise KeyboardInterrupt
    assert len(processes) == 2 and all(process.poll() is not None for process in processes)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("\n=== 3 failed, 1200 passed, 7 skipped, 12 deselected, 1 warning in 301.21s (0:05:01) ===\n", (1200, 3, 7)),
        ("=== 4 passed in 1.00s ===\n=== 12 passed, 2 errors in 2.00s ===", (12, 2, 0)),
        ("Killed", (0, 0, 0)),
    ],
)
def test_what_came_of_it_is_in_the_last_line(said: str, found: tuple[int, int, int]) -> None:
    counts = conditions.counts(said)
    assert (
        counts.get("passed", 0),
        counts.get("failed", 0) + counts.get("error", 0),
        counts.get("skipped", 0),
    ) == found


def test_the_table_has_a_line_for_each_and_says_where_there_was_no_end(two_cores: None) -> None:
    lines = conditions.table(
        {
            "idle": Outcome(1, {"passed": 10, "failed": 2, "error": 1, "skipped": 4}, 300.4),
            "one-core": Outcome(0, {"passed": 17}, 600),
            "avx2": Outcome(137, {}, 3),
        },
        [],
    ).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["condition", "idle", "one-core", "avx2"]
    assert [line.split()[-4:] for line in lines[1:3]] == [["10", "3", "4", "300"], ["17", "0", "0", "600"]]
    assert "ended with code 137" in lines[3]


@pytest.mark.skipif(not (REPO / ".git").exists(), reason="needs a clone of the repository")
@pytest.mark.skipif(not shutil.which("taskset"), reason="needs taskset")
def test_a_few_tests_run_in_a_clone_under_a_condition(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["c-locale-and-odd-path", "--out", str(tmp_path / "out"), "--"]
    few = ["tests/test_launch.py", "-k", "missing or nothing", "-n", "0"]
    assert conditions.main([*words, *few, "-x"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1].split()[-4:-1] == ["2", "0", "0"]
    assert "ein Umläut" in (tmp_path / "out" / "c-locale-and-odd-path.txt").read_text(encoding="utf-8")
    assert not (set(tmp_path.rglob("*.py")))


def test_an_unknown_condition_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        conditions.main(["bussy"])
    assert ended.value.code == 2
    assert "no condition bussy: there are idle, busy" in capsys.readouterr().err
