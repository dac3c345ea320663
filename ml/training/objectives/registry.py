"""The objective of each network."""

import torch

from ml.config import TrainConfig
from ml.data.dataset import Dataset
from ml.training.objectives.autoencoder import AutoencoderObjective
from ml.training.objectives.base import Objective
from ml.training.objectives.classifier import ClassifierObjective
from ml.training.objectives.clip import ContrastiveObjective
from ml.training.objectives.diffusion import DiffusionObjective, TextObjective
from ml.training.objectives.distillation import DistillationObjective


def objective_of(config: TrainConfig, dataset: Dataset, device: torch.device) -> Objective:
    """What a network of that configuration is trained for."""
    if config.model.network == "judge":
        return ClassifierObjective(config, dataset, device)
    if config.teacher_from:
        return DistillationObjective(config, dataset, device)
    if config.model.network == "clip":
        return ContrastiveObjective(config, dataset, device)
    if config.model.network == "autoencoder":
        return AutoencoderObjective(config, dataset, device)
    if config.model.reader:
        return TextObjective(config, dataset, device)
    return DiffusionObjective(config, dataset, device)
