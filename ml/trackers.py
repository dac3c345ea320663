"""Trackers: a run's curves and previews as TensorBoard event files, always, and in Weights & Biases where asked for."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ml.config import TrackerName, TrainConfig
from ml.errors import BadRequest, CannotWrite
from ml.events import Pixels, Preview, TrainEvent, TrainStep, Validated

FOLDER = "tensorboard"
EVERY_S = 1.0  # between two points of a curve
CURVES = ("loss", "smooth_loss", "lr", "grad_norm", "images_per_s")


class Tracker(Protocol):
    """What follows a run from outside."""

    def curves(self, step: int, values: dict[str, float]) -> None: ...
    def picture(self, step: int, image: Pixels) -> None: ...
    def close(self) -> None: ...


@contextmanager
def following(folder: Path, config: TrainConfig, step: int, more: Sequence[TrackerName] = ()) -> Iterator["Followers"]:
    """All trackers of a run that goes on from `step`, until the block ends; raises BadRequest, CannotWrite."""
    trackers: list[Tracker] = []
    try:
        trackers.append(TensorBoard(folder, config, step))
        trackers += [WeightsAndBiases(folder, config) for _name in more]
        yield Followers(trackers)
    finally:
        for tracker in trackers:
            tracker.close()


class Followers:
    """Tells every tracker of the events that are worth keeping."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers, self._next = trackers, 0.0

    def tell(self, event: TrainEvent) -> None:
        """Raises CannotWrite."""
        try:
            if isinstance(event, TrainStep) and time.monotonic() >= self._next:
                self._next = time.monotonic() + EVERY_S
                values = {name: value for name, value in asdict(event).items() if name in CURVES}
                for tracker in self._trackers:
                    tracker.curves(event.step, values)
            if isinstance(event, Validated):
                for tracker in self._trackers:
                    tracker.curves(event.step, {"held_out_loss": event.loss})
            if isinstance(event, Preview):
                strip = np.concatenate(list(event.images), axis=1)
                for tracker in self._trackers:
                    tracker.picture(event.step, strip)
        except OSError as error:
            raise CannotWrite(
                f"Cannot write what is tracked of the run: {error.strerror or error}.",
                "Make room there, then go on with the run.",
            ) from error


class TensorBoard:
    """Event files in the run's folder: `tensorboard --logdir FOLDER` shows every run in it."""

    def __init__(self, folder: Path, config: TrainConfig, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # takes seconds to import, and only training needs it

        # points after the checkpoint that a cut-off run left are hidden by TensorBoard
        self._writer = SummaryWriter(folder / FOLDER, purge_step=step + 1 if step else None)
        self._writer.add_text("config", f"```\n{config.model_dump_json(indent=1)}\n```", step)

    def curves(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, image: Pixels) -> None:
        self._writer.add_image("preview", image, step, dataformats="HW" if image.ndim == 2 else "HWC")
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run at Weights & Biases, or in its own folder with WANDB_MODE=offline."""

    def __init__(self, folder: Path, config: TrainConfig) -> None:
        try:
            import wandb
        except ImportError as error:
            raise BadRequest(
                "Weights & Biases is not installed.", "Install it (pip install wandb), or leave out --track wandb."
            ) from error
        self._image = wandb.Image
        self._run: Any = wandb.init(
            project="noiseloom", name=folder.name, dir=str(folder), config=config.model_dump(), resume="allow"
        )

    def curves(self, step: int, values: dict[str, float]) -> None:
        self._run.log(values, step=step)

    def picture(self, step: int, image: Pixels) -> None:
        self._run.log({"preview": self._image(image)}, step=step)

    def close(self) -> None:
        self._run.finish()
