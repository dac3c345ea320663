"""How much memory a request or a training run is going to take, so that too much is refused before it begins.

Counted are weights with what training keeps beside them, what a network's layers hold of each image, and the pictures
that are kept; a rough figure, within a factor of two.
"""

import math

import torch

from ml.config import ModelConfig, SampleRequest, TrainConfig
from ml.errors import BadRequest
from ml.models.weights import expected

FLOAT = 4  # bytes
COPIES = 5  # of the weights while they are trained: with their gradients, averages and the optimiser's two
KEPT = 9  # layers' results of a residual block that training keeps, to go back through them
AT_ONCE = 4  # of them that drawing has at a time, beside what waits for the way up
PICTURES = 3  # of an image and step that are kept: the noisy one, the clean one, the noise
GUIDED = 2  # an image is drawn with its label and without
SMALL = 2**26  # bytes for which nobody asks how much there is


def check_sampling(request: SampleRequest, config: ModelConfig, device: torch.device, batch: int, frames: bool) -> None:
    """Raises BadRequest, with the figure, where drawing takes more memory than there is."""
    images = len(request.labels)
    pixels = config.channels * config.image_size**2
    kept = images * pixels * (1 + (PICTURES * (request.steps + 1) if frames else 0))
    layers = FLOAT * GUIDED * min(images, batch) * _per_image(config, AT_ONCE)
    _check(kept, torch.device("cpu"), f"{images:,} images of {request.steps:,} steps", "Ask for fewer images or steps.")
    _check(layers, device, f"Drawing {min(images, batch)} images at a time", "Choose a smaller model, or fewer images.")


def check_training(config: TrainConfig, device: torch.device) -> None:
    """Raises BadRequest, with the figure, where training takes more memory than there is."""
    weights = sum(math.prod(tensor.shape) for tensor in expected(config.model, config.name).values())
    halved = device.type == "cuda"  # where a batch that does not fit is halved until it does
    part = 1 if halved else math.ceil(config.batch_size / config.accumulate)
    size = FLOAT * (COPIES * weights + part * _per_image(config.model, KEPT))
    remedy = "Choose a smaller batch_size, narrower widths or smaller images, or set accumulate to 4 or 8."
    _check(size, device, f"Training {weights / 1e6:,.1f} million weights with {part} images at a time", remedy)


def free(device: torch.device) -> int:
    """Bytes that can be had on a device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    import psutil

    return psutil.virtual_memory().available


def _per_image(config: ModelConfig, results: int) -> int:
    """Numbers that the layers hold of one image: results of each block at its resolution, on the way down and up."""
    _, side = config.codes
    held, resolution = 0, max(side // config.patch, 1)
    for width in config.widths:
        held += 2 * config.blocks * results * width * resolution**2
        resolution = (resolution + 1) // 2
    return held


def _check(size: int, device: torch.device, what: str, remedy: str) -> None:
    there = free(device) if size > SMALL else SMALL
    if size > there:
        raise BadRequest(f"{what} would take {size / 1e9:,.1f} GB of memory; {there / 1e9:,.1f} GB are free.", remedy)
