"""The state of a run by itself, step by step: what it learns from, what it shows, and what it writes."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ml.data import datasets
from ml.data.dataset import Dataset
from ml.errors import BadFile
from ml.events import TrainStep
from ml.registry.checkpoint import KEY, load_header, load_state_header
from ml.registry.run_layout import MODEL_FILE, SNAPSHOTS, STATE_FILE
from ml.system.device import choose_device
from ml.training.lr_schedule import lr_factor
from ml.training.optimizers import Learner
from ml.training.run import Run
from tests.support.tiny_model import few_digits, tiny_config

Maker = Callable[..., Run]
JUDGE = {"network": "judge", "widths": [8, 16], "embedding": 16, "dropout": 0.2}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Dataset]:
    """Some to train on, and some that are held out."""
    root = few_digits(tmp_path_factory.mktemp("digits"))
    return datasets.load("mnist", root), datasets.load("mnist", root, "test")


@pytest.fixture
def make(tmp_path: Path, digits: tuple[Dataset, Dataset]) -> Maker:
    def make(**changes: object) -> Run:
        config = tiny_config(**{"data": "mnist", "batch_size": 8} | changes)
        return Run(config, tmp_path, choose_device("cpu"), digits[0], held_out=digits[1])

    return make


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


def shift(network: torch.nn.Module) -> None:
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05)


def test_weights_order_and_noise_follow_from_the_seed(make: Maker) -> None:
    one, same, other = make(seed=1), make(seed=1), make(seed=2)
    assert torch.equal(weights(one.network), weights(same.network))
    assert not torch.equal(weights(one.network), weights(other.network))
    assert torch.equal(one.batches.batch(0), same.batches.batch(0))
    assert not torch.equal(one.batches.batch(0), other.batches.batch(0))
    assert torch.equal(one.rng.get_state(), same.rng.get_state())
    assert not torch.equal(one.rng.get_state(), other.rng.get_state())


def test_previews_show_the_averaged_weights_and_change_nothing(make: Maker) -> None:
    run = make()
    before = run.rng.get_state(), torch.get_rng_state()
    loss, film = run.validate().loss, run.preview().film
    shift(run.network)
    assert run.validate().loss == loss and (run.preview().film == film).all()
    assert torch.equal(run.rng.get_state(), before[0]) and torch.equal(torch.get_rng_state(), before[1])
    shift(run.ema.network)
    preview = run.preview()
    assert run.validate().loss != loss and (preview.film[0] == film[0]).all() and (preview.film[-1] != film[-1]).any()


@pytest.mark.parametrize(("asked", "shown"), [(4, 4), (50, 10)])
def test_a_preview_is_a_glance_at_one_digit_of_each_class(make: Maker, asked: int, shown: int) -> None:
    preview = make(defaults={"steps": asked}).preview()
    assert preview.film.shape == (shown + 1, 10, 28, 28)
    assert preview.labels == tuple(range(10)) and (preview.images == preview.film[-1]).all()


def test_the_model_file_has_the_average_and_the_checkpoint_both(make: Maker, tmp_path: Path) -> None:
    run = make()
    for _ in range(3):
        run.train_step()
    run.save()
    model, tensors = load_file(tmp_path / MODEL_FILE), load_file(tmp_path / STATE_FILE)
    for prefix, network in (("ema.", run.ema.network), ("net.", run.network)):
        assert all(torch.equal(tensors[f"{prefix}{name}"], tensor) for name, tensor in network.state_dict().items())
    assert all(torch.equal(model[name], tensor) for name, tensor in run.ema.network.state_dict().items())
    assert not torch.equal(weights(run.ema.network), weights(run.network))
    header = load_header(tmp_path / MODEL_FILE)
    assert (header.name, header.data, header.device) == ("tiny", "mnist", run.device.name)
    assert (header.steps, header.images, header.seconds) == (3, 24, round(run.elapsed_s, 1))
    assert (header.model, header.defaults) == (run.config.model, run.config.defaults)
    state = load_state_header(tmp_path / STATE_FILE)
    assert (run.saved_step, state.step, state.images, state.elapsed_s) == (3, 3, 24, run.elapsed_s)
    assert (state.smooth_loss, state.scale) == (run.curve.smooth, run.curve.scale) and state.scale
    assert (state.slowed, state.parts, state.progress) == (0, 1, run.progress)


def test_a_state_is_there_before_the_first_step_and_no_model_yet(make: Maker, tmp_path: Path) -> None:
    make().begin()
    assert load_state_header(tmp_path / STATE_FILE).step == 0
    assert not (tmp_path / MODEL_FILE).exists()


def test_snapshots_are_of_the_average_in_half_precision(make: Maker, tmp_path: Path) -> None:
    run = make()
    shift(run.ema.network)
    run.step = 200
    run.snapshot()
    path = tmp_path / SNAPSHOTS / "00000200.safetensors"
    kept = load_file(path)
    assert all(torch.equal(kept[name], tensor.half()) for name, tensor in run.ema.network.state_dict().items())
    assert load_header(path).steps == 200


def test_snapshots_are_due_whenever_steps_have_doubled(make: Maker) -> None:
    for run, steps in ((make(), [100, 200, 400, 800, 1600]), (make(model=JUDGE), [])):
        due: list[int] = []
        for run.step in range(2000):
            due += [run.step] if run.snapshot_due else []
        assert due == steps


@pytest.mark.parametrize("model", [tiny_config().model.model_dump(), JUDGE], ids=["unet", "judge"])
def test_an_incomplete_step_is_undone(make: Maker, model: dict[str, object]) -> None:
    run = make(model=model, accumulate=2, augment="network" in model)
    calls = 0

    def fail(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ValueError("in the second part of the batch")

    hook = run.network.register_forward_hook(fail)
    before = [tensor.clone() for tensor in run.state.tensors().values()]
    with pytest.raises(ValueError, match="second part"):
        run.train_step()
    hook.remove()
    assert run.step == 0 and all(weight.grad is None for weight in run.network.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, run.state.tensors().values(), strict=True))
    assert not run.has_unreported_steps and run.by_noise.take() == ()


def test_the_reported_learning_rate_is_the_one_in_use(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    run, used = make(steps=10, lr_schedule="linear", warmup=0.2, lr=0.01), list[float]()
    step = run.learner.optimizer.step
    monkeypatch.setattr(run.learner.optimizer, "step", lambda lr: (used.append(lr), step(lr)))
    told: list[float] = []
    for _ in range(10):
        run.train_step()
        told.append(run.report().lr)
    assert used == told == [0.01 * lr_factor(run.config, k / 10) for k in range(10)]
    assert used[1] < used[2] > used[9] > 0
    run.learner.share = 0.25
    run.train_step()
    assert used[-1] == run.report().lr == 0.25 * 0.01 * lr_factor(run.config, 1.0)
    assert run.lr == 0.25 * 0.01


@pytest.mark.parametrize(("clip", "moved"), [(0.5, 0.5), (0.0, 5.0), (10.0, 5.0)])
def test_the_reported_gradient_norm_is_that_before_clipping(
    monkeypatch: pytest.MonkeyPatch, clip: float, moved: float
) -> None:
    network, seen = torch.nn.Linear(2, 1, bias=False), list[torch.Tensor]()
    learner, weight = Learner(network, tiny_config(grad_clip=clip)), network.weight
    weight.grad = torch.tensor([[3.0, 4.0]])
    monkeypatch.setattr(
        learner.optimizer, "step", lambda _: seen.extend(g.clone() for g in [weight.grad] if g is not None)
    )
    assert float(learner.step(0.1)) == pytest.approx(5.0)
    assert [float(gradient.norm()) for gradient in seen] == [pytest.approx(moved)] and weight.grad is None


@pytest.mark.parametrize(
    ("native", "precision", "batch_size", "expected"),
    [
        (True, "auto", 16, True),
        (True, "auto", 15, False),
        (False, "auto", 64, False),
        (True, "fp32", 64, False),
        (False, "bf16", 1, True),
    ],
)
def test_precision_is_as_configured_or_the_faster_one(
    make: Maker, monkeypatch: pytest.MonkeyPatch, native: bool, precision: str, batch_size: int, expected: bool
) -> None:
    monkeypatch.setattr("ml.training.run.bf16_is_native", lambda _: native)
    run = make(precision=precision, batch_size=batch_size)
    assert run.bf16 is expected
    with run.microbatches.precision():
        assert torch.is_autocast_enabled("cpu") is expected


def test_a_budget_in_epochs_is_one_in_steps(make: Maker) -> None:
    assert make(steps=None, epochs=0.5).total_steps == 13  # 100 of 200 images, by 8
    assert make(steps=None, epochs=1e-6).total_steps == 1
    run = make(steps=None, epochs=2.0)
    run.step = 10
    assert run.progress == pytest.approx(0.2)


def test_losses_by_noise_are_of_all_steps_since_their_last_report(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.training.run.NOISE_EVERY_S", math.inf)
    run, events = make(steps=3), list[TrainStep]()
    for _ in range(3):
        run.train_step()
        events.append(run.report())
    assert [len(event.by_noise) for event in events] == [0, 0, 10]
    sums, counts = run.by_noise.sums.tolist()
    assert sum(sums) == sum(counts) == 0
    means = [mean for mean in events[-1].by_noise if mean == mean]
    assert min(means) <= sum(event.loss for event in events) / 3 <= max(means)


def test_a_state_of_another_kind_of_device_is_refused_by_name(make: Maker, tmp_path: Path) -> None:
    make().begin()
    path = tmp_path / STATE_FILE
    tensors, header = load_file(path), load_state_header(path)
    save_file(tensors | {"rng": tensors["rng"][:16].clone()}, path, metadata={KEY: header.model_dump_json()})
    with pytest.raises(BadFile, match="not saved on this kind of device"):
        make().restore()


def test_a_state_that_lacks_something_is_refused(make: Maker, tmp_path: Path) -> None:
    make().begin()
    path = tmp_path / STATE_FILE
    tensors, header = load_file(path), load_state_header(path)
    tensors.pop("net.out.bias")
    save_file(tensors, path, metadata={KEY: header.model_dump_json()})
    with pytest.raises(BadFile, match=r"net\.out\.bias: expected .* found nothing"):
        make().restore()
