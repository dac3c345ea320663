"""A run's data: training images and a held-out part."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch

from ml.config import TrainConfig
from ml.control import RunControl
from ml.data import datasets
from ml.data.dataset import Dataset
from ml.errors import BadFile, BadRequest, DataUnavailable
from ml.events import Progress
from ml.training.config_from_data import form_for
from ml.training.previews import HELD_OUT_SEED

HELD_OUT = 256  # images not trained on that the averaged weights are tried on ...


def training_set(
    config: TrainConfig, root: Path | None, control: RunControl
) -> Generator[Progress, None, Dataset | None]:
    """What to train on; None where `control` cancels before all of it is read."""
    with closing(datasets.loading(config.data, root, "train", form_for(config.model))) as loading:
        while not control.cancelled:
            try:
                progress = next(loading)
            except StopIteration as finished:
                return finished.value
            yield progress
    return None


def held_out_set(
    config: TrainConfig, root: Path | None, control: RunControl
) -> Generator[Progress, None, Dataset | None]:
    """Some images that are not trained on; None where there are none to be had, which stops no training."""
    if config.teacher_from:
        return None  # a student learns from its teacher, and its loss says nothing of images
    try:
        with closing(datasets.loading(config.data, root, "test", form_for(config.model))) as loading:
            while not control.cancelled:
                try:
                    yield next(loading)
                except StopIteration as finished:
                    return _some(finished.value, config)
    except (BadFile, BadRequest, DataUnavailable):
        pass
    return None


def _some(dataset: Dataset, config: TrainConfig) -> Dataset | None:
    """HELD_OUT of a data set's images, drawn at random, if they are like those the model is trained on."""
    _, channels, side, _ = dataset.images.shape
    if (channels, side) != (config.model.channels, config.model.image_size):
        return None
    some = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(HELD_OUT_SEED))[:HELD_OUT]
    return replace(dataset, images=dataset.images[some], labels=dataset.labels[some])
