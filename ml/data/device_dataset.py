"""A data set's images where the training is, as networks want them."""

from typing import NamedTuple

import torch
from torch import Tensor

from ml.data.dataset import Dataset


class Pictures(NamedTuple):
    """Images (B, C, H, W) in [-1, 1] and their labels (B,)."""

    x0: Tensor
    labels: Tensor


class Images:
    """A data set's images, all on the device."""

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        self.pixels, self.labels = dataset.images.to(device), dataset.labels.to(device)

    def __getitem__(self, chosen: Tensor) -> Pictures:
        x0 = self.pixels[chosen].float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)
        return Pictures(x0, self.labels[chosen])
