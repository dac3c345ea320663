"""The judge's network: a small residual classifier whose last hidden layer also serves as feature space."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import ModelConfig


class Classifier(nn.Module):
    """Images in [-1, 1] (B, C, H, W) -> logits (B, num_classes); `features` gives (B, embedding)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        into = config.channels
        for level, width in enumerate(config.widths):
            for i in range(config.blocks):
                stride = 2 if level and i == 0 else 1
                layers += [nn.Conv2d(into, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                into = width
        self.body = nn.Sequential(*layers)
        self.hidden = nn.Linear(into, config.embedding)
        self.head = nn.Linear(config.embedding, config.num_classes)
        self.dropout = nn.Dropout(config.dropout)

    def features(self, x: Tensor) -> Tensor:
        """The feature space of Frechet distances, precision and recall: (B, embedding), before the ReLU."""
        return self.hidden(self.body(x).mean(dim=(2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(F.relu(self.features(x))))


def logits_from_features(network: Classifier, features: Tensor) -> Tensor:
    """The logits (B, num_classes) that belong to `features`, without running the body again."""
    return network.head(torch.relu(features))
