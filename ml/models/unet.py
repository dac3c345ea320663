"""The attention U-Net (after Ho et al. 2020 and Dhariwal & Nichol 2021)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import ModelConfig
from ml.models.blocks import Condition, CrossAttention, ResidualBlock, SelfAttention


class Stage(nn.Module):
    """A residual block, with self-attention and cross-attention to words at the resolutions of `attention`."""

    def __init__(self, into: int, out: int, config: ModelConfig, resolution: int) -> None:
        super().__init__()
        self.block = ResidualBlock(into, out, config.embedding, config.dropout)
        attends = resolution in config.attention
        self.attention = SelfAttention(out) if attends else nn.Identity()
        self.reading = CrossAttention(out, config.context) if attends and config.context else None

    def forward(self, x: Tensor, condition: Tensor, words: Tensor) -> Tensor:
        h = self.attention(self.block(x, condition))
        return self.reading(h, words) if self.reading else h


class UNet(nn.Module):
    """x_t (B, C, H, W), time (1 or B,), labels (B,) or words (B, length, context) -> prediction (B, C, H, W).

    Optional space-to-depth at the input (`patch`), `blocks` residual blocks per level, strided-conv downsampling,
    nearest + conv upsampling, skip concatenation, zero-initialised output. Odd sizes (7 -> 4) are cropped on the way
    up.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.patch = config.patch
        folded = config.channels * config.patch**2
        self.condition = Condition(config.embedding, config.num_classes, config.context, config.augment_inputs)
        self.into = nn.Conv2d(folded, config.widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        resolution = config.image_size // config.patch
        width, skips = config.widths[0], []
        resolutions = []
        for level, out in enumerate(config.widths):
            if level:
                self.down.append(nn.Conv2d(width, out, 3, stride=2, padding=1))
                resolution, width = (resolution + 1) // 2, out
            for _ in range(config.blocks):
                self.down.append(Stage(width, out, config, resolution))
                skips.append(out)
                width = out
            resolutions.append(resolution)
        self.middle = Stage(width, width, config, resolution)
        for level, out in reversed(list(enumerate(config.widths))):
            for _ in range(config.blocks):
                self.up.append(Stage(width + skips.pop(), out, config, resolutions[level]))
                width = out
            if level:
                self.up.append(nn.Conv2d(width, config.widths[level - 1], 3, padding=1))
                width = config.widths[level - 1]
        self.norm, self.silu = nn.GroupNorm(8, width), nn.SiLU()
        self.out = nn.Conv2d(width, folded, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias if self.out.bias is not None else torch.empty(0))

    def forward(self, x: Tensor, time: Tensor, labels: Tensor, augmentation: Tensor | None = None) -> Tensor:
        condition = self.condition(time, labels, augmentation)
        h = self.into(F.pixel_unshuffle(x, self.patch))
        skips: list[Tensor] = []
        for layer in self.down:
            if isinstance(layer, Stage):
                h = layer(h, condition, labels)
                skips.append(h)
            else:
                h = layer(h)
        h = self.middle(h, condition, labels)
        for layer in self.up:
            if isinstance(layer, Stage):
                h = layer(torch.cat([h, skips.pop()], dim=1), condition, labels)
            else:
                height, width = skips[-1].shape[-2:]
                h = layer(F.interpolate(h, scale_factor=2.0, mode="nearest")[..., :height, :width])
        return F.pixel_shuffle(self.out(self.silu(self.norm(h))), self.patch)
