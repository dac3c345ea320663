"""A run that diverges goes back and slows down, and one that runs out of memory takes smaller bites."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ml.cli.app import main
from ml.config import ModelConfig, TrainConfig
from ml.control import Command, RunControl
from ml.errors import Diverged
from ml.events import BatchSplit, CheckpointSaved, RunFinished, SteppedBack, TrainEvent, TrainStep, Validated
from ml.models import build
from ml.registry.checkpoint import load_state_header
from ml.registry.run_layout import MODEL_FILE, STATE_FILE
from ml.tracking.metrics_table import LOSS_COLUMNS, LOSS_FILE, Table
from ml.tracking.preview_history import FOLDER as PREVIEWS
from ml.training.losses import NoisedBatch, diffusion_loss
from ml.training.trainer import MOST_RETURNS, train
from tests.support.tiny_model import few_digits, tiny_config

Hook = Callable[[int, torch.Tensor], torch.Tensor]  # number of the call, and what the network says; what it shall say


@pytest.fixture(autouse=True)
def report_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.training.trainer.REPORT_EVERY_S", 0.0)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_digits(tmp_path_factory.mktemp("data"))


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[[Hook], None]:
    """Have every network that is trained from now on say something else, by a hook."""

    def plant(hook: Hook) -> None:
        calls = 0

        def say(network: torch.nn.Module, _asked: object, said: torch.Tensor) -> torch.Tensor:
            nonlocal calls
            if not network.training:
                return said
            calls += 1
            return hook(calls, said)

        def planted(config: ModelConfig) -> torch.nn.Module:
            network = build(config)
            network.register_forward_hook(say)
            return network

        monkeypatch.setattr("ml.training.run.build", planted)

    return plant


class SavesAt(RunControl):
    """Asks for a checkpoint at a step, whether or not that is reported."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._left = step

    def take(self) -> Command | None:
        self._left -= 1
        return super().take() if self._left else "save"


def follow(
    folder: Path, digits: Path, save_at: int = 0, *, resume: bool = False, **changes: object
) -> tuple[list[TrainEvent], Exception | None]:
    """All that a run says, with a checkpoint at a step if asked for, and what it fails of."""
    config = tiny_config(**{"data": "mnist", "steps": 12, "batch_size": 8} | changes)
    control, events = SavesAt(save_at), []
    try:
        for event in train(config, folder, device="cpu", data_root=digits, control=control, resume=resume):
            events.append(event)  # noqa: PERF402
    except Diverged as error:
        return events, error
    return events, None


def of(kind: type, events: list[TrainEvent]) -> list:
    return [event for event in events if isinstance(event, kind)]


def test_a_loss_that_is_no_number_brings_back_the_last_good_state_and_slows_down(
    tmp_path: Path, digits: Path, plant: Callable[[Hook], None]
) -> None:
    plant(lambda call, said: said * float("nan") if call == 8 else said)
    events, error = follow(tmp_path / "run", digits, save_at=5)
    assert error is None and of(RunFinished, events)[0].completed
    (back,) = of(SteppedBack, events)
    assert (back.step, back.times, back.lr) == (5, 1, 2e-3 / 4)
    assert back.message == "The loss became nan at step 8."
    after = of(TrainStep, events[events.index(back) :])
    assert [event.step for event in after] == list(range(6, 13))
    assert max(event.lr for event in after) <= back.lr < max(event.lr for event in of(TrainStep, events))
    steps, _, losses, *_ = Table(tmp_path / "run" / LOSS_FILE, LOSS_COLUMNS).read()
    assert list(steps) == list(range(1, 13)) and not any(losses != losses)
    assert load_state_header(tmp_path / "run" / STATE_FILE).slowed == 1
    assert all(bool(weight.isfinite().all()) for weight in load_file(tmp_path / "run" / MODEL_FILE).values())
    kept = sorted(int(path.stem) for path in (tmp_path / "run" / PREVIEWS).iterdir())
    assert kept == [1, 6, 12]  # anew where it went on
    again, _ = follow(tmp_path / "run", digits, resume=True, steps=24)
    assert max(event.lr for event in of(TrainStep, again)) <= back.lr  # and as slowly later on


def test_what_came_after_the_checkpoint_is_in_no_report(
    tmp_path: Path, digits: Path, plant: Callable[[Hook], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the loss of step 8 is no number, which is seen at step 12."""
    monkeypatch.setattr("ml.training.trainer.REPORT_EVERY_S", math.inf)
    monkeypatch.setattr("ml.training.run.NOISE_EVERY_S", math.inf)
    plant(lambda call, said: said * float("nan") if call == 8 else said)
    events, error = follow(tmp_path / "run", digits, save_at=5)
    assert error is None and [event.step for event in of(SteppedBack, events)] == [5]
    first, other, last = of(TrainStep, events)
    steps, _, losses, *_ = Table(tmp_path / "run" / LOSS_FILE, LOSS_COLUMNS).read()
    assert (first.step, first.loss) == (1, pytest.approx(losses[0]))
    assert list(steps) == list(range(1, 13))
    assert (other.step, other.loss) == (6, pytest.approx(losses[5]))
    assert (last.step, last.loss) == (12, pytest.approx(losses[6:].mean()))
    assert sum(mean == mean for mean in last.by_noise) > 5  # of 56 images, none of them of step 8 as it was at first


def test_a_gradient_that_is_no_number_is_seen_before_anything_is_saved(
    tmp_path: Path, digits: Path, plant: Callable[[Hook], None]
) -> None:
    def spoil(call: int, said: torch.Tensor) -> torch.Tensor:
        if call == 12:  # the last step, whose loss is one
            said.register_hook(lambda gradient: gradient * float("nan"))
        return said

    plant(spoil)
    events, error = follow(tmp_path / "run", digits, save_at=5, grad_clip=0)
    (back,) = of(SteppedBack, events)
    assert (back.step, back.message) == (5, "The weights became NaN or infinite at step 12.")
    assert error is None and of(RunFinished, events)[0].step == 12
    for name in (MODEL_FILE, STATE_FILE):
        assert all(bool(tensor.isfinite().all()) for tensor in load_file(tmp_path / "run" / name).values())


def test_without_its_checkpoint_a_run_cannot_go_back(
    tmp_path: Path, digits: Path, plant: Callable[[Hook], None]
) -> None:
    def spoil(call: int, said: torch.Tensor) -> torch.Tensor:
        if call == 8:
            (tmp_path / "run" / STATE_FILE).unlink()
        return said * float("nan") if call == 8 else said

    plant(spoil)
    events, error = follow(tmp_path / "run", digits, save_at=5)
    assert isinstance(error, Diverged) and not of(SteppedBack, events)
    assert "Start again with a lower learning rate than 0.002" in error.what_to_do


def test_a_step_that_is_interrupted_is_not_saved(tmp_path: Path, digits: Path, plant: Callable[[Hook], None]) -> None:
    def interrupt(call: int, said: torch.Tensor) -> torch.Tensor:
        if call == 8:
            raise KeyboardInterrupt
        return said

    plant(interrupt)
    with pytest.raises(KeyboardInterrupt):
        follow(tmp_path / "run", digits, save_at=5)
    assert load_state_header(tmp_path / "run" / STATE_FILE).step == 5


def test_what_fails_in_a_step_is_raised_once_all_before_it_is_saved(
    tmp_path: Path, digits: Path, plant: Callable[[Hook], None]
) -> None:
    def fail(call: int, said: torch.Tensor) -> torch.Tensor:
        if call == 8:
            raise ValueError("a wire is loose")
        return said

    plant(fail)
    with pytest.raises(ValueError, match="a wire is loose"):
        follow(tmp_path / "run", digits, save_at=5)
    assert load_state_header(tmp_path / "run" / STATE_FILE).step == 7


def test_a_run_goes_back_before_its_first_checkpoint_too(
    tmp_path: Path, digits: Path, plant: Callable[[Hook], None]
) -> None:
    plant(lambda call, said: said * float("inf") if call == 4 else said)
    events, error = follow(tmp_path / "run", digits, optimizer="muon")
    assert error is None and of(RunFinished, events)
    assert [event.step for event in of(SteppedBack, events)] == [0]


def test_after_three_returns_a_run_stops_and_explains(
    tmp_path: Path, digits: Path, plant: Callable[[Hook], None]
) -> None:
    plant(lambda call, said: said * float("nan") if call >= 8 else said)
    events, error = follow(tmp_path / "run", digits, save_at=5)
    assert [event.times for event in of(SteppedBack, events)] == [1, 2, MOST_RETURNS]
    assert isinstance(error, Diverged) and "nan at step 6" in error.message
    assert "3 times, to 3.125e-05, didn't help" in error.what_to_do and "images are sound" in error.what_to_do
    state = load_state_header(tmp_path / "run" / STATE_FILE)
    assert state.step == 5 and f"checkpoint of step {state.step}" in error.what_to_do
    assert all(bool(weight.isfinite().all()) for weight in load_file(tmp_path / "run" / STATE_FILE).values())
    assert list(Table(tmp_path / "run" / LOSS_FILE, LOSS_COLUMNS).read()[0]) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_a_far_too_large_learning_rate_is_brought_down(tmp_path: Path, digits: Path, optimizer: str) -> None:
    wild: dict[str, Any] = {
        "lr": 0.6,
        "lr_schedule": "constant",
        "warmup": 0,
        "grad_clip": 0,
        "optimizer": optimizer,
        "steps": 20,
    }
    events, error = follow(tmp_path / "run", digits, **wild)
    returns = of(SteppedBack, events)
    assert 1 <= len(returns) <= MOST_RETURNS and all("exploded" in event.message for event in returns)
    assert error is None and of(RunFinished, events)[0].completed
    assert of(TrainStep, events)[-1].smooth_loss < 10


def test_ordinary_runs_never_go_back(tmp_path: Path, digits: Path) -> None:
    ordinary: list[dict[str, Any]] = [{"lr": 4e-3, "optimizer": "muon"}, {"lr": 2e-2}]
    for number, changes in enumerate(ordinary):
        events, error = follow(tmp_path / str(number), digits, steps=30, **changes)
        assert error is None and not of(SteppedBack, events)


def test_the_command_prints_that_a_run_stepped_back(
    tmp_path: Path, digits: Path, plant: Callable[[Hook], None], capsys: pytest.CaptureFixture[str]
) -> None:
    plant(lambda call, said: said * float("nan") if call >= 3 else said)
    (tmp_path / "config.json").write_text(tiny_config(data="mnist", steps=8, batch_size=8).model_dump_json())
    command = ["train", "--config", tmp_path / "config.json", "--data-root", digits, "--run-dir", tmp_path / "run"]
    assert main([str(part) for part in command]) == 1
    said = capsys.readouterr().err
    assert said.count("Back to step 0, with a learning rate of") == 3
    assert "didn't help" in said.splitlines()[-1]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_a_batch_that_does_not_fit_into_memory_is_halved_until_it_does(
    tmp_path: Path, digits: Path, plant: Callable[[Hook], None], error: type[RuntimeError]
) -> None:
    messages = {
        torch.OutOfMemoryError: "CUDA out of memory. Tried to allocate 2.00 GiB.",
        RuntimeError: "DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes.",
    }

    def no_room(call: int, said: torch.Tensor) -> torch.Tensor:
        if call > 6 and len(said) > 4:
            raise error(messages[error])
        return said

    settings = {"batch_size": 16, "grad_clip": 0, "model": {"widths": [8, 16], "patch": 2, "embedding": 16}}
    whole, _ = follow(tmp_path / "whole", digits, **settings)
    plant(no_room)
    events, _ = follow(tmp_path / "run", digits, **settings)
    assert [(event.step, event.parts) for event in of(BatchSplit, events)] == [(7, 4)]  # halves did not fit either
    ours, theirs = ([event.loss for event in of(TrainStep, some)] for some in (events, whole))
    assert ours[:6] == theirs[:6] and ours == pytest.approx(theirs, abs=1e-5)
    weights, straight = (load_file(tmp_path / name / MODEL_FILE) for name in ("run", "whole"))
    off = torch.cat([(weights[name] - straight[name]).abs().flatten() for name in weights])
    assert float(off.mean()) < 1e-5  # Adam makes a whole step of a gradient that is nothing but rounding
    assert load_state_header(tmp_path / "run" / STATE_FILE).parts == 4
    again, _ = follow(tmp_path / "run", digits, resume=True, steps=14, **settings)
    assert not of(BatchSplit, again) and of(RunFinished, again)  # it knows by now what fits
    assert not of(SteppedBack, events) and of(CheckpointSaved, events)


def test_images_that_are_held_out_are_looked_at_in_as_many_parts(
    tmp_path: Path, digits: Path, plant: Callable[[Hook], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(call: int, said: torch.Tensor) -> torch.Tensor:
        if call > 6 and len(said) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return said

    sizes: list[int] = []

    def losses(network: torch.nn.Module, batch: NoisedBatch, config: TrainConfig) -> torch.Tensor:
        if not network.training:
            sizes.append(len(batch.input))
        return diffusion_loss(network, batch, config)

    plant(no_room)
    monkeypatch.setattr("ml.training.objectives.diffusion.diffusion_loss", losses)
    monkeypatch.setattr("ml.training.trainer.HELD_OUT_PATIENCE", 0)
    events, _ = follow(tmp_path / "run", digits, batch_size=16, preview_every_s=1e-9)
    (split,) = of(BatchSplit, events)
    assert split.parts == 4 and sizes[0] == 50 and sizes[-4:] == [13, 13, 12, 12]
    told = [event.loss for event in of(Validated, events)]
    assert len(told) == 12 and max(told) < 2 * min(told)


def test_what_fits_in_no_part_is_told_of(tmp_path: Path, digits: Path, plant: Callable[[Hook], None]) -> None:
    def no_room(call: int, said: torch.Tensor) -> torch.Tensor:
        if call > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return said

    plant(no_room)
    with pytest.raises(torch.OutOfMemoryError):
        follow(tmp_path / "run", digits)
    assert load_state_header(tmp_path / "run" / STATE_FILE).step == 2
