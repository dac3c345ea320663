"""Ways on from a step of a trajectory, as requests: with other settings, as every class, out of other noise."""

from ml.config import Corner, SampleRequest, SampleSettings

APART = 7919  # between the seeds of other noises


def with_settings(
    parent: SampleRequest, at: int, settings: SampleSettings, labels: tuple[int, ...] = ()
) -> SampleRequest:
    """All images of a request, from step `at` on with other settings, and as other classes where there are as many."""
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
    """One image, and others that go on from other noise around what it was at step `at`."""
    trunk = parent.some([index] * count)
    seeds = tuple(trunk.seed_of(k) + APART * k for k in range(count))
    return trunk.with_changes(parent=trunk, branch_at=at, seeds=seeds)
