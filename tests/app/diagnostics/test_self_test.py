"""The program's test of itself, and its report of how long a start takes: from source, as the packaged one does."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from desktop_app.diagnostics.self_test import CHECKS
from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parents[3]


def noiseloom(*arguments: str, home: Path, source: Path = REPO) -> subprocess.CompletedProcess[str]:
    """Run the program in an empty folder, with an empty home."""
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "OMP_NUM_THREADS") if name in os.environ}
    environment = {**kept, "HOME": str(home), "PYTHONPATH": str(source), "QT_QPA_PLATFORM": "offscreen"}
    environment |= {"TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "desktop_app", *arguments]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=WAIT_S)


@pytest.mark.slow
def test_everything_works_and_nothing_is_left_behind(tmp_path: Path) -> None:
    done = noiseloom("--self-test", home=tmp_path / "home")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(CHECKS) + 1
    assert all(line.startswith("ok ") and " s  " in line for line in lines[:-1])
    assert list((tmp_path / "home").rglob("*")) == []


@pytest.mark.slow
def test_what_is_missing_is_named(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for folder in ("ml", "desktop_app", "resources"):
        shutil.copytree(REPO / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "resources" / "models" / "judge.safetensors").unlink()
    done = noiseloom("--self-test", home=tmp_path / "home", source=source)
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    assert any("judge" in line for line in failed)
    assert "generate: 10 digits" in done.stdout


def test_the_report_says_when_the_window_and_the_first_grid_were_there(tmp_path: Path) -> None:
    done = noiseloom("--startup-report", "--json", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert 0 < found["window_shown_s"] < found["first_grid_s"]


def test_the_command_line_is_there_too(tmp_path: Path) -> None:
    out = tmp_path / "digits.png"
    done = noiseloom("ml", "sample", "--labels", "7", "--steps", "2", "--out", str(out), home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert out.is_file()
    wrong = noiseloom("ml", "sample", "--out", "x.png", home=tmp_path / "other")
    assert wrong.returncode == 2 and "What to draw?" in wrong.stderr
