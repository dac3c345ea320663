"""Augmentation of training images."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def distort(x: Tensor, rng: torch.Generator) -> Tensor:
    """Random rotation up to 12 degrees, scaling up to 12 %, shear up to 0.15 and shift up to 2 pixels: (B, C, H, W)."""
    count, side = len(x), x.shape[-1]
    angle, size_x, size_y, shear, dx, dy = (torch.rand(6, count, generator=rng, device=x.device) * 2 - 1).unbind()
    angle, shear = angle * math.radians(12), shear * 0.15
    size_x, size_y = 1 + 0.12 * size_x, 1 + 0.12 * size_y
    cos, sin = angle.cos(), angle.sin()
    rows = [cos * size_x, (shear - sin) * size_y, dx * 4 / side, sin * size_x, cos * size_y, dy * 4 / side]
    matrix = torch.stack(rows, dim=1).view(count, 2, 3)
    where = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x + 1, where, align_corners=False) - 1  # outside the image there is paper, -1
