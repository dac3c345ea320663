"""The contract between networks and samplers: denoise(x_t, level) -> x0_hat.

`NetworkDenoiser` turns the prediction of a network, of any target (`parameterization`), into an estimate of x0.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ml.diffusion.parameterization import PARAMETERIZATIONS
from ml.diffusion.schedules import Level, Levels
from ml.specs import Prediction

Denoiser = Callable[[Tensor, Level], Tensor]  # x_t (B, C, H, W) -> x0_hat (B, C, H, W)

TIME_SCALE = 1000.0  # networks take time as in DDPM with T = 1000


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
        self.parameterization = PARAMETERIZATIONS[prediction]

    def __call__(self, x_t: Tensor, level: Level | Levels, labels: Tensor) -> Tensor:
        """x0_hat at one level, or at one for each image."""
        if isinstance(level, Level):  # filled in by the device, which a copy from the processor would have to wait for
            time = torch.full((1,), level.t * TIME_SCALE, dtype=torch.float32, device=x_t.device)
        else:
            time = (level.t * TIME_SCALE).view(-1)
        output = self.network(self.parameterization.scale_input(x_t, level.alpha, level.sigma), time, labels)
        return self.parameterization.to_x0(output, x_t, level.alpha, level.sigma)
