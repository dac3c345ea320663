"""Requests that branch off from a step of another: with other settings, as every class, from other noise."""

from ml.config import Corner, SampleRequest, SampleSettings

SEED_STRIDE = 7919  # between the seeds of other noises; far from the seeds of neighbouring images


def with_settings(
    parent: SampleRequest, at: int, settings: SampleSettings, labels: tuple[int, ...] = ()
) -> SampleRequest:
    """All images of a request, from step `at` on with other settings, and with `labels` where their number matches."""
    own = settings.model_dump(include=set(SampleSettings.model_fields))
    if len(labels) == len(parent.labels) and not parent.corners:
        own["labels"] = labels
    return parent.with_changes(parent=parent, branch_at=at, **own)


def into_every_class(parent: SampleRequest, index: int, at: int, classes: int) -> SampleRequest:
    """One image, from step `at` on as every class."""
    trunk = parent.some([index] * classes)
    if not trunk.corners:
        return trunk.with_changes(parent=trunk, branch_at=at, labels=tuple(range(classes)))
    corners = [Corner(label=label).model_dump() for label in range(classes)]
    weights = [[float(corner == image) for corner in range(classes)] for image in range(classes)]
    return trunk.with_changes(parent=trunk, branch_at=at, corners=corners, weights=weights)


def into_other_noises(parent: SampleRequest, index: int, at: int, count: int) -> SampleRequest:
    """One image, and others that continue from other noise around its estimate at step `at`."""
    trunk = parent.some([index] * count)
    seeds = tuple(trunk.seed_of(k) + SEED_STRIDE * k for k in range(count))
    return trunk.with_changes(parent=trunk, branch_at=at, seeds=seeds)
