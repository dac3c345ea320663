"""What trackers keep of a run is read back with their own programs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ml.control import RunControl
from ml.events import TrainStep
from ml.trackers import CURVES, FOLDER
from ml.trainer import train
from tests.tiny import tiny_config

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.trainer.REPORT_EVERY_S", 0.0)
    monkeypatch.setattr("ml.trackers.EVERY_S", 0.0)


def opened(folder: Path) -> EventAccumulator:
    """A run as TensorBoard shows it."""
    events = EventAccumulator(str(folder / FOLDER))
    events.Reload()
    return events


def test_tensorboard_shows_the_curves_and_the_previews(tmp_path: Path) -> None:
    steps = [e for e in train(tiny_config(steps=8), tmp_path / "run", device="cpu") if isinstance(e, TrainStep)]
    events = opened(tmp_path / "run")
    assert set(events.Tags()["scalars"]) == {*CURVES, "held_out_loss"}
    assert [(point.step, point.value) for point in events.Scalars("loss")] == [
        (event.step, pytest.approx(event.loss)) for event in steps
    ]
    assert (events.Images("preview")[-1].width, events.Images("preview")[-1].height) == (280, 28)
    assert "config/text_summary" in events.Tags()["tensors"]


def test_tensorboard_forgets_what_a_killed_run_did_after_its_checkpoint(tmp_path: Path) -> None:
    control = RunControl()
    for event in train(tiny_config(steps=20), tmp_path / "run", device="cpu", control=control):
        if isinstance(event, TrainStep) and event.step == 5:
            control.cancel()
    list(train(tiny_config(steps=20), tmp_path / "run", device="cpu", resume=True))
    assert [point.step for point in opened(tmp_path / "run").Scalars("loss")] == list(range(1, 21))


def test_weights_and_biases_keeps_a_run_offline(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    run = tmp_path / "run"
    line = [
        sys.executable,
        "-m",
        "ml",
        "train",
        "--preset",
        "1-minute",
        "--data",
        "synthetic",
        "--steps",
        "3",
        "--run-dir",
        str(run),
    ]
    small = ["--set", "model.widths=[8,16]", "--batch-size", "8", "--device", "cpu", "--track", "wandb"]
    done = subprocess.run(
        [*line, *small], env=os.environ | {"WANDB_MODE": "offline"}, cwd=REPO, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (record,) = run.glob("wandb/offline-run-*/run-*.wandb")
    assert record.stat().st_size > 1000
