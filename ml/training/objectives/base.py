"""What each kind of network is trained for: from images of a data set to a loss."""

import random
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from ml.config import DeviceName, TrainConfig
from ml.control import stop_here
from ml.data import Dataset
from ml.data.device_dataset import Images, Pictures
from ml.diffusion.denoiser import NetworkDenoiser
from ml.diffusion.schedules import q_sample, schedule_of
from ml.generation import pipeline
from ml.models.autoencoder import Autoencoder, LatentModel
from ml.text import captions, tokenizer
from ml.training.losses import (
    Noised,
    autoencoder_loss,
    classifier_loss,
    contrastive_loss,
    diffusion_loss,
    distort,
    noised,
)
from ml.training.objectives.distillation import Distilling
from ml.training.optimizers import Learner

Batch = tuple[Tensor, ...]  # B entries each


class Objective(Protocol):
    """The loss of a network on some of a data set's images, in two steps: chance first, then what follows from it."""

    divisible: bool = True  # whether the loss of a batch is the mean of its parts' losses
    learners: Mapping[str, Learner] = MappingProxyType({})  # beside the network, by their names in a checkpoint

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> Batch:
        """The images with the indices `chosen` (B,), int64, and what is random about them."""
        ...

    def losses(self, network: nn.Module, batch: Any, rng: torch.Generator) -> Tensor:
        """The loss of each image (B,), or of all of them ()."""
        ...


def parts(batch: Batch, count: int) -> Iterator[Batch]:
    """A batch in `count` equal parts, as far as that goes."""
    kind: Any = type(batch)  # a NamedTuple
    split = [tensor.tensor_split(min(count, len(tensor))) for tensor in batch]
    yield from (kind(*part) for part in zip(*split, strict=True))


def objective_of(config: TrainConfig, dataset: Dataset, device: torch.device) -> Objective:
    """What a network of that configuration is trained for."""
    if config.model.network == "judge":
        return Reading(config, dataset, device)
    if config.teacher_from:
        return Distilling(config, dataset, device)
    if config.model.network == "clip":
        return Matching(config, dataset, device)
    if config.model.network == "autoencoder":
        return Coding(config, dataset, device)
    if config.model.reader:
        return Telling(config, dataset, device)
    return Denoising(config, dataset, device)


class Denoising(Objective):
    """Diffusion models: see `diffusion_loss`."""

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.images = config, Images(dataset, device)
        self.schedule = schedule_of(config.model)
        self._latents: Tensor | None = None

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> Noised:
        x0, labels = self._encoded(network, chosen) if isinstance(network, LatentModel) else self.images[chosen]
        return noised(x0, labels, self.schedule, self.config, rng)

    def losses(self, network: nn.Module, batch: Noised, rng: torch.Generator) -> Tensor:
        return diffusion_loss(network, batch, self.config)

    @torch.no_grad()
    def _encoded(self, network: LatentModel, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Latents and labels; all images are encoded once, since the codec does not change."""
        if self._latents is None:
            every, parts = torch.arange(len(self.images.labels), device=chosen.device), []
            with torch.autocast(chosen.device.type, enabled=False):
                for part in every.split(250):
                    stop_here()
                    parts.append(network.codec.encode(self.images[part][0]))
            self._latents = torch.cat(parts)
        return self._latents[chosen].contiguous(memory_format=torch.channels_last), self.images.labels[chosen]


class Telling(Denoising):
    """Diffusion models that are told in words what to draw: captions that are true of the images."""

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        self.bits = captions.attributes(dataset.images, dataset.labels)
        self.silence = tokenizer.tokens([""])[0].to(device)

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> Noised:
        x0, labels = self.images[chosen]
        pick = random.Random(int(torch.randint(2**62, (), generator=rng, device=x0.device)))
        pairs = zip(labels.tolist(), self.bits[chosen.cpu()].tolist(), strict=True)
        said = tokenizer.tokens([captions.caption(label, bits, pick).text for label, bits in pairs]).to(x0.device)
        return noised(x0, said, self.schedule, self.config, rng, self.silence)


class Reading(Objective):
    """The judge: see `classifier_loss`; the images are slightly distorted if asked for."""

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.images = config, Images(dataset, device)

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> Pictures:
        x0, labels = self.images[chosen]
        return Pictures(distort(x0, rng) if self.config.augment else x0, labels)

    def losses(self, network: nn.Module, batch: Pictures, rng: torch.Generator) -> Tensor:
        return classifier_loss(network, batch.x0, batch.labels)


class Coding(Objective):
    """Autoencoders: see `autoencoder_loss`."""

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.images = config, Images(dataset, device)

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> "Blurred":
        x0, model = self.images[chosen].x0, self.config.model
        side = -(-model.image_size // 2 ** (len(model.widths) - 1))
        noise = torch.randn(len(x0), model.latent, side, side, generator=rng, device=x0.device)
        return Blurred(x0, noise)

    def losses(self, network: nn.Module, batch: "Blurred", rng: torch.Generator) -> Tensor:
        assert isinstance(network, Autoencoder)
        return autoencoder_loss(network, batch.x0, batch.noise, self.config)


class Blurred(NamedTuple):
    """Images (B, C, H, W) in [-1, 1], and the noise on their latents (B, latent, h, w)."""

    x0: Tensor
    noise: Tensor


class Captioned(NamedTuple):
    """Images (B, C, H, W) in [-1, 1], their labels and their attributes (B,)."""

    x0: Tensor
    labels: Tensor
    bits: Tensor


class Matching(Objective):
    """The digit CLIP: images and captions that are true of them, see `contrastive_loss`."""

    divisible = False  # a batch's captions are told from one another
    FOREIGN = 0.25  # share of captions with words that nobody has heard of, and of texts with nothing else

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.images, self.device = config, Images(dataset, device), device
        self.bits = captions.attributes(dataset.images, dataset.labels)
        self.artist = (
            pipeline.load(config.estimates_from, cast(DeviceName, device.type)) if config.estimates_from else None
        )

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> "Captioned":
        return Captioned(*self.images[chosen], self.bits[chosen.cpu()])

    def losses(self, network: nn.Module, batch: "Captioned", rng: torch.Generator) -> Tensor:
        from ml.models.digit_clip import DigitClip  # open_clip takes seconds to import

        assert isinstance(network, DigitClip)
        x, bits, classes = batch.x0, batch.bits, batch.labels.cpu()
        pick = random.Random(int(torch.randint(2**62, (), generator=rng, device=self.device)))
        said = [captions.caption(int(c), int(b), pick) for c, b in zip(classes, bits, strict=True)]
        encoded = [self._with_foreign(tokenizer.encode(entry.text), pick) for entry in said]
        foreign = [tokenizer.encode(captions.foreign(pick)) for _ in range(max(1, round(self.FOREIGN * len(said))))]
        image, words = (
            network.image(self._estimated(x, rng)),
            network.text(tokenizer.rows(encoded + foreign).to(self.device)),
        )
        similarity = (network.scale * image @ words.T).float()
        truth = captions.truth(said, classes, bits).to(self.device)
        return contrastive_loss(similarity[:, : len(said)], truth, similarity[:, len(said) :])

    @torch.no_grad()
    def _estimated(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """The images, half of them as a diffusion model makes them out in noise: what guidance asks a CLIP about."""
        if self.artist is None:
            return x
        noisy, clean = x.tensor_split(2)
        levels = schedule_of(self.artist.config).draw(len(noisy), rng, self.config.time_mean, self.config.time_std)
        eps = torch.randn(noisy.shape, generator=rng, device=self.device)
        labels = torch.full((len(noisy),), self.artist.config.num_classes, device=self.device)
        x_t = q_sample(noisy, eps, levels.alpha, levels.sigma)
        denoise = NetworkDenoiser(self.artist.network, self.artist.config.prediction)
        return torch.cat([denoise(x_t, levels, labels).to(x.dtype), clean])

    def _with_foreign(self, encoded: tuple[int, ...], pick: random.Random) -> tuple[int, ...]:
        if pick.random() > self.FOREIGN:
            return encoded
        places = {pick.randint(0, len(encoded)) for _ in range(pick.randint(1, 3))}
        parts = [(tokenizer.UNKNOWN, number) if at in places else (number,) for at, number in enumerate(encoded)]
        return tuple(n for part in parts for n in part) + ((tokenizer.UNKNOWN,) if len(encoded) in places else ())
