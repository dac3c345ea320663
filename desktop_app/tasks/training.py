"""Training jobs for the compute thread: a run, its preview history, its throughput."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.config import TrainConfig
from ml.control import RunControl
from ml.events import CheckpointScored, Preview, Progress, RunStarted


@dataclass(frozen=True, slots=True)
class PreviewHistory:
    """The saved previews of a run, oldest first, and its losses by noise, (1 + levels, n) with the steps."""

    folder: Path
    previews: tuple[Preview, ...]
    by_noise: NDArray[np.float64]
    scores: tuple[CheckpointScored, ...] = ()
    model_step: int = 0  # of the weights that its model has


@dataclass(frozen=True, slots=True)
class Kept:
    """The weights of a run at a step are its model now."""

    folder: Path
    step: int


def train(
    config: TrainConfig,
    folder: Path,
    data_root: Path | None,
    resume: bool,
    control: RunControl,
    *,
    more: bool = False,
    changed_data: bool = False,
) -> Iterator[object]:
    """Train a model, or resume a run.

    With `more` it goes on after its end; with `changed_data`, also on a folder of images that has changed since.
    """
    from ml.training import trainer

    training = trainer.train(
        config, folder, data_root=data_root, resume=resume, more=more, changed_data=changed_data, control=control
    )
    started = False
    for event in training:
        yield event
        started = started or isinstance(event, RunStarted)
        if control.cancelled and not started:
            return  # before the first step there is nothing to save


def load_preview_history(folder: Path, _control: RunControl) -> Iterator[object]:
    """Read the saved previews and losses by noise of a run."""
    from ml.registry import model_cards
    from ml.registry.presets import read_config
    from ml.registry.run_layout import CONFIG_FILE, MODEL_FILE
    from ml.tracking import preview_history, score_curve
    from ml.tracking.metrics_table import NOISE_COLUMNS, NOISE_FILE, Table
    from ml.training.previews import preview_labels

    model = read_config(folder / CONFIG_FILE).model
    previews = tuple(preview_history.load_previews(folder, preview_labels(model), model.image_size))
    by_noise = Table(folder / NOISE_FILE, NOISE_COLUMNS).read()
    saved = model_cards.card(folder / MODEL_FILE)
    scores = tuple(score_curve.load_scores(folder))
    yield PreviewHistory(folder, previews, by_noise, scores, saved.header.steps if saved else 0)


def keep_snapshot(folder: Path, step: int, _control: RunControl) -> Iterator[object]:
    """Take the weights of a run at a step as its model."""
    from ml.errors import BadFile
    from ml.registry import local_models, model_cards
    from ml.registry.run_layout import MODEL_FILE

    card = model_cards.card(folder / MODEL_FILE)
    if card is None:
        raise BadFile(f"The model in {folder} cannot be read.", "Train it again, or choose another run.")
    local_models.keep_snapshot(card, step)
    yield Kept(folder, step)


def measure_speed(config: TrainConfig, _control: RunControl) -> Iterator[object]:
    """Measure the speed of training on this device."""
    yield Progress("Measuring the speed of this device", 0, 0)
    from ml.training.throughput import estimate

    yield estimate(config)
