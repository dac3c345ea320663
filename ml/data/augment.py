"""Augmentation of training images."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

INPUTS = 5  # numbers that describe a change: mirrored, shift right, shift down, turn, scaling
BENDS, BENT = 4, 0.04  # of a copy that is drawn again: points along a side, and their standard deviation in half sides
SHIFT, TURN, SCALING = 1 / 8, math.radians(15), 0.25  # at most: of the side, clockwise, and as a power of two


class Augmented(NamedTuple):
    """Changed images (B, C, H, W), and what was changed (B, INPUTS), from -1 to 1; 0 for nothing."""

    x0: Tensor
    change: Tensor


def augmented(x: Tensor, rng: torch.Generator, *, mirror: bool, share: float) -> Augmented:
    """Random changes of images (B, C, H, W) in [-1, 1], described for the network (Karras et al. 2022, appendix F.2).

    With `mirror`, half of them are mirrored. Each other change (a shift by whole pixels, a turn, a scaling) has the
    probability `share`. Beyond its edge an image goes on as its reflection. An unchanged image keeps its values.
    """
    count, side = len(x), x.shape[-1]
    change = torch.zeros(count, INPUTS, device=x.device)
    if mirror:
        change[:, 0] = (torch.rand(count, generator=rng, device=x.device) < 0.5).float()
        x = torch.where(change[:, 0].view(-1, 1, 1, 1) > 0, x.flip(-1), x)
    if share:
        chosen, amount = torch.rand(3, count, generator=rng, device=x.device) < share, change[:, 1:]
        amount.copy_((torch.rand(count, 4, generator=rng, device=x.device) * 2 - 1) * torch.cat([chosen[:1], chosen]).T)
        amount[:, :2] = (amount[:, :2] * SHIFT * side).round() / (SHIFT * side)
        moved = (amount != 0).any(dim=1).view(-1, 1, 1, 1)
        x = torch.where(moved, _moved(x, *amount.unbind(dim=1)), x)
    return Augmented(x.contiguous(memory_format=torch.channels_last), change)


def _moved(x: Tensor, right: Tensor, down: Tensor, turn: Tensor, scaling: Tensor) -> Tensor:
    """Images that are scaled, turned around their middle and then shifted, by shares (B,) of the most."""
    size, angle = torch.exp2(scaling * SCALING), turn * TURN
    cos, sin = angle.cos() / size, angle.sin() / size
    dx, dy = 2 * SHIFT * right, 2 * SHIFT * down  # the side is 2 long
    rows = [cos, sin, -cos * dx - sin * dy, -sin, cos, sin * dx - cos * dy]  # from a place to where it came from
    with torch.autocast(x.device.type, enabled=False):  # places in bfloat16 would be pixels off
        where = F.affine_grid(torch.stack(rows, dim=1).view(-1, 2, 3), list(x.shape), align_corners=False)
        return F.grid_sample(x, where, "bicubic", "reflection", align_corners=False).clamp(-1, 1)


def redrawn(x: Tensor, rng: torch.Generator) -> Tensor:
    """Copies of images (B, C, H, W) in [-1, 1] as if the same hand had drawn them again.

    Each is turned by up to 10 degrees, scaled by up to 12 % and sheared by up to 0.15, shifted by up to 5 % of its
    side, and bent by a smooth random field (Simard et al. 2003). Beyond its edge an image goes on as its edge.
    """
    count, side = len(x), x.shape[-1]
    angle, size_x, size_y, shear, dx, dy = (torch.rand(6, count, generator=rng) * 2 - 1).unbind()
    angle, size_x, size_y, shear = angle * math.radians(10), 1 + 0.12 * size_x, 1 + 0.12 * size_y, shear * 0.15
    cos, sin = angle.cos(), angle.sin()
    rows = [cos * size_x, (shear - sin) * size_y, dx * 0.1, sin * size_x, cos * size_y, dy * 0.1]  # the side is 2 long
    where = F.affine_grid(torch.stack(rows, dim=1).view(count, 2, 3), list(x.shape), align_corners=False)
    bends = torch.randn(count, 2, BENDS, BENDS, generator=rng) * BENT
    smooth = F.interpolate(bends, size=(side, side), mode="bicubic", align_corners=True)
    return F.grid_sample(x, where + smooth.permute(0, 2, 3, 1), "bicubic", "border", align_corners=False).clamp(-1, 1)


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
