"""The objective of each network."""

from collections.abc import Callable, Mapping

import torch

from ml.config import TrainConfig
from ml.data.dataset import Dataset
from ml.errors import BadRequest
from ml.training.objectives.autoencoder import AutoencoderObjective
from ml.training.objectives.base import Objective
from ml.training.objectives.classifier import ClassifierObjective
from ml.training.objectives.clip import ContrastiveObjective
from ml.training.objectives.diffusion import DiffusionObjective, TextObjective
from ml.training.objectives.distillation import DistillationObjective


def _diffusion_objective(config: TrainConfig, dataset: Dataset, device: torch.device) -> Objective:
    """The objective of a diffusion model, which learns from a teacher, from captions or from labels."""
    if config.teacher_from:
        return DistillationObjective(config, dataset, device)
    return (TextObjective if config.model.reader else DiffusionObjective)(config, dataset, device)


OBJECTIVES: Mapping[str, Callable[[TrainConfig, Dataset, torch.device], Objective]] = {
    "unet": _diffusion_objective,
    "textbook": _diffusion_objective,
    "shuffle": _diffusion_objective,
    "diffusers": _diffusion_objective,
    "judge": ClassifierObjective,
    "clip": ContrastiveObjective,
    "autoencoder": AutoencoderObjective,
}


def objective_of(config: TrainConfig, dataset: Dataset, device: torch.device) -> Objective:
    """The objective of a configuration. Raises BadRequest for a network without an objective."""
    make = OBJECTIVES.get(config.model.network)
    if make is None:
        raise BadRequest(f"There is no objective for the network {config.model.network!r}.", "Add it to OBJECTIVES.")
    return make(config, dataset, device)
