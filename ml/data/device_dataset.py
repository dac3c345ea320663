"""A data set's images where the training is, as networks want them."""

from typing import NamedTuple

import torch
from torch import Tensor

from ml.data.dataset import Dataset
from ml.system.device import free


class Pictures(NamedTuple):
    """Images (B, C, H, W) in [-1, 1] and their labels (B,)."""

    x0: Tensor
    labels: Tensor


class Images:
    """A data set's images: on the device where they leave at least half of its memory free, else beside it."""

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        fits = 2 * dataset.images.numel() <= free(device)
        self.pixels, self.labels = dataset.images.to(device if fits else "cpu"), dataset.labels.to(device)

    def __getitem__(self, chosen: Tensor) -> Pictures:
        pixels = self.pixels[chosen.to(self.pixels.device)].to(self.labels.device)
        x0 = pixels.float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)
        return Pictures(x0, self.labels[chosen])
