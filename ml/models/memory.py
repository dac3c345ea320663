"""The memory that a request or a training run will take, so that too much is refused at the start.

The estimate counts weights with their training state, the activations of each image, and the images that are kept. It
is right within a factor of three.
"""

import math

import torch

from ml.config import ModelConfig, SampleRequest, TrainConfig
from ml.errors import BadRequest
from ml.models.weights import expected
from ml.system.device import free

FLOAT = 4  # bytes
COPIES = 5  # of the weights in training: themselves, gradients, average, and two of the optimizer
KEPT = 9  # activations of a residual block that training keeps for the backward pass
AT_ONCE = 4  # activations of a residual block at one time in sampling, and the skip connections
PICTURES = 3  # kept of each image and step: noisy image, clean estimate, noise
GUIDED = 2  # network inputs of an image: with its label and without
SMALL = 2**26  # bytes below which free memory is not checked


def check_sampling(request: SampleRequest, config: ModelConfig, device: torch.device, batch: int, frames: bool) -> None:
    """Raises BadRequest, with the figure, where sampling takes more memory than is free."""
    images = len(request.labels)
    pixels = config.channels * config.image_size**2
    kept = images * pixels * (1 + (PICTURES * (request.steps + 1) if frames else 0))
    layers = FLOAT * GUIDED * min(images, batch) * _per_image(config, AT_ONCE)
    _check(kept, torch.device("cpu"), f"{images:,} images of {request.steps:,} steps", "Ask for fewer images or steps.")
    _check(layers, device, f"Drawing {min(images, batch)} images at a time", "Choose a smaller model, or fewer images.")


def check_training(config: TrainConfig, device: torch.device) -> None:
    """Raises BadRequest, with the figure, where training takes more memory than is free."""
    weights = sum(math.prod(tensor.shape) for tensor in expected(config.model, config.name).values())
    halved = device.type == "cuda"  # training halves a batch there until it fits
    part = 1 if halved else math.ceil(config.batch_size / config.accumulate)
    size = FLOAT * (COPIES * weights + part * _per_image(config.model, KEPT))
    remedy = "Choose a smaller batch_size, narrower widths or smaller images, or set accumulate to 4 or 8."
    _check(size, device, f"Training {weights / 1e6:,.1f} million weights with {part} images at a time", remedy)


def _per_image(config: ModelConfig, results: int) -> int:
    """Numbers in the activations of one image: `results` of each block at its resolution, on the way down and up."""
    _, side = config.codes
    held, resolution = 0, max(side // config.patch, 1)
    for width in config.widths:
        held += 2 * config.blocks * results * width * resolution**2
        resolution = (resolution + 1) // 2
    return held


def _check(size: int, device: torch.device, what: str, remedy: str) -> None:
    available = free(device) if size > SMALL else SMALL
    if size > available:
        raise BadRequest(
            f"{what} would take {size / 1e9:,.1f} GB of memory; {available / 1e9:,.1f} GB are free.", remedy
        )
