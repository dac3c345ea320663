"""Schedules and the forward process, against closed forms and against diffusers."""

import math
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from ml.config import ModelConfig, SampleSettings
from ml.diffusion.schedules import (
    CLEAN,
    DiscreteSchedule,
    EdmSchedule,
    FlowSchedule,
    Level,
    grid_of,
    karras_ratios,
    make_schedule,
    q_sample,
    schedule_of,
)
from ml.errors import BadRequest
from ml.specs import ScheduleName, Spacing

diffusers: Any = import_module("diffusers")  # what it says of its types does not fit what it does


def discrete(name: str, timesteps: int = 1000) -> DiscreteSchedule:
    names: dict[str, ScheduleName] = {"linear": "linear", "cosine": "cosine", "sigmoid": "sigmoid"}
    schedule = make_schedule(names[name], timesteps)
    assert isinstance(schedule, DiscreteSchedule)
    return schedule


@pytest.mark.parametrize(("ours", "theirs"), [("linear", "linear"), ("cosine", "squaredcos_cap_v2")])
def test_alpha_bar_is_that_of_diffusers(ours: str, theirs: str) -> None:
    reference = diffusers.DDPMScheduler(num_train_timesteps=1000, beta_schedule=theirs)
    np.testing.assert_allclose(discrete(ours).alpha_bar, reference.alphas_cumprod.numpy(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(discrete(ours).beta, reference.betas.numpy(), rtol=1e-4)


@pytest.mark.parametrize("name", ["linear", "cosine", "sigmoid"])
@pytest.mark.parametrize("timesteps", [50, 1000, 4000])
def test_noise_grows_from_almost_none_to_almost_all(name: str, timesteps: int) -> None:
    alpha_bar = discrete(name, timesteps).alpha_bar
    assert (np.diff(alpha_bar) < 0).all()
    assert alpha_bar[0] > 0.99 and alpha_bar[-1] < 0.01


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_the_closed_form_is_the_chain_of_single_steps(name: str) -> None:
    schedule = discrete(name, 100)
    mean, variance = 1.0, 0.0
    for index, beta in enumerate(schedule.beta):
        mean, variance = mean * math.sqrt(1 - beta), variance * (1 - beta) + beta
        level = schedule.level(index)
        assert level.alpha == pytest.approx(mean, rel=1e-9)
        assert level.sigma**2 == pytest.approx(variance, rel=1e-9)


def test_alpha_bar_falls_along_a_sigmoid() -> None:
    alpha_bar = discrete("sigmoid").alpha_bar
    # alpha_bar(t) = (s(3 - 6 t) - s(-3)) / (s(3) - s(-3)) is point-symmetric about t = 1/2.
    np.testing.assert_allclose(alpha_bar[:999] + alpha_bar[998::-1], 1, atol=1e-9)
    assert alpha_bar[499] == pytest.approx(0.5)
    low, high = 1 / (1 + math.exp(3)), 1 / (1 + math.exp(-3))
    assert alpha_bar[249] == pytest.approx((1 / (1 + math.exp(-1.5)) - low) / (high - low))


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_zero_terminal_snr_is_that_of_diffusers(name: str) -> None:
    reference = diffusers.DDIMScheduler(
        beta_schedule="linear" if name == "linear" else "squaredcos_cap_v2", rescale_betas_zero_snr=True
    )
    schedule = make_schedule("linear" if name == "linear" else "cosine", zero_snr=True)
    assert isinstance(schedule, DiscreteSchedule)
    assert schedule.alpha_bar[-1] == 0 and schedule.level(999) == (0.999, 0.0, 1.0)
    np.testing.assert_allclose(schedule.alpha_bar, reference.alphas_cumprod.numpy(), rtol=0, atol=1e-6)
    assert schedule.alpha_bar[0] == pytest.approx(discrete(name).alpha_bar[0], rel=1e-12)  # the cleanest stays
    grid = schedule.grid(10, "karras", 40.0, 0.02, 1000.0)
    assert [level.ratio for level in grid[:-1]] == pytest.approx(karras_ratios(10, 40.0, 0.02, 1000.0))


def test_the_edm_path_only_adds_noise_evenly_in_its_logarithm() -> None:
    schedule = EdmSchedule()
    grid = schedule.grid(5, "uniform", 80.0, 0.002)[:-1]
    assert [level.alpha for level in grid] == [1.0] * 5
    assert [level.t for level in grid] == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    assert [level.sigma for level in grid] == pytest.approx(np.geomspace(80, 0.002, 5).tolist())
    assert [level.sigma for level in schedule.grid(5, "karras", 1e6, 1e-6)[:-1]] == pytest.approx(
        karras_ratios(5, 80, 0.002)
    )
    levels = schedule.draw(50_000, torch.Generator().manual_seed(0), mean=-1.2, std=1.2)
    log = levels.sigma.log().flatten()
    assert float(log.mean()) == pytest.approx(-1.2, abs=0.02) and float(log.std()) == pytest.approx(1.2, abs=0.02)
    assert torch.equal(levels.alpha, torch.ones(50_000, 1, 1, 1))
    anywhere = schedule.draw(50_000, torch.Generator().manual_seed(0), -20, 0.1, uniform=1.0)
    assert float(anywhere.t.mean()) == pytest.approx(0.5, abs=0.01)


def test_posterior_variance_is_equation_7() -> None:
    schedule = discrete("linear")
    before = np.concatenate([[1.0], schedule.alpha_bar[:-1]])
    # Bayes: the precisions of the step, q(x_t | x_t-1), and of what came before, q(x_t-1 | x_0), add up.
    precision = (1 - schedule.beta[1:]) / schedule.beta[1:] + 1 / (1 - before[1:])
    np.testing.assert_allclose(schedule.posterior_variance[1:], 1 / precision)
    assert schedule.posterior_variance[0] == 0


def test_the_forward_process_has_the_promised_mean_and_variance() -> None:
    x0 = torch.full((20_000,), 0.5)
    level = discrete("cosine").level(600)
    x_t = q_sample(x0, torch.randn(20_000, generator=torch.Generator().manual_seed(0)), level.alpha, level.sigma)
    assert float(x_t.mean()) == pytest.approx(0.5 * level.alpha, abs=4 * level.sigma / math.sqrt(20_000))
    assert float(x_t.std()) == pytest.approx(level.sigma, rel=0.02)


@pytest.mark.parametrize("spacing", ["uniform", "trailing", "karras"])
@pytest.mark.parametrize("name", ["linear", "cosine", "flow"])
@pytest.mark.parametrize("steps", [1, 2, 10, 50])
def test_grids_go_down_to_clean(name: str, spacing: Spacing, steps: int) -> None:
    grid = make_schedule("flow" if name == "flow" else "linear" if name == "linear" else "cosine").grid(
        steps, spacing, 40.0, 0.02
    )
    assert len(grid) == steps + 1 and grid[-1] == CLEAN
    assert all(now.ratio > then.ratio and now.t >= then.t for now, then in pairwise(grid))
    if name != "flow":
        assert all(level.alpha**2 + level.sigma**2 == pytest.approx(1) for level in grid)


@pytest.mark.parametrize(("ours", "theirs"), [("uniform", "linspace"), ("trailing", "trailing")])
@pytest.mark.parametrize("steps", [7, 10, 50, 1000])
def test_spacings_are_those_of_diffusers(ours: Spacing, theirs: str, steps: int) -> None:
    reference = diffusers.DDIMScheduler(num_train_timesteps=1000, timestep_spacing=theirs)
    reference.set_timesteps(steps)
    schedule = discrete("linear")
    expected = [schedule.level(int(t)) for t in reference.timesteps]
    np.testing.assert_allclose(schedule.grid(steps, ours, 40.0, 0.02)[:-1], expected)


@pytest.mark.parametrize("spacing", ["uniform", "trailing"])
def test_a_grid_never_stands_still(spacing: Spacing) -> None:
    schedule = discrete("linear", 100)
    for steps in range(1, 101):
        times = [level.t for level in schedule.grid(steps, spacing, 40.0, 0.02)[:-1]]
        assert len(times) == steps and times[0] == 0.99
        assert all(now > then for now, then in pairwise(times))


@pytest.mark.parametrize("spacing", ["uniform", "trailing"])
def test_flow_times_are_equal_steps_from_the_first_level(spacing: Spacing) -> None:
    times = [level.t for level in FlowSchedule().grid(4, spacing, 4.0, 0.02)]
    assert times == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])


def test_flow_levels_of_a_karras_grid_have_its_ratios() -> None:
    grid = FlowSchedule().grid(10, "karras", 40.0, 0.02)
    assert [level.ratio for level in grid[:-1]] == pytest.approx(karras_ratios(10, 40.0, 0.02))
    assert all(level.alpha == 1 - level.t and level.sigma == level.t for level in grid)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_karras_levels_lie_on_the_schedule_and_within_it(name: str) -> None:
    schedule = discrete(name)
    grid = schedule.grid(10, "karras", 5.0, 0.1)[:-1]
    assert [level.ratio for level in grid] == pytest.approx(karras_ratios(10, 5.0, 0.1))
    index = np.array([level.t * 1000 for level in grid])
    between = np.interp(index, np.arange(1000), 0.5 * np.log(schedule.snr))
    assert [level.log_snr_half for level in grid] == pytest.approx(between.tolist())
    widest = schedule.grid(10, "karras", 1e6, 1e-6)[:-1]
    assert tuple(widest[0]) == pytest.approx(schedule.level(999))
    assert tuple(widest[-1]) == pytest.approx(schedule.level(0))


@pytest.mark.parametrize("name", ["linear", "cosine", "flow"])
def test_a_grid_that_cannot_go_down_is_refused(name: str) -> None:
    schedule = make_schedule("flow" if name == "flow" else "linear" if name == "linear" else "cosine")
    with pytest.raises(BadRequest, match=r"0\.2 to 1"):
        schedule.grid(5, "karras", 0.2, 1.0)
    assert schedule.grid(1, "karras", 0.2, 1.0)[0].ratio == pytest.approx(0.2)


def test_the_settings_and_the_model_choose_the_grid() -> None:
    config = ModelConfig(schedule="cosine", prediction="v", timesteps=50)
    schedule = schedule_of(config)
    assert isinstance(schedule, DiscreteSchedule) and schedule.timesteps == 50
    settings = SampleSettings(steps=6, spacing="karras", sigma_max=3.0, sigma_min=0.2)
    assert grid_of(schedule, settings) == schedule.grid(6, "karras", 3.0, 0.2)
    assert grid_of(schedule, settings.with_changes(spacing="uniform")) == schedule.grid(6, "uniform", 3.0, 0.2)
    led = grid_of(schedule, settings.with_changes(sigma_lead=20.0))
    assert [level.ratio for level in led[:2]] == pytest.approx([20.0, 3.0])
    terminal = schedule_of(config.with_changes(zero_snr=True))
    assert isinstance(terminal, DiscreteSchedule) and terminal.alpha_bar[-1] == 0 < schedule.alpha_bar[-1]
    assert isinstance(schedule_of(ModelConfig(schedule="edm", prediction="edm")), EdmSchedule)


def test_the_only_step_of_a_student_begins_in_pure_noise_and_no_other_samplers() -> None:
    settings = SampleSettings(sampler="student", steps=1, sigma_max=6.0, sigma_lead=1000.0)
    first = [
        grid_of(FlowSchedule(), each)[0].ratio
        for each in (settings, settings.with_changes(sampler="ddim"), settings.with_changes(sigma_lead=0.0))
    ]
    assert first == pytest.approx([1000.0, 6.0, 6.0])
    assert [level.ratio for level in grid_of(FlowSchedule(), settings.with_changes(steps=2))] == pytest.approx(
        [1000.0, 6.0, 0.0]
    )


def test_karras_ratios_are_equation_5() -> None:
    ratios = karras_ratios(10, 80.0, 0.002)
    expected = [(80 ** (1 / 7) + i / 9 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7 for i in range(10)]
    assert ratios == pytest.approx(expected)
    assert karras_ratios(1, 80.0, 0.002) == pytest.approx([80.0])


def test_a_karras_grid_may_begin_with_one_step_in_pure_noise() -> None:
    assert karras_ratios(5, 12.0, 0.01, 1000.0) == [1000.0, *karras_ratios(4, 12.0, 0.01)]
    assert karras_ratios(5, 12.0, 0.01, 3.0) == karras_ratios(5, 12.0, 0.01)  # no step upwards
    assert karras_ratios(1, 12.0, 0.01, 1000.0) == pytest.approx([12.0])  # a single step sees the images' level
    assert [level.ratio for level in FlowSchedule().grid(3, "karras", 12.0, 0.01, 1000.0)] == pytest.approx(
        [1000.0, 12.0, 0.01, 0.0]
    )
    linear = make_schedule("linear")
    assert isinstance(linear, DiscreteSchedule)
    assert linear.grid(3, "karras", 12.0, 0.02, 1000.0)[0] == pytest.approx(linear.level(999))  # as noisy as it gets


def test_more_steps_than_the_schedule_has_are_refused() -> None:
    with pytest.raises(BadRequest, match="T = 100"):
        make_schedule("linear", 100).grid(101, "uniform", 40.0, 0.02)


def test_flow_times_are_logit_normal() -> None:
    levels = FlowSchedule().draw(50_000, torch.Generator().manual_seed(0), mean=0.4, std=1.1)
    ratios = (levels.sigma / levels.alpha).log().flatten()
    assert float(ratios.mean()) == pytest.approx(0.4, abs=0.02)
    assert float(ratios.std()) == pytest.approx(1.1, abs=0.02)
    torch.testing.assert_close(levels.alpha + levels.sigma, torch.ones(50_000, 1, 1, 1))
    assert torch.equal(levels.sigma.flatten(), levels.t)


def test_a_share_of_flow_times_is_uniform() -> None:
    levels = FlowSchedule().draw(50_000, torch.Generator().manual_seed(0), mean=-20.0, std=0.1, uniform=0.3)
    elsewhere = levels.t[levels.t > 1e-4]
    assert len(elsewhere) / 50_000 == pytest.approx(0.3, abs=0.01)
    assert float(elsewhere.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(elsewhere.std()) == pytest.approx(12**-0.5, abs=0.01)
    assert torch.equal(levels.sigma.flatten(), levels.t) and levels.alpha.min() > 0


def test_flow_times_never_reach_pure_noise_or_a_clean_image() -> None:
    levels = FlowSchedule().draw(50_000, torch.Generator().manual_seed(0), mean=0.0, std=30.0)
    assert levels.alpha.min() > 0 and levels.sigma.min() > 0


def test_discrete_times_are_uniform_over_all_steps() -> None:
    schedule = discrete("linear", 20)
    levels = schedule.draw(20_000, torch.Generator().manual_seed(0), 0.0, 1.0)
    counts = torch.bincount((levels.t * 20).round().long(), minlength=20)
    assert counts.min() > 850 and counts.max() < 1150
    for t, alpha, sigma in zip(*(part[:200] for part in levels), strict=True):
        same = schedule.level(round(float(t) * 20))
        assert (float(t), float(alpha), float(sigma)) == pytest.approx(same)


def test_edm_noise_stays_on_its_path() -> None:
    schedule, rng = EdmSchedule(), torch.Generator().manual_seed(0)
    levels = schedule.draw(20_000, rng, mean=0.0, std=30.0)
    assert float(levels.sigma.min()) == pytest.approx(0.002) and float(levels.sigma.max()) == pytest.approx(80)
    assert float(levels.t.min()) == 0 and float(levels.t.max()) == 1
    some = schedule.draw(50_000, rng, mean=-1.2, std=0.01, uniform=0.3)
    at = (-1.2 - math.log(0.002)) / math.log(80 / 0.002)
    assert float(((some.t - at).abs() > 0.01).float().mean()) == pytest.approx(0.3, abs=0.02)
    torch.testing.assert_close(some.sigma.flatten(), 0.002 * 40_000**some.t, rtol=1e-3, atol=0)


def test_a_level_knows_its_signal_to_noise_ratio() -> None:
    level = Level(0.5, 0.6, 0.8)
    assert level.ratio == pytest.approx(0.8 / 0.6)
    assert level.log_snr_half == pytest.approx(math.log(0.6 / 0.8))
    assert CLEAN.log_snr_half == math.inf and CLEAN.ratio == 0
    pure = Level(1.0, 0.0, 1.0)
    assert pure.ratio == math.inf and pure.log_snr_half == -math.inf
