"""The one contract between networks and samplers: denoise(x_t, level) -> x0_hat.

A network may predict the noise eps, the clean image x0, the velocity v (Salimans & Ho 2022) or the flow
u = eps - x0 (Lipman et al. 2023), or be preconditioned as in EDM (Karras et al. 2022); here each becomes an estimate of
the clean image.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ml.config import Prediction
from ml.diffusion.parameterization import network_input, to_x0
from ml.diffusion.schedules import Level, Levels

Denoiser = Callable[[Tensor, Level], Tensor]  # x_t (B, C, H, W) -> x0_hat (B, C, H, W)

TIME_SCALE = 1000.0  # networks see time as in DDPM with T = 1000


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
