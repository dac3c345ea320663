"""A run that cannot write pauses, and resumes without any difference once it has a folder."""

import os
import pty
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ml.config import TrainConfig
from ml.control import RunControl
from ml.errors import CannotWrite
from ml.events import Paused, Resumed, RunFinished, TrainEvent, TrainStep, WriteFailed
from ml.registry.checkpoint import load_state_header
from ml.registry.run_layout import MODEL_FILE, STATE_FILE
from ml.tracking.loggers import FOLDER as TENSORBOARD
from ml.tracking.metrics_table import LOSS_COLUMNS, LOSS_FILE, Table
from ml.training.trainer import train
from tests.support.full_disk import disk, limited
from tests.support.tiny_model import few_digits, tiny_config
from tests.support.warm_fork import Lives, wait_for

STEPS = 16


@pytest.fixture(autouse=True)
def report_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.training.trainer.REPORT_EVERY_S", 0.0)
    monkeypatch.setattr("ml.tracking.loggers.EVERY_S", 0.0)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_digits(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """The folder of a run to which nothing happened."""
    folder = tmp_path_factory.mktemp("runs") / "straight"
    list(train(config(), folder, device="cpu", data_root=digits))
    return folder


def config(**changes: object) -> TrainConfig:
    return tiny_config(data="mnist", steps=STEPS, batch_size=8, **changes)


def assert_same(a: Path, b: Path, *, curve: bool = True) -> None:
    for name in (STATE_FILE, MODEL_FILE):
        ours, theirs = load_file(a / name), load_file(b / name)
        assert [key for key in ours | theirs if not torch.equal(ours[key], theirs[key])] == []
    if curve:
        tables = [Table(folder / LOSS_FILE, LOSS_COLUMNS).read()[[0, 2, 3, 4, 5]] for folder in (a, b)]
        assert tables[0].shape == (5, STEPS) and np.array_equal(tables[0], tables[1])


class Watched:
    """A run that is followed event by event."""

    def __init__(self, folder: Path, data_root: Path) -> None:
        self.control = RunControl()
        self.folder = folder
        self.events: Iterator[TrainEvent] = train(
            config(), folder, device="cpu", data_root=data_root, control=self.control
        )

    def until(self, kind: type[TrainEvent], step: int = 0) -> TrainEvent:
        """The next event of that kind, from that step on."""
        return next(event for event in self.events if isinstance(event, kind) and getattr(event, "step", 0) >= step)

    def held(self) -> WriteFailed:
        """Follow it, saving at every step, until it cannot write; it does not go on by itself then."""
        for event in self.events:
            if isinstance(event, WriteFailed):
                assert [type(next(self.events)) for _ in range(3)] == [Paused] * 3
                return event
            self.control.post("save")
        raise AssertionError("it went on")

    def finish(self) -> RunFinished:
        event = self.until(RunFinished)
        assert isinstance(event, RunFinished)
        return event


@pytest.mark.parametrize("answer", ["make room", "elsewhere"])
def test_on_a_full_disk_a_run_waits_for_room_or_another_place(
    tmp_path: Path, digits: Path, straight: Path, answer: str
) -> None:
    with disk(tmp_path / "disk") as small:
        run = Watched(small.path / "run", digits)
        run.until(TrainStep, 5)
        small.fill()
        failed = run.held()
        assert "the disk is full" in failed.message
        assert load_state_header(run.folder / STATE_FILE).step == failed.saved_step
        load_file(run.folder / STATE_FILE)  # the last good one is whole
        if answer == "make room":
            small.make_room()
            run.control.resume()
        else:
            run.control.write_to(tmp_path / "other" / "run")
        resumed = run.until(Resumed)
        place = run.folder if answer == "make room" else tmp_path / "other" / "run"
        assert load_state_header(place / STATE_FILE).step == failed.step  # at once, not at the next checkpoint
        finished = run.finish()
        assert isinstance(resumed, Resumed) and resumed.run_dir == place and finished.model_path.parent == place
        assert_same(straight, place)
        assert len(list((place / TENSORBOARD).iterdir())) >= 1


def test_another_full_place_is_no_better(tmp_path: Path, digits: Path, straight: Path) -> None:
    with disk(tmp_path / "disk") as small:
        run = Watched(small.path / "run", digits)
        run.until(TrainStep, 5)
        small.fill()
        run.held()
        for place in (small.path / "next", straight):  # as full, and with a run of its own
            run.control.write_to(place)
            assert isinstance(next(run.events), WriteFailed)
        run.control.write_to(tmp_path / "good")
        run.finish()
        assert_same(straight, tmp_path / "good")


def test_a_read_only_disk_is_named_and_waited_for(tmp_path: Path, digits: Path, straight: Path) -> None:
    run = Watched(tmp_path / "run", digits)
    run.until(TrainStep, 5)
    with disk(run.folder, "ro"):
        assert "it is read-only" in run.held().message
        run.control.resume()
        assert isinstance(next(run.events), WriteFailed)
    run.control.resume()
    run.finish()
    assert_same(straight, run.folder)


@pytest.mark.parametrize("in_place", ["nothing", "a file"])
def test_a_folder_that_is_taken_away_is_made_again_when_asked_for(
    tmp_path: Path, digits: Path, straight: Path, in_place: str
) -> None:
    run = Watched(tmp_path / "run", digits)
    run.until(TrainStep, 5)
    shutil.rmtree(run.folder)
    if in_place == "a file":
        run.folder.touch()
    assert "does not exist" in (message := run.held().message) or "a file, not a folder" in message
    if in_place == "a file":
        run.control.resume()
        assert isinstance(next(run.events), WriteFailed)
        run.folder.unlink()
    run.control.resume()
    run.finish()
    assert_same(straight, run.folder, curve=False)  # its beginning went with the folder
    assert Table(run.folder / LOSS_FILE, LOSS_COLUMNS).read()[0, -1] == STEPS


def test_without_files_to_open_a_run_waits(tmp_path: Path, digits: Path, straight: Path) -> None:
    run = Watched(tmp_path / "run", digits)
    run.until(TrainStep, 5)
    with limited(resource.RLIMIT_NOFILE, 0):
        failed = run.held()
        assert "too many files open" in failed.message
        run.control.resume()
        assert isinstance(next(run.events), WriteFailed)
    load_file(run.folder / STATE_FILE)
    run.control.resume()
    run.finish()
    assert_same(straight, run.folder)


def test_a_run_that_waits_can_be_stopped_and_loses_what_could_not_be_written(tmp_path: Path, digits: Path) -> None:
    run = Watched(tmp_path / "run", digits)
    run.until(TrainStep, 5)
    with limited(resource.RLIMIT_NOFILE, 0):
        failed = run.held()
        run.control.cancel()
        with pytest.raises(CannotWrite, match=f"checkpoint of step {failed.saved_step} is whole"):
            run.finish()
    assert load_state_header(run.folder / STATE_FILE).step == failed.saved_step


def test_a_run_that_waits_can_be_left(tmp_path: Path, digits: Path) -> None:
    run = Watched(tmp_path / "run", digits)
    run.until(TrainStep, 5)
    with limited(resource.RLIMIT_NOFILE, 0):
        failed = run.held()
        run.events.close()  # type: ignore[attr-defined]
    assert load_state_header(run.folder / STATE_FILE).step == failed.saved_step


def test_a_run_that_goes_on_again_is_saved_when_it_is_left(tmp_path: Path, digits: Path) -> None:
    run = Watched(tmp_path / "run", digits)
    run.until(TrainStep, 5)
    with limited(resource.RLIMIT_NOFILE, 0):
        failed = run.held()
    run.control.resume()
    run.until(TrainStep, failed.step + 2)
    run.events.close()  # type: ignore[attr-defined]
    assert load_state_header(run.folder / STATE_FILE).step == failed.step + 2


def long_command(tmp_path: Path, digits: Path, folder: Path) -> list[str]:
    (tmp_path / "config.json").write_text(config(save_every_s=0.05).with_changes(steps=100_000).model_dump_json())
    return ["train", "--config", str(tmp_path / "config.json"), "--data-root", str(digits), "--run-dir", str(folder)]


def test_a_command_without_a_terminal_prints_how_to_resume_elsewhere(
    lives: Lives, tmp_path: Path, digits: Path
) -> None:
    with disk(tmp_path / "disk") as small:
        folder, log, other = small.path / "run", tmp_path / "log.txt", tmp_path / "other"
        pid = lives.begin(long_command(tmp_path, digits, folder), log)
        wait_for((folder / MODEL_FILE).exists, log)
        small.fill()
        assert lives.end(pid) == 2, log.read_text()
        said = log.read_text()
        assert "the disk is full" in said and f"--resume --run-dir {folder}" in said and "--to NEW_FOLDER" in said
        step = load_state_header(folder / STATE_FILE).step
        assert f"The checkpoint of step {step} is whole" in said
        again = ["train", "--resume", "--run-dir", folder, "--to", other, "--data-root", digits, "--steps", step + 5]
        assert lives.end(lives.begin(again, log)) == 0, log.read_text()
        assert load_state_header(other / STATE_FILE).step == step + 5
        assert load_state_header(folder / STATE_FILE).step == step
        steps = Table(other / LOSS_FILE, LOSS_COLUMNS).read()[0]
        assert steps[-1] == step + 5 and (np.diff(steps) > 0).all() and steps[0] == 1


def test_a_command_in_a_terminal_prompts_for_another_folder(lives: Lives, tmp_path: Path, digits: Path) -> None:
    ours, theirs = pty.openpty()
    log = tmp_path / "log.txt"
    with disk(tmp_path / "disk") as small:
        folder, other = small.path / "run", tmp_path / "other"
        pid = lives.begin(long_command(tmp_path, digits, folder), log, terminal=os.ttyname(theirs))
        wait_for((folder / MODEL_FILE).exists, log)
        small.fill()
        wait_for(lambda: "Folder to resume in" in log.read_text(), log)
        os.write(ours, f"{other}\n".encode())
        wait_for((other / MODEL_FILE).exists, log)
        os.kill(pid, signal.SIGTERM)
        assert lives.end(pid) == 130
        assert f"--resume --run-dir {other}" in log.read_text()
        assert load_state_header(other / STATE_FILE).step >= load_state_header(folder / STATE_FILE).step
    for end in (ours, theirs):
        os.close(end)
