"""What the steps of a request need, worked out once before the first of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ml.config import NO_LABEL, ModelConfig, SampleRequest
from ml.diffusion.schedules import Level, grid_of, schedule_of
from ml.errors import BadRequest
from ml.generation.conditioning import condition_of, matcher_of
from ml.generation.initial_noise import corner_noises, image_from_png
from ml.generation.loaded_model import LoadedModel
from ml.text.class_names import known_names

if TYPE_CHECKING:
    from ml.generation.clip_matcher import Matcher

BATCH = 100  # images sampled together; bounds memory however many are requested


@dataclass(frozen=True, eq=False)
class SamplingPlan:
    """A request for N images with its grid, its conditions and its images, ready for the sampler."""

    model: LoadedModel
    request: SampleRequest
    grid: list[Level]  # the noisiest level first
    condition: Tensor  # labels (N,), mixtures of classes (N, classes + 1) or tokens (N, CONTEXT)
    null: Tensor  # the condition of an image without a label, shaped as one of `condition`
    matcher: "Matcher | None"  # the CLIP that steers
    source: Tensor | None  # the image to begin from (1, C, H, W) in [-1, 1]
    mask: Tensor | None  # (1, 1, H, W), 1 where the source is completed
    corners: Tensor | None  # starting noises to interpolate between (corners, C, H, W), on the CPU; a branch has none
    parent: "SamplingPlan | None"  # of the request that this one branches off from


def make_plan(model: LoadedModel, request: SampleRequest) -> SamplingPlan:
    """The plan of a request that `check` accepts; raises BadRequest, BadFile."""
    parent = make_plan(model, request.parent) if request.parent else None
    grid = _grid(model.config, request, parent)
    # Parts of BATCH images, since a matrix product of another size rounds in another way.
    parts = [slice(first, first + BATCH) for first in range(0, len(request.labels), BATCH)]
    conditions = [condition_of(model, request, part) for part in parts]
    channels, side = model.config.codes
    source = image_from_png(request.source, channels, side).to(model.device) if request.source else None
    mask = None
    if request.source and request.mask:
        mask = (image_from_png(request.mask, 1, side).to(model.device) > 0).float()
    return SamplingPlan(
        model,
        request,
        grid,
        torch.cat([condition for condition, _ in conditions]),
        conditions[0][1],
        matcher_of(request, model),
        source,
        mask,
        corner_noises(model, request) if request.corners and not parent else None,
        parent,
    )


def check(request: SampleRequest, config: ModelConfig, classes: Sequence[str] = ()) -> None:
    """Raises BadRequest for a request that a model cannot draw: unknown labels, words for a model without a reader.

    `classes` are the names that the message gives.
    """
    latent = config.codec is not None
    if latent and (request.source or any(corner.picture for corner in request.corners)):
        raise BadRequest(f"The model {request.model!r} works in a latent.", "Choose one that draws pixels.")
    if request.route == "text" and config.reader is None:
        raise BadRequest(f"The model {request.model!r} does not read words.", "Choose one that does, or another route.")
    labels = (*request.labels, *(corner.label for corner in request.corners))
    unknown = [label for label in labels if label != NO_LABEL and not 0 <= label < config.num_classes]
    if unknown:
        names = tuple(classes) or tuple(map(str, range(config.num_classes)))
        known = known_names(names) if names else "no labels"
        raise BadRequest(
            f"The model {request.model!r} knows {known}, not {unknown[0]}.", "Ask for one of those, or for no label."
        )
    if request.parent:
        if request.parent.model != request.model:
            raise BadRequest("A branch needs the model of its first steps.", "Choose that model.")
        check(request.parent, config, classes)


def _grid(config: ModelConfig, request: SampleRequest, parent: SamplingPlan | None) -> list[Level]:
    """The sampling grid: for variations of a drawing the part below `vary_from` (SDEdit, Meng et al. 2022).

    A branch has its parent's levels up to where it branches off, and its own below.
    """
    grid = grid_of(schedule_of(config), request)
    if parent:
        if not request.branch_at < len(parent.grid) - 1:
            last = len(parent.grid) - 2
            raise BadRequest(f"There is no step {request.branch_at} to branch from.", f"Choose one from 0 to {last}.")
        trunk = parent.grid[: request.branch_at + 1]
        return [*trunk, *(level for level in grid if level.ratio < trunk[-1].ratio)]
    ratio = request.vary_from if request.source else 0
    kept = [level for level in grid if not ratio or level.ratio <= ratio]
    if len(kept) < 2:
        raise BadRequest(f"No step lies below the noise level {ratio:g}.", "Take more steps, or go back further.")
    return kept
