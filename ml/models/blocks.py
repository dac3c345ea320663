"""Building blocks shared by the networks."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TimeEmbedding(nn.Module):
    """Sinusoidal embedding of time (Vaswani et al. 2017) through a small MLP: (B,) in [0, 1000] -> (B, width)."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        steps = torch.arange(half, device="cpu")  # see `class_table`
        frequencies = torch.exp(-math.log(10_000) * steps / half)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.mlp = nn.Sequential(nn.Linear(2 * half, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, time: Tensor) -> Tensor:
        angles = time[:, None] * self.frequencies
        return self.mlp(torch.cat([angles.sin(), angles.cos()], dim=1))


class Condition(nn.Module):
    """Time and class in one vector: (1 or B,), (B,) -> (B, width). Class `num_classes` is the learned null label.

    Labels may also be mixtures of classes (B, num_classes + 1). With a `context`, words (B, length, context) take the
    place of the labels, and are averaged. A training image's augmentation (B, augment_inputs) adds a linear term, which
    is zero for an unchanged image and when drawing.
    """

    def __init__(self, width: int, num_classes: int, context: int = 0, augment_inputs: int = 0) -> None:
        super().__init__()
        self.time = TimeEmbedding(width)
        self.label = nn.Linear(context, width) if context else class_table(num_classes + 1, width)
        self.augmentation = nn.Linear(augment_inputs, width, bias=False) if augment_inputs else None
        self.silu = nn.SiLU()

    def forward(self, time: Tensor, labels: Tensor, augmentation: Tensor | None = None) -> Tensor:
        embedded = self.time(time) + self.label(labels.mean(dim=1) if labels.ndim == 3 else labels)
        if self.augmentation is not None and augmentation is not None:
            embedded = embedded + self.augmentation(augmentation)
        return self.silu(embedded)


class ClassTable(nn.Embedding):
    """A vector for each class: of labels (B,), int64, or of mixtures of classes (B, classes) -> (B, width)."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (PyTorch's name)
        return super().forward(input) if input.ndim == 1 else input.to(self.weight.dtype) @ self.weight


def class_table(count: int, width: int) -> ClassTable:
    """A table of random vectors.

    On "meta", where a network is built for its shapes alone, no numbers are drawn: torch would import its compiler for
    that, which takes seconds.
    """
    table = ClassTable.from_pretrained(torch.empty(count, width), freeze=False)
    if not table.weight.is_meta:
        nn.init.normal_(table.weight)
    return table


class ResidualBlock(nn.Module):
    """GroupNorm, SiLU, conv, FiLM from the condition (Perez et al. 2018), GroupNorm, SiLU, zero-initialised conv."""

    def __init__(self, into: int, out: int, condition: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, into)
        self.conv1 = nn.Conv2d(into, out, 3, padding=1)
        self.film = nn.Linear(condition, 2 * out)
        self.norm2 = nn.GroupNorm(8, out)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Conv2d(into, out, 1) if into != out else nn.Identity()
        self.silu = nn.SiLU()
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias if self.conv2.bias is not None else torch.empty(0))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.conv1(self.silu(self.norm1(x)))
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, dim=1)
        h = self.silu(self.norm2(h) * (1 + scale) + shift)
        return self.skip(x) + self.conv2(self.dropout(h))


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017, eq. 1): three (B, heads, length, channels) -> the same."""
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value)
    # WORKAROUND: on a CPU the backward pass of torch 2.15's fused attention is eight times slower in bfloat16.
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(query.float(), key.float(), value.float()).to(query.dtype)


class SelfAttention(nn.Module):
    """Self-attention over the pixels of a feature map (Vaswani et al. 2017), zero-initialised residual."""

    def __init__(self, width: int, head: int = 32) -> None:
        super().__init__()
        # About `head` channels each, in equal parts: width 104 is 2 x 52, since 3 heads do not share it evenly.
        self.heads = next(h for h in range(max(1, width // head), 0, -1) if width % h == 0)
        self.norm = nn.GroupNorm(8, width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias if self.out.bias is not None else torch.empty(0))

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        qkv = self.qkv(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, h * w).transpose(3, 4)
        y = attend(qkv[:, 0], qkv[:, 1], qkv[:, 2])  # (B, heads, H W, C / heads)
        return x + self.out(y.transpose(2, 3).reshape(b, c, h, w))


class CrossAttention(nn.Module):
    """Attention from the pixels of a feature map to words (Rombach et al. 2022), zero-initialised residual."""

    def __init__(self, width: int, context: int, head: int = 32) -> None:
        super().__init__()
        self.heads = next(h for h in range(max(1, width // head), 0, -1) if width % h == 0)
        self.norm = nn.GroupNorm(8, width)
        self.query = nn.Conv2d(width, width, 1)
        self.words = nn.Linear(context, 2 * width)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias if self.out.bias is not None else torch.empty(0))

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        """x (B, width, H, W), words (B, length, context)."""
        b, c, h, w = x.shape
        query = self.query(self.norm(x)).reshape(b, self.heads, c // self.heads, h * w).transpose(2, 3)
        key, value = self.words(words).view(b, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = attend(query, key, value)  # (B, heads, H W, C / heads)
        return x + self.out(y.transpose(2, 3).reshape(b, c, h, w))
