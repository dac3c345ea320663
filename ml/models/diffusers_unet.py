"""The U-Net of diffusers' `UNet2DModel`, under its names of weights.

The linear layers of attention are 1 x 1 convolutions here, so that `ml.models.exact` need not fill up a batch for them.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import ModelConfig, UNet2DSettings
from ml.diffusion.denoiser import TIME_SCALE
from ml.models.blocks import ClassTable, attend, class_table

FOURIER_SCALE = 16.0


class Positions(nn.Module):
    """Sinusoidal embedding of time (Vaswani et al. 2017), (B,) -> (B, width); without weights."""

    frequencies: Tensor

    def __init__(self, width: int, settings: UNet2DSettings) -> None:
        super().__init__()
        half = width // 2
        exponents = torch.arange(half, dtype=torch.float32, device="cpu") / (half - settings.freq_shift)
        self.register_buffer("frequencies", torch.exp(-math.log(10_000) * exponents), persistent=False)
        self.cosine_first = settings.flip_sin_to_cos

    def forward(self, time: Tensor) -> Tensor:
        angles = time[:, None] * self.frequencies
        parts = (angles.cos(), angles.sin()) if self.cosine_first else (angles.sin(), angles.cos())
        return torch.cat(parts, dim=1)


class FourierFeatures(nn.Module):
    """Random Fourier features of log time (Tancik et al. 2020; Song et al. 2021b), (B,) -> (B, 2 width)."""

    weight: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.empty(width))
        if not self.weight.is_meta:  # see `class_table`
            nn.init.normal_(self.weight, std=FOURIER_SCALE)

    def forward(self, time: Tensor) -> Tensor:
        angles = time.log()[:, None] * self.weight * (2 * math.pi)
        return torch.cat([angles.sin(), angles.cos()], dim=1)


class TimeEmbedding(nn.Module):
    """Linear, SiLU, linear: (B, into) -> (B, out)."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.linear_1, self.act, self.linear_2 = nn.Linear(into, out), nn.SiLU(), nn.Linear(out, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(self.act(self.linear_1(x)))


class ResnetBlock(nn.Module):
    """GroupNorm, SiLU, conv, the condition added or as FiLM, GroupNorm, SiLU, conv; `scale` divides the sum."""

    def __init__(self, into: int, out: int, condition: int, config: ModelConfig, scale: float = 1.0) -> None:
        super().__init__()
        settings = _settings(config)
        self.film, self.scale = settings.resnet_time_scale_shift == "scale_shift", scale
        self.norm1 = nn.GroupNorm(settings.norm_num_groups, into, settings.norm_eps)
        self.conv1 = nn.Conv2d(into, out, 3, padding=1)
        self.time_emb_proj = nn.Linear(condition, 2 * out if self.film else out)
        self.norm2 = nn.GroupNorm(settings.norm_num_groups, out, settings.norm_eps)
        self.dropout = nn.Dropout(config.dropout)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(into, out, 1) if into != out else None
        self.act = nn.SiLU()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.conv1(self.act(self.norm1(x)))
        told = self.time_emb_proj(condition)[:, :, None, None]
        if self.film:
            scale, shift = told.chunk(2, dim=1)
            h = self.norm2(h) * (1 + scale) + shift
        else:
            h = self.norm2(h + told)
        h = self.conv2(self.dropout(self.act(h)))
        return ((self.conv_shortcut(x) if self.conv_shortcut else x) + h) / self.scale


class Attention(nn.Module):
    """Self-attention over the pixels of a feature map (Vaswani et al. 2017); `scale` divides the sum."""

    def __init__(self, width: int, config: ModelConfig, groups: int | None, scale: float = 1.0) -> None:
        super().__init__()
        settings = _settings(config)
        head = settings.attention_head_dim or width
        self.heads, self.scale = width // head, scale
        inner = self.heads * head
        self.group_norm = nn.GroupNorm(groups, width, settings.norm_eps) if groups else nn.Identity()
        self.to_q, self.to_k, self.to_v = (nn.Conv2d(width, inner, 1) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Conv2d(inner, width, 1)])

    def forward(self, x: Tensor) -> Tensor:
        b, _, h, w = x.shape
        normed = self.group_norm(x)
        query, key, value = (
            to(normed).reshape(b, self.heads, -1, h * w).transpose(2, 3) for to in (self.to_q, self.to_k, self.to_v)
        )
        y = attend(query, key, value).transpose(2, 3).reshape(b, -1, h, w)
        return (x + self.to_out[0](y)) / self.scale


class Downsample(nn.Module):
    """A strided convolution; without padding, one row and column of zeros at the far sides."""

    def __init__(self, width: int, padding: int) -> None:
        super().__init__()
        self.padding = padding
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x if self.padding else F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Nearest neighbour and a convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """The residual blocks of one resolution, each with attention where `attends`."""

    def __init__(self, widths: list[tuple[int, int]], condition: int, config: ModelConfig, *, attends: bool) -> None:
        super().__init__()
        groups = _settings(config).norm_num_groups
        self.resnets = nn.ModuleList(ResnetBlock(into, out, condition, config) for into, out in widths)
        attentions = [Attention(out, config, groups) for _, out in widths] if attends else []
        self.attentions = nn.ModuleList(attentions)
        self.downsamplers, self.upsamplers = nn.ModuleList(), nn.ModuleList()

    def block(self, k: int, x: Tensor, condition: Tensor) -> Tensor:
        h = self.resnets[k](x, condition)
        return self.attentions[k](h) if len(self.attentions) else h


class Middle(nn.Module):
    """Residual block, attention, residual block."""

    def __init__(self, width: int, condition: int, config: ModelConfig) -> None:
        super().__init__()
        settings = _settings(config)
        scale = settings.mid_block_scale_factor
        plain = settings.resnet_time_scale_shift == "default"
        groups = settings.attn_norm_num_groups or (settings.norm_num_groups if plain else None)
        self.resnets = nn.ModuleList(ResnetBlock(width, width, condition, config, scale) for _ in range(2))
        attentions = [Attention(width, config, groups, scale)] if settings.add_attention else []
        self.attentions = nn.ModuleList(attentions)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.resnets[0](x, condition)
        for attention in self.attentions:
            h = attention(h)
        return self.resnets[1](h, condition)


class DiffusersUNet(nn.Module):
    """x_t (B, C, H, W), time (1 or B,), labels (B,) -> prediction (B, C, H, W), as `UNet2DModel` computes it.

    The null label adds no class embedding. Labels may be mixtures of classes (B, num_classes + 1).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.settings = settings = _settings(config)
        self.time_scale, self.classes = config.timesteps / TIME_SCALE, config.num_classes
        widths = config.widths
        embedding = settings.time_embedding_dim or 4 * widths[0]
        fourier = settings.time_embedding_type == "fourier"
        self.time_proj = FourierFeatures(widths[0]) if fourier else Positions(widths[0], settings)
        self.time_embedding = TimeEmbedding(2 * widths[0] if fourier else widths[0], embedding)
        self.class_embedding = class_table(self.classes, embedding) if self.classes else None
        self.act = nn.SiLU()
        self.conv_in = nn.Conv2d(config.channels, widths[0], 3, padding=1)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        width, skips, last = widths[0], [widths[0]], len(widths) - 1
        for k, (out, kind) in enumerate(zip(widths, settings.down_block_types, strict=True)):
            pairs = [(width if layer == 0 else out, out) for layer in range(config.blocks)]
            level = Level(pairs, embedding, config, attends=kind == "AttnDownBlock2D")
            skips += [out] * config.blocks
            if k < last:
                level.downsamplers.append(Downsample(out, settings.downsample_padding))
                skips.append(out)
            self.down_blocks.append(level)
            width = out
        self.mid_block = Middle(width, embedding, config) if settings.mid_block_type else None
        for k, (out, kind) in enumerate(zip(reversed(widths), settings.up_block_types, strict=True)):
            pairs = [((width if layer == 0 else out) + skips.pop(), out) for layer in range(config.blocks + 1)]
            level = Level(pairs, embedding, config, attends=kind == "AttnUpBlock2D")
            if k < last:
                level.upsamplers.append(Upsample(out))
            self.up_blocks.append(level)
            width = out
        self.conv_norm_out = nn.GroupNorm(settings.norm_num_groups, width, settings.norm_eps)
        self.conv_out = nn.Conv2d(width, config.channels, 3, padding=1)

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        time = time * self.time_scale
        condition = self.time_embedding(self.time_proj(time))
        if self.class_embedding is not None:
            condition = condition + self._class(self.class_embedding, labels)
        condition = self.act(condition)
        h = self.conv_in(2 * x - 1 if self.settings.center_input_sample else x)
        skips = [h]
        for level in self.down_blocks:
            assert isinstance(level, Level)
            for k in range(len(level.resnets)):
                h = level.block(k, h, condition)
                skips.append(h)
            for down in level.downsamplers:
                h = down(h)
                skips.append(h)
        if self.mid_block:
            h = self.mid_block(h, condition)
        for level in self.up_blocks:
            assert isinstance(level, Level)
            for k in range(len(level.resnets)):
                h = level.block(k, torch.cat([h, skips.pop()], dim=1), condition)
            for up in level.upsamplers:
                h = up(h)
        out = self.conv_out(self.act(self.conv_norm_out(h)))
        return out / time.view(-1, 1, 1, 1) if self.settings.time_embedding_type == "fourier" else out

    def _class(self, table: ClassTable, labels: Tensor) -> Tensor:
        if labels.ndim == 2:
            return table(labels[:, :-1])
        known = (labels < self.classes)[:, None]
        return table(labels.clamp(max=self.classes - 1)) * known


def _settings(config: ModelConfig) -> UNet2DSettings:
    assert config.unet2d  # as `ModelConfig` makes sure
    return config.unet2d
