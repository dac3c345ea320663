"""A copy of a network for a CPU: an image's output is the same to the bit in every batch.

PyTorch selects an algorithm by the size of its input, and each algorithm rounds in its own way. Four operations do so.
The copy has a variant of each that does not depend on the number of images or of threads:

- a convolution of one small image is unfolded into a matrix product, one of many images goes to oneDNN: here, always
  oneDNN, which accumulates each output over channels and window in one order, with weights in its own layout;
- a matrix product takes another kernel for each number of rows: here, blocks of ROWS rows, the last one filled up;
- SiLU computes the remainder of a thread's share by another exponential: here there is no remainder;
- GroupNorm sums large channels-last images in shares of the threads: here group by group.
"""

# ruff: noqa: A002 (`input` is what PyTorch calls it)

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.models.blocks import ClassTable
from ml.threads import one_thread

ROWS = 16  # of a matrix product
LANES = 32  # floats that a vectorised loop computes at a time, at most
SHARE = 32768  # elements from which on PyTorch has several threads at an element-wise operation (at::GRAIN_SIZE)
LARGE = 1024  # pixels from which on PyTorch normalises channels-last images in shares of the threads


def exact(network: nn.Module, device: torch.device) -> nn.Module:
    """The network's exact copy, which shares its weights; on other devices than a CPU the network itself."""
    if device.type != "cpu":
        return network
    twin = copy.deepcopy(network, {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())})
    for module in twin.modules():
        module.__class__ = TWINS.get(type(module), type(module))
    return twin


def filled_blocks(x: Tensor, rows: int) -> list[Tensor]:
    """Copies of `rows` rows each, the last one filled up with zeros."""
    *whole, last = x.split(rows)
    rest = last.new_zeros(rows - len(last), *last.shape[1:])
    return [torch.cat([part]) for part in whole] + [torch.cat([last, rest])]


def in_blocks(function: Callable[[Tensor], Tensor], x: Tensor, rows: int) -> Tensor:
    """A row-wise `function` applied to blocks of `rows` rows."""
    return torch.cat([function(block) for block in filled_blocks(x, rows)])[: len(x)]


class _Conv2d(nn.Conv2d):
    _packed: Any = None  # an image shape, and the weights in oneDNN's layout for it

    def forward(self, input: Tensor) -> Tensor:
        x = input.contiguous(memory_format=torch.channels_last)
        assert not isinstance(self.padding, str)
        shape = self.padding, self.stride, self.dilation, self.groups
        if not torch.backends.mkldnn.is_available():
            return torch.cat([super(_Conv2d, self).forward(image) for image in x.split(1)])
        if torch.is_grad_enabled():  # packed weights have no gradient; both compute the same
            return torch.mkldnn_convolution(x, self.weight, self.bias, *shape)
        side = x.shape[1:]
        if self._packed is None or self._packed[0] != side:
            weight = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *shape, [1, *side])
            self._packed = side, weight
        return torch.ops.mkldnn._convolution_pointwise(x, self._packed[1], self.bias, *shape, "none", [], "")


class _ConvTranspose2d(nn.ConvTranspose2d):
    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if len(input) > 1:
            return super().forward(input, output_size)
        return super().forward(torch.cat([input, input]), output_size)[:1]  # oneDNN takes over from two images on


class _Linear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        with one_thread():  # the blocks are small
            return in_blocks(super().forward, input, ROWS)


class _ClassTable(ClassTable):
    def forward(self, input: Tensor) -> Tensor:
        with one_thread():
            return in_blocks(super().forward, input, ROWS) if input.ndim > 1 else super().forward(input)


class _SiLU(nn.SiLU):
    def forward(self, input: Tensor) -> Tensor:
        threads = min(torch.get_num_threads(), -(-input.numel() // SHARE)) if input.numel() > SHARE else 1
        if input.numel() % (LANES * threads) == 0:
            return F.silu(input)
        rows = input.permute(0, 2, 3, 1) if input.ndim == 4 else input  # in the order of memory
        with one_thread():
            flat = F.silu(F.pad(rows.reshape(-1), (0, -input.numel() % LANES)))[: input.numel()].view(rows.shape)
        return flat.permute(0, 3, 1, 2) if input.ndim == 4 else flat


class _GroupNorm(nn.GroupNorm):
    def forward(self, input: Tensor) -> Tensor:
        if input.shape[-2] * input.shape[-1] < LARGE:
            return super().forward(input)
        return super().forward(input.contiguous()).contiguous(memory_format=torch.channels_last)


TWINS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: _Conv2d,
    nn.ConvTranspose2d: _ConvTranspose2d,
    nn.Linear: _Linear,
    nn.SiLU: _SiLU,
    nn.GroupNorm: _GroupNorm,
    ClassTable: _ClassTable,
}
