"""The x0 contract, and every target a network can have."""

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ml.diffusion.denoiser import TIME_SCALE, NetworkDenoiser, to_eps, to_score
from ml.diffusion.parameterization import PARAMETERIZATIONS, SIGMA_DATA
from ml.diffusion.schedules import Level, Levels, make_schedule, q_sample
from ml.specs import Prediction, ScheduleName

diffusers: Any = import_module("diffusers")  # what it says of its types does not fit what it does


def fresh(seed: int) -> Tensor:
    return torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("prediction", "schedule"),
    [
        (p, s)
        for p in ("eps", "x0", "v", "flow", "edm")
        for s in ("linear", "cosine", "sigmoid", "flow", "edm")
        if p != "v" or s not in ("flow", "edm")
    ],
)
def test_a_perfect_network_of_any_target_gives_back_the_image(prediction: Prediction, schedule: ScheduleName) -> None:
    x0, eps = fresh(1), fresh(2)
    for level in make_schedule(schedule).grid(7, "karras", 40.0, 0.02)[:-1]:
        alpha, sigma = torch.tensor([level.alpha, level.sigma], dtype=torch.float64)
        x_t = q_sample(x0, eps, level.alpha, level.sigma)
        wanted = PARAMETERIZATIONS[prediction].target(x0, eps, alpha, sigma)
        found = PARAMETERIZATIONS[prediction].to_x0(wanted, x_t, level.alpha, level.sigma)
        torch.testing.assert_close(found, x0)
        torch.testing.assert_close(to_eps(x0, x_t, level), eps)


def test_v_is_that_of_diffusers() -> None:
    scheduler = diffusers.DDPMScheduler(beta_schedule="linear")
    alpha_bar = scheduler.alphas_cumprod[500].double()
    expected = scheduler.get_velocity(fresh(1), fresh(2), torch.tensor([500, 500, 500]))
    found = PARAMETERIZATIONS["v"].target(fresh(1), fresh(2), alpha_bar.sqrt(), (1 - alpha_bar).sqrt())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_preconditioning_is_that_of_diffusers() -> None:
    scheduler = diffusers.EDMEulerScheduler(sigma_data=SIGMA_DATA)
    x_t, output = fresh(1), fresh(2)
    for sigma in (0.01, 0.5, 3.0, 80.0):
        shown = PARAMETERIZATIONS["edm"].scale_input(x_t, 1.0, sigma)
        torch.testing.assert_close(shown, scheduler.precondition_inputs(x_t, sigma))
        expected = scheduler.precondition_outputs(x_t, output, torch.tensor(sigma, dtype=torch.float64))
        torch.testing.assert_close(PARAMETERIZATIONS["edm"].to_x0(output, x_t, 1.0, sigma), expected)


def test_preconditioning_of_a_path_is_that_of_its_noise_level() -> None:
    x_t, output = fresh(1), fresh(2)
    for alpha, sigma in ((0.3, 0.7), (0.6, 0.8), (1.0, 4.0)):
        plain = PARAMETERIZATIONS["edm"].to_x0(output, x_t / alpha, 1.0, sigma / alpha)
        torch.testing.assert_close(PARAMETERIZATIONS["edm"].to_x0(output, x_t, alpha, sigma), plain)
    assert PARAMETERIZATIONS["edm"].to_x0(output, x_t, 0.0, 1.0).isfinite().all()  # pure noise


def test_the_score_is_the_gradient_of_the_log_density() -> None:
    level = Level(0.5, 0.6, 0.8)
    x_t = fresh(1).requires_grad_()
    variance = 0.6**2 * 0.25 + 0.8**2  # of alpha x0 + sigma eps, x0 ~ N(0, 0.5^2)
    (gradient,) = torch.autograd.grad((-(x_t**2) / (2 * variance)).sum(), x_t)
    x0_hat = 0.6 * 0.25 / variance * x_t
    torch.testing.assert_close(to_score(x0_hat, x_t, level), gradient, check_stride=False)


class Zero(nn.Module):
    """Notes the time it is shown, and predicts zero."""

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        self.time = time
        return torch.zeros_like(x)


def test_a_network_gets_time_as_in_ddpm_and_its_output_becomes_x0() -> None:
    network = Zero()
    level = Level(0.5, 0.6, 0.8)
    found = NetworkDenoiser(network, "eps")(fresh(1), level, torch.zeros(3, dtype=torch.long))
    assert network.time.tolist() == [0.5 * TIME_SCALE]
    torch.testing.assert_close(found, fresh(1) / 0.6)


def test_the_flow_is_the_straight_line_from_noise_to_image() -> None:
    x0, eps = fresh(1), fresh(2)
    ones = torch.ones(1, dtype=torch.float64)
    u = PARAMETERIZATIONS["flow"].target(x0, eps, 0.3 * ones, 0.7 * ones)
    x_t = q_sample(x0, eps, 0.3, 0.7)
    for s in (0.0, 0.2, 1.0):  # dx/dt = u everywhere on the path
        torch.testing.assert_close(x_t + (s - 0.7) * u, q_sample(x0, eps, 1 - s, s))


class Perfect(nn.Module):
    """Knows image and noise, and answers what it should, whatever it is shown; remembers what that was."""

    def __init__(self, prediction: Prediction, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> None:
        super().__init__()
        self.answer = PARAMETERIZATIONS[prediction].target(x0, eps, alpha, sigma)

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        self.shown, self.time = x, time
        return self.answer


@pytest.mark.parametrize("prediction", ["eps", "x0", "v", "flow", "edm"])
def test_every_image_may_have_a_level_of_its_own(prediction: Prediction) -> None:
    x0, eps = fresh(1), fresh(2)
    t = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    angle = (t * torch.pi / 2).view(-1, 1, 1, 1)
    levels = Levels(t, angle.cos(), angle.sin())
    network = Perfect(prediction, x0, eps, levels.alpha, levels.sigma)
    x_t = q_sample(x0, eps, levels.alpha, levels.sigma)
    found = NetworkDenoiser(network, prediction)(x_t, levels, torch.zeros(3, dtype=torch.long))
    torch.testing.assert_close(found, x0)
    assert network.time.tolist() == pytest.approx([200, 500, 900])
    unit = (levels.sigma**2 + (levels.alpha * SIGMA_DATA) ** 2).sqrt() if prediction == "edm" else torch.ones(1)
    torch.testing.assert_close(network.shown, (x_t / unit).to(x_t.dtype))
