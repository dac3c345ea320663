"""Requests from models, drawings and default settings."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ml.config import NO_LABEL, Corner, SampleRequest, SampleSettings, for_route
from ml.errors import BadRequest
from ml.events import Pixels
from ml.imaging.embedded_png import to_text
from ml.specs import SAMPLERS, SETTINGS, SamplerName

# DDIM inversion of a picture and sampling it back take the same steps.
DDIM_INVERSION: Mapping[str, Any] = {"sampler": "ddim", "eta": 0.0, "steps": 20}
REPAINT: Mapping[str, Any] = {"sampler": "ddpm", "steps": 20, "repeats": 2}
VARY_STEPS = 20  # a variation skips those above the noise level it begins at


def redrawn(
    model: str, defaults: SampleSettings, drawing: Pixels, labels: tuple[int, ...], mask: Pixels | None, sigma: float
) -> SampleRequest:
    """Variations of a drawing (H, W) from the noise level sigma (SDEdit), or with a `mask` completions of it (RePaint).

    White pixels of the mask are completed. One image for each label.
    """
    own: dict[str, Any] = {"model": model, "labels": labels, "source": to_text(drawing)}
    own |= {"vary_from": sigma, "steps": VARY_STEPS} if mask is None else {"mask": to_text(mask), **REPAINT}
    return SampleRequest.model_validate(defaults.model_dump() | own)


def rebuilt(model: str, defaults: SampleSettings, drawing: Pixels, classes: int) -> SampleRequest:
    """Images from the inverted noise of a drawing (H, W): without a class, a reconstruction, and as every class."""
    labels = (NO_LABEL, *range(classes))
    count = len(labels)
    noise = [Corner(picture=to_text(drawing)).model_dump()]
    own = {"model": model, "labels": (NO_LABEL,) * count, "corners": noise, "weights": ((1.0,),) * count}
    parent = SampleRequest.model_validate(defaults.model_dump() | own | dict(DDIM_INVERSION))
    corners = [Corner(label=label).model_dump() for label in labels]
    return parent.with_changes(parent=parent, corners=corners, weights=np.eye(count).tolist())


def with_model_defaults(request: SampleRequest) -> SampleRequest:
    """The request with the model's defaults for settings left unset; raises BadRequest, BadFile."""
    from ml.registry.checkpoint import load_header  # imports torch
    from ml.registry.model_cards import find

    own = for_route(load_header(find(request.model)).defaults, request.route)
    return request.with_changes(**own.model_dump() | request.model_dump(exclude_unset=True))


def check_used(field: str, sampler: SamplerName) -> None:
    """Raises BadRequest where a setting that only some samplers use changes nothing with this one."""
    users = [name for name, spec in SAMPLERS.items() if field in spec.uses]
    if users and sampler not in users:
        title = SETTINGS[field].title
        raise BadRequest(f"{title} changes nothing with the sampler {sampler}.", f"Choose {' or '.join(users)}.")
