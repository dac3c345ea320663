"""Losses, optimisers, learning-rate schedules and averaged weights, against their formulas."""

import pytest
import torch
from torch import Tensor, nn

from ml.config import ModelConfig, Prediction, ScheduleName, TrainConfig
from ml.denoiser import target
from ml.ema import PowerEma
from ml.losses import MIN_SNR_GAMMA, diffusion_loss, distort, loss_weight
from ml.models import build
from ml.optim import ConvMuon, Optimizer, lr_factor
from ml.schedules import Levels, make_schedule, q_sample

PATHS: list[tuple[Prediction, ScheduleName]] = [("eps", "linear"), ("x0", "cosine"), ("v", "cosine"), ("flow", "flow")]


def config_of(prediction: Prediction, schedule: ScheduleName, **more: object) -> TrainConfig:
    model = ModelConfig(prediction=prediction, schedule=schedule, widths=(8,), embedding=16)
    return TrainConfig.model_validate({"model": model.model_dump(), "steps": 10, **more})


class Labels(nn.Module):
    """Notes the labels it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        self.seen.append(labels)
        return torch.zeros_like(x)


def test_one_label_in_ten_is_hidden() -> None:
    network = Labels()
    config = config_of("flow", "flow", label_dropout=0.1)
    x0, labels = torch.zeros(5000, 1, 2, 2), torch.arange(5000) % 10
    diffusion_loss(network, x0, labels, make_schedule("flow"), config, torch.Generator().manual_seed(0))
    shown = network.seen[0]
    assert 400 < int((shown == 10).sum()) < 600
    assert torch.equal(shown[shown != 10], labels[shown != 10])


@pytest.mark.parametrize(("prediction", "schedule"), PATHS)
def test_an_ignorant_network_loses_as_much_as_its_target_varies(prediction: Prediction, schedule: ScheduleName) -> None:
    config = config_of(prediction, schedule)
    x0 = torch.zeros(4000, 1, 2, 2)
    generator = torch.Generator().manual_seed(1)
    loss = diffusion_loss(Labels(), x0, torch.zeros(4000).long(), make_schedule(schedule), config, generator)
    levels = make_schedule(schedule).draw(4000, torch.Generator().manual_seed(1), config.time_mean, config.time_std)
    # With x0 = 0 the targets are eps, 0, alpha eps and eps.
    expected = {"eps": 1.0, "x0": 0.0, "v": float(levels.alpha.square().mean()), "flow": 1.0}[prediction]
    assert float(loss) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(("prediction", "schedule"), PATHS)
def test_min_snr_weighs_every_target_as_min_snr_5_weighs_x0(prediction: Prediction, schedule: ScheduleName) -> None:
    rng = torch.Generator().manual_seed(2)
    levels: Levels = make_schedule(schedule).draw(64, rng, 0.0, 1.0)
    x0, eps, guess = (torch.randn(64, 1, 4, 4, generator=rng) for _ in range(3))
    x_t = q_sample(x0, eps, levels.alpha, levels.sigma)
    implied = (x_t - levels.alpha * guess) / levels.sigma  # the eps that belongs to the guess of x0
    off = target(prediction, guess, implied, levels.alpha, levels.sigma) - target(
        prediction, x0, eps, levels.alpha, levels.sigma
    )
    weight = loss_weight(levels, config_of(prediction, schedule, weighting="min-snr")).view(-1, 1, 1, 1)
    snr = (levels.alpha / levels.sigma).square().clamp(max=MIN_SNR_GAMMA)
    torch.testing.assert_close(weight * off.square(), snr * (guess - x0).square(), rtol=2e-2, atol=1e-3)


def test_distorted_digits_stay_digits_on_black_paper() -> None:
    x = torch.full((16, 1, 28, 28), -1.0)
    x[:, :, 10:18, 10:18] = 1.0
    out = distort(x, torch.Generator().manual_seed(0))
    assert out.shape == x.shape and not torch.equal(out, x)
    assert float(out.min()) >= -1 and float(out.max()) <= 1.001
    assert bool((out[:, :, 0, :] == -1).all())
    ink = (out + 1).sum(dim=(1, 2, 3)) / (x + 1).sum(dim=(1, 2, 3))
    assert float(ink.min()) > 0.7 and float(ink.max()) < 1.4


def test_onecycle_is_that_of_torch() -> None:
    config = config_of("flow", "flow", lr_schedule="onecycle", warmup=0.3, lr=0.1)
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=101, pct_start=0.3)
    for step in range(101):
        expected = reference.get_last_lr()[0]
        # torch's ramp ends half a step early: its first phase has pct_start * total - 1 steps.
        assert 0.1 * lr_factor(config, step / 100) == pytest.approx(expected, abs=0.0035)
        optimizer.step()
        if step < 100:
            reference.step()


@pytest.mark.parametrize(
    ("schedule", "halfway", "end"), [("linear", 0.5, 0.0), ("cosine", 0.5, 0.0), ("constant", 1.0, 1.0)]
)
def test_learning_rates_warm_up_and_come_down(schedule: str, halfway: float, end: float) -> None:
    config = config_of("flow", "flow", lr_schedule=schedule, warmup=0.2)
    assert lr_factor(config, 0.1) == pytest.approx(0.5)
    assert lr_factor(config, 0.2) == pytest.approx(1.0)
    assert lr_factor(config, 0.6) == pytest.approx(halfway, abs=1e-6)
    assert lr_factor(config, 1.0) == pytest.approx(end, abs=1e-5)


def test_muon_on_convolutions_is_torch_muon_on_their_matrices() -> None:
    generator = torch.Generator().manual_seed(0)
    weight, grad = (torch.randn(8, 4, 3, 3, generator=generator) for _ in range(2))
    conv = nn.Parameter(weight.clone(memory_format=torch.channels_last))
    matrix = nn.Parameter(weight.permute(0, 2, 3, 1).reshape(8, -1).clone())
    ours, theirs = ConvMuon([conv], 0.02, 0.1), torch.optim.Muon([matrix], lr=0.02, weight_decay=0.1, nesterov=True)
    for _ in range(3):
        conv.grad, matrix.grad = grad.clone(), grad.permute(0, 2, 3, 1).reshape(8, -1)
        ours.step()
        theirs.step()
    torch.testing.assert_close(conv.detach().permute(0, 2, 3, 1).reshape(8, -1), matrix.detach())


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "muon"])
def test_every_optimizer_moves_every_weight(optimizer: str) -> None:
    config = config_of("flow", "flow", optimizer=optimizer, lr=0.01)
    network = build(config.model).to(memory_format=torch.channels_last)
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)
    Optimizer(network, config).step(0.01)
    assert [name for name, weight in network.named_parameters() if torch.equal(weight, before[name])] == []


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
