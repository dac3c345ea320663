"""GitHub's workflows, which cannot run here: linted where that is possible, and made of commands that run here."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((REPO / ".github/workflows").glob("*.yml"))
# What the workflows run, and the test or script that runs it here. Without one: programs of GitHub's machines alone.
COMMANDS = {
    'sudo "$(which python)" launch.py --libraries': "tests/test_launch.py",
    "python launch.py test": ".ci/run",
    "python launch.py test -- tests/test_supply.py": ".ci/run",
    "${{ matrix.python }} -m desktop_app.packaging.build --no-archive": "tests/packaging/test_package.py",
    "${{ matrix.program }} --self-test": "tests/packaging/test_package.py",
    "${{ matrix.python }} -m desktop_app.packaging.linux": "tests/packaging/test_linux.py",
    "iscc resources/packaging/noiseloom.iss": "",
    "hdiutil create -volname Noiseloom -srcfolder dist/Noiseloom.app -ov -format UDZO dist/noiseloom.dmg": "",
}
SHELL = {"mkdir", "cp", "find", "cd", "sha256sum", "gh"}
workflows = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def read(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def commands(path: Path) -> list[str]:
    """Every line that a workflow runs."""
    steps = [step for job in read(path)["jobs"].values() for step in job["steps"]]
    return [line for step in steps for line in step.get("run", "").strip().splitlines()]


def test_there_are_two() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]


@workflows
def test_every_command_runs_here_too(path: Path) -> None:
    for command in commands(path):
        if command.split()[0] in SHELL:
            continue
        assert command in COMMANDS, command
        where = COMMANDS[command]
        for word in re.findall(r"--[\w-]+|desktop_app\.[\w.]+|launch\.py", command) if where else ():
            assert word in (REPO / where).read_text(encoding="utf-8"), (command, where)
        for word in re.findall(r"(?:resources|tests)/[\w./-]+", command):
            assert (REPO / word).is_file(), command


@workflows
def test_a_job_has_few_rights_an_end_and_pinned_actions(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "timeout-minutes" in job or job["runs-on"] == "ubuntu-latest"
        for step in job["steps"]:
            assert "uses" not in step or re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])


def test_the_tests_run_on_three_systems_and_three_pythons() -> None:
    matrix = read(REPO / ".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "windows", "macos"}
    assert matrix["python"] == ["3.11", "3.12", "3.13"]


@workflows
@pytest.mark.skipif(shutil.which("actionlint") is None, reason="needs actionlint")
def test_actionlint_finds_nothing(path: Path) -> None:
    done = subprocess.run(["actionlint", path], capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
