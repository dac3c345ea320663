"""What training minimises: losses, their weights and the images they see, against formulas."""

import math

import pytest
import torch
from torch import Tensor, nn

from ml.config import ModelConfig, TrainConfig
from ml.data.augment import distort
from ml.diffusion.denoiser import TIME_SCALE
from ml.diffusion.parameterization import MIN_SNR_GAMMA, PARAMETERIZATIONS, loss_weight
from ml.diffusion.schedules import DiscreteSchedule, EdmSchedule, Levels, Schedule, make_schedule, q_sample, schedule_of
from ml.specs import Prediction, ScheduleName
from ml.training.losses import classifier_loss, diffusion_loss, noised

PATHS: list[tuple[Prediction, ScheduleName]] = [
    ("eps", "linear"),
    ("x0", "cosine"),
    ("v", "cosine"),
    ("v", "sigmoid"),
    ("flow", "flow"),
    ("edm", "edm"),
    ("edm", "flow"),
]
IMAGE = torch.tensor([[-1.0, 0.2], [0.5, 1.0]]).view(1, 1, 2, 2)


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


class Omniscient(nn.Module):
    """The exact network for images that all equal IMAGE; `off` is added to its target."""

    def __init__(self, config: TrainConfig, off: float = 0.0) -> None:
        super().__init__()
        self.prediction: Prediction = config.model.prediction
        self.schedule, self.off = schedule_of(config.model), off

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        sigma = time / TIME_SCALE
        alpha = 1 - sigma
        if isinstance(self.schedule, DiscreteSchedule):
            bar = torch.from_numpy(self.schedule.alpha_bar)[(sigma * self.schedule.timesteps).round().long()]
            alpha, sigma = bar.sqrt(), (1 - bar).sqrt()
        if isinstance(self.schedule, EdmSchedule):
            low, high = math.log(0.002), math.log(80)
            alpha, sigma = torch.ones_like(sigma), torch.exp(low + sigma * (high - low))
        alpha, sigma = alpha.view(-1, 1, 1, 1), sigma.view(-1, 1, 1, 1)
        if self.prediction == "edm":  # it is shown x_t scaled to unit variance
            x = x * (sigma**2 + (0.5 * alpha) ** 2).sqrt()
        return PARAMETERIZATIONS[self.prediction].target(IMAGE, (x - alpha * IMAGE) / sigma, alpha, sigma) + self.off


def loss_of(config: TrainConfig, off: float) -> float:
    x0, labels = IMAGE.repeat(500, 1, 1, 1), torch.zeros(500).long()
    return mean_loss(Omniscient(config, off), x0, labels, schedule_of(config.model), config)


def mean_loss(
    network: nn.Module, x0: Tensor, labels: Tensor, schedule: Schedule, config: TrainConfig, seed: int = 0
) -> float:
    batch = noised(x0, labels, schedule, config, torch.Generator().manual_seed(seed))
    losses = diffusion_loss(network, batch, config)
    assert losses.shape == (len(x0),)
    return float(losses.mean())


@pytest.mark.parametrize("weighting", ["none", "min-snr"])
@pytest.mark.parametrize(("prediction", "schedule"), PATHS)
def test_the_exact_target_has_no_loss(prediction: Prediction, schedule: ScheduleName, weighting: str) -> None:
    assert loss_of(config_of(prediction, schedule, weighting=weighting), 0.0) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("off", "mse", "huber"), [(0.5, 0.25, 0.125), (3.0, 9.0, 2.5)])
def test_errors_cost_their_square_or_beyond_one_their_size(off: float, mse: float, huber: float) -> None:
    assert loss_of(config_of("flow", "flow", loss="mse"), off) == pytest.approx(mse, rel=1e-3)
    assert loss_of(config_of("flow", "flow", loss="huber"), off) == pytest.approx(huber, rel=1e-3)


def test_a_model_without_classes_gets_one_label_only() -> None:
    network = Labels()
    config = config_of("flow", "flow", label_dropout=0.5)
    config = config.with_changes(model=config.model.with_changes(num_classes=0).model_dump())
    mean_loss(network, torch.zeros(20, 1, 2, 2), torch.arange(20), make_schedule("flow"), config)
    assert not network.seen[0].any()


def test_one_label_in_ten_is_hidden() -> None:
    network = Labels()
    config = config_of("flow", "flow", label_dropout=0.1)
    x0, labels = torch.zeros(5000, 1, 2, 2), torch.arange(5000) % 10
    mean_loss(network, x0, labels, make_schedule("flow"), config)
    shown = network.seen[0]
    assert 400 < int((shown == 10).sum()) < 600
    assert torch.equal(shown[shown != 10], labels[shown != 10])


@pytest.mark.parametrize(("prediction", "schedule"), PATHS)
def test_an_ignorant_network_loses_as_much_as_its_target_varies(prediction: Prediction, schedule: ScheduleName) -> None:
    config = config_of(prediction, schedule)
    x0 = torch.zeros(4000, 1, 2, 2)
    loss = mean_loss(Labels(), x0, torch.zeros(4000).long(), make_schedule(schedule), config, seed=1)
    levels = make_schedule(schedule).draw(4000, torch.Generator().manual_seed(1), config.time_mean, config.time_std)
    # With x0 = 0 the targets are eps, 0, alpha eps, eps, and what EDM takes back of the noise, -c_skip sigma / c_out.
    edm = (0.5 * levels.alpha).square() / (levels.sigma.square() + (0.5 * levels.alpha).square())
    expected = {
        "eps": 1.0, "x0": 0.0, "v": float(levels.alpha.square().mean()), "flow": 1.0, "edm": float(edm.mean())
    }[prediction]  # fmt: skip
    assert loss == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(("prediction", "schedule"), PATHS)
def test_min_snr_weighs_every_target_as_min_snr_5_weighs_x0(prediction: Prediction, schedule: ScheduleName) -> None:
    rng = torch.Generator().manual_seed(2)
    levels = Levels(*(part.double() for part in make_schedule(schedule).draw(64, rng, 0.0, 1.0)))
    x0, eps, guess = (torch.randn(64, 1, 4, 4, generator=rng, dtype=torch.float64) for _ in range(3))
    x_t = q_sample(x0, eps, levels.alpha, levels.sigma)
    implied = (x_t - levels.alpha * guess) / levels.sigma  # the eps that belongs to the guess of x0
    target = PARAMETERIZATIONS[prediction].target
    off = target(guess, implied, levels.alpha, levels.sigma) - target(x0, eps, levels.alpha, levels.sigma)
    weight = loss_weight(levels, config_of(prediction, schedule, weighting="min-snr")).view(-1, 1, 1, 1)
    snr = (levels.alpha / levels.sigma).square().clamp(max=MIN_SNR_GAMMA)
    torch.testing.assert_close(weight * off.square(), snr * (guess - x0).square(), rtol=1e-4, atol=0)


def test_distorted_digits_stay_digits_on_black_paper() -> None:
    x = torch.full((16, 1, 28, 28), -1.0)
    x[:, :, 10:18, 10:18] = 1.0
    out = distort(x, torch.Generator().manual_seed(0))
    assert out.shape == x.shape and not torch.equal(out, x)
    assert float(out.min()) >= -1 and float(out.max()) <= 1.001
    assert bool((out[:, :, 0, :] == -1).all())
    ink = (out + 1).sum(dim=(1, 2, 3)) / (x + 1).sum(dim=(1, 2, 3))
    assert float(ink.min()) > 0.7 and float(ink.max()) < 1.4


def test_distortions_leave_blank_paper_blank_and_differ_from_image_to_image() -> None:
    blank = torch.full((8, 3, 16, 16), -1.0)
    torch.testing.assert_close(distort(blank, torch.Generator().manual_seed(0)), blank)
    same = torch.full((2, 1, 28, 28), -1.0)
    same[:, :, 6:20, 12:16] = 1.0
    first, second = distort(same, torch.Generator().manual_seed(0))
    assert not torch.equal(first, second)


def test_a_distortion_of_nothing_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    monkeypatch.setattr(torch, "rand", lambda *shape, **more: torch.full(shape, 0.5))  # the middle of every range
    torch.testing.assert_close(distort(x, torch.Generator()), x, rtol=0, atol=1e-5)


def test_digits_are_shifted_by_two_pixels_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    dot = torch.full((1, 1, 28, 28), -1.0)
    dot[..., 14, 14] = 1.0
    draws = torch.full((6, 1), 0.5)
    draws[4:] = torch.tensor([[1.0], [0.0]])  # the furthest there is: dx = 1, dy = -1
    monkeypatch.setattr(torch, "rand", lambda *shape, **more: draws)
    moved = distort(dot, torch.Generator())
    assert divmod(int(moved.argmax()), 28) == (16, 12) and float(moved.max()) == pytest.approx(1.0, abs=1e-4)


class Sure(nn.Module):
    """Gives every image the same logits."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tensor([[2.0, 0.0, -1.0, 0.5]]).repeat(len(x), 1)


def test_a_classifier_loses_smoothed_cross_entropy() -> None:
    losses = classifier_loss(Sure(), torch.zeros(3, 1, 8, 8), torch.tensor([0, 2, 0]))
    surprise = -torch.tensor([2.0, 0.0, -1.0, 0.5]).log_softmax(0)
    expected = [0.95 * float(surprise[label]) + 0.05 * float(surprise.mean()) for label in (0, 2, 0)]
    assert losses.tolist() == pytest.approx(expected)


def test_the_noise_of_a_batch_goes_from_clean_to_pure() -> None:
    config = config_of("flow", "flow", time_std=3.0)
    x0 = torch.zeros(2000, 1, 2, 2)
    batch = noised(x0, torch.zeros(2000).long(), make_schedule("flow"), config, torch.Generator().manual_seed(0))
    spread = batch.input.std(dim=(1, 2, 3))  # x0 = 0: what is seen is noise times sigma
    order = batch.noise.argsort()
    assert 0 < float(batch.noise.min()) < 0.05 and 0.95 < float(batch.noise.max()) < 1
    assert float(spread[order[:100]].mean()) < 0.1 and float(spread[order[-100:]].mean()) > 0.7


@pytest.mark.parametrize(("mean", "uniform", "share"), [(-20.0, 0.0, 0.0), (-20.0, 0.5, 0.5), (20.0, 0.0, 1.0)])
def test_noise_levels_are_drawn_as_configured(mean: float, uniform: float, share: float) -> None:
    config = config_of("flow", "flow", time_mean=mean, time_std=0.1, time_uniform=uniform)
    x0 = torch.zeros(2000, 1, 2, 2)
    batch = noised(x0, torch.zeros(2000).long(), make_schedule("flow"), config, torch.Generator().manual_seed(0))
    assert float((batch.time > 1).float().mean()) == pytest.approx(share, abs=0.05)
    assert float(batch.time.max()) == pytest.approx(1000 if share else 0, abs=10)


def test_the_loss_of_an_image_is_weighted_by_its_noise() -> None:
    plain, weighted = (config_of("flow", "flow", weighting=each) for each in ("none", "min-snr"))
    x0, labels = IMAGE.repeat(50, 1, 1, 1), torch.zeros(50).long()
    losses = []
    for config in (plain, weighted):
        batch = noised(x0, labels, schedule_of(config.model), config, torch.Generator().manual_seed(0))
        losses.append(diffusion_loss(Omniscient(config, 0.5), batch, config))
    torch.testing.assert_close(losses[1], losses[0] * batch.weight)
    assert float(batch.weight.std()) > 0.05 and torch.equal(batch.noise, batch.noise.clamp(0, 1))


def test_words_are_hidden_whole() -> None:
    config = config_of("flow", "flow", label_dropout=0.5)
    words, null = torch.arange(1, 1 + 3 * 40).view(40, 3), torch.tensor([500, 600, 0])
    batch = noised(
        torch.zeros(40, 1, 2, 2), words, make_schedule("flow"), config, torch.Generator().manual_seed(0), null
    )
    hidden = (batch.labels == null).all(dim=1)
    assert 8 < int(hidden.sum()) < 32 and torch.equal(batch.labels[~hidden], words[~hidden])


COS, SIN = math.cos(math.radians(12)), math.sin(math.radians(12))


@pytest.mark.parametrize(
    ("which", "matrix"),
    [
        (0, [[COS, -SIN], [SIN, COS]]),
        (1, [[1.12, 0.0], [0.0, 1.0]]),
        (2, [[1.0, 0.0], [0.0, 1.12]]),
        (3, [[1.0, 0.15], [0.0, 1.0]]),
    ],
    ids=["angle", "width", "height", "shear"],
)
def test_digits_are_distorted_within_the_limits(
    which: int, matrix: list[list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = torch.full((6, 1), 0.5)
    draws[which] = 1.0  # the furthest there is
    monkeypatch.setattr(torch, "rand", lambda *shape, **more: draws)
    place = (torch.arange(28) + 0.5) / 14 - 1
    for row, ramp in zip(matrix, (place.expand(28, 28), place[:, None].expand(28, 28)), strict=True):
        found = distort(0.5 * ramp[None, None], torch.Generator())[0, 0, 9:19, 9:19]  # the image is its own ruler
        expected = 0.5 * (row[0] * place[None, 9:19] + row[1] * place[9:19, None])
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
