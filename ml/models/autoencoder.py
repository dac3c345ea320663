"""A KL autoencoder (Kingma & Welling 2014; Rombach et al. 2022), and a diffusion model that works in its latent."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ml.config import ModelConfig


class PlainBlock(nn.Module):
    """GroupNorm, SiLU, conv, twice, with a residual connection; the second conv is zero-initialised."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, width), nn.GroupNorm(8, width)
        self.conv1, self.conv2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.silu = nn.SiLU()
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(self.silu(self.norm1(x)))
        return x + self.conv2(self.silu(self.norm2(h)))


class Posterior(NamedTuple):
    """q(z | x) of a batch: mean and log variance, (B, latent, h, w) each."""

    mean: Tensor
    log_variance: Tensor


class Autoencoder(nn.Module):
    """Images (B, C, H, W) in [-1, 1] to a latent (B, latent, h, w) of unit variance, and back.

    Each of `widths` but the first halves the image: three widths turn 28 x 28 into 7 x 7.
    """

    scale: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths = config.widths
        down: list[nn.Module] = [nn.Conv2d(config.channels, widths[0], 3, padding=1)]
        for into, out in zip(widths, (*widths[1:], None), strict=True):
            down += [PlainBlock(into) for _ in range(config.blocks)]
            down += [nn.Conv2d(into, out, 3, stride=2, padding=1)] if out else []
        self.encoder = nn.Sequential(*down)
        self.into = nn.Conv2d(widths[-1], 2 * config.latent, 1)
        up: list[nn.Module] = [nn.Conv2d(config.latent, widths[-1], 3, padding=1)]
        for into, out in zip(widths[::-1], (*widths[-2::-1], None), strict=True):
            up += [PlainBlock(into) for _ in range(config.blocks)]
            up += [nn.Upsample(scale_factor=2), nn.Conv2d(into, out, 3, padding=1)] if out else []
        self.decoder = nn.Sequential(*up, nn.GroupNorm(8, widths[0]), nn.SiLU())
        self.out = nn.Conv2d(widths[0], config.channels, 3, padding=1)
        self.register_buffer("scale", torch.ones(()))  # makes the latent's variance 1; measured during training

    def posterior(self, x: Tensor) -> Posterior:
        """q(z | x), before scaling."""
        return Posterior(*self.into(self.encoder(x)).chunk(2, dim=1))

    def reconstruct(self, z: Tensor) -> Tensor:
        """The image of a latent before scaling."""
        return self.out(self.decoder(z))

    def encode(self, x: Tensor) -> Tensor:
        """Images to the means of their latents, of unit variance."""
        return self.posterior(x).mean * self.scale

    def decode(self, z: Tensor) -> Tensor:
        """Approximate inverse of `encode`."""
        return self.reconstruct(z / self.scale)


class LatentModel(nn.Module):
    """A diffusion network in the latent of a frozen autoencoder."""

    def __init__(self, network: nn.Module, codec: Autoencoder) -> None:
        super().__init__()
        self.network, self.codec = network, codec.requires_grad_(False)

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        return self.network(x, time, labels)
