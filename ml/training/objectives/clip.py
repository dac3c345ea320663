"""The contrastive objective of CLIP (Radford et al. 2021)."""

import random
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from ml.config import TrainConfig
from ml.data.dataset import Dataset
from ml.data.device_dataset import Images
from ml.diffusion.denoiser import NetworkDenoiser
from ml.diffusion.schedules import q_sample, schedule_of
from ml.generation import loaded_model
from ml.specs import DeviceName
from ml.text import captions, tokenizer
from ml.training.losses import contrastive_loss
from ml.training.objectives.base import Objective


class CaptionedBatch(NamedTuple):
    """Images (B, C, H, W) in [-1, 1], their labels and their attributes (B,)."""

    x0: Tensor
    labels: Tensor
    bits: Tensor


class ContrastiveObjective(Objective):
    """The digit CLIP: images and captions that are true of them, see `contrastive_loss`."""

    divisible = False  # the loss contrasts the captions of a batch with each other
    UNKNOWN_SHARE = 0.25  # share of captions with unknown words; unrelated texts per caption

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.images, self.device = config, Images(dataset, device), device
        self.bits = captions.attributes(dataset.images, dataset.labels)
        self.reference_model = (
            loaded_model.load(config.estimates_from, cast(DeviceName, device.type)) if config.estimates_from else None
        )

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> "CaptionedBatch":
        return CaptionedBatch(*self.images[chosen], self.bits[chosen.cpu()])

    def losses(self, network: nn.Module, batch: "CaptionedBatch", rng: torch.Generator) -> Tensor:
        from ml.models.digit_clip import DigitClip  # open_clip takes seconds to import

        assert isinstance(network, DigitClip)
        x, bits, classes = batch.x0, batch.bits, batch.labels.cpu()
        python_rng = random.Random(int(torch.randint(2**62, (), generator=rng, device=self.device)))
        chosen_captions = [captions.caption(int(c), int(b), python_rng) for c, b in zip(classes, bits, strict=True)]
        encoded = [self._with_unknown_words(tokenizer.encode(entry.text), python_rng) for entry in chosen_captions]
        unrelated = [
            tokenizer.encode(captions.unrelated(python_rng))
            for _ in range(max(1, round(self.UNKNOWN_SHARE * len(chosen_captions))))
        ]
        image, words = (
            network.encode_images(self._estimated(x, rng)),
            network.encode_tokens(tokenizer.rows(encoded + unrelated).to(self.device)),
        )
        similarity = (network.scale * image @ words.T).float()
        truth = captions.truth(chosen_captions, classes, bits).to(self.device)
        return contrastive_loss(similarity[:, : len(chosen_captions)], truth, similarity[:, len(chosen_captions) :])

    @torch.no_grad()
    def _estimated(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """The images, half of them as a diffusion model estimates them from noise: the inputs of CLIP guidance."""
        if self.reference_model is None:
            return x
        noisy, clean = x.tensor_split(2)
        schedule = schedule_of(self.reference_model.config)
        levels = schedule.draw(len(noisy), rng, self.config.time_mean, self.config.time_std)
        eps = torch.randn(noisy.shape, generator=rng, device=self.device)
        labels = torch.full((len(noisy),), self.reference_model.config.num_classes, device=self.device)
        x_t = q_sample(noisy, eps, levels.alpha, levels.sigma)
        denoise = NetworkDenoiser(self.reference_model.network, self.reference_model.config.prediction)
        return torch.cat([denoise(x_t, levels, labels).to(x.dtype), clean])

    def _with_unknown_words(self, encoded: tuple[int, ...], python_rng: random.Random) -> tuple[int, ...]:
        if python_rng.random() > self.UNKNOWN_SHARE:
            return encoded
        places = {python_rng.randint(0, len(encoded)) for _ in range(python_rng.randint(1, 3))}
        parts = [(tokenizer.UNKNOWN, number) if at in places else (number,) for at, number in enumerate(encoded)]
        return tuple(n for part in parts for n in part) + ((tokenizer.UNKNOWN,) if len(encoded) in places else ())
