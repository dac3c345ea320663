"""The classifier objective: cross-entropy."""

import torch
from torch import Tensor, nn

from ml.config import TrainConfig
from ml.data.augment import distort
from ml.data.dataset import Dataset
from ml.data.device_dataset import Images, Pictures
from ml.training.losses import classifier_loss
from ml.training.objectives.base import Objective


class ClassifierObjective(Objective):
    """The judge: see `classifier_loss`; the images are slightly distorted with `augment`."""

    def __init__(self, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.images = config, Images(dataset, device)

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> Pictures:
        x0, labels = self.images[chosen]
        return Pictures(distort(x0, rng) if self.config.augment else x0, labels)

    def losses(self, network: nn.Module, batch: Pictures, rng: torch.Generator) -> Tensor:
        return classifier_loss(network, batch.x0, batch.labels)
