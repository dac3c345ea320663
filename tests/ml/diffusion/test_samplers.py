"""Samplers against analytic answers, a Gaussian's exact score, and against diffusers step by step."""

import math
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ml.config import SampleRequest, SampleSettings
from ml.diffusion.denoiser import Denoiser
from ml.diffusion.guidance import acting_steps
from ml.diffusion.noise import SeededNoise
from ml.diffusion.samplers import (
    DenoiseStep,
    ddim,
    ddim_inversion,
    dpm_solver_2m,
    heun,
    network_calls,
    network_evaluations,
    noise_again,
    run_sampler,
)
from ml.diffusion.schedules import CLEAN, DiscreteSchedule, Level, grid_of, make_schedule
from ml.evaluation.judge import Judge
from ml.events import Sampled
from ml.generation import pipeline
from ml.generation.requests import with_model_defaults
from ml.specs import Clipping, SamplerName, ScheduleName, Spacing, Variance

diffusers: Any = import_module("diffusers")  # what it says of its types does not fit what it does

MEAN, SPREAD = 0.2, 0.25  # of the Gaussian that plays the data
SHAPE = (4, 1, 2, 2)
SCHEDULES: list[ScheduleName] = ["linear", "cosine", "sigmoid", "flow", "edm"]
ALL: list[SamplerName] = ["ddpm", "ddpm-clip", "ddim", "ddim-clip", "euler", "dpm++", "heun"]


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
    # To the last noise level, up to which the ODE is smooth.
    grid = make_schedule(schedule).grid(steps, "karras", 20.0, 0.05)[:-1]
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
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_student_that_goes_all_the_way_at_once_needs_few_steps(schedule: ScheduleName, steps: int) -> None:
    settings = SampleSettings(sampler="student", steps=steps, sigma_max=4.0, sigma_min=0.3, sigma_lead=1000.0)
    grid = grid_of(make_schedule(schedule), settings)
    generator = torch.Generator().manual_seed(5)

    def noise() -> Tensor:
        return torch.randn(20_000, 1, 1, 1, generator=generator, dtype=torch.float64)

    start = grid[0].alpha * MEAN + spread(grid[0]) * noise()
    found = list(run_sampler(settings, lambda x, level: along_the_ode(x, level, CLEAN), start, grid, noise))
    assert len(found) == steps + 1
    assert float(found[-1].x_t.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(found[-1].x_t.std()) == pytest.approx(SPREAD, rel=0.02)


def final_variance(settings: SampleSettings, schedule: ScheduleName) -> float:
    """Var[x] after sampling the Gaussian, to the last digit: each source of noise adds the square of its response.

    The exact denoiser is affine in x, so one run in which image k is given the k-th noise alone shows every response;
    the last image is given none. No source is so strong that an estimate would be clipped.
    """
    grid = make_schedule(schedule).grid(settings.steps, "karras", 80.0, 0.002)
    sources = iter(torch.eye(settings.steps + 1, dtype=torch.float64))
    x = next(sources).view(-1, 1, 1, 1) * spread(grid[0]) + grid[0].alpha * MEAN
    found = last(run_sampler(settings, exact, x, grid, lambda: next(sources).view(-1, 1, 1, 1))).flatten()
    assert float(found[-1]) == pytest.approx(MEAN, abs=1e-9)  # the mean's own way is exact at any number of steps
    return float((found[:-1] - found[-1]).square().sum())


def expected_variance(schedule: ScheduleName, steps: int, eta: float, variance: Variance = "posterior") -> float:
    """The same by the recursion V' = a^2 V + u^2, with a and u from eq. 12 and 16 of Song et al. 2021."""
    grid = make_schedule(schedule).grid(steps, "karras", 80.0, 0.002)
    found = spread(grid[0]) ** 2
    for now, then in pairwise(grid):
        gain = now.alpha * SPREAD**2 / spread(now) ** 2  # of the exact denoiser
        beta = 1 - (now.alpha / then.alpha * then.sigma / now.sigma) ** 2
        u = eta * then.sigma * math.sqrt(beta)
        along_noise = math.sqrt(then.sigma**2 - u**2) / now.sigma
        added = beta * now.sigma**2 if variance == "beta" and then.sigma > 0 else u**2
        found = (then.alpha * gain + along_noise * (1 - now.alpha * gain)) ** 2 * found + added
    return found


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("sampler", ALL)
def test_every_sampler_ends_in_the_data_distribution(sampler: SamplerName, schedule: ScheduleName) -> None:
    for eta in (0.0, 0.5, 1.0) if sampler == "ddim" else (0.5,):
        settings = SampleSettings(sampler=sampler, steps=250, eta=eta)
        assert final_variance(settings, schedule) == pytest.approx(SPREAD**2, rel=0.06)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("variance", ["posterior", "beta"])
@pytest.mark.parametrize(
    ("sampler", "eta", "meant"),
    [("ddim", 0.0, 0.0), ("ddim", 0.5, 0.5), ("ddim", 1.0, 1.0), ("euler", 0.5, 0.0), ("ddpm", 0.5, 1.0),
     ("ddpm-clip", 0.5, 1.0)],
)  # fmt: skip
def test_a_sampler_adds_the_configured_noise(
    sampler: SamplerName, eta: float, meant: float, variance: Variance, schedule: ScheduleName
) -> None:
    settings = SampleSettings(sampler=sampler, steps=15, eta=eta, variance=variance)
    of_ddpm = variance if sampler.startswith("ddpm") else "posterior"
    found = final_variance(settings, schedule)
    assert found == pytest.approx(expected_variance(schedule, 15, meant, of_ddpm), rel=1e-9)
    others = [expected_variance(schedule, 15, eta) for eta in (0.0, 0.5, 1.0) if eta != meant or of_ddpm == "beta"]
    assert all(abs(found / other - 1) > 0.01 for other in others)  # at so few steps they differ


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_variance_converges_to_the_datas(eta: float, schedule: ScheduleName) -> None:
    coarse, fine = (expected_variance(schedule, steps, eta) for steps in (100, 200))
    assert abs(fine - SPREAD**2) < 0.6 * abs(coarse - SPREAD**2) < 0.1 * SPREAD**2


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_ddpm_with_clipping_is_ddpm_where_nothing_is_clipped(schedule: ScheduleName) -> None:
    grid = make_schedule(schedule).grid(12, "karras", 40.0, 0.02)

    def path(sampler: SamplerName) -> Tensor:
        noises = (fresh(k) for k in range(12))
        settings = SampleSettings(sampler=sampler, steps=12)
        steps = run_sampler(settings, lambda x, level: 0.9 * torch.tanh(x), fresh(99), grid, lambda: next(noises))
        return torch.stack([step.x_t for step in steps])

    assert torch.equal(path("ddpm"), path("ddpm-clip"))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_one_step_of_ddpm_draws_from_the_posterior(schedule: ScheduleName) -> None:
    now, then, *_ = make_schedule(schedule).grid(5, "karras", 5.0, 0.1)
    x0, x_t = fresh(1), fresh(2)
    still, moved = (
        list(ddim(lambda x, level: x0, x_t, [now, then], lambda z=z: z * torch.ones(SHAPE, dtype=torch.float64), 1.0))
        for z in (0.0, 1.0)
    )
    # q(x_s | x_t, x_0) by Bayes: x_s ~ N(alpha_s x0, sigma_s^2) is seen through x_t = a x_s + noise of `added`.
    a = now.alpha / then.alpha
    added = now.sigma**2 - (a * then.sigma) ** 2
    variance = 1 / (1 / then.sigma**2 + a**2 / added)
    mean = variance * (then.alpha * x0 / then.sigma**2 + a * x_t / added)
    torch.testing.assert_close(still[-1].x_t, mean)
    torch.testing.assert_close(moved[-1].x_t - still[-1].x_t, torch.full_like(mean, math.sqrt(variance)))


def test_clipping_keeps_every_estimate_in_range_and_ddpm_does_not() -> None:
    def wild(x_t: Tensor, level: Level) -> Tensor:
        return 3 * x_t

    grid = make_schedule("cosine").grid(5, "trailing", 80.0, 0.002)
    bounds: dict[SamplerName, float] = {}
    for sampler in ("ddpm", "ddpm-clip"):
        steps = list(run_sampler(SampleSettings(sampler=sampler), wild, fresh(1), grid, lambda: fresh(2)))
        bounds[sampler] = max(float(step.x0_hat.abs().max()) for step in steps)
    assert bounds["ddpm-clip"] <= 1 < bounds["ddpm"]


@pytest.mark.parametrize("sampler", [*ALL, "student"])
def test_a_trajectory_has_every_step_from_noise_to_clean(sampler: SamplerName) -> None:
    grid = make_schedule("flow").grid(6, "karras", 40.0, 0.02)
    start = fresh(1)
    steps = list(run_sampler(SampleSettings(sampler=sampler, steps=6), exact, start, grid, lambda: fresh(2)))
    assert [step.step for step in steps] == list(range(7))
    assert [step.level for step in steps] == grid
    assert torch.equal(steps[0].x_t, start)
    assert torch.equal(steps[-1].x_t, steps[-1].x0_hat)


@pytest.mark.parametrize("sampler", [*ALL, "student"])
@pytest.mark.parametrize("repeats", [0, 2])
def test_network_calls_are_counted_as_they_happen(sampler: SamplerName, repeats: int) -> None:
    calls = 0

    def counting(x_t: Tensor, level: Level) -> Tensor:
        nonlocal calls
        calls += 1
        return exact(x_t, level)

    settings = SampleSettings(sampler=sampler, steps=7, repeats=repeats)
    grid = make_schedule("flow").grid(7, "karras", 40.0, 0.02)
    last(run_sampler(settings, counting, fresh(1), grid, lambda: fresh(2)))
    assert calls == network_calls(settings, grid)


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
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("variance", ["posterior", "beta"])
def test_ddpm_is_that_of_diffusers(name: ScheduleName, clip: bool, variance: Variance) -> None:
    schedule = make_schedule(name, 200)
    assert isinstance(schedule, DiscreteSchedule)
    reference = diffusers.DDPMScheduler(
        num_train_timesteps=200,
        variance_type={"posterior": "fixed_small", "beta": "fixed_large"}[variance],
        clip_sample=clip,
        trained_betas=schedule.beta,
    )
    reference.alphas_cumprod = torch.from_numpy(schedule.alpha_bar)
    reference.alphas = torch.from_numpy(1 - schedule.beta)
    reference.betas = torch.from_numpy(schedule.beta)
    times = range(199, -1, -1)
    generator, same = (torch.Generator().manual_seed(7) for _ in range(2))

    def noise() -> Tensor:
        return torch.randn(SHAPE, generator=generator, dtype=torch.float64)

    settings = SampleSettings(sampler="ddpm-clip" if clip else "ddpm", steps=200, variance=variance)
    *ours, end = run_sampler(settings, as_denoiser(schedule), fresh(1), schedule.levels(times), noise)
    x = fresh(1)
    for step, t in zip(ours, times, strict=True):
        torch.testing.assert_close(step.x_t, x, rtol=1e-5, atol=1e-5)
        x = reference.step(toy_eps(x, t / 1000), t, x, generator=same).prev_sample
    torch.testing.assert_close(end.x_t, x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize("spacing", ["uniform", "trailing"])
@pytest.mark.parametrize("steps", [10, 20])
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


def test_euler_follows_the_flow() -> None:
    grid = make_schedule("flow").grid(6, "karras", 20.0, 0.05)
    ours = list(run_sampler(SampleSettings(sampler="euler", eta=0.7), exact, fresh(1), grid, no_noise))
    x = fresh(1)
    for step, (now, then) in zip(ours, pairwise(grid), strict=False):
        torch.testing.assert_close(step.x_t, x)
        u = (x - exact(x, now)) / now.t  # dx/dt on the straight path
        x = x + (then.t - now.t) * u
    torch.testing.assert_close(ours[-1].x_t, x)


@pytest.mark.parametrize("sampler", ["ddim", "euler", "dpm++", "heun"])
@pytest.mark.parametrize("steps", [9, 10, 30])
def test_a_continued_trajectory_stays_the_same(sampler: SamplerName, steps: int) -> None:
    grid = make_schedule("flow").grid(steps, "karras", 40.0, 0.02)
    settings = SampleSettings(sampler=sampler, steps=steps)
    whole = list(run_sampler(settings, exact, fresh(1), grid, no_noise))
    for at in (1, steps // 2, steps - 1):
        rest = list(run_sampler(settings, exact, whole[at].x_t, grid[at:], no_noise, whole[at - 1]))
        assert all(torch.equal(ours.x_t, theirs.x_t) for ours, theirs in zip(rest, whole[at:], strict=True))
    forgetful = last(run_sampler(settings, exact, whole[5].x_t, grid[5:], no_noise))
    assert torch.equal(forgetful, whole[-1].x_t) == (sampler != "dpm++" or steps < 10)


def test_few_steps_that_grow_longer_do_not_look_back_and_ten_do() -> None:
    for steps, back in ((4, False), (9, False), (10, True), (11, True)):
        grid = make_schedule("flow").grid(steps, "karras", 40.0, 0.02)  # in log SNR each step is longer than the last
        ours, plain = (last(make(exact, fresh(1), grid, no_noise)) for make in (dpm_solver_2m, ddim))
        assert torch.equal(ours, plain) != back


def test_dpm_solver_is_its_formula_where_steps_grow_shorter() -> None:
    sigmas = [10.0, 1.0, 0.3, 0.2]
    grid = [*(Level(s / (1 + s), 1 / (1 + s), s / (1 + s)) for s in sigmas), CLEAN]
    steps = list(dpm_solver_2m(exact, fresh(1), grid, no_noise))
    for before, now, then in zip(steps, steps[1:], steps[2:], strict=False):
        if then.level == CLEAN:
            torch.testing.assert_close(then.x_t, now.x0_hat)
            continue
        # Lu et al. 2022b, eq. 3.3 and algorithm 2, in lambda = log(alpha / sigma).
        h, r = math.log(now.level.ratio / then.level.ratio), 0.0
        r = math.log(before.level.ratio / now.level.ratio) / h
        d = (1 + 1 / (2 * r)) * now.x0_hat - 1 / (2 * r) * before.x0_hat
        expected = then.level.sigma / now.level.sigma * now.x_t - then.level.alpha * math.expm1(-h) * d
        torch.testing.assert_close(then.x_t, expected)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_ddim_brings_an_inverted_image_back(schedule: ScheduleName) -> None:
    grid = make_schedule(schedule).grid(60, "karras", 20.0, 0.02)
    x0 = MEAN + SPREAD * fresh(1)
    noise = ddim_inversion(exact, x0, grid)
    torch.testing.assert_close(noise, along_the_ode(x0, grid[-1], grid[0]), rtol=0.1, atol=0.1)
    again = list(ddim(exact, noise, grid, no_noise))
    torch.testing.assert_close(again[-2].x_t, grid[-2].alpha * x0, rtol=0, atol=1e-4)  # three refinements
    torch.testing.assert_close(again[-1].x_t, x0, rtol=0, atol=0.01)


@pytest.mark.parametrize("sampler", ALL)
def test_every_sampler_can_begin_in_pure_noise(sampler: SamplerName) -> None:
    schedule = make_schedule("cosine", zero_snr=True)
    assert isinstance(schedule, DiscreteSchedule)
    grid = schedule.grid(20, "trailing", 40.0, 0.02)
    assert grid[0].alpha == 0
    generator = torch.Generator().manual_seed(3)

    def noise() -> Tensor:
        return torch.randn(4000, 1, 1, 1, generator=generator, dtype=torch.float64)

    settings = SampleSettings(sampler=sampler, steps=20)
    found = last(run_sampler(settings, exact, noise(), grid, noise))
    assert float(found.mean()) == pytest.approx(MEAN, abs=0.02)


@pytest.mark.parametrize(
    ("sampler", "clipping", "faint", "loud"),
    [
        ("ddim", "none", 0.5, 5.0), ("ddim", "static", 0.5, 1.0), ("ddim", "dynamic", 0.1, 1.0),
        ("dpm++", "dynamic", 0.1, 1.0), ("ddpm", "none", 0.5, 5.0), ("ddpm-clip", "none", 0.5, 1.0),
    ],
)  # fmt: skip
def test_estimates_are_bounded_as_asked(sampler: SamplerName, clipping: Clipping, faint: float, loud: float) -> None:
    grid = make_schedule("linear").grid(5, "trailing", 40.0, 0.02)
    settings = SampleSettings(sampler=sampler, clipping=clipping)
    guess = torch.tensor([0.5, -0.5, 5.0, -5.0]).view(1, 1, 2, 2)
    first = next(run_sampler(settings, lambda x, level: guess, fresh(1, (1, 1, 2, 2)), grid, lambda: fresh(2)))
    assert first.x0_hat.flatten().tolist() == pytest.approx([faint, -faint, loud, -loud])


def test_noise_taken_back_up_is_the_forward_process() -> None:
    grid = make_schedule("cosine").grid(8, "karras", 20.0, 0.05)
    x0 = MEAN + SPREAD * fresh(1, (50_000, 1, 1, 1))
    for high, low in pairwise(grid):
        x_low = low.alpha * x0 + low.sigma * fresh(2, x0.shape)
        again = noise_again(x_low, low, high, lambda: fresh(3, x0.shape))
        assert float(again.mean()) == pytest.approx(high.alpha * MEAN, abs=0.02)
        assert float(again.std()) == pytest.approx(spread(high), rel=0.02)


@pytest.mark.parametrize("sampler", ["ddim", "euler", "ddpm", "ddpm-clip"])
def test_steps_are_taken_back_where_something_is_still_to_be_decided(sampler: SamplerName) -> None:
    asked: list[Level] = []

    def noting(x_t: Tensor, level: Level) -> Tensor:
        asked.append(level)
        return exact(x_t, level)

    grid = make_schedule("flow").grid(12, "karras", 80.0, 0.02)
    last(run_sampler(SampleSettings(sampler=sampler, repeats=3), noting, fresh(1), grid, lambda: fresh(2)))
    times = [asked.count(level) for level in grid[:-1]]
    assert times == [4 if 0.3 <= level.ratio <= 15 else 1 for level in grid[:-1]] and {*times} == {1, 4}
    asked.clear()
    last(run_sampler(SampleSettings(sampler=sampler, repeats=3), noting, fresh(1), [*grid[5:6], CLEAN], no_noise))
    assert len(asked) == 1  # what is finished is not taken back


def test_repeated_steps_still_end_in_the_data_distribution() -> None:
    count, generator = 20_000, torch.Generator().manual_seed(3)

    def noise() -> Tensor:
        return torch.randn(count, 1, 1, 1, generator=generator, dtype=torch.float64)

    grid = make_schedule("flow").grid(200, "karras", 80.0, 0.002)
    settings = SampleSettings(sampler="ddpm", repeats=2)
    steps = list(run_sampler(settings, exact, grid[0].sigma * noise(), grid, noise))
    assert [step.level for step in steps] == grid
    assert float(steps[-1].x_t.mean()) == pytest.approx(MEAN, abs=0.03)
    assert float(steps[-1].x_t.std()) == pytest.approx(SPREAD, rel=0.06)


def test_noise_of_an_image_does_not_depend_on_its_batch() -> None:
    together = SeededNoise([5, 6, 7], (1, 4, 4), torch.device("cpu"))
    alone = SeededNoise([6], (1, 4, 4), torch.device("cpu"))
    for _ in range(3):
        assert torch.equal(together()[1:2], alone())


def test_continued_noise_begins_where_the_earlier_one_stopped() -> None:
    shape, device = (1, 4, 4), torch.device("cpu")
    before, ours = SeededNoise([5, 6], shape, device), SeededNoise([7, 8], shape, device)
    before()
    ours.continue_from(before, [True, False])
    of_five, of_eight = (SeededNoise([seed], shape, device) for seed in (5, 8))
    of_five()
    assert torch.equal(ours(), torch.cat([of_five(), of_eight()]))


@pytest.mark.parametrize(("steps", "least"), [(4, 0.97), (5, 0.97), (9, 0.97)])
def test_few_steps_with_strong_guidance_do_not_overshoot(steps: int, least: float) -> None:
    labels = tuple(k % 10 for k in range(60))
    asked = SampleRequest(model="digits", labels=labels, seed=3, sampler="dpm++", steps=steps, guidance=7.5)
    *_, done = pipeline.sample(with_model_defaults(asked), device="cpu", frames=False)
    assert isinstance(done, Sampled)
    judge = Judge.bundled("cpu")
    assert (judge.judge_features(judge.features(done.images)).labels == np.array(labels)).mean() >= least


def test_a_guided_pair_is_two_evaluations() -> None:
    grid = make_schedule("flow").grid(7, "karras", 40.0, 0.02)
    guided = SampleSettings(sampler="ddim", steps=7, guidance=3.0, guidance_from=1, guidance_to=8)
    pairs = sum(1 <= level.ratio <= 8 for level in grid)
    assert 0 < pairs < 6 and acting_steps(guided, grid) == pairs
    assert network_evaluations(guided, grid) == 7 + pairs and network_calls(guided, grid) == 7
    assert network_evaluations(guided.with_changes(guidance=1.0), grid) == 7
    assert network_evaluations(guided.with_changes(guidance=0.0), grid) == 7  # without the class: one branch
    everywhere = guided.with_changes(guidance_from=0, guidance_to=1e4, sampler="heun")
    assert network_evaluations(everywhere, grid) == 2 * network_calls(everywhere, grid) == 26
    assert acting_steps(everywhere, grid) == 7
    assert acting_steps(everywhere.with_changes(guidance=1.0), grid) == 0
