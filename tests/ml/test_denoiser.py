"""The x0 contract, and every target a network can have."""

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ml.config import Prediction, ScheduleName
from ml.denoiser import TIME_SCALE, NetworkDenoiser, target, to_eps, to_x0
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
        alpha, sigma = torch.tensor([level.alpha, level.sigma], dtype=torch.float64)
        x_t = q_sample(x0, eps, level.alpha, level.sigma)
        wanted = target(prediction, x0, eps, alpha, sigma)
        found = to_x0(prediction, wanted, x_t, level.alpha, level.sigma)
        torch.testing.assert_close(found, x0)
        torch.testing.assert_close(to_eps(x0, x_t, level), eps)


def test_v_is_that_of_diffusers() -> None:
    scheduler = diffusers.DDPMScheduler(beta_schedule="linear")
    alpha_bar = scheduler.alphas_cumprod[500].double()
    expected = scheduler.get_velocity(fresh(1), fresh(2), torch.tensor([500, 500, 500]))
    found = target("v", fresh(1), fresh(2), alpha_bar.sqrt(), (1 - alpha_bar).sqrt())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


class Zero(nn.Module):
    """Notes the time it is shown, and predicts zero."""

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        self.time = time
        return torch.zeros_like(x)


def test_a_network_sees_time_as_in_ddpm_and_its_output_becomes_x0() -> None:
    network = Zero()
    level = Level(0.5, 0.6, 0.8)
    found = NetworkDenoiser(network, "eps")(fresh(1), level, torch.zeros(3, dtype=torch.long))
    assert network.time.tolist() == [0.5 * TIME_SCALE]
    torch.testing.assert_close(found, fresh(1) / 0.6)


def test_the_flow_is_the_straight_line_from_noise_to_image() -> None:
    x0, eps = fresh(1), fresh(2)
    ones = torch.ones(1, dtype=torch.float64)
    u = target("flow", x0, eps, 0.3 * ones, 0.7 * ones)
    x_t = q_sample(x0, eps, 0.3, 0.7)
    for s in (0.0, 0.2, 1.0):  # dx/dt = u everywhere on the path
        torch.testing.assert_close(x_t + (s - 0.7) * u, q_sample(x0, eps, 1 - s, s))
