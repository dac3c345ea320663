"""Where the images of a request begin."""

from functools import lru_cache

import torch
from torch import Tensor

from ml.config import NO_LABEL, Corner, SampleRequest, SampleSettings
from ml.diffusion.guidance import classifier_free
from ml.diffusion.interpolation import mixed_noise
from ml.diffusion.noise import SeededNoise
from ml.diffusion.samplers import ddim_inversion
from ml.diffusion.schedules import Level, grid_of, q_sample, schedule_of
from ml.generation.loaded_model import LoadedModel
from ml.generation.plan import BATCH
from ml.imaging.embedded_png import from_text
from ml.models.interruptible import interruptible_denoiser


def noise_of(model: LoadedModel, request: SampleRequest, first: int) -> SeededNoise:
    """Where the images' noise comes from."""
    channels, side = model.config.codes
    images = range(first, min(first + BATCH, len(request.labels)))
    seeds = [request.seed if request.corners else request.seed_of(k) for k in images]
    return SeededNoise(seeds, (channels, side, side), model.device)


def first_images(model: LoadedModel, request: SampleRequest, first: int, level: Level, noise: SeededNoise) -> Tensor:
    """The images at the first level: noise, noise between corners, or a drawing with noise on it."""
    channels, side = model.config.codes
    if request.corners:
        weights = torch.tensor(request.weights[first : first + BATCH], device=model.device)
        begin = mixed_noise(corner_noises(model, request), weights, request.mixing)
    else:
        begin = noise()
    start = level.sigma * begin
    if request.source:
        known = from_text(request.source, channels, side).to(model.device)
        start = q_sample(known, begin, level.alpha, level.sigma)
    return start.contiguous(memory_format=torch.channels_last)


def corner_noises(model: LoadedModel, request: SampleRequest) -> Tensor:
    """The noise of every corner: that of its seed, or the one that turns into its picture, (corners, C, H, W)."""
    pictured = any(corner.picture for corner in request.corners)
    settings = request.model_dump_json(include=set(SampleSettings.model_fields)) if pictured else ""

    def noise_of(corner: Corner) -> Tensor:
        if corner.picture:
            return _inverted(model, corner.picture, corner.label, settings)
        return _of_seed(corner.seed, model.config.codes, model.device)

    return torch.cat([noise_of(corner) for corner in request.corners])


@lru_cache(maxsize=64)
def _of_seed(seed: int, codes: tuple[int, int], device: torch.device) -> Tensor:
    """The noise of a corner; kept, since a hand on a pad asks again."""
    channels, side = codes
    return SeededNoise([seed], (channels, side, side), device)()


@lru_cache(maxsize=32)
def _inverted(model: LoadedModel, picture: str, label: int, settings_json: str) -> Tensor:
    """The noise that DDIM with these settings turns into a picture; kept, too."""
    settings = SampleSettings.model_validate_json(settings_json)
    channels, side = model.config.codes
    x0 = from_text(picture, channels, side).to(model.device)
    grid = grid_of(schedule_of(model.config), settings)
    null = model.config.num_classes
    wanted = torch.tensor([null if label == NO_LABEL else label], device=model.device)
    guided = settings.with_changes(guidance=1.0) if label == NO_LABEL else settings
    denoise = classifier_free(model.denoiser, wanted, null, guided)
    return ddim_inversion(interruptible_denoiser(denoise), x0, grid) / grid[0].sigma
