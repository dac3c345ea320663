"""The objective of each network."""

import torch

from ml.config import TrainConfig
from ml.data import Dataset
from ml.training.objectives.autoencoder import Coding
from ml.training.objectives.base import Objective
from ml.training.objectives.classifier import Reading
from ml.training.objectives.clip import Matching
from ml.training.objectives.diffusion import Denoising, Telling
from ml.training.objectives.distillation import Distilling


def objective_of(config: TrainConfig, dataset: Dataset, device: torch.device) -> Objective:
    """What a network of that configuration is trained for."""
    if config.model.network == "judge":
        return Reading(config, dataset, device)
    if config.teacher_from:
        return Distilling(config, dataset, device)
    if config.model.network == "clip":
        return Matching(config, dataset, device)
    if config.model.network == "autoencoder":
        return Coding(config, dataset, device)
    if config.model.reader:
        return Telling(config, dataset, device)
    return Denoising(config, dataset, device)
