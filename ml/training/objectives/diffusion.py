"""Denoising score matching and its text-conditioned form."""

import random

import torch
from torch import Tensor, nn

from ml.cancellation import check_cancelled
from ml.config import TrainConfig
from ml.data.dataset import Dataset
from ml.data.device_dataset import Images
from ml.diffusion.schedules import schedule_of
from ml.models.autoencoder import LatentModel
from ml.text import captions, tokenizer
from ml.training.losses import NoisedBatch, diffusion_loss, noised
from ml.training.objectives.base import Objective


class DiffusionObjective(Objective):
    """Diffusion models: see `diffusion_loss`."""

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.images = config, Images(dataset, device)
        self.schedule = schedule_of(config.model)
        self._latents: Tensor | None = None

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> NoisedBatch:
        x0, labels = self._encoded(network, chosen) if isinstance(network, LatentModel) else self.images[chosen]
        return noised(x0, labels, self.schedule, self.config, rng)

    def losses(self, network: nn.Module, batch: NoisedBatch, rng: torch.Generator) -> Tensor:
        return diffusion_loss(network, batch, self.config)

    @torch.no_grad()
    def _encoded(self, network: LatentModel, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Latents and labels; all images are encoded once, since the codec does not change."""
        if self._latents is None:
            every, parts = torch.arange(len(self.images.labels), device=chosen.device), []
            with torch.autocast(chosen.device.type, enabled=False):
                for part in every.split(250):
                    check_cancelled()
                    parts.append(network.codec.encode(self.images[part][0]))
            self._latents = torch.cat(parts)
        return self._latents[chosen].contiguous(memory_format=torch.channels_last), self.images.labels[chosen]


class TextObjective(DiffusionObjective):
    """Text-conditioned diffusion models: the condition is a random caption that is true of the image."""

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        self.bits = captions.attributes(dataset.images, dataset.labels)
        self.empty_text = tokenizer.tokens([""])[0].to(device)

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> NoisedBatch:
        x0, labels = self.images[chosen]
        python_rng = random.Random(int(torch.randint(2**62, (), generator=rng, device=x0.device)))
        pairs = zip(labels.tolist(), self.bits[chosen.cpu()].tolist(), strict=True)
        text = tokenizer.tokens([captions.caption(label, bits, python_rng).text for label, bits in pairs]).to(x0.device)
        return noised(x0, text, self.schedule, self.config, rng, self.empty_text)
