"""Optimisers, learning-rate schedules and averaged weights, against torch's own and against their formulas."""

import pytest
import torch
from torch import nn

from ml.config import ModelConfig, TrainConfig
from ml.models import build
from ml.training.ema import PowerEma
from ml.training.lr_schedule import lr_factor
from ml.training.muon import orthogonalize
from ml.training.optimizers import ConvMuon, Learner, Optimizer


def config_of(**more: object) -> TrainConfig:
    model = ModelConfig(widths=(8,), embedding=16)
    return TrainConfig.model_validate({"model": model.model_dump(), "steps": 10, **more})


def test_onecycle_is_that_of_torch() -> None:
    config = config_of(lr_schedule="onecycle", warmup=0.29, lr=0.1)
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    # torch's rise lasts pct_start * total_steps - 1 steps: 29 of 100 here.
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=101, pct_start=30 / 101)
    for step in range(101):
        expected = reference.get_last_lr()[0]
        assert 0.1 * lr_factor(config, step / 100) == pytest.approx(expected, abs=1e-6)
        optimizer.step()
        if step < 100:
            reference.step()


@pytest.mark.parametrize(
    ("schedule", "halfway", "end"), [("linear", 0.5, 0.0), ("cosine", 0.5, 0.0), ("constant", 1.0, 1.0)]
)
def test_learning_rates_warm_up_and_come_down(schedule: str, halfway: float, end: float) -> None:
    config = config_of(lr_schedule=schedule, warmup=0.2)
    for share in (0.0, 0.25, 0.5, 0.95):
        assert lr_factor(config, 0.2 * share) == pytest.approx(share)
    assert lr_factor(config, 0.2) == pytest.approx(1.0)
    assert lr_factor(config, 0.6) == pytest.approx(halfway, abs=1e-6)
    assert lr_factor(config, 1.0) == pytest.approx(end, abs=1e-5)


def test_muon_on_convolutions_is_torch_muon_on_their_matrices() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(8, 4, 3, 3), (8, 16, 3, 3), (32, 8, 1, 1), (16, 16, 3, 3), (8, 4, 3, 3)]
    before = [torch.randn(shape, generator=generator) for shape in shapes]
    convs = [nn.Parameter(weight.clone(memory_format=torch.channels_last)) for weight in before]
    matrices = [nn.Parameter(as_matrix(weight).clone()) for weight in before]
    ours, theirs = ConvMuon(convs, 0.02, 0.1), torch.optim.Muon(matrices, lr=0.02, weight_decay=0.1, nesterov=True)
    for _ in range(3):
        for conv, matrix in zip(convs, matrices, strict=True):
            conv.grad = torch.randn(conv.shape, generator=generator)
            matrix.grad = as_matrix(conv.grad)
        ours.step()
        theirs.step()
    for weight, conv, matrix in zip(before, convs, matrices, strict=True):
        moved, wanted = as_matrix(conv.detach() - weight), matrix.detach() - as_matrix(weight)
        assert (moved - wanted).norm() <= 0.03 * wanted.norm()  # theirs rounds to bfloat16
    assert ours.inner.state_dict()["state"][0].keys() == theirs.state_dict()["state"][0].keys()  # for checkpoints


def as_matrix(weight: torch.Tensor) -> torch.Tensor:
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)


@pytest.mark.parametrize("shape", [(8, 8), (8, 40), (40, 8), (128, 1152)])
def test_newton_schulz_moves_singular_values_along_its_polynomial(shape: tuple[int, int]) -> None:
    """X -> a X + b X X^T X + c (X X^T)^2 X on singular values alone, in float64."""
    generator = torch.Generator().manual_seed(1)
    others = torch.randn(8, 20, generator=generator)
    matrix = torch.randn(shape, generator=generator)
    found, _ = orthogonalize([matrix, others])
    u, s, v = torch.linalg.svd(matrix.double(), full_matrices=False)
    s /= s.norm()
    for _ in range(5):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    torch.testing.assert_close(found.double(), u * s @ v, atol=1e-4, rtol=1e-4)
    assert 0.5 < torch.linalg.svdvals(found)[: min(shape) // 2].min() <= torch.linalg.svdvals(found).max() < 1.3


def test_newton_schulz_is_finite_for_matrices_of_rank_zero_and_one() -> None:
    nothing, lonely = torch.zeros(8, 12), torch.outer(torch.ones(8), torch.ones(12))
    none, one = orthogonalize([nothing, lonely])
    assert not none.any()
    assert torch.linalg.svdvals(one)[0] == pytest.approx(0.9, abs=0.4)
    assert torch.linalg.svdvals(one)[1] < 0.1


def test_convolutions_in_another_memory_order_are_refused() -> None:
    with pytest.raises(ValueError, match="channels_last"):
        ConvMuon([nn.Parameter(torch.zeros(8, 4, 3, 3))], 0.02, 0.0)


def test_muon_has_the_inner_convolutions_and_adam_the_rest() -> None:
    config = config_of(optimizer="muon")
    network = build(config.model).to(memory_format=torch.channels_last)
    optimizer = Optimizer(network, config)
    counts = {name: sum(p.numel() for p in part.param_groups[0]["params"]) for name, part in optimizer.parts.items()}
    inner = [p for n, p in network.named_parameters() if n.split(".")[0] in ("down", "middle", "up") and p.ndim == 4]
    assert counts["muon."] == sum(p.numel() for p in inner) > 0
    assert counts["adam."] + counts["muon."] == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "muon"])
def test_the_learning_rate_is_that_of_the_step(optimizer: str) -> None:
    config = config_of(optimizer=optimizer, lr=0.01)
    network = build(config.model).to(memory_format=torch.channels_last)
    before = [weight.detach().clone() for weight in network.parameters()]
    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)
    Optimizer(network, config).step(0.0)
    assert all(torch.equal(now, then) for now, then in zip(network.parameters(), before, strict=True))


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "muon"])
def test_every_optimizer_moves_every_weight(optimizer: str) -> None:
    config = config_of(optimizer=optimizer, lr=0.01)
    network = build(config.model).to(memory_format=torch.channels_last)
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)
    Optimizer(network, config).step(0.01)
    assert [name for name, weight in network.named_parameters() if torch.equal(weight, before[name])] == []


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam)])
def test_adam_is_that_of_torch_with_its_settings(name: str, kind: type[torch.optim.Optimizer]) -> None:
    generator = torch.Generator().manual_seed(0)
    network, same = nn.Linear(3, 2), nn.Linear(3, 2)
    same.load_state_dict(network.state_dict())
    ours = Optimizer(network, config_of(optimizer=name, lr=0.5, weight_decay=0.3))
    theirs = kind(same.parameters(), lr=0.01, weight_decay=0.3, betas=(0.9, 0.99))  # type: ignore[call-arg]
    for _ in range(4):
        for one, other in zip(network.parameters(), same.parameters(), strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        ours.step(0.01)
        theirs.step()
    for one, other in zip(network.parameters(), same.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_weights_decay_under_muon_too() -> None:
    config = config_of(optimizer="muon", lr=0.1, weight_decay=0.5)
    network = build(config.model).to(memory_format=torch.channels_last)
    before = [weight.detach().clone() for weight in network.parameters()]
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    Optimizer(network, config).step(0.1)
    for now, then in zip(network.parameters(), before, strict=True):
        torch.testing.assert_close(now.detach(), then * (1 - 0.1 * 0.5))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_cleared_learner_has_only_the_names_of_a_saved_state(optimizer: str) -> None:
    config = config_of(optimizer=optimizer, lr=0.1, weight_decay=0.5)
    learner = Learner(build(config.model).to(memory_format=torch.channels_last), config)
    for weight in learner.network.parameters():
        weight.grad = torch.ones_like(weight)
    learner.step(0.1)
    kept = {name: tensor.clone() for name, tensor in learner.tensors().items()}
    learner.clear(stepped=True)
    cleared = learner.tensors()
    assert cleared.keys() == kept.keys()
    assert all(torch.equal(cleared[name], kept[name]) for name in kept if name.startswith("net."))
    assert not any(cleared[name].any() for name in kept if not name.startswith("net.") and not name.endswith("step"))
    learner.clear(stepped=False)
    assert all(name.startswith("net.") for name in learner.tensors())
    with torch.no_grad():
        for weight in learner.network.parameters():
            weight.zero_()
    learner.clear(stepped=True)
    learner.restore(kept)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in learner.tensors().items())


def test_the_average_follows_the_power_law() -> None:
    network = nn.Linear(1, 1, bias=False)
    ema = PowerEma(network, gamma=5)
    history = [float(x) for x in torch.randn(50, generator=torch.Generator().manual_seed(0))]
    for step, value in enumerate(history, 1):
        with torch.no_grad():
            network.weight.fill_(value)
        ema.update(network, step)
    ends = [(k / 50) ** 6 for k in range(51)]  # Karras et al. 2024: weights in proportion to t^gamma, to first order
    products, expected = 1.0, 0.0
    for step in range(50, 0, -1):
        beta = (1 - 1 / step) ** 6
        expected += products * (1 - beta) * history[step - 1]
        products *= beta
    averaged = next(ema.network.parameters())
    assert float(averaged) == pytest.approx(expected, rel=1e-5)
    assert float(averaged) == pytest.approx(
        sum((b - a) * x for a, b, x in zip(ends, ends[1:], history, strict=False)), rel=1e-5
    )
    assert not averaged.requires_grad


def test_the_first_step_is_taken_over_whole_and_buffers_always() -> None:
    network = nn.BatchNorm1d(2)
    ema = PowerEma(network, gamma=5)
    for step in (1, 2):
        with torch.no_grad():
            network.weight.fill_(3.0 * step)
        network(torch.randn(16, 2, generator=torch.Generator().manual_seed(step)))
        ema.update(network, step)
        average = dict(ema.network.named_buffers())
        assert all(torch.equal(average[name], buffer) for name, buffer in network.named_buffers())
        expected = 3.0 if step == 1 else 3.0 + 3.0 * (1 - 0.5**6)
        assert dict(ema.network.named_parameters())["weight"].tolist() == pytest.approx([expected] * 2)
    assert not ema.network.training
