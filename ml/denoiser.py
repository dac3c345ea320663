"""The one contract between networks and samplers: denoise(x_t, level) -> x0_hat.

A network may predict the noise eps, the clean image x0, the velocity v (Salimans & Ho 2022) or the flow
u = eps - x0 (Lipman et al. 2023); here each becomes an estimate of the clean image.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ml.config import Prediction
from ml.schedules import Level

Denoiser = Callable[[Tensor, Level], Tensor]  # x_t (B, C, H, W) -> x0_hat (B, C, H, W)

TIME_SCALE = 1000.0  # networks see time as in DDPM with T = 1000


def target(prediction: Prediction, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """What the network should output at x_t = alpha x0 + sigma eps. All (B, C, H, W) or broadcastable."""
    if prediction == "eps":
        return eps
    if prediction == "x0":
        return x0
    if prediction == "v":
        return alpha * eps - sigma * x0
    return eps - x0


def to_x0(prediction: Prediction, output: Tensor, x_t: Tensor, alpha: float, sigma: float) -> Tensor:
    """The clean image implied by a network's output at x_t; inverse of `target`."""
    if prediction == "eps":
        return (x_t - sigma * output) / alpha
    if prediction == "x0":
        return output
    if prediction == "v":
        return alpha * x_t - sigma * output
    return (x_t - sigma * output) / (alpha + sigma)


def to_eps(x0_hat: Tensor, x_t: Tensor, level: Level) -> Tensor:
    """The noise implied by a clean estimate: eps = (x_t - alpha x0_hat) / sigma."""
    return (x_t - level.alpha * x0_hat) / level.sigma


class NetworkDenoiser:
    """Adapter from a network to the x0 contract, for given labels (B,), int64, null label = number of classes."""

    def __init__(self, network: nn.Module, prediction: Prediction) -> None:
        self.network = network
        self.prediction: Prediction = prediction

    def __call__(self, x_t: Tensor, level: Level, labels: Tensor) -> Tensor:
        time = torch.full((1,), level.t * TIME_SCALE, device=x_t.device)
        return to_x0(self.prediction, self.network(x_t, time, labels), x_t, level.alpha, level.sigma)
