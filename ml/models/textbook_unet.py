"""The textbook U-Net of teaching projects."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ml.config import ModelConfig
from ml.models.blocks import Condition

NORMS: dict[str, Callable[[int], nn.Module]] = {"group": partial(nn.GroupNorm, 8), "batch": nn.BatchNorm2d}


class ConvBlock(nn.Module):
    """Conv, norm, ReLU, twice; the embedding of time and class is added in between."""

    def __init__(self, into: int, out: int, config: ModelConfig) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, padding=1)
        self.norm1 = NORMS[config.norm](out)
        self.embed = nn.Linear(config.embedding, out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.norm2 = NORMS[config.norm](out)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = torch.relu(self.norm1(self.conv1(x))) + self.embed(condition)[:, :, None, None]
        return torch.relu(self.norm2(self.conv2(h)))


class TextbookUNet(nn.Module):
    """Conv blocks (64-128-256 by default), max-pooling down, transposed convolutions up, skip concatenation.

    x_t (B, C, H, W), time (1 or B,), labels (B,) -> prediction (B, C, H, W). `patch`, `blocks` and `attention` do
    not apply.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths = config.widths
        self.condition = Condition(config.embedding, config.num_classes, augment_inputs=config.augment_inputs)
        self.down = nn.ModuleList(
            ConvBlock(into, out, config) for into, out in zip((config.channels, *widths[:-1]), widths, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(wide, narrow, 2, stride=2)
            for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.up = nn.ModuleList(ConvBlock(2 * narrow, narrow, config) for narrow in widths[-2::-1])
        self.out = nn.Conv2d(widths[0], config.channels, 1)

    def forward(self, x: Tensor, time: Tensor, labels: Tensor, augmentation: Tensor | None = None) -> Tensor:
        condition = self.condition(time, labels, augmentation)
        skips: list[Tensor] = []
        h = x
        for i, block in enumerate(self.down):
            h = block(self.pool(h) if i else h, condition)
            skips.append(h)
        skips.pop()
        for grow, block in zip(self.grow, self.up, strict=True):
            skip = skips.pop()
            h = grow(h)
            h = nn.functional.pad(h, (0, skip.shape[-1] - h.shape[-1], 0, skip.shape[-2] - h.shape[-2]))
            h = block(torch.cat([h, skip], dim=1), condition)
        return self.out(h)
