"""Requests made from models, drawings and defaults."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ml.config import NO_LABEL, Corner, SampleRequest, SampleSettings, for_route
from ml.events import Pixels
from ml.imaging.embedded_png import to_text

SIDE = 28  # of what is drawn by hand
# How a picture's noise is turned into the picture again; inverting and drawing take the same steps.
THERE_AND_BACK: Mapping[str, Any] = {"sampler": "ddim", "eta": 0.0, "steps": 20}
REPAINT: Mapping[str, Any] = {"sampler": "ddpm", "steps": 20, "repeats": 2}
VARY_STEPS = 20  # part of them lies above the noise that a variation begins in


def redrawn(
    model: str, defaults: SampleSettings, drawing: Pixels, labels: tuple[int, ...], mask: Pixels | None, sigma: float
) -> SampleRequest:
    """Variations of a drawing (H, W) from the noise level sigma (SDEdit), or with a `mask` completions of it (RePaint).

    What is white in the mask is drawn anew; an image for each label.
    """
    own: dict[str, Any] = {"model": model, "labels": labels, "source": to_text(drawing)}
    own |= {"vary_from": sigma, "steps": VARY_STEPS} if mask is None else {"mask": to_text(mask), **REPAINT}
    return SampleRequest.model_validate(defaults.model_dump() | own)


def rebuilt(model: str, defaults: SampleSettings, drawing: Pixels, classes: int) -> SampleRequest:
    """From the noise that a drawing (H, W) comes from: without a class, which gives it back, and as every class."""
    labels = (NO_LABEL, *range(classes))
    count = len(labels)
    noise = [Corner(picture=to_text(drawing)).model_dump()]
    own = {"model": model, "labels": (NO_LABEL,) * count, "corners": noise, "weights": ((1.0,),) * count}
    parent = SampleRequest.model_validate(defaults.model_dump() | own | dict(THERE_AND_BACK))
    corners = [Corner(label=label).model_dump() for label in labels]
    return parent.with_changes(parent=parent, corners=corners, weights=np.eye(count).tolist())


def filled_in(request: SampleRequest) -> SampleRequest:
    """The request with its model's own settings where nobody set any; raises BadRequest, BadFile."""
    from ml.registry.checkpoint import load_header  # brings torch, which a drawing need not wait for
    from ml.registry.model_cards import find

    own = for_route(load_header(find(request.model)).defaults, request.route)
    return request.with_changes(**own.model_dump() | request.model_dump(exclude_unset=True))
