"""Samplers against analytic answers, a Gaussian's exact score, and against diffusers step by step."""

import math
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from ml.config import SamplerName, SampleSettings, ScheduleName, Spacing
from ml.denoiser import Denoiser
from ml.samplers import DenoiseStep, SeededNoise, ddim, dpm_solver_2m, heun, network_calls, run_sampler
from ml.schedules import DiscreteSchedule, Level, make_schedule

diffusers: Any = import_module("diffusers")  # what it says of its types does not fit what it does

MEAN, SPREAD = 0.2, 0.25  # of the Gaussian that plays the data
SHAPE = (4, 1, 2, 2)
SCHEDULES: list[ScheduleName] = ["linear", "cosine", "flow"]
ALL: list[SamplerName] = ["ddpm", "ddpm-clip", "ddim", "dpm++", "heun"]


def exact(x_t: Tensor, level: Level) -> Tensor:
    """E[x0 | x_t] for x0 ~ N(MEAN, SPREAD^2), the exact denoiser."""
    total = level.alpha**2 * SPREAD**2 + level.sigma**2
    return (level.alpha * SPREAD**2 * x_t + level.sigma**2 * MEAN) / total


def spread(level: Level) -> float:
    """The standard deviation of x_t."""
    return math.sqrt(level.alpha**2 * SPREAD**2 + level.sigma**2)


def along_the_ode(x: Tensor, now: Level, then: Level) -> Tensor:
    """Where the probability-flow ODE brings x exactly: its quantile stays the same."""
    return then.alpha * MEAN + spread(then) / spread(now) * (x - now.alpha * MEAN)


def fresh(seed: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def no_noise() -> Tensor:
    raise AssertionError("a deterministic sampler asked for noise")


def last(steps: Iterator[DenoiseStep]) -> Tensor:
    *_, end = steps
    return end.x_t


def error(sampler: str, schedule: ScheduleName, steps: int) -> float:
    grid = make_schedule(schedule).grid(steps, "karras", 20.0, 0.05)[
        :-1
    ]  # up to a noise level, where the ODE is smooth
    x = grid[0].alpha * MEAN + spread(grid[0]) * fresh(1)
    make = {"ddim": ddim, "dpm++": dpm_solver_2m, "heun": heun}[sampler]
    found = last(make(exact, x, grid, no_noise))
    return float((found - along_the_ode(x, grid[0], grid[-1])).abs().max())


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("sampler", "order"), [("ddim", 1), ("dpm++", 2), ("heun", 2)])
def test_deterministic_samplers_follow_the_exact_ode_with_their_order(
    sampler: str, order: int, schedule: ScheduleName
) -> None:
    coarse, fine = error(sampler, schedule, 81), error(sampler, schedule, 161)
    assert fine < (2e-2 if order == 1 else 5e-4)
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("sampler", ALL)
def test_every_sampler_ends_in_the_data_distribution(sampler: SamplerName, schedule: ScheduleName) -> None:
    count = 20_000
    settings = SampleSettings(sampler=sampler, steps=500, eta=0.5)
    grid = make_schedule(schedule).grid(500, "karras", 80.0, 0.002)
    generator = torch.Generator().manual_seed(3)

    def noise() -> Tensor:
        return torch.randn(count, 1, 1, 1, generator=generator, dtype=torch.float64)

    def denoise(x_t: Tensor, level: Level) -> Tensor:
        return exact(x_t, level)

    found = last(run_sampler(settings, denoise, grid[0].sigma * noise(), grid, noise))
    assert float(found.mean()) == pytest.approx(MEAN, abs=0.03)
    # Clipping an estimate that goes beyond [-1, 1] takes a little away from the tails: that is its point.
    assert float(found.std()) == pytest.approx(SPREAD, rel=0.06 if sampler == "ddpm-clip" else 0.03)


def test_clipping_keeps_every_estimate_in_range_and_ddpm_does_not() -> None:
    def wild(x_t: Tensor, level: Level) -> Tensor:
        return 3 * x_t

    grid = make_schedule("cosine").grid(5, "trailing", 80.0, 0.002)
    bounds: dict[SamplerName, float] = {}
    for sampler in ("ddpm", "ddpm-clip"):
        steps = list(run_sampler(SampleSettings(sampler=sampler), wild, fresh(1), grid, lambda: fresh(2)))
        bounds[sampler] = max(float(step.x0_hat.abs().max()) for step in steps)
    assert bounds["ddpm-clip"] <= 1 < bounds["ddpm"]


@pytest.mark.parametrize("sampler", ALL)
def test_a_trajectory_has_every_step_from_noise_to_clean(sampler: SamplerName) -> None:
    grid = make_schedule("flow").grid(6, "karras", 40.0, 0.02)
    start = fresh(1)
    steps = list(run_sampler(SampleSettings(sampler=sampler, steps=6), exact, start, grid, lambda: fresh(2)))
    assert [step.step for step in steps] == list(range(7))
    assert [step.level for step in steps] == grid
    assert torch.equal(steps[0].x_t, start)
    assert torch.equal(steps[-1].x_t, steps[-1].x0_hat)


@pytest.mark.parametrize("sampler", ALL)
def test_network_calls_are_counted_as_they_happen(sampler: SamplerName) -> None:
    calls = 0

    def counting(x_t: Tensor, level: Level) -> Tensor:
        nonlocal calls
        calls += 1
        return exact(x_t, level)

    settings = SampleSettings(sampler=sampler, steps=7)
    last(
        run_sampler(settings, counting, fresh(1), make_schedule("flow").grid(7, "karras", 40.0, 0.02), lambda: fresh(2))
    )
    assert calls == network_calls(settings)


def toy_eps(x: Tensor, t: float) -> Tensor:
    """A smooth stand-in for a network that predicts eps."""
    return torch.tanh(x * (0.4 + t)) * 0.9 + 0.05


def as_denoiser(schedule: DiscreteSchedule) -> Denoiser:
    def denoise(x_t: Tensor, level: Level) -> Tensor:
        eps = toy_eps(x_t, level.t * schedule.timesteps / 1000)
        return (x_t - level.sigma * eps) / level.alpha

    return denoise


def discrete(name: str) -> DiscreteSchedule:
    schedule = make_schedule("linear" if name == "linear" else "cosine")
    assert isinstance(schedule, DiscreteSchedule)
    return schedule


BETAS = {"linear": "linear", "cosine": "squaredcos_cap_v2"}


@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize("count", [10, 20, 50])  # divisors of 1000: diffusers takes equal strides for granted
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim_is_that_of_diffusers(name: str, count: int, eta: float) -> None:
    reference = diffusers.DDIMScheduler(
        beta_schedule=BETAS[name], timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True
    )
    reference.alphas_cumprod = torch.from_numpy(discrete(name).alpha_bar)
    reference.set_timesteps(count)
    schedule = discrete(name)
    times = [int(t) for t in reference.timesteps]
    noises = iter([fresh(100 + i) for i in range(count)])
    ours = list(ddim(as_denoiser(schedule), fresh(1), schedule.levels(times), lambda: next(noises), eta))
    x = fresh(1)
    for i, (now, then) in enumerate(pairwise([*times, -1])):
        torch.testing.assert_close(ours[i].x_t, x, rtol=1e-5, atol=1e-5)
        eps = toy_eps(x, now / 1000)
        noise = fresh(100 + i) if eta > 0 and then >= 0 else torch.zeros_like(x)
        x = reference.step(eps, now, x, eta=eta if then >= 0 else 0.0, variance_noise=noise).prev_sample
    torch.testing.assert_close(ours[-1].x_t, x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_ddpm_is_that_of_diffusers(name: str) -> None:
    schedule = discrete(name)
    reference = diffusers.DDPMScheduler(beta_schedule=BETAS[name], variance_type="fixed_small", clip_sample=False)
    reference.alphas_cumprod = torch.from_numpy(schedule.alpha_bar)
    reference.alphas = torch.from_numpy(1 - schedule.beta)
    reference.betas = torch.from_numpy(schedule.beta)
    times = range(999, 899, -1)
    generator = torch.Generator().manual_seed(7)
    noises = [torch.randn(SHAPE, generator=generator, dtype=torch.float64) for _ in times]
    drawn = iter(noises)
    ours = list(ddim(as_denoiser(schedule), fresh(1), [schedule.level(t) for t in times], lambda: next(drawn), eta=1.0))
    x, same = fresh(1), torch.Generator().manual_seed(7)
    for step, t in zip(ours, times, strict=True):
        torch.testing.assert_close(step.x_t, x, rtol=1e-5, atol=1e-5)
        x = reference.step(toy_eps(x, t / 1000), t, x, generator=same).prev_sample


@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize("spacing", ["uniform", "trailing"])
@pytest.mark.parametrize("steps", [8, 20])
def test_dpm_solver_is_that_of_diffusers(name: str, spacing: Spacing, steps: int) -> None:
    schedule = discrete(name)
    reference = diffusers.DPMSolverMultistepScheduler(
        beta_schedule=BETAS[name], algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint",
        timestep_spacing={"uniform": "linspace", "trailing": "trailing"}[spacing], final_sigmas_type="zero",
        lower_order_final=True, lambda_min_clipped=-float("inf"),
    )  # fmt: skip
    reference.set_timesteps(steps)
    times = [int(t) for t in reference.timesteps]
    alpha_bar = torch.from_numpy(schedule.alpha_bar)[times]
    reference.sigmas = torch.cat([((1 - alpha_bar) / alpha_bar).sqrt(), torch.zeros(1, dtype=torch.float64)])
    ours = list(dpm_solver_2m(as_denoiser(schedule), fresh(1), schedule.levels(times), no_noise))
    x = fresh(1)
    for step, t in zip(ours, times, strict=False):
        torch.testing.assert_close(step.x_t, x, rtol=1e-5, atol=1e-5)
        x = reference.step(toy_eps(x, t / 1000), t, x).prev_sample
    torch.testing.assert_close(ours[-1].x_t, x.double(), rtol=1e-5, atol=1e-5)


def test_noise_of_an_image_does_not_depend_on_its_batch() -> None:
    together = SeededNoise([5, 6, 7], (1, 4, 4), torch.device("cpu"))
    alone = SeededNoise([6], (1, 4, 4), torch.device("cpu"))
    for _ in range(3):
        assert torch.equal(together()[1:2], alone())
