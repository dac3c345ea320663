"""Loggers of a run: TensorBoard event files, and Weights & Biases on request."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from ml.config import TrainConfig
from ml.errors import BadRequest
from ml.events import (
    CheckpointScored,
    Pixels,
    Preview,
    Resumed,
    SteppedBack,
    TrainEvent,
    TrainStep,
    Validated,
    WriteFailed,
)
from ml.specs import TrackerName

FOLDER = "tensorboard"
EVERY_S = 1.0  # between two points of a curve
CURVES = ("loss", "smooth_loss", "lr", "grad_norm", "images_per_s")


class Logger(Protocol):
    """A destination for the curves and previews of a run."""

    def log_scalars(self, step: int, values: dict[str, float]) -> None: ...
    def log_image(self, step: int, image: Pixels) -> None: ...
    def close(self) -> None: ...


class LoggerList:
    """The loggers of a run, closed at the end of the block.

    A logger that cannot write must not stop the run: all loggers are closed, and opened again when the run resumes.
    """

    def __init__(self, folder: Path, config: TrainConfig, step: int, more: Sequence[TrackerName] = ()) -> None:
        self._folder, self._config, self._more, self._next = folder, config, more, 0.0
        self._loggers: list[Logger] = []
        self._open(step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def log(self, event: TrainEvent) -> None:
        """Log an event; an OSError closes all loggers and is not raised."""
        if isinstance(event, Resumed):
            self._folder = event.run_dir
            if not self._loggers:
                self._open(event.step)
        elif isinstance(event, WriteFailed):
            self._close()
        elif isinstance(event, SteppedBack):
            self._close()  # a new file hides the points after the checkpoint
            self._open(event.step)
        else:
            self._log(event)

    def _open(self, step: int) -> None:
        try:
            with suppress(OSError):
                self._loggers.append(TensorBoard(self._folder, self._config, step))
                self._loggers += [WeightsAndBiases(self._folder, self._config) for _name in self._more]
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        for logger in self._loggers:
            with suppress(OSError):
                logger.close()
        self._loggers.clear()

    def _log(self, event: TrainEvent) -> None:
        if isinstance(event, TrainStep):
            if time.monotonic() < self._next:
                return
            self._next = time.monotonic() + EVERY_S
        try:
            for logger in self._loggers:
                _log_event(logger, event)
        except OSError:
            self._close()


def _log_event(logger: Logger, event: TrainEvent) -> None:
    if isinstance(event, TrainStep):
        logger.log_scalars(event.step, {name: value for name, value in asdict(event).items() if name in CURVES})
    if isinstance(event, Validated):
        logger.log_scalars(event.step, {"held_out_loss": event.loss})
    if isinstance(event, CheckpointScored):
        figures = {"score_accuracy": event.accuracy, "score_frechet_ratio": event.frechet_ratio}
        logger.log_scalars(event.step, {name: value for name, value in figures.items() if value is not None})
    if isinstance(event, Preview):
        logger.log_image(event.step, np.concatenate(list(event.images), axis=1))


class TensorBoard:
    """Event files in the run's folder: `tensorboard --logdir FOLDER` shows every run in it.

    They are written synchronously, so that an error is raised here; torch's own writer has a thread that an error ends.
    """

    def __init__(self, folder: Path, config: TrainConfig, step: int) -> None:
        from tensorboard.compat.proto import event_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter
        from torch.utils.tensorboard import summary  # takes seconds to import, and only training needs it

        kinds: Any = event_pb2
        self._event, self._log, self._summary = kinds.Event, kinds.SessionLog, summary
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns()}.{os.getpid()}"
        self._file = open(folder / FOLDER / name, "xb", buffering=0)  # noqa: SIM115
        self._records: Any = RecordWriter(self._file)
        self._write(step + 1, file_version="brain.Event:2")
        if step:  # TensorBoard hides the points that an interrupted run wrote after its checkpoint
            self._write(step + 1, session_log=self._log(status=self._log.START))
        self._write(step, summary=summary.text("config", f"```\n{config.model_dump_json(indent=1)}\n```"))

    def log_scalars(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._write(step, summary=self._summary.scalar(name, value))

    def log_image(self, step: int, image: Pixels) -> None:
        self._write(step, summary=self._summary.image("preview", image, dataformats="HW" if image.ndim == 2 else "HWC"))

    def close(self) -> None:
        self._file.close()

    def _write(self, step: int, **content: Any) -> None:
        self._records.write(self._event(wall_time=time.time(), step=step, **content).SerializeToString())


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

    def log_scalars(self, step: int, values: dict[str, float]) -> None:
        self._run.log(values, step=step)

    def log_image(self, step: int, image: Pixels) -> None:
        self._run.log({"preview": self._image(image)}, step=step)

    def close(self) -> None:
        self._run.finish()
