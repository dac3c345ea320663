"""Classifier-free guidance step by step: the noise predicted with the class, without it, and their difference."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ml.config import SampleRequest
from ml.control import RunControl
from ml.diffusion.denoiser import to_eps
from ml.errors import BadRequest
from ml.events import Pixels
from ml.generation.denoising import steps
from ml.generation.loaded_model import LoadedModel
from ml.generation.pipeline import EPS_RANGE
from ml.generation.plan import check, make_plan
from ml.imaging.pixels import to_uint8

FAINT = 0.05  # a smaller difference is not stretched to the full contrast


@dataclass(frozen=True, slots=True)
class GuidanceStep:
    """One step: eps_cond, eps_uncond and their difference at full contrast, (3, H, W[, 3]); grey is 0.

    `pull` is the root mean square of the difference, `w` what guidance multiplies it by at this step.
    """

    step: int
    images: Pixels
    pull: float
    w: float


@torch.no_grad()
def probe_guidance(
    model: LoadedModel, request: SampleRequest, control: RunControl | None = None
) -> Iterator[GuidanceStep]:
    """A `GuidanceStep` for every noisy step of the first image of a request.

    Raises BadRequest for an image without a class, and for a model that works in a latent.
    """
    control = control or RunControl()
    check(request, model.config)
    plan = make_plan(model, request)
    condition, null = plan.condition[:1], plan.null
    if not bool((condition != null).any()):
        raise BadRequest(
            "This image is generated without guidance.",
            "Generate one with a class, or with words that the model reads.",
        )
    if model.config.codec:
        raise BadRequest("The noise of a latent can't be shown as an image.", "Choose a model that generates pixels.")
    network = model.denoiser
    both = torch.cat([condition, null.expand_as(condition)])
    for step in steps(plan):
        if control.cancelled:
            return
        level, x = step.level, step.x_t[:1]
        if level.sigma == 0:
            return
        eps = to_eps(network(torch.cat([x, x]), level, both), torch.cat([x, x]), level)
        difference = eps[:1] - eps[1:]
        pictures = torch.cat([eps / EPS_RANGE, difference / max(float(difference.abs().max()), FAINT)])
        pull = float(difference.square().mean().sqrt())
        yield GuidanceStep(step.step, to_uint8(pictures), pull, request.w_at(level.ratio))
