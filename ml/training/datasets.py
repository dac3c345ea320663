"""A run's data: training images and a held-out part."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from ml.config import TrainConfig
from ml.control import RunControl
from ml.data import datasets
from ml.data.dataset import Dataset
from ml.errors import BadFile, BadRequest, DataUnavailable
from ml.events import Progress
from ml.training.config_from_data import form_for
from ml.training.previews import HELD_OUT_SEED

T = TypeVar("T")
HELD_OUT = 256  # images on which the averaged weights are validated


def training_set(
    config: TrainConfig, root: Path | None, control: RunControl
) -> Generator[Progress, None, Dataset | None]:
    """The training images; None if `control` cancels before all are read.

    Raises BadFile, BadRequest, DataUnavailable.
    """
    return (yield from until_cancelled(datasets.loading(config.data, root, "train", form_for(config)), control))


def held_out_set(
    config: TrainConfig, root: Path | None, control: RunControl
) -> Generator[Progress, None, Dataset | None]:
    """Held-out images; None where there are none, which is no error, or if `control` cancels."""
    if config.teacher_from:
        return None  # the loss of a student compares it with its teacher, not with images
    try:
        loading = datasets.loading(config.data, root, "test", form_for(config))
        dataset = yield from until_cancelled(loading, control)
    except (BadFile, BadRequest, DataUnavailable):
        return None
    return _sample(dataset, config) if dataset else None


def until_cancelled(work: Generator[Progress, None, T], control: RunControl) -> Generator[Progress, None, T | None]:
    """What `work` returns; None if `control` cancels before that."""
    with closing(work):
        while not control.cancelled:
            try:
                progress = next(work)
            except StopIteration as finished:
                return finished.value
            yield progress
    return None


def _sample(dataset: Dataset, config: TrainConfig) -> Dataset | None:
    """HELD_OUT random images of a data set; None if their shape differs from that of the model's images."""
    _, channels, side, _ = dataset.images.shape
    if (channels, side) != (config.model.channels, config.model.image_size):
        return None
    some = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(HELD_OUT_SEED))[:HELD_OUT]
    return replace(dataset, images=dataset.images[some], labels=dataset.labels[some])
