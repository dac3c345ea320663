"""Training for real: the loss falls, runs are resumed to the bit, and nothing is lost when something goes wrong."""

import csv
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ml.config import ModelConfig, SampleRequest, TrainConfig
from ml.control import Command, RunControl
from ml.data import datasets
from ml.data.dataset import Dataset
from ml.errors import BadFile, BadRequest
from ml.events import (
    CheckpointSaved,
    Paused,
    Preview,
    Progress,
    Resumed,
    RunFinished,
    RunStarted,
    Sampled,
    TrainEvent,
    TrainStep,
    Validated,
)
from ml.generation import pipeline
from ml.models.weights import to_half
from ml.registry import presets
from ml.registry.checkpoint import load_header, load_state_header
from ml.registry.run_layout import MODEL_FILE, STATE_FILE
from ml.text.tokenizer import vocabulary_size
from ml.tracking import run_index
from ml.tracking.metrics_table import LOSS_FILE, NOISE_COLUMNS, NOISE_FILE, VALIDATION_COLUMNS, VALIDATION_FILE, Table
from ml.training.datasets import HELD_OUT, _sample
from ml.training.loss_by_noise import LossByNoise
from ml.training.microbatch import Microbatches
from ml.training.run import Run
from ml.training.trainer import train
from tests.support.tiny_model import few_digits, tiny_config

REPO = Path(__file__).resolve().parents[3]


def of(kind: type, events: list[TrainEvent]) -> list:
    return [event for event in events if isinstance(event, kind)]


def run(config: TrainConfig, folder: Path, **more: object) -> list[TrainEvent]:
    return list(train(config, folder, device="cpu", **more))  # type: ignore[arg-type]


def stop_after(config: TrainConfig, folder: Path, steps: int, *, resume: bool = False) -> None:
    """Train up to a step and stop there."""
    control = RunControl()
    for event in stepping(config, folder, control, resume=resume):
        if isinstance(event, TrainStep) and event.step >= steps:
            control.cancel()


def stepping(config: TrainConfig, folder: Path, control: RunControl, *, resume: bool = False) -> Iterator[TrainEvent]:
    return train(config, folder, device="cpu", control=control, resume=resume)


@pytest.fixture(autouse=True)
def report_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.training.trainer.REPORT_EVERY_S", 0.0)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_digits(tmp_path_factory.mktemp("digits"))


@pytest.fixture(autouse=True)
def on_few_digits(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISELOOM_DATA", str(digits))


def config_of(**changes: object) -> TrainConfig:
    return tiny_config(**{"data": "mnist"} | changes)


class Clock:
    """Stands still, but for what is said to take time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self._monkeypatch = 0.0, monkeypatch
        for module in ("ml.training.run", "ml.training.trainer"):
            monkeypatch.setattr(f"{module}.time", self)

    def perf_counter(self) -> float:
        return self.now

    def takes(self, seconds: float, name: str) -> None:
        """Calls of that name last so long."""
        place, _, attribute = name.rpartition(".")
        places = {"ml.training.run.Run": Run, "ml.training.microbatch.Microbatches": Microbatches}
        original = getattr((places | {"ml.generation.pipeline": pipeline})[place], attribute)

        def last(*arguments: object, **named: object) -> object:
            self.now += seconds
            return original(*arguments, **named)

        self._monkeypatch.setattr(name, last)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A step takes one second, and a preview two."""
    clock = Clock(monkeypatch)
    clock.takes(1.0, "ml.training.microbatch.Microbatches._backward")
    clock.takes(2.0, "ml.generation.pipeline.sample_with")
    return clock


class StopsAt(RunControl):
    """Cancels itself at a step, whether or not that is reported."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._left = step

    def take(self) -> Command | None:
        self._left -= 1
        if not self._left:
            self.cancel()
        return super().take()


def test_a_short_training_learns_and_leaves_a_model_that_draws(tmp_path: Path) -> None:
    config = config_of(data="synthetic", steps=120, optimizer="muon", lr=4e-3)
    events = run(config, tmp_path / "run")
    losses = [event.loss for event in of(TrainStep, events)]
    assert len(losses) == 120
    assert sum(losses[-20:]) / 20 < 0.6 * sum(losses[:5]) / 5
    started, finished = of(RunStarted, events), of(RunFinished, events)
    assert [event.total_steps for event in started] == [120]
    assert [(event.step, event.completed) for event in finished] == [(120, True)]
    assert isinstance(events[-1], RunFinished)
    assert of(Preview, events)[-1].images.shape == (10, 28, 28)
    assert [float(row["loss"]) for row in table(tmp_path / "run")] == losses
    request = SampleRequest(model=str(tmp_path / "run"), labels=(3, 5), steps=3)
    assert any(isinstance(event, Sampled) for event in pipeline.sample(request, device="cpu"))


def test_real_digits_are_learnt(tmp_path: Path, mnist_root: Path) -> None:
    config = config_of(steps=80, optimizer="muon", lr=4e-3)
    losses = [event.loss for event in of(TrainStep, run(config, tmp_path / "run", data_root=mnist_root))]
    assert sum(losses[-20:]) / 20 < 0.6 * sum(losses[:5]) / 5


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / LOSS_FILE).open() as file:
        return list(csv.DictReader(file))


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return {**load_file(folder / STATE_FILE), **{f"model.{k}": v for k, v in load_file(folder / MODEL_FILE).items()}}


def assert_same_run(a: Path, b: Path) -> None:
    ours, theirs = tensors(a), tensors(b)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    read = [[(row["step"], row["loss"], row["smooth_loss"]) for row in table(folder)] for folder in (a, b)]
    assert read[0] == read[1]
    own = {"elapsed_s", "budget_s", "config", "parts"}
    states = [load_state_header(folder / STATE_FILE).model_dump(exclude=own) for folder in (a, b)]
    assert states[0] == states[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adamw", "lr_schedule": "onecycle"},
        {"optimizer": "muon", "lr_schedule": "linear"},
        {"precision": "bf16"},
        {"model": {"widths": [8], "dropout": 0.3, "embedding": 16, "patch": 2}},
        {"model": {"network": "textbook", "norm": "batch", "widths": [8, 16], "embedding": 16, "prediction": "eps",
                   "schedule": "linear"}},
        {"model": {"network": "judge", "widths": [8, 16], "embedding": 16, "dropout": 0.2}, "augment": True},
        {"mirror": True, "augment_share": 0.5},
    ],
    ids=["adamw", "muon", "bf16", "dropout", "textbook", "judge", "augmented"],
)  # fmt: skip
def test_a_resumed_run_is_the_same_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    monkeypatch.setattr("ml.tracking.loss_curve.EVERY_STEP", 2)  # from there on a row is the mean of ten steps
    config = config_of(steps=12, batch_size=8, **changes)
    run(config, tmp_path / "straight")
    assert [row["step"] for row in table(tmp_path / "straight")] == ["1", "2", "10"]
    stop_after(config, tmp_path / "cut", 5)
    stop_after(config, tmp_path / "cut", 9, resume=True)
    assert load_state_header(tmp_path / "cut" / STATE_FILE).step == 9
    torch.manual_seed(99)  # whatever else the process does with torch's own generator
    events = run(config, tmp_path / "cut", resume=True)
    assert of(RunStarted, events)[0].step == 9
    assert_same_run(tmp_path / "straight", tmp_path / "cut")


@pytest.mark.parametrize("parts", [2, 3, 8])
def test_a_batch_in_parts_teaches_the_same(tmp_path: Path, parts: int) -> None:
    from ml.system.device import choose_device

    gradients, losses = [], []
    for accumulate in (1, parts):
        training = Run(
            config_of(batch_size=8, accumulate=accumulate), tmp_path, choose_device("cpu"), datasets.load("mnist")
        )
        with torch.no_grad():
            for parameter in training.network.parameters():  # none of them zero, behind which all gradients are
                parameter.add_(0.01)
        losses.append(float(training.microbatches.backward(training.batches.batch(0))[0]))
        gradients.append([p.grad for p in training.network.parameters() if p.grad is not None])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert len(gradients[0]) == len(gradients[1]) > 20
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_captions_are_always_contrasted_within_their_whole_batch(tmp_path: Path) -> None:
    vision = ModelConfig(network="clip", widths=(32, 32), blocks=1, patch=7, embedding=16, vocabulary=vocabulary_size())
    for name, more in (("whole", {}), ("parts", {"accumulate": 4})):
        run(config_of(model=vision.model_dump(), steps=2, **more), tmp_path / name)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_losses_are_reported_by_noise_level() -> None:
    levels = LossByNoise(torch.device("cpu"))
    levels.add(torch.tensor([0.0, 0.04, 0.55, 1.0]), torch.tensor([1.0, 3.0, 5.0, 7.0]))
    means = levels.take()
    assert (means[0], means[5], means[9]) == (2.0, 5.0, 7.0)
    assert [math.isnan(mean) for mean in means].count(True) == 7
    assert levels.take() == ()


def test_timed_events_come_when_they_are_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """A preview waits for ten times as long as one takes, a look at held-out images here for five times."""
    monkeypatch.setattr("ml.training.run.NOISE_EVERY_S", 3.0)
    monkeypatch.setattr("ml.training.trainer.HELD_OUT_PATIENCE", 5)
    clock.takes(1.0, "ml.training.run.Run.validate")
    config = config_of(steps=25, batch_size=8, preview_every_s=1, save_every_s=6)
    events = run(config, tmp_path / "run")
    assert [event.step for event in of(Preview, events)] == [1, 21, 25]
    assert [event.step for event in of(Validated, events)] == [1, 4, 9, 14, 19, 22]
    assert [event.step for event in of(CheckpointSaved, events)] == [3, 8, 13, 18, 22, 25]
    noise = [event.step for event in of(TrainStep, events) if event.by_noise]
    assert noise == [2, 5, 8, 11, 14, 17, 20, 22, 25]


@pytest.mark.parametrize(("every_s", "steps"), [(5.0, [1, 6, 11, 12]), (9.0, [1, 10, 12])])
def test_previews_come_no_more_often_than_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock, every_s: float, steps: list[int]
) -> None:
    monkeypatch.setattr("ml.training.trainer.PREVIEW_PATIENCE", 0)
    config = config_of(steps=12, batch_size=8, preview_every_s=every_s)
    events = run(config, tmp_path / "run")
    assert [event.step for event in of(Preview, events)] == steps


def test_previews_all_begin_in_the_same_noise(tmp_path: Path) -> None:
    events = run(config_of(steps=3, batch_size=8), tmp_path / "run")
    first, last = of(Preview, events)
    assert (first.film[0] == last.film[0]).all() and (first.film[-1] != last.film[-1]).any()


def test_steps_between_two_reports_are_reported_together_and_none_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr("ml.training.trainer.REPORT_EVERY_S", 3.0)
    config = config_of(steps=20, batch_size=8)
    events = run(config, tmp_path / "run", control=StopsAt(7))
    reports = of(TrainStep, events)
    assert [event.step for event in reports] == [1, 2, 5, 7]
    losses = [float(row["loss"]) for row in table(tmp_path / "run")]
    means = [losses[0], losses[1], sum(losses[2:5]) / 3, sum(losses[5:7]) / 2]
    assert [event.loss for event in reports] == pytest.approx(means)
    assert [event.images_per_s for event in reports] == pytest.approx([8.0] * 4)
    assert isinstance(events[-1], RunFinished) and not events[-1].completed
    assert [event.step for event in of(Preview, events)] == [1]  # whoever stops waits for none


def test_minutes_count_steps_and_previews_and_a_resumed_run_has_what_is_left_of_them(
    tmp_path: Path, clock: Clock
) -> None:
    config = config_of(steps=None, minutes=0.2, batch_size=8)
    events = run(config, tmp_path / "run")
    finished = of(RunFinished, events)[0]
    assert (finished.step, finished.completed) == (10, True)  # and a preview at the first
    assert finished.seconds == 12 + 2  # and one at the end
    for event in of(TrainStep, events):
        assert event.elapsed_s + event.remaining_s == pytest.approx(12) and event.total_steps is None
        assert event.images_per_s == pytest.approx(8)  # while it was at steps
    assert load_header(tmp_path / "run" / MODEL_FILE).seconds == 12
    again = run(config, tmp_path / "run", resume=True)
    assert of(RunFinished, again)[0].step == 10 and not of(TrainStep, again)
    run(config, tmp_path / "cut", control=StopsAt(5))
    rest = run(config, tmp_path / "cut", resume=True)
    assert [event.step for event in of(TrainStep, rest)] == [6, 7, 8]
    assert [event.images_per_s for event in of(TrainStep, rest)] == pytest.approx([8] * 3)


def test_a_resumed_run_has_the_new_budget_and_its_own_settings(tmp_path: Path) -> None:
    run(config_of(steps=2, batch_size=8), tmp_path / "run")
    asked = config_of(steps=None, epochs=0.2, batch_size=16, lr=0.5)
    events = run(asked, tmp_path / "run", resume=True)
    started = of(RunStarted, events)[0]
    assert (started.step, started.total_steps) == (2, 5)  # 0.2 of 200 images, by 8
    assert (started.config.batch_size, started.config.lr) == (8, 2e-3)
    assert of(RunFinished, events)[0].step == 5


def rates(events: list[TrainEvent]) -> list[float]:
    return [event.lr for event in of(TrainStep, events)]


def test_a_run_that_ended_is_trained_longer_with_a_schedule_of_its_own(tmp_path: Path) -> None:
    config = config_of(steps=4, batch_size=8)
    first = run(config, tmp_path / "run")
    assert run_index.has_ended(tmp_path / "run") and not run_index.has_ended(tmp_path)
    events = run(config, tmp_path / "run", resume=True, more=True)
    assert [(event.step, event.total_steps) for event in of(RunStarted, events)] == [(4, 8)]
    assert rates(events) == rates(first) and of(RunFinished, events)[0].step == 8
    assert of(RunFinished, events)[0].completed and load_header(tmp_path / "run" / MODEL_FILE).steps == 8
    assert [row["step"] for row in table(tmp_path / "run")] == [str(step) for step in range(1, 9)]


def test_a_run_that_is_trained_longer_is_resumed_to_the_bit(tmp_path: Path) -> None:
    config = config_of(steps=4, batch_size=8)
    for name in ("straight", "cut"):
        run(config, tmp_path / name)
    longer = config.with_changes(steps=6)
    run(longer, tmp_path / "straight", resume=True, more=True)
    for event in train(longer, tmp_path / "cut", device="cpu", resume=True, more=True, control=StopsAt(2)):
        assert not isinstance(event, RunFinished) or not event.completed
    assert not run_index.has_ended(tmp_path / "cut")
    events = run(longer, tmp_path / "cut", resume=True)
    assert [(event.step, event.total_steps) for event in of(RunStarted, events)] == [(6, 10)]
    assert_same_run(tmp_path / "straight", tmp_path / "cut")


def test_what_is_added_to_a_run_may_be_a_time(tmp_path: Path, clock: Clock) -> None:
    run(config_of(steps=3, batch_size=8, preview_every_s=1000), tmp_path / "run")
    config = config_of(steps=None, minutes=0.1, batch_size=8, preview_every_s=1000)
    events = run(config, tmp_path / "run", resume=True, more=True)
    before = of(RunStarted, events)[0].step
    assert before == 3 and of(RunFinished, events)[0].step == before + 4  # six seconds, of which a preview takes two
    left = [event.remaining_s for event in of(TrainStep, events)]
    assert left == sorted(left, reverse=True) and left[-1] == 0


def test_a_run_that_was_ended_is_not_interrupted_until_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path))
    folder, config, control = tmp_path / "runs" / "mine", config_of(steps=10, batch_size=8), RunControl()
    for event in stepping(config, folder, control):
        if isinstance(event, TrainStep) and event.step >= 3:
            control.end()
    state = load_state_header(folder / STATE_FILE)
    assert state.stopped and state.step == 3 and run_index.has_ended(folder) and not run_index.unfinished_runs()
    stop_after(config, folder, 5, resume=True)
    assert [run.step for run in run_index.unfinished_runs()] == [5] and not run_index.has_ended(folder)


def test_a_run_keeps_its_losses_by_noise_and_on_images_it_has_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.training.run.NOISE_EVERY_S", 0.0)
    monkeypatch.setattr("ml.training.trainer.HELD_OUT_PATIENCE", 0)
    config = config_of(steps=40, optimizer="muon", lr=4e-3, preview_every_s=1e-9)
    events = run(config, tmp_path / "run")
    by_noise = Table(tmp_path / "run" / NOISE_FILE, NOISE_COLUMNS).read()
    assert by_noise.shape == (11, 40)
    assert all(len(event.by_noise) == 10 for event in of(TrainStep, events))
    held_out = Table(tmp_path / "run" / VALIDATION_FILE, VALIDATION_COLUMNS).read()
    assert held_out.shape == (2, 40) and held_out[1, -1] < 0.7 * held_out[1, 0]
    assert [event.loss for event in of(Validated, events)] == pytest.approx(held_out[1], rel=1e-4)
    again = tmp_path / "again"
    stop_after(config, again, 20)
    run(config, again, resume=True)
    assert Table(again / VALIDATION_FILE, VALIDATION_COLUMNS).read()[1, -1] == held_out[1, -1]


def test_a_run_needs_no_held_out_images(tmp_path: Path, digits: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (digits / "MNIST" / "raw").glob("train*"):
        (raw / file.name).symlink_to(file)
    events = run(config_of(steps=3), tmp_path / "run", data_root=tmp_path)
    assert of(RunFinished, events)[0].completed and not of(Validated, events)


def test_batches_walk_through_every_epoch_once(tmp_path: Path) -> None:
    from ml.system.device import choose_device

    dataset = datasets.load("mnist")
    few = Dataset("few", dataset.images[:10], dataset.labels[:10], dataset.classes)
    training = Run(config_of(batch_size=4), tmp_path, choose_device("cpu"), few)
    seen: list[int] = []
    for step in range(5):
        seen += training.batches.batch(step).tolist()
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]


def test_weights_kept_in_half_precision_draw_the_same_from_half_the_file(tmp_path: Path) -> None:
    images, sizes = [], []
    for precision in ("fp32", "fp16"):
        run(config_of(steps=20, file_precision=precision), tmp_path / precision)
        sizes.append((tmp_path / precision / MODEL_FILE).stat().st_size)
        request = SampleRequest(model=str(tmp_path / precision / MODEL_FILE), labels=(1, 2), seed=1)
        *_, sampled = pipeline.sample(request, device="cpu", frames=False)
        assert isinstance(sampled, Sampled)
        images.append(sampled.images.astype(int))
    assert sizes[1] < 0.6 * sizes[0]
    assert abs(images[0] - images[1]).max() <= 2


def test_what_half_precision_cannot_hold_stays_as_it_is() -> None:
    weights = {"small": torch.tensor([0.5]), "large": torch.tensor([1e6]), "count": torch.tensor([70_000])}
    kept = to_half(weights)
    assert kept["small"].dtype == torch.float16
    assert kept["large"] is weights["large"]
    assert kept["count"] is weights["count"]


def assert_saved(folder: Path, step: int) -> None:
    """What is on disk is of that step: the state to go on from and the model to draw with."""
    assert load_state_header(folder / STATE_FILE).step == step
    assert load_header(folder / MODEL_FILE).steps == step


def test_pausing_holds_saves_and_changes_nothing(tmp_path: Path) -> None:
    config = config_of(steps=10, batch_size=8)
    run(config, tmp_path / "straight")
    control = RunControl()
    events: list[TrainEvent] = []
    for event in stepping(config, tmp_path / "paused", control):
        events.append(event)
        if isinstance(event, TrainStep) and event.step == 4:
            control.pause()
        if isinstance(event, CheckpointSaved):
            assert_saved(tmp_path / "paused", event.step)
        if isinstance(event, Paused) and len(of(Paused, events)) == 5:
            shutil.copytree(tmp_path / "paused", tmp_path / "quit")
            control.resume()
    after = events[events.index(Paused(4)) - 1 :]
    folder = tmp_path / "paused"
    assert after[:7] == [CheckpointSaved(4, folder), *[Paused(4)] * 5, Resumed(4, folder)]
    run(config, tmp_path / "quit", resume=True)
    for name in ("paused", "quit"):
        assert_same_run(tmp_path / "straight", tmp_path / name)


def test_a_paused_run_can_be_stopped(tmp_path: Path) -> None:
    control = RunControl()
    control.pause()
    events: list[TrainEvent] = []
    for event in stepping(config_of(), tmp_path / "run", control):
        events.append(event)
        if isinstance(event, Paused):
            control.cancel()
    assert isinstance(events[-1], RunFinished) and not events[-1].completed
    assert not of(Resumed, events) and not of(TrainStep, events)


def test_commands_are_carried_out_between_two_steps(tmp_path: Path) -> None:
    control = RunControl()
    seen: list[tuple[type, int]] = []
    for event in stepping(config_of(steps=8), tmp_path / "run", control):
        if isinstance(event, TrainStep) and event.step in (3, 5):
            control.post("save" if event.step == 3 else "preview")
        if isinstance(event, CheckpointSaved):
            assert_saved(tmp_path / "run", event.step)
        if isinstance(event, CheckpointSaved | Preview):
            seen.append((type(event), event.step))
    assert seen == [(Preview, 1), (CheckpointSaved, 3), (Preview, 5), (Preview, 8), (CheckpointSaved, 8)]


def test_cancelled_while_its_data_are_read_a_run_leaves_nothing(tmp_path: Path) -> None:
    control = RunControl()
    events: list[TrainEvent] = []
    for event in train(config_of(), tmp_path / "run", device="cpu", control=control):
        events.append(event)
        control.cancel()
    assert [type(event) for event in events] == [Progress] and not (tmp_path / "run").exists()


def test_images_are_held_out_by_chance_and_with_their_labels() -> None:
    labels = torch.arange(300)
    dataset = Dataset("few", labels.view(-1, 1, 1, 1).expand(-1, 1, 28, 28), labels, tuple("0123456789"))
    some = _sample(dataset, config_of())
    assert some and len(some) == HELD_OUT == len(set(some.labels.tolist()))
    assert torch.equal(some.images[:, 0, 0, 0], some.labels)
    assert not torch.equal(some.labels, labels[:HELD_OUT])
    again = _sample(dataset, config_of(seed=5))
    assert again and torch.equal(again.labels, some.labels)  # whatever the run's seed
    for other in ({"image_size": 32}, {"channels": 3}):
        assert _sample(dataset, config_of(model=config_of().model.with_changes(**other).model_dump())) is None


def test_a_student_is_tried_on_no_images(tmp_path: Path, tiny_run: Path) -> None:
    events = run(config_of(steps=2, batch_size=8, teacher_from=str(tiny_run)), tmp_path / "run")
    assert of(RunFinished, events)[0].completed and not of(Validated, events)
    assert load_header(tmp_path / "run" / MODEL_FILE).teacher == str(tiny_run)


def test_closing_the_generator_saves(tmp_path: Path) -> None:
    events = train(config_of(), tmp_path / "run", device="cpu")
    for event in events:
        if isinstance(event, TrainStep) and event.step == 3:
            break
    events.close()  # type: ignore[attr-defined]
    assert_saved(tmp_path / "run", 3)


def test_a_folder_that_holds_a_run_is_not_overwritten(tiny_run: Path) -> None:
    with pytest.raises(BadRequest, match="already holds a run"):
        run(config_of(), tiny_run)


def test_there_must_be_something_to_resume(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no run to resume"):
        run(config_of(), tmp_path, resume=True)


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    stop_after(config_of(), tmp_path / "run", 2)
    state = tmp_path / "run" / STATE_FILE
    state.write_bytes(state.read_bytes()[:-1000])
    with pytest.raises(BadFile, match="damaged"):
        run(config_of(), tmp_path / "run", resume=True)


def test_runs_that_were_cut_short_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path))
    run(config_of(steps=3), tmp_path / "runs" / "whole")
    stop_after(config_of(steps=10), tmp_path / "runs" / "cut", 4)
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / STATE_FILE).write_bytes(b"not a checkpoint")
    found = run_index.unfinished_runs()
    assert [(run.name, run.step, run.progress) for run in found] == [("cut", 4, 0.4)]
    assert found[0].config.steps == 10


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_called_like_its_file_and_trains(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.training.datasets.HELD_OUT", 8)  # images, which take most of such a short run
    config = presets.load(name)
    assert config.name == name and config.note
    changes: dict[str, object] = {"steps": 2, "minutes": None, "epochs": None, "data": "mnist", "batch_size": 4}
    model = config.model
    quick = config.defaults.with_changes(steps=1)
    short = config.with_changes(**changes, defaults=quick.model_dump())
    assert of(RunFinished, run(short, tmp_path / name))[0].completed
    assert ModelConfig.model_validate(model.model_dump()) == model


def test_a_clip_learns_which_caption_is_true(tmp_path: Path) -> None:
    vision = ModelConfig(network="clip", widths=(32, 32), blocks=1, patch=7, embedding=16, vocabulary=vocabulary_size())
    config = config_of(model=vision.model_dump(), steps=40, lr=2e-3)
    events = run(config, tmp_path / "run")
    losses = [event.loss for event in of(TrainStep, events)]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    assert not of(Preview, events)
    with pytest.raises(BadRequest, match="not a diffusion model"):
        list(pipeline.sample(SampleRequest(model=str(tmp_path / "run")), device="cpu"))


def test_the_digit_clips_preset_has_every_word_of_the_captions() -> None:
    assert presets.load("digit-clip").model.vocabulary == vocabulary_size()
