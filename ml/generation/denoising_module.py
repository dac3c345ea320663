"""One estimate of a diffusion model as a module of tensors alone, to be written for other programs."""

import torch
from torch import Tensor, nn

from ml.diffusion.denoiser import NetworkDenoiser
from ml.diffusion.schedules import Levels
from ml.generation.loaded_model import LoadedModel
from ml.models.autoencoder import LatentModel


class DenoisingModule(nn.Module):
    """x_t (B, C, H, W), level (3,): t, alpha and sigma, condition (B, ...) -> x0_hat, and its image from a latent.

    At sigma = 0 the estimate is x_t itself, so that the image of any latent can be had.
    """

    def __init__(self, model: LoadedModel) -> None:
        super().__init__()
        self.network = model.network
        self._denoise = NetworkDenoiser(model.network, model.config.prediction)

    def forward(self, x: Tensor, level: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
        t, alpha, sigma = level.unbind()
        estimate = self._denoise(x, Levels(t, alpha, sigma), condition)
        x0 = torch.where(sigma > 0, estimate, x)
        return (x0, self.network.codec.decode(x0)) if isinstance(self.network, LatentModel) else (x0,)
