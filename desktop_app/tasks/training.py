"""Training jobs for the compute thread: a run, its preview history, its throughput."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.config import TrainConfig
from ml.control import RunControl
from ml.events import Preview, Progress


@dataclass(frozen=True, slots=True)
class Remembered:
    """The previews that a run has kept, oldest first, and its losses by noise, (1 + levels, n) with the steps."""

    folder: Path
    previews: tuple[Preview, ...]
    by_noise: NDArray[np.float64]


def training(
    config: TrainConfig, folder: Path, data_root: Path | None, resume: bool, control: RunControl
) -> Iterator[object]:
    """Train, or go on with a run."""
    from ml.training.trainer import train

    for event in train(config, folder, data_root=data_root, resume=resume, control=control):
        yield event
        if control.cancelled and isinstance(event, Progress):
            return  # nothing was begun, so there is nothing to save


def looking_back(folder: Path, _control: RunControl) -> Iterator[object]:
    """Read the previews and the losses by noise that a run has kept."""
    from ml.registry.presets import read_config
    from ml.registry.run_layout import CONFIG_FILE
    from ml.tracking import preview_history
    from ml.tracking.metrics_table import NOISE_COLUMNS, NOISE_FILE, Table
    from ml.training.previews import preview_labels

    model = read_config(folder / CONFIG_FILE).model
    previews = tuple(preview_history.remembered(folder, preview_labels(model), model.image_size))
    yield Remembered(folder, previews, Table(folder / NOISE_FILE, NOISE_COLUMNS).read())


def estimating(config: TrainConfig, _control: RunControl) -> Iterator[object]:
    """Measure how quickly this device would train."""
    yield Progress("Measuring the speed of this device", 0, 0)
    from ml.training.throughput import estimate

    yield estimate(config)
