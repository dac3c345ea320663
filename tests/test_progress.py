"""What a run of the tests says of itself: how far it is, what failed and how to repeat it, what was skipped and why."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import progress
from tests.patience import WAIT_S

pytest_plugins = ["pytester"]
REPO = Path(__file__).resolve().parent.parent

CONFTEST = """
from tests import progress

def pytest_configure(config):
    progress.register(config)
"""
GOOD = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_good(number):
    pass
"""
MIXED = """
import pytest

@pytest.fixture
def absent():
    raise OSError("nothing there")

def test_good():
    pass

@pytest.mark.parametrize("word", ["two words"])
def test_bad(word):
    assert word == "one", "more than one"

def test_error(absent):
    pass

def test_skipped():
    pytest.skip("no paper")
"""
SKIPPED = """
import pytest

@pytest.mark.skip(reason="no paper")
def test_skipped():
    pass

@pytest.mark.skip(reason="no ink")
def test_skipped_too():
    pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder of tests that are good, bad and skipped."""
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in (*progress.MATTERS, "PYTEST_ADDOPTS", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeconftest(CONFTEST)
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\nconsole_output_style = "classic"\n')
    pytester.makepyfile(test_good=GOOD, test_mixed=MIXED, test_skips=SKIPPED)
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    plain = ["-rN", "-m", "not slow and not bench", "--color=no"]
    return project.runpytest_subprocess("-p", "xdist", *plain, *arguments, timeout=WAIT_S)


def the_lines(result: pytest.RunResult) -> list[str]:
    """Those of files, without their times."""
    lines = [line for line in result.outlines if re.match(r"\[ *\d+/\d+\] ", line)]
    return [re.sub(r"  [\d.]+ s(, about .* left)?$", "", line) for line in lines]


SAID = [
    "[1/3] test_good.py   3 passed",
    "[2/3] test_mixed.py  1 passed, 1 failed, 1 error, 1 skipped",
    "[3/3] test_skips.py  2 skipped",
]


@pytest.mark.parametrize("processes", [[], ["-n", "2", "--dist", "loadfile"]], ids=["alone", "together"])
def test_each_file_gets_a_line_and_what_failed_the_command_that_repeats_it(
    project: pytest.Pytester, processes: list[str]
) -> None:
    project.makepyfile(test_broken="import nothing_of_this_name")
    result = run(project, "--continue-on-collection-errors", *processes)
    said = result.stdout.str()
    # Two processes end their files in any order.
    assert {line[6:] for line in the_lines(result)} == {line[6:] for line in SAID}, said
    assert [line[:5] for line in the_lines(result)] == [line[:5] for line in SAID]
    assert "test_broken.py  cannot be read: ModuleNotFoundError: No module named 'nothing_of_this_name'" in said
    assert not re.search(r"^\.|^test_good.py \.", said, re.MULTILINE)  # no dots

    skips = said[said.index("skipped, and why") : said.index("failed, and the command")]
    assert "   2 no paper  (test_mixed.py, test_skips.py)\n" in skips
    assert "   1 no ink  (test_skips.py)\n" in skips
    for name, reason, test in (
        (
            "FAILED test_mixed.py::test_bad[two words]",
            "AssertionError: more than one",
            "'test_mixed.py::test_bad[two words]'",
        ),
        ("ERROR test_mixed.py::test_error", "OSError: nothing there", "test_mixed.py::test_error"),
        ("ERROR test_broken.py", "ModuleNotFoundError: No module named 'nothing_of_this_name'", "test_broken.py"),
    ):
        closing = said[said.index("failed, and the command") :]
        assert f"{name} - {reason}\n    python3 launch.py test -- {test}\n" in closing, closing
        # Beside what went wrong, too.
        assert re.search(f"-+ To repeat it -+\npython3 launch.py test -- {re.escape(test)}\n", said)
    assert re.search(r"^=+ 1 failed, 4 passed, 3 skipped, 2 errors in [\d.]+s =+$", result.outlines[-1])
    assert result.ret == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a pseudo-terminal")
def test_a_terminal_shows_one_line_that_is_written_anew(project: pytest.Pytester) -> None:
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "70", "TERM": "xterm"}
    command = [sys.executable, "-m", "pytest", "--color=no", "-rN"]
    with subprocess.Popen(command, cwd=project.path, env=environment, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = ""
        with contextlib.suppress(OSError):  # which is how the end of a terminal reads
            while part := os.read(ours, 10_000):
                said += part.decode()
        os.close(ours)
        assert process.wait(WAIT_S) == 1
    lines = [line.split("\r") for line in said.replace("\r\n", "\n").split("\n")]
    first = next(line for line in lines if line[-1].startswith("[1/3]"))
    shown = [text for text in first if text.strip()]
    assert shown[-3:-1] == [f"{done} of 9 tests, about 5 s left  test_good.py" for done in (1, 2)]
    assert shown[-1].startswith("[1/3] test_good.py   3 passed")
    assert all(len(text) <= 70 for line in lines for text in line if "of 9 tests" in text)
    assert any("7 of 9 tests, 2 failed" in text for line in lines for text in line)


def test_with_more_words_pytest_tells_of_each_test_itself(project: pytest.Pytester) -> None:
    result = run(project, "-v")
    result.stdout.fnmatch_lines(["test_mixed.py::test_good PASSED", "*failed, and the command that repeats it*"])
    assert the_lines(result) == []


def test_how_long_a_test_took_is_kept_for_the_next_run(project: pytest.Pytester) -> None:
    run(project, "test_good.py", "test_mixed.py", "-n", "2")
    kept = project.path / ".pytest_cache" / "v" / progress.SECONDS
    first = json.loads(kept.read_text())
    assert {"test_good.py::test_good[0]", "test_mixed.py::test_bad[two words]"} <= first.keys()
    kept.write_text(json.dumps(first | {"test_good.py::test_good[0]": 500, "test_mixed.py::test_good": 300}))
    result = run(project, "test_mixed.py", "-k", "test_skipped or test_good")
    assert json.loads(kept.read_text())["test_good.py::test_good[0]"] == 500  # what was not run is not forgotten
    assert json.loads(kept.read_text())["test_mixed.py::test_good"] < 300
    assert the_lines(result) == ["[1/1] test_mixed.py  1 passed, 1 skipped"]


@pytest.mark.parametrize("slow", ["test_a.py", "test_b.py", "test_c.py"])
def test_processes_are_given_the_file_first_that_takes_longest(pytester: pytest.Pytester, slow: str) -> None:
    items: list[Any] = [
        SimpleNamespace(nodeid=f"{file}::{test}")
        for file in ("test_a.py", "test_b.py", "test_c.py")
        for test in ("z", "y", "x")
    ]
    progress.longest_first(items, {f"{slow}::y": 9.0})
    names = [item.nodeid for item in items]
    assert names[:3] == [f"{slow}::z", f"{slow}::y", f"{slow}::x"]
    assert len(set(names)) == 9 and [progress.file_of(name) for name in names[3:]] == sorted(
        progress.file_of(name) for name in names[3:]
    )


def test_the_order_of_files_reaches_the_processes(project: pytest.Pytester) -> None:
    kept = project.path / ".pytest_cache" / "v" / progress.SECONDS
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"test_skips.py::test_skipped": 50.0, "test_good.py::test_good[1]": 5.0}))
    result = run(project, "-n", "1", "--dist", "loadfile")
    files = [line.split()[1] for line in the_lines(result)]
    assert files == ["test_skips.py", "test_good.py", "test_mixed.py"]


def test_the_longest_files_are_known_before_anything_was_run() -> None:
    assert len(progress.LONGEST_S) >= 10
    for file, seconds in progress.LONGEST_S.items():
        assert (REPO / file).is_file(), file
        assert sum(progress.expected([f"{file}::a", f"{file}::b"], {}).values()) == pytest.approx(seconds)


def test_time_left_follows_what_is_known_and_how_quick_this_machine_is() -> None:
    known = {"a.py::1": 10.0, "a.py::2": 20.0, "b.py::1": 30.0, "b.py::2": 40.0}
    outlook = progress.Outlook(known, known, processes=1)
    assert outlook.seconds() == pytest.approx(100)
    assert progress.Outlook(known, known, processes=2).seconds() == pytest.approx(
        70
    )  # those of b.py: one after another
    outlook.done("b.py::2", 80.0)  # twice as long as the last time
    assert 60 < outlook.seconds() < 120
    outlook.done("b.py::1", 60.0)
    outlook.done("a.py::2", 40.0)
    assert 18 < outlook.seconds() < 20
    outlook.done("a.py::1", 20.0)
    assert outlook.seconds() == 0


def test_of_unknown_tests_the_time_left_is_a_guess_that_this_run_mends() -> None:
    tests = [f"new.py::{number}" for number in range(1000)]
    outlook = progress.Outlook(tests, {}, processes=1)
    for test in tests[:500]:
        outlook.done(test, 2.0)
    assert 900 < outlook.seconds() < 1000
    # That the guess was wrong says nothing of those that are known.
    mixed = progress.Outlook([*tests, "old.py::1"], {"old.py::1": 7.0}, processes=1)
    for test in tests:
        mixed.done(test, 2.0)
    assert mixed.seconds() == pytest.approx(7)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "about 5 s"), (12.0, "about 10 s"), (57.0, "about 55 s"), (58.0, "about 1 min"), (200.0, "about 3 min")],
)
def test_a_time_left_is_said_no_more_exactly_than_it_is_known(seconds: float, said: str) -> None:
    assert progress.about(seconds) == said


def test_the_command_brings_what_the_failure_may_depend_on(
    monkeypatch: pytest.MonkeyPatch, project: pytest.Pytester
) -> None:
    monkeypatch.setenv("NOISELOOM_TEST_PATIENCE", "3")
    monkeypatch.setenv("NOISELOOM_DATA", "a folder")
    result = run(project, "-m", "", "-p", "randomly", "--randomly-seed=4", "test_mixed.py")
    assert (
        "    NOISELOOM_TEST_PATIENCE=3 NOISELOOM_DATA='a folder' "
        "python3 launch.py test --all -- -p randomly --randomly-seed=4 test_mixed.py" in result.stdout.str()
    )
