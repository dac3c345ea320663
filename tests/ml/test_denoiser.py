"""The x0 contract, guidance, and every target a network can have."""

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ml.config import Prediction, SampleSettings, ScheduleName
from ml.denoiser import TIME_SCALE, NetworkDenoiser, target, to_eps, to_x0
from ml.guidance import classifier_free, clipped, conditional
from ml.schedules import Level, make_schedule, q_sample

diffusers: Any = import_module("diffusers")  # what it says of its types does not fit what it does


def fresh(seed: int) -> Tensor:
    return torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("prediction", "schedule"),
    [(p, s) for p in ("eps", "x0", "v", "flow") for s in ("linear", "cosine", "flow") if (p, s) != ("v", "flow")],
)
def test_a_perfect_network_of_any_target_gives_back_the_image(prediction: Prediction, schedule: ScheduleName) -> None:
    x0, eps = fresh(1), fresh(2)
    for level in make_schedule(schedule).grid(7, "karras", 40.0, 0.02)[:-1]:
        alpha, sigma = torch.tensor(level.alpha).double(), torch.tensor(level.sigma).double()
        x_t = q_sample(x0, eps, level.alpha, level.sigma)
        wanted = target(prediction, x0, eps, alpha, sigma)
        found = to_x0(prediction, wanted, x_t, level.alpha, level.sigma)
        torch.testing.assert_close(found, x0, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(to_eps(x0, x_t, level), eps)


def test_v_is_that_of_diffusers() -> None:
    scheduler = diffusers.DDPMScheduler(beta_schedule="linear")
    alpha_bar = scheduler.alphas_cumprod[500].double()
    expected = scheduler.get_velocity(fresh(1), fresh(2), torch.tensor([500, 500, 500]))
    found = target("v", fresh(1), fresh(2), alpha_bar.sqrt(), (1 - alpha_bar).sqrt())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


class Recorder(nn.Module):
    """A network that gives each image the number of its label, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, Tensor, Tensor]] = []

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        self.calls.append((len(x), time, labels))
        return labels.to(x.dtype).view(-1, 1, 1, 1) * torch.ones_like(x)


LEVEL = Level(0.5, 0.5, 0.5)


def test_a_network_sees_time_as_in_ddpm() -> None:
    network = Recorder()
    NetworkDenoiser(network, "x0")(fresh(1), LEVEL, torch.zeros(3, dtype=torch.long))
    assert network.calls[0][1].tolist() == [0.5 * TIME_SCALE]


@pytest.mark.parametrize("w", [0.0, 0.5, 2.0, 7.5])
def test_guidance_is_linear_between_and_beyond_both_branches_in_one_call(w: float) -> None:
    network = Recorder()
    labels = torch.tensor([1, 2, 3])
    denoise = classifier_free(NetworkDenoiser(network, "x0"), labels, 10, SampleSettings(guidance=w))
    found = denoise(fresh(1), LEVEL)
    assert found[:, 0, 0, 0].tolist() == pytest.approx([10 + w * (k - 10) for k in (1, 2, 3)])
    assert [count for count, *_ in network.calls] == [6]


def test_without_guidance_only_the_conditional_branch_runs() -> None:
    network = Recorder()
    labels = torch.tensor([1, 2, 3])
    model = NetworkDenoiser(network, "x0")
    found = classifier_free(model, labels, 10, SampleSettings(guidance=1.0))(fresh(1), LEVEL)
    assert torch.equal(found, conditional(model, labels)(fresh(1), LEVEL))
    assert [count for count, *_ in network.calls] == [3, 3]


@pytest.mark.parametrize(("low", "high", "calls"), [(0.0, 1e4, 6), (2.0, 1e4, 3), (0.0, 0.5, 3), (0.9, 1.1, 6)])
def test_guidance_acts_in_its_interval_of_noise_levels(low: float, high: float, calls: int) -> None:
    network = Recorder()
    settings = SampleSettings(guidance=2.0, guidance_from=low, guidance_to=high)
    classifier_free(NetworkDenoiser(network, "x0"), torch.tensor([1, 2, 3]), 10, settings)(fresh(1), LEVEL)
    assert network.calls[0][0] == calls


def test_clipping_is_to_the_range_of_the_data() -> None:
    assert clipped(lambda x, level: 5 * x)(fresh(1), LEVEL).abs().max() == 1
