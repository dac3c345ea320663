"""A diffusion model as a classifier (Li et al. 2023): the class whose denoiser explains an image best."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ml.control import RunControl
from ml.diffusion.schedules import q_sample, schedule_of
from ml.errors import BadRequest
from ml.events import Progress
from ml.generation.loaded_model import LoadedModel

NOISE_LEVELS = 16  # each with noise of its own
FROM, TO = 0.4, 4.0  # sigma/alpha; at lower levels every class explains the image, at higher ones none
SHARPNESS = 600.0  # of the softmax over mean squared errors
BATCH = 200


@torch.no_grad()
def classify(
    model: LoadedModel, images: Tensor, seed: int = 0, control: RunControl | None = None
) -> Iterator[Progress | Tensor]:
    """`Progress`, then for images (N, C, H, W) in [-1, 1] a probability for each class (N, classes).

    All classes get the same noisy images: log p(image | class) is, up to a constant, minus the error of the estimate
    with that class (Ho et al. 2020, eq. 14). Ends early when cancelled. Raises BadRequest.
    """
    classes = model.config.num_classes
    if classes < 2 or model.config.reader or model.config.codec:
        raise BadRequest(f"The model {model.name!r} has no classes to tell apart.", "Choose one that draws by class.")
    control = control or RunControl()
    denoise = model.denoiser
    levels = schedule_of(model.config).grid(NOISE_LEVELS, "karras", TO, FROM)[:-1]
    rng = torch.Generator().manual_seed(seed)
    errors = torch.zeros(len(images), classes)
    labels = torch.arange(classes, device=model.device)
    part = max(1, BATCH // classes)
    for done, level in enumerate(levels):
        yield Progress("Comparing every class", done, len(levels))
        eps = torch.randn(images.shape[1:], generator=rng)[None].to(model.device)
        for first in range(0, len(images), part):
            if control.cancelled:
                return
            x0 = images[first : first + part].to(model.device)
            x_t = q_sample(x0, eps, level.alpha, level.sigma).repeat_interleave(classes, dim=0)
            estimate = denoise(x_t, level, labels.repeat(len(x0)))
            error = (estimate - x0.repeat_interleave(classes, dim=0)).square().mean(dim=(1, 2, 3)) / level.ratio
            errors[first : first + part] += error.view(len(x0), classes).float().cpu()
    yield (-SHARPNESS * errors / len(levels)).softmax(dim=1)
