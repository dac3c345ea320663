"""A training run that is killed, whenever that is, goes on to what it would have become."""

import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ml.registry.checkpoint import load_model, load_state, load_state_header
from ml.registry.run_layout import MODEL_FILE, SNAPSHOTS, STATE_FILE
from ml.system.files import _TEMPORARY
from ml.tracking.metrics_table import LOSS_COLUMNS, LOSS_FILE, Table
from ml.tracking.preview_history import FOLDER as PREVIEWS
from ml.training.run import FIRST_SNAPSHOT
from tests.support.tiny_model import few_digits, tiny_config
from tests.support.warm_fork import REPO, Lives, wait_for

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills processes as Unix does")
INTERVAL_S = 0.25
ROUNDED_S = 0.02  # by what a table's seconds may be off, three times
MOMENTS = ("at its start", "between steps", "in a checkpoint", "in a preview")
SAME = [LOSS_COLUMNS.index(name) for name in ("step", "loss", "smooth_loss", "lr", "grad_norm")]


@dataclass
class Killing:
    """A run that is killed again and again, beside one that is not."""

    lives: Lives
    place: Path
    steps: int
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    kills: int = 0
    during: dict[str, int] = field(default_factory=lambda: {"checkpoint": 0, "preview": 0, "before": 0})
    most_lost_s: float = 0.0

    def __post_init__(self) -> None:
        few_digits(self.place / "data")
        often = {"save_every_s": INTERVAL_S, "preview_every_s": 0.2, "optimizer": "muon", "lr": 4e-3, "data": "mnist"}
        config = tiny_config(steps=self.steps, batch_size=8, **often)
        (self.place / "config.json").write_text(config.model_dump_json())

    def command(self, folder: Path) -> list[object]:
        resume = ["--resume"] if (folder / STATE_FILE).exists() else ["--config", self.place / "config.json"]
        where = ["--data-root", self.place / "data", "--run-dir", folder, "--device", "cpu"]
        return ["train", *resume, *where]

    def live(self, folder: Path, most: int) -> bool:
        """Let the run go on, and kill it at some moment within so many steps; True where it ended before."""
        log = self.place / "log.txt"
        moment = self.rng.choices(MOMENTS, (1, 3, 3, 3))[0]
        rows, steps = _rows(folder), self.rng.randint(1, most)
        pid = self.lives.begin(self.command(folder), log)
        if moment != MOMENTS[0]:
            wait_for(lambda: _rows(folder) >= rows + steps or _has_ended(pid), log)
        if moment in MOMENTS[2:]:
            place = folder if moment == MOMENTS[2] else folder / PREVIEWS
            wait_for(lambda: _half_written(place) or _has_ended(pid), log)
        code = self.lives.end(pid, kill=True)
        assert code in (0, -signal.SIGKILL), log.read_text()
        if code == 0:
            return True
        self.kills += 1
        self.look_at(folder)
        return False

    def look_at(self, folder: Path) -> None:
        """What the kill left is whole, and what it cost is at most the work of the interval."""
        if not (folder / STATE_FILE).exists():
            self.during["before"] += 1
            return
        state, _ = load_state(folder / STATE_FILE)
        if (folder / MODEL_FILE).exists():
            load_model(folder / MODEL_FILE)
        table = Table(folder / LOSS_FILE, LOSS_COLUMNS)
        seconds = np.array([line.split(",")[1] for line in _whole_rows(table)], float)
        if len(seconds):
            report_s = float(np.diff(seconds, prepend=0.0).max())
            self.most_lost_s = max(self.most_lost_s, seconds[-1] - state.elapsed_s)
            assert seconds[-1] - state.elapsed_s <= INTERVAL_S + report_s + ROUNDED_S
        self.during["checkpoint"] += _half_written(folder)
        self.during["preview"] += _half_written(folder / PREVIEWS)


def _rows(folder: Path) -> int:
    """The number of steps in a run's table."""
    return len(_whole_rows(Table(folder / LOSS_FILE, LOSS_COLUMNS)))


def _has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _whole_rows(table: Table) -> list[str]:
    if not table.path.exists():
        return []
    lines = table.path.read_text().splitlines(keepends=True)[1:]
    return [line for line in lines if line.endswith("\n")]


def _half_written(folder: Path) -> int:
    return any(_TEMPORARY.fullmatch(path.name) for path in folder.glob(".*"))


def assert_same(straight: Path, killed: Path) -> None:
    """Weights, optimiser, averages and random states to the bit; the same model, curve and models on the way."""
    names = [
        STATE_FILE,
        MODEL_FILE,
        *(f"{SNAPSHOTS}/{path.name}" for path in (straight / SNAPSHOTS).glob("*.safetensors")),
    ]
    for name in names:
        ours, theirs = load_file(straight / name), load_file(killed / name)
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []
    curves = [Table(folder / LOSS_FILE, LOSS_COLUMNS).read()[SAME] for folder in (straight, killed)]
    assert curves[0].shape[1] > 0 and np.array_equal(curves[0], curves[1])
    assert not any(_half_written(folder) for folder in (killed, killed / PREVIEWS, killed / SNAPSHOTS))


def kill_often(lives: Lives, place: Path, steps: int, kills: int) -> Killing:
    """Kill runs of `steps` that many times, let each come to its end, and compare it with one that never was killed."""
    killing = Killing(lives, place, steps)
    straight = place / "straight"
    assert lives.end(lives.begin(killing.command(straight), place / "log.txt")) == 0
    most = max(2 * steps // kills, 2)
    number = 0
    while killing.kills < kills:
        number += 1
        folder = place / f"killed-{number}"
        while killing.kills < kills and not killing.live(folder, most):
            pass
        if load_state_header(folder / STATE_FILE).progress < 1 or not (folder / MODEL_FILE).exists():
            assert lives.end(lives.begin(killing.command(folder), place / "log.txt")) == 0
        assert_same(straight, folder)
    return killing


def test_a_run_that_is_killed_a_few_times_becomes_what_it_would_have_become(lives: Lives, tmp_path: Path) -> None:
    kill_often(lives, tmp_path, steps=FIRST_SNAPSHOT + 10, kills=4)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_run_that_is_killed_a_hundred_times_becomes_what_it_would_have_become(lives: Lives, tmp_path: Path) -> None:
    killing = kill_often(lives, tmp_path, steps=1500, kills=100)
    print(f"killed {killing.kills} times, {killing.during}; at most {killing.most_lost_s:.2f} s of work lost")
    assert min(killing.during["checkpoint"], killing.during["preview"]) > 0


def test_the_command_itself_is_killed_and_resumes(lives: Lives, tmp_path: Path) -> None:
    killing = Killing(lives, tmp_path, steps=60)
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "ml", *map(str, killing.command(folder))]
    with subprocess.Popen(command, cwd=REPO, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: _rows(folder) or process.poll() is not None)
        process.kill()
    killing.look_at(folder)
    straight = tmp_path / "straight"
    for place in (folder, straight):
        assert lives.end(lives.begin(killing.command(place), tmp_path / "log.txt")) == 0
    assert_same(straight, folder)
