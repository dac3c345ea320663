"""The duration of a training run on this device, estimated from a few steps."""

import tempfile
import time
from pathlib import Path

import torch

from ml.cancellation import check_cancelled
from ml.config import TrainConfig
from ml.data.dataset import Dataset
from ml.events import Estimate
from ml.specs import DeviceName
from ml.system.device import choose_device
from ml.training.base_models import with_base_models
from ml.training.config_from_data import fit_to_data
from ml.training.initial_weights import fit_to_base, with_base_classes
from ml.training.run import Run

IMAGES = 64  # random ones, since the content does not change the speed
PATIENCE_S = 2.0
FEW = 4  # images in the first, small batch
STEPS = 5
MNIST = 60_000  # images of an epoch where the data set is unknown


def estimate(config: TrainConfig, device: DeviceName = "auto", images: int = MNIST) -> Estimate:
    """Train for some steps on noise, for about PATIENCE_S; raises BadRequest, BadFile, NoDevice.

    `images` is the size of the data set, for a budget in epochs.
    """
    config = fit_to_base(config)
    model = config.model
    pixels = torch.randint(0, 256, (IMAGES, model.channels, model.image_size, model.image_size), dtype=torch.uint8)
    classes = tuple(map(str, range(max(model.num_classes, 1))))
    dataset = Dataset(config.data, pixels, torch.arange(IMAGES) % len(classes), classes)
    config, dataset = with_base_classes(config, dataset)
    config, weights = with_base_models(fit_to_data(config, dataset, device, images))
    with tempfile.TemporaryDirectory() as folder:
        few = config.with_changes(batch_size=min(FEW, config.batch_size))
        rate = _rate(Run(few, Path(folder), choose_device(device), dataset, weights), 1)
        if STEPS * config.batch_size / rate < PATIENCE_S:
            rate = _rate(Run(config, Path(folder), choose_device(device), dataset, weights), STEPS)
    return Estimate(rate, _budget(config, images) / rate if config.minutes is None else 60 * config.minutes)


def _rate(run: Run, steps: int) -> float:
    """Images per second, after a first step that allocates memory."""
    run.train_step()
    run.report()
    began = time.perf_counter()
    for _ in range(steps):
        check_cancelled()
        run.train_step()
    run.report()  # waits for the device
    return steps * run.config.batch_size / (time.perf_counter() - began)


def _budget(config: TrainConfig, images: int) -> float:
    """The number of images of the whole run, with repetitions."""
    return config.batch_size * config.steps if config.steps else images * (config.epochs or 0)
