"""What a network is trained to predict: target, input scaling and the way back to x0 (eps, x0, v, flow)."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from ml.config import Prediction, TrainConfig
from ml.diffusion.schedules import Levels

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


MIN_SNR_GAMMA = 5.0


def loss_weight(levels: Levels, config: TrainConfig) -> Tensor:
    """Min-SNR-gamma weighting (Hang et al. 2023) for the model's target, or ones: (B,)."""
    if config.weighting == "none":
        return torch.ones_like(levels.t)
    snr = (levels.alpha / levels.sigma).square().flatten()
    capped = snr.clamp(max=MIN_SNR_GAMMA)
    per_target = {
        "eps": snr,
        "x0": torch.ones_like(snr),
        "v": snr + 1,
        "flow": (1 + snr.sqrt()).square(),
        "edm": Preconditioning.at(levels.alpha.flatten(), levels.sigma.flatten()).out ** -2,
    }
    return capped / per_target[config.model.prediction]
