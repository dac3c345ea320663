"""Previews of a run."""

from ml.config import NO_LABEL, ModelConfig

PREVIEW_SEED = 1


PREVIEW_STEPS = 10  # at most: a preview is a glance, and every one of them holds the training up


def preview_labels(model: ModelConfig) -> tuple[int, ...]:
    """What previews are of: one digit of each class, or ten of no class."""
    return tuple(range(min(model.num_classes, 10))) or (NO_LABEL,) * 10
