"""The starting noise of the corners of an interpolation: by seed, or by DDIM inversion of a picture."""

from functools import lru_cache

import torch
from torch import Tensor

from ml.config import NO_LABEL, Corner, SampleRequest, SampleSettings
from ml.diffusion.guidance import classifier_free
from ml.diffusion.noise import SeededNoise
from ml.diffusion.samplers import ddim_inversion
from ml.diffusion.schedules import grid_of, schedule_of, start_sigma
from ml.generation.loaded_model import LoadedModel
from ml.imaging.embedded_png import pixels_of
from ml.models.interruptible import interruptible_denoiser


def corner_noises(model: LoadedModel, request: SampleRequest) -> Tensor:
    """The noise of every corner (corners, C, H, W): that of its seed, or the one that DDIM turns into its picture.

    On the CPU, where it is mixed: by its angles, each of which a GPU would have to be waited for.
    """
    pictured = any(corner.picture for corner in request.corners)
    settings = request.model_dump_json(include=set(SampleSettings.model_fields)) if pictured else ""

    def noise_of(corner: Corner) -> Tensor:
        if corner.picture:
            return _inverted(model, corner.picture, corner.label, settings).cpu()
        return _of_seed(corner.seed, model.config.codes)

    return torch.cat([noise_of(corner) for corner in request.corners])


@lru_cache(maxsize=64)
def _of_seed(seed: int, codes: tuple[int, int]) -> Tensor:
    """The noise of a seed; cached, since the interpolation pad requests the same corners again and again."""
    channels, side = codes
    return SeededNoise([seed], (channels, side, side), torch.device("cpu"))()


@lru_cache(maxsize=32)
def _inverted(model: LoadedModel, picture: str, label: int, settings_json: str) -> Tensor:
    """The noise that DDIM with these settings turns into a picture; cached for the same reason."""
    settings = SampleSettings.model_validate_json(settings_json)
    channels, side = model.config.codes
    x0 = image_from_png(picture, channels, side).to(model.device)
    grid = grid_of(schedule_of(model.config), settings)
    null = model.config.num_classes
    labels = torch.tensor([null if label == NO_LABEL else label], device=model.device)
    guided = settings.with_changes(guidance=1.0) if label == NO_LABEL else settings
    denoise = classifier_free(model.denoiser, labels, null, guided)
    return ddim_inversion(interruptible_denoiser(denoise), x0, grid) / start_sigma(grid, settings)


def image_from_png(text: str, channels: int, side: int) -> Tensor:
    """A PNG in base64 as (1, channels, side, side) in [-1, 1]; raises BadRequest where it is anything else."""
    pixels = torch.from_numpy(pixels_of(text, channels, side))
    return pixels.view(side, side, channels).permute(2, 0, 1)[None].float() / 127.5 - 1
