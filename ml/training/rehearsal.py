"""Images of the classes that a run keeps from the model it begins with, drawn by that model, beside its own data.

Without them the network forgets those classes (Robins 1995: catastrophic forgetting, rehearsal and pseudorehearsal).
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from ml.config import SampleRequest, TrainConfig
from ml.control import RunControl
from ml.data.dataset import Dataset, Form, check_memory, shaped
from ml.events import Frame, Progress, Sampled
from ml.generation import pipeline
from ml.registry import model_cards
from ml.registry.checkpoint import load_header
from ml.specs import DeviceName

DRAWN = 50  # images of each class


def with_rehearsal(
    config: TrainConfig, dataset: Dataset, device: DeviceName, control: RunControl
) -> Generator[Progress, None, Dataset]:
    """The data with images of the classes that are kept, which are half of all at most.

    The data alone, where no class is kept or `control` cancels. The model draws with its default settings, from the
    seed of the run. Raises BadRequest, BadFile.
    """
    if not (config.begin_with and config.keep_classes):
        return dataset
    header = load_header(model_cards.find(config.begin_with))
    present = torch.bincount(dataset.labels, minlength=len(dataset.classes))
    labels = [k for k in range(header.model.num_classes) if not present[k]]
    if not labels:
        return dataset
    request = SampleRequest(
        **header.defaults.model_dump(), model=config.begin_with, labels=tuple(labels) * DRAWN, seed=config.seed
    )
    drawn: Tensor | None = None
    with closing(cast("Generator[object]", pipeline.sample(request, device=device, control=control))) as events:
        for event in events:
            if isinstance(event, Frame):
                done = event.first + len(event.x_t) * event.step // event.steps
                yield Progress("Drawing images of the kept classes", done, len(request.labels))
            elif isinstance(event, Sampled):
                drawn = torch.from_numpy(event.images)
    if drawn is None:
        return dataset
    _, channels, side, _ = dataset.images.shape
    planes = drawn.unsqueeze(1) if drawn.ndim == 3 else drawn.permute(0, 3, 1, 2).contiguous()
    old = Dataset(config.begin_with, planes, torch.tensor(request.labels), dataset.classes)
    old = yield from shaped(old, Form(side, channels))
    return balanced(dataset, old)


def balanced(dataset: Dataset, old: Dataset) -> Dataset:
    """Both sets, with repeated images: each class of a set has about as many, and the new ones at least half of all.

    Raises BadRequest for too many.
    """
    counts = torch.bincount(dataset.labels, minlength=len(dataset.classes))
    most = max(DRAWN, int(counts.max()))
    again = torch.arange(len(old)).repeat(max(1, round(most / DRAWN)))
    half = max(1, round(len(again) / (most * int((counts > 0).sum()))))
    times = (most / counts.clamp(min=1)).round().long().clamp(min=1) * half
    chosen = torch.arange(len(dataset)).repeat_interleave(times[dataset.labels])
    _, channels, side, _ = dataset.images.shape
    check_memory(len(chosen) + len(again), side, channels)
    images = torch.cat([dataset.images[chosen], old.images[again]])
    return replace(dataset, images=images, labels=torch.cat([dataset.labels[chosen], old.labels[again]]))
