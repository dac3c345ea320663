"""The autoencoder objective: reconstruction and KL."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ml.config import TrainConfig
from ml.data.dataset import Dataset
from ml.data.device_dataset import Images
from ml.models.autoencoder import Autoencoder
from ml.training.losses import autoencoder_loss
from ml.training.objectives.base import Objective


class AutoencoderObjective(Objective):
    """Autoencoders: see `autoencoder_loss`."""

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.images = config, Images(dataset, device)

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> "BlurredBatch":
        x0, model = self.images[chosen].x0, self.config.model
        side = -(-model.image_size // 2 ** (len(model.widths) - 1))
        noise = torch.randn(len(x0), model.latent, side, side, generator=rng, device=x0.device)
        return BlurredBatch(x0, noise)

    def losses(self, network: nn.Module, batch: "BlurredBatch", rng: torch.Generator) -> Tensor:
        assert isinstance(network, Autoencoder)
        return autoencoder_loss(network, batch.x0, batch.noise, self.config)


class BlurredBatch(NamedTuple):
    """Images (B, C, H, W) in [-1, 1], and the noise on their latents (B, latent, h, w)."""

    x0: Tensor
    noise: Tensor
