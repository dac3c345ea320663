"""A light U-Net of ShuffleNet-v2 units (Ma et al. 2018)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from ml.config import ModelConfig
from ml.models.blocks import Condition


def channel_shuffle(x: Tensor) -> Tensor:
    """Interleave the two halves of the channels (B, C, H, W), C even, so that the next split mixes them."""
    b, c, h, w = x.shape
    return x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)


def _branch(into: int, out: int, stride: int) -> nn.Sequential:
    """1x1 conv, depth-wise 3x3 conv, 1x1 conv."""
    return nn.Sequential(
        nn.Conv2d(into, out, 1),
        nn.GroupNorm(8, out),
        nn.ReLU(),
        nn.Conv2d(out, out, 3, stride, padding=1, groups=out),
        nn.GroupNorm(8, out),
        nn.Conv2d(out, out, 1),
        nn.GroupNorm(8, out),
        nn.ReLU(),
    )


class ShuffleUnit(nn.Module):
    """Half of the channels pass unchanged, the other half goes through a branch; then both are shuffled.

    The embedding of time and class is added to the input. A unit that halves the image (`down`) has two branches, each
    of all channels.
    """

    def __init__(self, width: int, embedding: int, out: int | None = None, down: bool = False) -> None:
        super().__init__()
        out = out or width
        self.embed = nn.Linear(embedding, width)
        self.passing = None if not down else _branch(width, out // 2, 2)
        self.branch = _branch(width, out // 2, 2) if down else _branch(width // 2, width // 2, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        x = x + self.embed(condition)[:, :, None, None]
        if self.passing is not None:
            return channel_shuffle(torch.cat([self.passing(x), self.branch(x)], dim=1))
        kept, worked = x.chunk(2, dim=1)
        return channel_shuffle(torch.cat([kept, self.branch(worked)], dim=1))


class ShuffleUNet(nn.Module):
    """Shuffle units at 28, 14 and 7 pixels (three widths), nearest upsampling, skip concatenation.

    x_t (B, C, H, W), time (1 or B,), labels (B,) -> prediction (B, C, H, W). `patch`, `attention`, `norm` and
    `dropout` do not apply.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths, embedding = config.widths, config.embedding
        self.condition = Condition(embedding, config.num_classes, augment_inputs=config.augment_inputs)
        self.into = nn.Conv2d(config.channels, widths[0], 3, padding=1)

        def units(width: int) -> nn.ModuleList:
            return nn.ModuleList(ShuffleUnit(width, embedding) for _ in range(config.blocks))

        self.down = nn.ModuleList(units(width) for width in widths)
        self.halve = nn.ModuleList(ShuffleUnit(into, embedding, out, down=True) for into, out in pairwise(widths))
        self.join = nn.ModuleList(
            nn.Conv2d(into + out, out, 1) for into, out in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.up = nn.ModuleList(units(width) for width in widths[-2::-1])
        self.out = nn.Conv2d(widths[0], config.channels, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias if self.out.bias is not None else torch.empty(0))

    def forward(self, x: Tensor, time: Tensor, labels: Tensor, augmentation: Tensor | None = None) -> Tensor:
        condition = self.condition(time, labels, augmentation)
        h, skips = self.into(x), []
        for level, units in enumerate(self.down):
            h = self.halve[level - 1](h, condition) if level else h
            for unit in _list(units):
                h = unit(h, condition)
            skips.append(h)
        skips.pop()
        for join, units in zip(self.join, self.up, strict=True):
            skip = skips.pop()
            h = nn.functional.interpolate(h, scale_factor=2.0, mode="nearest")[..., : skip.shape[-2], : skip.shape[-1]]
            h = join(torch.cat([h, skip], dim=1))
            for unit in _list(units):
                h = unit(h, condition)
        return self.out(h)


def _list(units: nn.Module) -> nn.ModuleList:
    assert isinstance(units, nn.ModuleList)
    return units
