"""The one contract between networks and samplers: denoise(x_t, level) -> x0_hat.

A network may predict the noise eps, the clean image x0, the velocity v (Salimans & Ho 2022) or the flow
u = eps - x0 (Lipman et al. 2023), or be preconditioned as in EDM (Karras et al. 2022); here each becomes an estimate of
the clean image.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from ml.config import Prediction
from ml.diffusion.schedules import Level, Levels

Denoiser = Callable[[Tensor, Level], Tensor]  # x_t (B, C, H, W) -> x0_hat (B, C, H, W)

TIME_SCALE = 1000.0  # networks see time as in DDPM with T = 1000
SIGMA_DATA = 0.5  # Karras et al. 2022, table 1


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


def network_input(prediction: Prediction, x_t: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
    """What the network is shown of x_t: EDM's is scaled to unit variance, any other's is x_t itself."""
    return x_t * Preconditioning.at(alpha, sigma).into if prediction == "edm" else x_t


def target(prediction: Prediction, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """What the network should output at x_t = alpha x0 + sigma eps. All (B, C, H, W) or broadcastable."""
    if prediction == "eps":
        return eps
    if prediction == "x0":
        return x0
    if prediction == "v":
        return alpha * eps - sigma * x0
    if prediction == "edm":
        skip, out, _ = Preconditioning.at(alpha, sigma)
        return (x0 - skip * (alpha * x0 + sigma * eps)) / out
    return eps - x0


def to_x0(prediction: Prediction, output: Tensor, x_t: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
    """The clean image implied by a network's output at x_t; inverse of `target`."""
    if prediction == "eps":
        return (x_t - sigma * output) / alpha
    if prediction == "x0":
        return output
    if prediction == "v":
        return alpha * x_t - sigma * output
    if prediction == "edm":
        skip, out, _ = Preconditioning.at(alpha, sigma)
        return skip * x_t + out * output
    return (x_t - sigma * output) / (alpha + sigma)


def to_eps(x0_hat: Tensor, x_t: Tensor, level: Level) -> Tensor:
    """The noise implied by a clean estimate: eps = (x_t - alpha x0_hat) / sigma."""
    return (x_t - level.alpha * x0_hat) / level.sigma


def to_score(x0_hat: Tensor, x_t: Tensor, level: Level) -> Tensor:
    """The score grad log p(x_t) implied by a clean estimate: s = -eps / sigma (Song et al. 2021b)."""
    return -to_eps(x0_hat, x_t, level) / level.sigma


class NetworkDenoiser:
    """Adapter from a network to the x0 contract, for given labels (B,), int64, null label = number of classes."""

    def __init__(self, network: nn.Module, prediction: Prediction) -> None:
        self.network = network
        self.prediction: Prediction = prediction

    def __call__(self, x_t: Tensor, level: Level | Levels, labels: Tensor) -> Tensor:
        """x0_hat at one level, or at one for each image."""
        time = torch.as_tensor(level.t * TIME_SCALE, dtype=torch.float32, device=x_t.device).view(-1)
        output = self.network(network_input(self.prediction, x_t, level.alpha, level.sigma), time, labels)
        return to_x0(self.prediction, output, x_t, level.alpha, level.sigma)
