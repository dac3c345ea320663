"""The losses that training steps minimise."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import TrainConfig
from ml.data.augment import augmented
from ml.diffusion.denoiser import TIME_SCALE
from ml.diffusion.parameterization import PARAMETERIZATIONS, loss_weight
from ml.diffusion.schedules import Schedule, q_sample
from ml.models.autoencoder import Autoencoder

SCALE_MEMORY = 0.01  # weight of a batch in the running mean of the latents' scale


def _squared(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).square()


def _huber(output: Tensor, target: Tensor) -> Tensor:
    return F.huber_loss(output, target, reduction="none")


ERRORS = {"mse": _squared, "huber": _huber}  # of each pixel


class NoisedBatch(NamedTuple):
    """The inputs and targets of a diffusion model; every field has B entries."""

    input: Tensor  # the input of the network, scaled x_t, (B, C, H, W)
    time: Tensor  # (B,)
    labels: Tensor  # (B,), or tokens (B, length)
    target: Tensor  # of the network's output, (B, C, H, W)
    weight: Tensor  # of the loss, (B,)
    noise: Tensor  # noise level from 0 to 1: the angle between image and noise, (B,)
    augmentation: Tensor  # what was changed in the images, (B, augment.INPUTS)


def noised(
    x0: Tensor,
    labels: Tensor,
    schedule: Schedule,
    config: TrainConfig,
    rng: torch.Generator,
    null: Tensor | None = None,
) -> NoisedBatch:
    """Draw augmentation, noise, noise levels and label dropout for classifier-free guidance (Ho & Salimans 2022).

    x0 (B, C, H, W) in [-1, 1]; labels (B,), or tokens (B, length) with `null` (length,).
    """
    count, device = len(x0), x0.device
    x0, augmentation = augmented(x0, rng, mirror=config.mirror, share=config.augment_share)
    levels = schedule.draw(count, rng, config.time_mean, config.time_std, config.time_uniform)
    eps = torch.randn(x0.shape, generator=rng, device=device)
    dropped = torch.rand(count, generator=rng, device=device) < config.label_dropout
    if null is None:
        null = torch.full((), config.model.num_classes, device=device)
        labels = labels if config.model.num_classes else torch.zeros_like(labels)
    labels = torch.where(dropped.view(-1, *(1,) * null.ndim), null, labels)
    x_t = q_sample(x0, eps, levels.alpha, levels.sigma)
    parameterization = PARAMETERIZATIONS[config.model.prediction]
    return NoisedBatch(
        parameterization.scale_input(x_t, levels.alpha, levels.sigma),
        levels.t * TIME_SCALE,
        labels,
        parameterization.target(x0, eps, levels.alpha, levels.sigma),
        loss_weight(levels, config),
        (torch.atan2(levels.sigma, levels.alpha) * (2 / math.pi)).flatten(),
        augmentation,
    )


def diffusion_loss(network: nn.Module, batch: NoisedBatch, config: TrainConfig) -> Tensor:
    """L_simple (Ho et al. 2020, eq. 14) for the model's target, or Huber's loss: that of each image, (B,)."""
    inputs = (batch.input, batch.time, batch.labels, *([batch.augmentation] if config.model.augment_inputs else []))
    output = network(*inputs).float()
    each = ERRORS[config.loss](output, batch.target)
    return each.mean(dim=(1, 2, 3)) * batch.weight


def classifier_loss(network: nn.Module, x0: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with label smoothing 0.05 (Szegedy et al. 2016): that of each image, (B,)."""
    return F.cross_entropy(network(x0).float(), labels, label_smoothing=0.05, reduction="none")


def autoencoder_loss(network: Autoencoder, x0: Tensor, noise: Tensor, config: TrainConfig) -> Tensor:
    """Squared error of the reconstruction and KL(q(z | x) || N(0, 1)) per pixel (Kingma & Welling 2014, eq. 10).

    x0 (B, C, H, W) in [-1, 1]; noise, standard normal, as z (B, latent, h, w).
    While the network trains, its `scale` follows the spread of the latents' means.
    """
    mean, log_variance = network.posterior(x0)
    log_variance = log_variance.float().clamp(-20, 10)
    z = mean + torch.exp(log_variance / 2) * noise
    kl = 0.5 * (mean.float().square() + log_variance.exp() - 1 - log_variance).sum(dim=(1, 2, 3)).mean()
    if network.training:
        spread = mean.detach().float().std().clamp(min=1e-6)
        network.scale.lerp_(1 / spread, SCALE_MEMORY)
    return F.mse_loss(network.reconstruct(z).float(), x0) + config.kl_weight * kl / x0[0].numel()


def contrastive_loss(similarity: Tensor, truth: Tensor, absent: Tensor) -> Tensor:
    """CLIP's symmetric cross-entropy (Radford et al. 2021), with every caption that is true of an image as a positive.

    similarity (images, captions), scaled; truth likewise, bool, with a true image for every caption and the reverse.
    absent (images, texts): similarities, scaled, to texts that are true of no image.
    """
    each_image = torch.cat([similarity, absent], dim=1).log_softmax(dim=1)[:, : truth.shape[1]]
    each_caption = similarity.log_softmax(dim=0)
    positives = truth.float()
    image_loss = -(each_image * positives).sum(dim=1) / positives.sum(dim=1)
    caption_loss = -(each_caption * positives).sum(dim=0) / positives.sum(dim=0)
    return (image_loss.mean() + caption_loss.mean()) / 2
