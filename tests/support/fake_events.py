"""Events of the engine, made up: images of one shade each, in place of what a model would draw."""

from collections.abc import Sequence

import numpy as np

from ml.config import SampleRequest
from ml.events import Frame, Pixels, Sampled

SIDE = 28


def images(count: int, shade: int = 0) -> Pixels:
    """So many images, each a little brighter than the one before."""
    return np.stack([np.full((SIDE, SIDE), (shade + k) % 256, np.uint8) for k in range(count)])


def frames(request: SampleRequest, count: int | None = None, shade: int = 0) -> list[Frame]:
    """The steps of a request, or the first `count` of them: x_t, x0_hat and eps of each differ from all others."""
    steps, number = request.steps, len(request.labels)
    return [
        Frame(
            0, step, steps, 1 - step / steps, step / steps, 1 - step / steps,
            images(number, shade + 3 * step), images(number, shade + 3 * step + 101),
            eps=images(number, shade + 3 * step + 202) if step < steps else None,
        )
        for step in range(steps + 1 if count is None else count)
    ]  # fmt: skip


def sampled(request: SampleRequest, shade: int = 0, seconds: float = 1.0, hashed: str = "h") -> Sampled:
    """The finished images of a request."""
    done = request.with_changes(model_hash=hashed)
    return Sampled(done, images(len(request.labels), shade), seconds, request.steps)


def whole(request: SampleRequest, shade: int = 0) -> Sequence[object]:
    """All events of a drawing."""
    return [*frames(request, shade=shade), sampled(request, shade + 3 * request.steps)]
