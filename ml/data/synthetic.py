"""Synthetic digits as a data set, drawn at the requested size."""

from pathlib import Path

import torch

from ml.data import synthetic_digits
from ml.data.dataset import Dataset, Form, Loading, Split, shaped
from ml.events import Progress
from ml.specs import DATASETS

NAME = "synthetic"
COUNT_AND_SEED: dict[Split, tuple[int, int]] = {"train": (30_000, 0), "test": (5_000, 1)}
SIDE = 28

_kept: dict[Split, Dataset] = {}  # drawing takes seconds, and the next run uses the same


def load(_root: Path | None, split: Split, form: Form) -> Loading:
    """Draw one split, or take it from the last time."""
    side = form.side or SIDE
    if split not in _kept or _kept[split].images.shape[-1] != side:
        count, seed = COUNT_AND_SEED[split]
        images, labels = [], []
        for batch in synthetic_digits.drawing(count, seed, side):
            images.append(batch.images)
            labels.append(batch.labels)
            yield Progress("Drawing digits", min(len(images) * synthetic_digits.BATCH, count), count)
        _kept[split] = Dataset(NAME, torch.cat(images), torch.cat(labels), DATASETS[NAME].classes)
    return (yield from shaped(_kept[split], form))
