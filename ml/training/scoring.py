"""Scores of a run's averaged weights at doubling steps, on the run's own images.

They use no random numbers of the run, so that it is the same run with and without them.
"""

from collections.abc import Generator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ml.config import NO_LABEL, SampleRequest, TrainConfig
from ml.control import RunControl
from ml.data import datasets
from ml.data.dataset import Dataset, Form
from ml.errors import BadRequest
from ml.evaluation import metrics
from ml.evaluation.judge import Judge
from ml.evaluation.metrics import Reference, Report
from ml.events import Frame, Progress, Sampled
from ml.generation import pipeline
from ml.generation.loaded_model import LoadedModel
from ml.registry import judges
from ml.registry.checkpoint import ModelHeader
from ml.specs import DRAWING, DeviceName
from ml.tracking.score_curve import SEED
from ml.training.judges import judge_of

IMAGES = 200


def reference_for_run(
    config: TrainConfig, train: Dataset, root: Path | None, device: DeviceName = "auto"
) -> Generator[Progress, None, Reference]:
    """The training and held-out images of a run with their judge, which is trained if there is none yet.

    Raises BadRequest, BadFile, DataUnavailable, CannotWrite, NoDevice, Diverged.
    """
    if config.model.network not in DRAWING:
        raise BadRequest(f"A {config.model.network} draws no images to score.", "Leave out --score.")
    _, channels, side, _ = train.images.shape
    form = Form(side, channels, config.fit, config.ground)
    test = yield from datasets.loading(config.data, root, "test", form)
    header = ModelHeader(model=config.model, data=config.data, classes=config.classes or train.classes)
    is_of_digits = judges.is_of_digits(header)
    judge = Judge.bundled(device) if is_of_digits else (yield from judge_of(train, test, form, device))
    return Reference(train, test, judge)


def score(
    network: nn.Module, header: ModelHeader, reference: Reference, device: torch.device, control: RunControl
) -> Generator[Progress, None, Report | None]:
    """Draw IMAGES images at the model's default settings and score them; None if `control` cancels."""
    known = [*metrics.labels_in(header, reference.test.classes), NO_LABEL]
    labels = metrics.labels_to_score(header, reference.test.classes, IMAGES)
    request = SampleRequest(**header.defaults.model_dump(), labels=labels, seed=SEED)
    what = f"Scoring step {header.steps:,}"
    model = LoadedModel("run", header, network, device, "")
    sampled: Sampled | None = None
    for event in pipeline.sample_with(model, request, control):
        if isinstance(event, Frame):
            yield Progress(what, event.first + len(event.x_t) * event.step // event.steps, IMAGES)
        elif isinstance(event, Sampled):
            sampled = event
    if sampled is None:
        return None
    for event in metrics.score(sampled.images, np.array([known[label] for label in labels]), reference, header.name):
        if control.cancelled:
            return None
        if isinstance(event, Report):
            return event.with_changes(network_calls=sampled.network_calls)
        yield Progress(what, IMAGES, IMAGES)
    return None
