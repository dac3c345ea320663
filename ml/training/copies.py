"""Copies of the images of classes that have few, as if they had been drawn again."""

from collections.abc import Generator
from dataclasses import replace

import torch

from ml.data.augment import redrawn
from ml.data.dataset import Dataset, check_memory
from ml.events import Progress

PART = 500  # images that are copied at a time


def with_copies(dataset: Dataset, least: int, seed: int) -> Generator[Progress, None, Dataset]:
    """The data with copies of images (see `augment.redrawn`), so that each class has `least` or more.

    The copies depend on the seed alone: a resumed run has the same. Raises BadRequest for more than memory should hold.
    """
    counts = torch.bincount(dataset.labels, minlength=len(dataset.classes)).clamp(min=1)
    times = (-(-least // counts) - 1).clamp(min=0)
    chosen = torch.arange(len(dataset)).repeat_interleave(times[dataset.labels])
    if not len(chosen):
        return dataset
    _, channels, side, _ = dataset.images.shape
    check_memory(len(dataset) + len(chosen), side, channels)
    rng, images = torch.Generator().manual_seed(seed), [dataset.images]
    for part in chosen.split(PART):
        yield Progress("Changing copies of the images", sum(map(len, images[1:])), len(chosen))
        copies = redrawn(dataset.images[part].float() / 127.5 - 1, rng)
        images.append(((copies + 1) * 127.5).round().byte())
    return replace(dataset, images=torch.cat(images), labels=torch.cat([dataset.labels, dataset.labels[chosen]]))
