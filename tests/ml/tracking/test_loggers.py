"""What the loggers of a run write, read back with their own programs."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ml.control import RunControl
from ml.errors import BadRequest
from ml.events import Preview, Resumed, SteppedBack, TrainStep, Validated, WriteFailed
from ml.tracking.loggers import CURVES, FOLDER, LoggerList
from ml.training.trainer import train
from tests.patience import WAIT_S
from tests.support.tiny_model import few_digits, tiny_config
from tests.support.warm_fork import REPO


@pytest.fixture(autouse=True)
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.training.trainer.REPORT_EVERY_S", 0.0)
    monkeypatch.setattr("ml.tracking.loggers.EVERY_S", 0.0)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_digits(tmp_path_factory.mktemp("digits"))


@pytest.fixture(autouse=True)
def on_few_digits(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISELOOM_DATA", str(digits))


def step_of(step: int) -> TrainStep:
    return TrainStep(step, 100, step / 10, 0.5, 0.25, 2.0, 8.0, 1.0, 1.0)


def opened(folder: Path) -> EventAccumulator:
    """A run as TensorBoard shows it."""
    events = EventAccumulator(str(folder / FOLDER))
    events.Reload()
    return events


def test_tensorboard_shows_the_curves_and_the_previews(tmp_path: Path) -> None:
    steps = [
        e for e in train(tiny_config(data="mnist", steps=8), tmp_path / "run", device="cpu") if isinstance(e, TrainStep)
    ]
    events = opened(tmp_path / "run")
    assert set(events.Tags()["scalars"]) == {*CURVES, "held_out_loss"}
    assert [(point.step, point.value) for point in events.Scalars("loss")] == [
        (event.step, pytest.approx(event.loss)) for event in steps
    ]
    assert (events.Images("preview")[-1].width, events.Images("preview")[-1].height) == (280, 28)
    assert "config/text_summary" in events.Tags()["tensors"]


def test_tensorboard_hides_points_after_the_checkpoint_of_a_killed_run(tmp_path: Path) -> None:
    control = RunControl()
    config = tiny_config(data="mnist", steps=20, batch_size=8)
    for event in train(config, tmp_path / "run", device="cpu", control=control):
        if isinstance(event, TrainStep) and event.step == 5:
            control.cancel()
    list(train(config, tmp_path / "run", device="cpu", resume=True))
    assert [point.step for point in opened(tmp_path / "run").Scalars("loss")] == list(range(1, 21))


def test_points_are_logged_once_a_second_and_previews_always(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("ml.tracking.loggers.EVERY_S", 1.0)
    monkeypatch.setattr(
        "ml.tracking.loggers.time", SimpleNamespace(monotonic=lambda: now, time=lambda: now, time_ns=lambda: 1)
    )
    with LoggerList(tmp_path, tiny_config(), 0) as loggers:
        for step in range(1, 9):
            now += 0.4
            loggers.log(step_of(step))
            loggers.log(Validated(step, 0.5))
            image = np.zeros((2, 8, 8), np.uint8)
            loggers.log(Preview(step, image, (1, 2), image[None]))
    events = opened(tmp_path)
    assert [point.step for point in events.Scalars("loss")] == [1, 4, 7]
    assert [point.step for point in events.Scalars("held_out_loss")] == list(range(1, 9))
    assert len(events.Images("preview")) > 0
    assert {name: events.Scalars(name)[0].value for name in CURVES} == pytest.approx(
        {"loss": 0.1, "smooth_loss": 0.5, "lr": 0.25, "grad_norm": 2.0, "images_per_s": 8.0}
    )


def test_after_a_step_back_points_begin_again_at_the_checkpoint(tmp_path: Path) -> None:
    with LoggerList(tmp_path, tiny_config(), 0) as loggers:
        for step in range(1, 9):
            loggers.log(step_of(step))
        loggers.log(SteppedBack(5, "The loss became nan.", 5e-4, 1))
        for step in range(6, 8):
            loggers.log(step_of(step))
    assert [point.step for point in opened(tmp_path).Scalars("loss")] == [1, 2, 3, 4, 5, 6, 7]


def test_a_run_that_continues_in_another_folder_is_logged_there(tmp_path: Path) -> None:
    with LoggerList(tmp_path / "full", tiny_config(), 0) as loggers:
        loggers.log(step_of(1))
        loggers.log(WriteFailed(2, 1, "The disk is full."))
        loggers.log(step_of(2))
        loggers.log(Resumed(2, tmp_path / "other"))
        loggers.log(step_of(3))
        loggers.log(Resumed(3, tmp_path / "other"))  # after a pause
        loggers.log(step_of(4))
    steps = [[point.step for point in opened(tmp_path / name).Scalars("loss")] for name in ("full", "other")]
    assert steps == [[1], [3, 4]]
    assert len(list((tmp_path / "other" / FOLDER).iterdir())) == 1


def test_loggers_that_cannot_write_are_closed_and_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with LoggerList(tmp_path, tiny_config(), 0) as loggers:
        (logger,) = loggers._loggers
        monkeypatch.setattr(logger, "log_scalars", full)
        loggers.log(step_of(1))
        loggers.log(step_of(2))
        assert loggers._loggers == []
        loggers.log(Resumed(2, tmp_path))
        loggers.log(step_of(3))
    files = sorted((tmp_path / FOLDER).iterdir())
    assert len(files) == 2 and [point.step for point in opened(tmp_path).Scalars("loss")] == [3]


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_weights_and_biases_gets_the_same_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own names, and asked of its module alone."""
    said: list[tuple[Any, ...]] = []
    run = SimpleNamespace(
        log=lambda values, step: said.append((step, values)), finish=lambda: said.append(("finished",))
    )
    wandb: Any = ModuleType("wandb")
    wandb.Image = lambda image: image.shape
    wandb.init = lambda **asked: said.append((asked["name"], asked["dir"], asked["config"]["name"])) or run
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    folder = tmp_path / "mine"
    with LoggerList(folder, tiny_config(), 0, ["wandb"]) as loggers:
        loggers.log(step_of(3))
        image = np.zeros((2, 8, 8), np.uint8)
        loggers.log(Preview(4, image, (1, 2), image[None]))
    assert said[0] == ("mine", str(folder), "tiny")
    assert said[1] == (3, {"loss": 0.3, "smooth_loss": 0.5, "lr": 0.25, "grad_norm": 2.0, "images_per_s": 8.0})
    assert said[2:] == [(4, {"preview": (8, 16)}), ("finished",)]
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(BadRequest, match="not installed"):
        LoggerList(folder, tiny_config(), 0, ["wandb"])


@pytest.mark.slow
def test_weights_and_biases_keeps_a_run_offline(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    run = tmp_path / "run"
    (tmp_path / "config.json").write_text(tiny_config(data="mnist", steps=3, batch_size=8).model_dump_json())
    line = [sys.executable, "-m", "ml", "train", "--config", tmp_path / "config.json", "--run-dir", run]
    done = subprocess.run(
        [*line, "--device", "cpu", "--track", "wandb"],
        env=os.environ | {"WANDB_MODE": "offline"},
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.returncode == 0, done.stderr
    (record,) = run.glob("wandb/offline-run-*/run-*.wandb")
    assert record.stat().st_size > 1000
