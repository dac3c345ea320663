"""Noise schedules as paths x_t = alpha_t x0 + sigma_t eps, with float64 tables.

The discrete schedules of DDPM, the straight path of flow matching and the path of EDM, behind one interface: noise
levels to train on, and a grid to sample on.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol, assert_never

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.config import ModelConfig, SampleSettings
from ml.errors import BadRequest
from ml.specs import ScheduleName, Spacing

Array = NDArray[np.float64]
Ends = tuple[float, float] | None
KARRAS_RHO = 7.0


class Level(NamedTuple):
    """One noise level: `t` in [0, 1] (0: clean), x_t = alpha x0 + sigma eps."""

    t: float
    alpha: float
    sigma: float

    @property
    def ratio(self) -> float:
        """sigma / alpha, the noise level in the sense of Karras et al. 2022."""
        return self.sigma / self.alpha if self.alpha > 0 else math.inf

    @property
    def log_snr_half(self) -> float:
        """lambda = log(alpha / sigma), the time variable of DPM-Solver++."""
        if self.sigma == 0:
            return math.inf
        return math.log(self.alpha / self.sigma) if self.alpha > 0 else -math.inf


CLEAN = Level(0.0, 1.0, 0.0)


class Levels(NamedTuple):
    """Noise levels of a training batch, float32: t (B,), alpha and sigma (B, 1, 1, 1)."""

    t: Tensor
    alpha: Tensor
    sigma: Tensor


class Schedule(Protocol):
    """A path from data to noise."""

    def draw(self, count: int, rng: torch.Generator, mean: float, std: float, uniform: float = 0.0) -> Levels:
        """`count` random noise levels to train on."""
        ...

    def grid(
        self, steps: int, spacing: Spacing, sigma_max: float, sigma_min: float, sigma_lead: float = 0.0
    ) -> list[Level]:
        """`steps` noisy levels, noisiest first, and then CLEAN."""
        ...


def linear_betas(timesteps: int, ends: Ends = None, roots: bool = False) -> Array:
    """Ho et al. 2020: beta from 1e-4 to 0.02 at T = 1000, scaled by 1000 / T so that x_T is noise for any T.

    With `ends`, from the first to the last of them. With `roots`, the root of beta is linear (Rombach et al. 2022).
    """
    scale = 1000 / timesteps
    first, last = ends or (1e-4 * scale, 0.02 * scale)
    power = 2 if roots else 1
    return (np.linspace(first ** (1 / power), last ** (1 / power), timesteps, dtype=np.float64) ** power).clip(
        max=0.999
    )


def cosine_betas(timesteps: int, s: float = 0.008) -> Array:
    """Nichol & Dhariwal 2021, eq. 17: alpha_bar = cos^2((t/T + s) / (1 + s) pi/2), beta clipped at 0.999."""
    f = np.cos((np.arange(timesteps + 1, dtype=np.float64) / timesteps + s) / (1 + s) * np.pi / 2) ** 2
    return (1 - f[1:] / f[:-1]).clip(0, 0.999)


def sigmoid_betas(timesteps: int, start: float = -3, end: float = 3, tau: float = 1) -> Array:
    """Jabri et al. 2022, algorithm 2: alpha_bar falls along a sigmoid, beta clipped at 0.999."""
    x = (np.linspace(start, end, timesteps + 1, dtype=np.float64)) / tau
    f = 1 / (1 + np.exp(x))
    f = (f - f[-1]) / (f[0] - f[-1])
    return (1 - f[1:] / f[:-1]).clip(0, 0.999)


def zero_terminal_snr(beta: Array) -> Array:
    """Lin et al. 2024, algorithm 1: sqrt(alpha_bar) shifted and stretched so that its last value is 0."""
    root = np.sqrt(np.cumprod(1 - beta))
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    alpha_bar = root**2
    return 1 - alpha_bar / np.concatenate([[1.0], alpha_bar[:-1]])


class DiscreteSchedule:
    """A variance-preserving schedule given by its betas; index i of T stands for t = i / T."""

    def __init__(self, beta: Array) -> None:
        self.timesteps = len(beta)
        self.beta = beta
        self.alpha_bar: Array = np.cumprod(1 - beta, dtype=np.float64)
        previous = np.concatenate([[1.0], self.alpha_bar[:-1]])
        self.posterior_variance: Array = beta * (1 - previous) / (1 - self.alpha_bar)  # Ho et al. 2020, eq. 7
        self.snr: Array = self.alpha_bar / (1 - self.alpha_bar)
        self._roots: dict[torch.device, Tensor] = {}  # those of alpha_bar and of 1 - alpha_bar (2, T)

    def level(self, index: int) -> Level:
        """The noise level after `index + 1` steps of the forward process."""
        return Level(index / self.timesteps, *self._alpha_sigma(float(self.alpha_bar[index])))

    def levels(self, indices: Sequence[int]) -> list[Level]:
        """A sampling grid through the given indices, ending at CLEAN."""
        return [*(self.level(i) for i in indices), CLEAN]

    def draw(self, count: int, rng: torch.Generator, mean: float, std: float, uniform: float = 0.0) -> Levels:
        """Uniform over the T indices (`mean`, `std` and `uniform` do not apply)."""
        index = torch.randint(self.timesteps, (count,), generator=rng, device=rng.device)
        if rng.device not in self._roots:  # copied to a device once
            roots = np.stack([np.sqrt(self.alpha_bar), np.sqrt(1 - self.alpha_bar)])
            self._roots[rng.device] = torch.tensor(roots, dtype=torch.float32).to(rng.device)
        alpha, sigma = self._roots[rng.device][:, index].view(2, -1, 1, 1, 1)
        return Levels((index / self.timesteps).float(), alpha, sigma)

    def grid(
        self, steps: int, spacing: Spacing, sigma_max: float, sigma_min: float, sigma_lead: float = 0.0
    ) -> list[Level]:
        """`uniform`: linspace over the indices; `leading` and `trailing`: Lin et al. 2024, table 2.

        `linspace`: as many even intervals, whose last ends in the clean image; `karras`: Karras et al. 2022, eq. 5.
        """
        most = self.timesteps - 1 if spacing == "linspace" else self.timesteps
        if steps > most:
            raise BadRequest(
                f"{steps} steps are more than the {most} of the model's T = {self.timesteps}.", "Ask for fewer steps."
            )
        match spacing:
            case "uniform":
                return self.levels(np.linspace(self.timesteps - 1, 0, steps).round().astype(int).tolist())
            case "trailing":
                times = np.linspace(self.timesteps, 0, steps, endpoint=False).round().astype(int)
                return self.levels((times - 1).tolist())
            case "leading":
                return self.levels((np.arange(steps)[::-1] * (self.timesteps // steps)).tolist())
            case "linspace":
                return self.levels(np.linspace(self.timesteps - 1, 0, steps + 1).round().astype(int)[:-1].tolist())
            case "karras":
                return self._karras_grid(steps, sigma_max, sigma_min, sigma_lead)
            case _:
                assert_never(spacing)

    def _karras_grid(self, steps: int, sigma_max: float, sigma_min: float, sigma_lead: float) -> list[Level]:
        with np.errstate(divide="ignore"):  # at zero terminal SNR the last is infinite
            log_ratio = -0.5 * np.log(self.snr)
        noisiest = float(np.exp(log_ratio[-1]))
        bottom = max(sigma_min, math.exp(log_ratio[0]))
        ratios = karras_ratios(steps, min(sigma_max, noisiest), bottom, min(sigma_lead, noisiest))
        index = np.interp(np.log(ratios), log_ratio, np.arange(self.timesteps))
        return [
            *(
                Level(i / self.timesteps, 1 / math.hypot(1, r), r / math.hypot(1, r))
                for i, r in zip(index, ratios, strict=True)
            ),
            CLEAN,
        ]

    @staticmethod
    def _alpha_sigma(alpha_bar: float) -> tuple[float, float]:
        return math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)


class FlowSchedule:
    """The straight path of flow matching (Lipman et al. 2023): alpha = 1 - t, sigma = t."""

    def __init__(self, timesteps: int = 1000) -> None:
        self.timesteps = timesteps

    def draw(self, count: int, rng: torch.Generator, mean: float, std: float, uniform: float = 0.0) -> Levels:
        """Logit-normal times (Esser et al. 2024): log(sigma / alpha) ~ N(mean, std^2).

        A share `uniform` in [0, 1] of them is drawn from all of [0, 1] instead: the normal's tail hardly reaches the
        pure noise in which sampling begins.
        """
        t = torch.sigmoid(mean + std * torch.randn(count, generator=rng, device=rng.device))
        if uniform:
            anywhere, chosen = torch.rand(2, count, generator=rng, device=rng.device)
            t = torch.where(chosen < uniform, anywhere, t)
        t = t.clamp(1e-6, 1 - 1e-6)  # in float32 a far tail rounds to pure noise, which has no loss weight
        return Levels(t, (1 - t).view(-1, 1, 1, 1), t.view(-1, 1, 1, 1))

    def grid(
        self, steps: int, spacing: Spacing, sigma_max: float, sigma_min: float, sigma_lead: float = 0.0
    ) -> list[Level]:
        """`karras`: eq. 5 of Karras et al. 2022 in sigma/alpha; otherwise equal steps of t.

        `linspace`: from pure noise to 1 / T, as in Esser et al. 2024, whatever sigma_max is.
        """
        match spacing:
            case "karras":
                times = [r / (1 + r) for r in karras_ratios(steps, sigma_max, sigma_min, sigma_lead)]
            case "linspace":
                times = np.linspace(1, 1 / self.timesteps, steps).tolist()
            case "uniform" | "trailing" | "leading":
                times = np.linspace(sigma_max / (1 + sigma_max), 0, steps, endpoint=False).tolist()
            case _:
                assert_never(spacing)
        return [*(Level(t, 1 - t, t) for t in times), CLEAN]


class EdmSchedule:
    """The variance-exploding path of EDM (Karras et al. 2022): alpha = 1, t = log sigma from 0.002 to 80, as 0 to 1."""

    LOW, HIGH = math.log(0.002), math.log(80.0)

    def draw(self, count: int, rng: torch.Generator, mean: float, std: float, uniform: float = 0.0) -> Levels:
        """log sigma ~ N(mean, std^2), cut off at the path's ends; a share `uniform` evenly between them."""
        t = (mean + std * torch.randn(count, generator=rng, device=rng.device) - self.LOW) / (self.HIGH - self.LOW)
        if uniform:
            anywhere, chosen = torch.rand(2, count, generator=rng, device=rng.device)
            t = torch.where(chosen < uniform, anywhere, t)
        t = t.clamp(0, 1)
        sigma = torch.exp(self.LOW + t * (self.HIGH - self.LOW)).view(-1, 1, 1, 1)
        return Levels(t, torch.ones_like(sigma), sigma)

    def grid(
        self, steps: int, spacing: Spacing, sigma_max: float, sigma_min: float, sigma_lead: float = 0.0
    ) -> list[Level]:
        """`karras`: eq. 5 of Karras et al. 2022; otherwise equal steps of log sigma. None leaves the path."""
        high, low = min(sigma_max, 80.0), max(sigma_min, 0.002)
        match spacing:
            case "karras":
                sigmas = karras_ratios(steps, high, low, min(sigma_lead, 80.0))
            case "uniform" | "trailing" | "leading" | "linspace":
                sigmas = np.geomspace(high, low, steps).tolist()
            case _:
                assert_never(spacing)
        return [*(Level((math.log(s) - self.LOW) / (self.HIGH - self.LOW), 1.0, s) for s in sigmas), CLEAN]


def karras_ratios(steps: int, sigma_max: float, sigma_min: float, sigma_lead: float = 0.0) -> list[float]:
    """Karras et al. 2022, eq. 5: `steps` values of sigma/alpha from sigma_max down to sigma_min.

    With a `sigma_lead` above sigma_max the first of them is that: images begin in what is nearly pure noise (Lin et al.
    2024), where the model's estimate is the mean of all images, and no more than one step is spent there.

    Raises BadRequest where more than one step would not go down.
    """
    if steps > 1 and sigma_max <= sigma_min:
        raise BadRequest(
            f"A grid cannot go down from noise level {sigma_max:g} to {sigma_min:g}.",
            "Choose a sigma_max above sigma_min, and above the schedule's own lowest level.",
        )
    lead = [sigma_lead] if steps > 1 and sigma_lead > sigma_max else []
    ramp = np.linspace(0, 1, steps - len(lead)) if steps - len(lead) > 1 else np.zeros(1)
    top, bottom = sigma_max ** (1 / KARRAS_RHO), sigma_min ** (1 / KARRAS_RHO)
    return lead + ((top + ramp * (bottom - top)) ** KARRAS_RHO).tolist()


def _discrete(beta: Array, zero_snr: bool) -> DiscreteSchedule:
    return DiscreteSchedule(zero_terminal_snr(beta) if zero_snr else beta)


SCHEDULES: Mapping[ScheduleName, Callable[[int, bool, Ends, bool], Schedule]] = {
    "linear": lambda timesteps, zero_snr, ends, roots: _discrete(linear_betas(timesteps, ends, roots), zero_snr),
    "cosine": lambda timesteps, zero_snr, ends, roots: _discrete(cosine_betas(timesteps), zero_snr),
    "sigmoid": lambda timesteps, zero_snr, ends, roots: _discrete(sigmoid_betas(timesteps), zero_snr),
    "flow": lambda timesteps, zero_snr, ends, roots: FlowSchedule(timesteps),
    "edm": lambda timesteps, zero_snr, ends, roots: EdmSchedule(),
}


@lru_cache(maxsize=16)
def make_schedule(
    name: ScheduleName, timesteps: int = 1000, zero_snr: bool = False, ends: Ends = None, roots: bool = False
) -> Schedule:
    """The schedule of that name; T = `timesteps` (10 to 4000) and `zero_snr` are for the discrete ones.

    `ends` and `roots` are those of `linear_betas`. Raises KeyError for an unknown name.
    """
    return SCHEDULES[name](timesteps, zero_snr, ends, roots)


def schedule_of(config: ModelConfig) -> Schedule:
    """The schedule of a model."""
    return make_schedule(config.schedule, config.timesteps, config.zero_snr, config.beta_range, config.beta_roots)


def grid_of(schedule: Schedule, settings: SampleSettings) -> list[Level]:
    """The sampling grid of the settings; the single step of a student begins in pure noise."""
    alone = settings.sampler == "student" and settings.steps == 1
    sigma_max = max(settings.sigma_max, settings.sigma_lead) if alone else settings.sigma_max
    return schedule.grid(settings.steps, settings.spacing, sigma_max, settings.sigma_min, settings.sigma_lead)


def start_sigma(grid: Sequence[Level], settings: SampleSettings) -> float:
    """The standard deviation of the noise that sampling begins in: 1 in DDPM, whose x_T is N(0, I), else the grid's."""
    return 1.0 if settings.unit_noise else grid[0].sigma


def q_sample(x0: Tensor, eps: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
    """The forward process in closed form, q(x_t | x_0): alpha x0 + sigma eps (Ho et al. 2020, eq. 4)."""
    return alpha * x0 + sigma * eps
