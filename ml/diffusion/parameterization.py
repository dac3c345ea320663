"""Prediction targets: target, estimate of x0, scaling of the input, and loss weight."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor

from ml.config import TrainConfig
from ml.diffusion.schedules import Levels
from ml.specs import Prediction, Weighting

SIGMA_DATA = 0.5  # Karras et al. 2022, table 1
MIN_SNR_GAMMA = 5.0


class Parameterization(ABC):
    """A prediction target at x_t = alpha x0 + sigma eps.

    Images are (B, C, H, W); alpha and sigma are numbers or tensors that broadcast to them.
    """

    @abstractmethod
    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """The target of the network's output at x_t."""

    @abstractmethod
    def to_x0(self, output: Tensor, x_t: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
        """The clean image implied by the network's output at x_t; inverse of `target`."""

    def scale_input(self, x_t: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
        """The network's input for x_t; x_t itself by default."""
        return x_t

    @abstractmethod
    def snr_weight(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        """The squared error of the target in units of that of x0: SNR for eps, 1 for x0; in the shape of alpha."""


class EpsPrediction(Parameterization):
    """The noise (Ho et al. 2020)."""

    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return eps

    def to_x0(self, output: Tensor, x_t: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
        return (x_t - sigma * output) / alpha

    def snr_weight(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        return snr(alpha, sigma)


class X0Prediction(Parameterization):
    """The clean image."""

    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return x0

    def to_x0(self, output: Tensor, x_t: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
        return output

    def snr_weight(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        return torch.ones_like(alpha)


class VPrediction(Parameterization):
    """The velocity v = alpha eps - sigma x0 of a variance-preserving path (Salimans & Ho 2022)."""

    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return alpha * eps - sigma * x0

    def to_x0(self, output: Tensor, x_t: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
        return alpha * x_t - sigma * output

    def snr_weight(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        return snr(alpha, sigma) + 1


class FlowPrediction(Parameterization):
    """The flow u = eps - x0 (Lipman et al. 2023)."""

    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return eps - x0

    def to_x0(self, output: Tensor, x_t: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
        return (x_t - sigma * output) / (alpha + sigma)

    def snr_weight(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        return (1 + snr(alpha, sigma).sqrt()).square()


class EdmPrediction(Parameterization):
    """EDM's preconditioned output (Karras et al. 2022, table 1), on any path."""

    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        skip, out, _ = Preconditioning.at(alpha, sigma)
        return (x0 - skip * (alpha * x0 + sigma * eps)) / out

    def to_x0(self, output: Tensor, x_t: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
        skip, out, _ = Preconditioning.at(alpha, sigma)
        return skip * x_t + out * output

    def scale_input(self, x_t: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
        """x_t scaled to unit variance."""
        return x_t * Preconditioning.at(alpha, sigma).into

    def snr_weight(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        return torch.as_tensor(Preconditioning.at(alpha, sigma).out) ** -2


class Preconditioning(NamedTuple):
    """EDM (Karras et al. 2022, table 1) on any path: x0_hat = skip x_t + out F(into x_t).

    Written for y = x_t / alpha at noise level sigma / alpha and multiplied out, so that it holds at alpha = 0, too.
    """

    skip: Tensor | float
    out: Tensor | float
    into: Tensor | float

    @classmethod
    def at(cls, alpha: Tensor | float, sigma: Tensor | float) -> Self:
        """The coefficients at x_t = alpha x0 + sigma eps, in the shape of alpha and sigma."""
        variance = sigma**2 + (alpha * SIGMA_DATA) ** 2
        return cls(alpha * SIGMA_DATA**2 / variance, sigma * SIGMA_DATA * variance**-0.5, variance**-0.5)


PARAMETERIZATIONS: Mapping[Prediction, Parameterization] = {
    "eps": EpsPrediction(),
    "x0": X0Prediction(),
    "v": VPrediction(),
    "flow": FlowPrediction(),
    "edm": EdmPrediction(),
}


def snr(alpha: Tensor, sigma: Tensor) -> Tensor:
    """The signal-to-noise ratio alpha^2 / sigma^2."""
    return (alpha / sigma).square()


def uniform(levels: Levels, prediction: Prediction) -> Tensor:
    """Ones: (B,)."""
    return torch.ones_like(levels.t)


def min_snr(levels: Levels, prediction: Prediction) -> Tensor:
    """Min-SNR-gamma weighting (Hang et al. 2023): min(SNR, gamma) as a weight of x0, for any target: (B,)."""
    alpha, sigma = levels.alpha.flatten(), levels.sigma.flatten()
    return snr(alpha, sigma).clamp(max=MIN_SNR_GAMMA) / PARAMETERIZATIONS[prediction].snr_weight(alpha, sigma)


WEIGHTINGS: Mapping[Weighting, Callable[[Levels, Prediction], Tensor]] = {"none": uniform, "min-snr": min_snr}


def loss_weight(levels: Levels, config: TrainConfig) -> Tensor:
    """The weight of each image's loss by the configuration's weighting: (B,)."""
    return WEIGHTINGS[config.weighting](levels, config.model.prediction)
