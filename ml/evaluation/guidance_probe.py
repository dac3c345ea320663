"""A look inside guidance: at every step of an image, the noise predicted with its class, without it, and the pull."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ml.config import SampleRequest
from ml.control import RunControl
from ml.diffusion.denoiser import to_eps
from ml.errors import BadRequest
from ml.events import Pixels
from ml.generation.conditioning import told
from ml.generation.denoising import steps
from ml.generation.loaded_model import LoadedModel
from ml.generation.pipeline import EPS_RANGE
from ml.generation.plan import check
from ml.imaging.pixels import to_uint8

FAINT = 0.05  # a difference smaller than this is not blown up to the full contrast


@dataclass(frozen=True, slots=True)
class Xray:
    """One step: eps_cond, eps_uncond and their difference at full contrast, (3, H, W[, 3]); grey is none.

    `pull` is the root mean square of the difference, `w` what guidance multiplies it by at this step.
    """

    step: int
    images: Pixels
    pull: float
    w: float


@torch.no_grad()
def xray(model: LoadedModel, request: SampleRequest, control: RunControl | None = None) -> Iterator[Xray]:
    """An `Xray` for every step of the first image of a request but the last, which has no noise.

    Raises BadRequest where the model takes no class or the image was asked for without one, or in a latent.
    """
    control = control or RunControl()
    check(request, model.config)
    wanted, null = told(model, request)
    if not bool((wanted[:1] != null).any()):
        raise BadRequest("Nothing guides this image.", "Draw one with a class, or with words that the model reads.")
    if model.config.codec:
        raise BadRequest("The noise of a latent is no picture.", "Choose a model that draws pixels.")
    network = model.denoiser
    both = torch.cat([wanted[:1], null.expand_as(wanted[:1])])
    for step in steps(model, request):
        if control.cancelled:
            return
        level, x = step.level, step.x_t[:1]
        if level.sigma == 0:
            return
        eps = to_eps(network(torch.cat([x, x]), level, both), torch.cat([x, x]), level)
        difference = eps[:1] - eps[1:]
        pictures = torch.cat([eps / EPS_RANGE, difference / max(float(difference.abs().max()), FAINT)])
        strength = float(difference.square().mean().sqrt())
        yield Xray(step.step, to_uint8(pictures), strength, request.w_at(level.ratio))
