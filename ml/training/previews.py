"""Previews of a run, and the loss of its averaged weights on images that are held out."""

import numpy as np
import torch
from torch import Tensor, nn

from ml.config import NO_LABEL, ModelConfig, SampleRequest
from ml.control import RunControl
from ml.data.dataset import Dataset
from ml.events import Frame, Pixels, Preview
from ml.generation import loaded_model, pipeline
from ml.registry.checkpoint import ModelHeader
from ml.training.objectives.base import Objective, parts

PREVIEW_SEED = 1
PREVIEW_STEPS = 10  # at most, since training waits for a preview
HELD_OUT_SEED = 7


def preview_labels(model: ModelConfig) -> tuple[int, ...]:
    """The labels of a preview: one image of each class, ten at most, or ten of no class."""
    return tuple(range(min(model.num_classes, 10))) or (NO_LABEL,) * 10


def preview(network: nn.Module, header: ModelHeader, device: torch.device) -> Preview:
    """Images from one fixed noise, one per class (or ten of no class)."""
    labels = preview_labels(header.model)
    quick = header.defaults.with_changes(steps=min(header.defaults.steps, PREVIEW_STEPS))
    request = SampleRequest(**quick.model_dump(), labels=labels, seed=PREVIEW_SEED)
    model = loaded_model.LoadedModel("run", header, network, device, "")
    *frames, _ = pipeline.sample_with(model, request, RunControl())
    film: Pixels = np.stack([frame.x_t for frame in frames if isinstance(frame, Frame)])
    return Preview(header.steps, film[-1], labels, film)


@torch.no_grad()
def held_out_loss(
    network: nn.Module, objective: Objective, dataset: Dataset, device: torch.device, count: int
) -> float:
    """The mean loss on a data set, in `count` parts, with the same random numbers every time."""
    rng = torch.Generator(device).manual_seed(HELD_OUT_SEED)
    batch = objective.draw(network, torch.arange(len(dataset), device=device), rng)
    losses: list[Tensor] = [objective.losses(network, part, rng).flatten() for part in parts(batch, count)]
    return float(torch.cat(losses).mean())
