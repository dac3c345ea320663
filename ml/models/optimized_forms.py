"""Forms of a network that give its output sooner on some device, alike to a tolerance; without a gradient.

On a CPU, convolutions are in the layout and, where the processor multiplies in it, in bfloat16, the weights as oneDNN
wants them once and for all; the whole is traced (TorchScript), which leaves Python out. For a single image, where to
call a convolution takes half as long as to compute it, oneDNN Graph compiles the calls, and all that the network's
blocks are told of time and class comes of one product. On a GPU the network is in bfloat16.
"""

import copy
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.models.blocks import Condition, ResidualBlock
from ml.models.unet import UNet
from ml.system.device import bf16_is_fast, bf16_is_native

COMPILING = 3  # calls after which TorchScript has compiled what it saw
FEW_CHANNELS = 16  # in a group, below which bfloat16 is normalised several times as slowly as float32

M = TypeVar("M", bound=nn.Module)
Inputs = tuple[Tensor, Tensor, Tensor]  # x_t, time, labels
Making = Callable[[nn.Module, Inputs], nn.Module]


def forms(device: torch.device, *, single: bool) -> Iterator[Making]:
    """How to make each form there may be on that device, the most promising first; for a single image, or for many."""
    if device.type == "cpu":
        for dtype in (torch.bfloat16, torch.float32) if bf16_is_native(device) else (torch.float32,):
            if single:
                yield partial(compiled, dtype)
            yield partial(packed, dtype)
    elif bf16_is_fast(device):
        yield lambda network, _inputs: Half(network)


def packed(dtype: torch.dtype, network: nn.Module, inputs: Inputs) -> nn.Module:
    """With convolutions that are packed for the sizes they have with such inputs, and work with any batch."""
    network = copy.deepcopy(network)
    sizes: dict[str, list[int]] = {}
    see = [
        module.register_forward_pre_hook(partial(_note_size, sizes, name))
        for name, module in network.named_modules()
        if type(module) is nn.Conv2d
    ]
    network(*inputs)
    for hook in see:
        hook.remove()
    for name, module in _of_type(network, nn.Conv2d):
        network.set_submodule(name, _Convolution(module, dtype, sizes.get(name)))
    return _traced(_normalised(network), inputs)


def compiled(dtype: torch.dtype, network: nn.Module, inputs: Inputs) -> nn.Module:
    """For inputs of just this shape, a single image's."""
    network = copy.deepcopy(network)
    for unet in [module for module in network.modules() if isinstance(module, UNet)]:
        _told_at_once(unet)
    for name, module in _of_type(network, nn.Conv2d):
        network.set_submodule(name, _Convolution(module, dtype))
    torch.jit.enable_onednn_fusion(True)
    try:
        form = _traced(_normalised(network), inputs)
        for _ in range(COMPILING):
            form(*inputs)
    finally:
        torch.jit.enable_onednn_fusion(False)
    return form


class Half(nn.Module):
    """A network that computes in bfloat16 what loses little by it, and answers in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, time: Tensor, told: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            return self.network(x, time, told).float()


class _Convolution(nn.Module):
    """A convolution in this type; packed for images of a size, where one is given."""

    def __init__(self, conv: nn.Conv2d, dtype: torch.dtype, size: list[int] | None = None) -> None:
        super().__init__()
        conv = conv.to(dtype=dtype)
        self.dtype, self.plain, self.packed = dtype, conv, None
        if size and conv.kernel_size != (1, 1):  # which is twenty times as slow on one image where packed for two
            shape = list(conv.stride), list(conv.padding), list(conv.dilation), conv.groups  # type: ignore[arg-type]
            weights = conv.weight.detach(), None if conv.bias is None else conv.bias.detach()
            self.packed = torch.ops.mkldnn_prepacked.conv2d_prepack(*weights, *shape, size, "none")

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.dtype, memory_format=torch.channels_last)
        return torch.ops.mkldnn_prepacked.conv2d_run(x, self.packed) if self.packed is not None else self.plain(x)


class _Norm(nn.Module):
    """A normalisation in whichever type is quick, with other scales and shifts (C,) where they are given."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.groups, self.weight, self.bias, self.eps = norm.num_groups, norm.weight, norm.bias, norm.eps
        self.as_float = norm.num_channels // norm.num_groups < FEW_CHANNELS

    def forward(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        if scale is None:
            scale, shift = self.weight, self.bias
        return F.group_norm(x.float() if self.as_float else x, self.groups, scale, shift, self.eps)


class _OfOne(nn.Module):
    """A linear layer for one row, (1, n) -> (1, m)."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().clone())
        self.register_buffer("bias", bias.detach().clone())

    def forward(self, row: Tensor) -> Tensor:
        return torch.addmv(self.bias, self.weight, row[0])[None]


class _Films(nn.Module):
    """Scales and shifts of all blocks (n,) from what the network is told of one image, in one product.

    FiLM behind a normalisation, (gain y + offset) (1 + scale) + shift, is a scale and a shift of y by themselves, which
    are affine in the condition as well.
    """

    def __init__(self, condition: Condition, blocks: list[ResidualBlock]) -> None:
        super().__init__()
        for name, linear in _of_type(condition, nn.Linear):
            condition.set_submodule(name, _OfOne(linear.weight, linear.bias))
        self.condition = condition
        weights: list[Tensor] = []
        biases: list[Tensor] = []
        for block in blocks:
            gain, offset = block.norm2.weight, block.norm2.bias
            (scale, shift), (scale_0, shift_0) = block.film.weight.chunk(2), block.film.bias.chunk(2)
            weights += [gain[:, None] * scale, offset[:, None] * scale + shift]
            biases += [gain * (1 + scale_0), offset * (1 + scale_0) + shift_0]
        self.product = _OfOne(torch.cat(weights), torch.cat(biases))

    def forward(self, time: Tensor, told: Tensor) -> Tensor:
        return self.product(self.condition(time, told))[0]


class _Block(nn.Module):
    """A residual block for one image, which finds its scales and shifts in those of all, from `first` on."""

    def __init__(self, block: ResidualBlock, first: int) -> None:
        super().__init__()
        self.norm1, self.conv1, self.norm2, self.conv2 = block.norm1, block.conv1, _Norm(block.norm2), block.conv2
        self.skip, self.first, self.channels = block.skip, first, block.norm2.num_channels

    def forward(self, x: Tensor, films: Tensor) -> Tensor:
        scale, shift = films[self.first : self.first + 2 * self.channels].chunk(2)
        h = self.norm2(self.conv1(F.silu(self.norm1(x))), scale, shift)
        return self.skip(x) + self.conv2(F.silu(h))


def _told_at_once(unet: UNet) -> None:
    blocks = _of_type(unet, ResidualBlock)
    unet.set_submodule("condition", _Films(unet.condition, [block for _, block in blocks]))
    first = 0
    for name, block in blocks:
        unet.set_submodule(name, _Block(block, first))
        first += 2 * block.norm2.num_channels


def _of_type(network: nn.Module, kind: type[M]) -> list[tuple[str, M]]:
    return [(name, module) for name, module in network.named_modules() if type(module) is kind]


def _note_size(sizes: dict[str, list[int]], name: str, _module: nn.Module, given: tuple[Tensor]) -> None:
    sizes[name] = list(given[0].shape)


class _Answering(nn.Module):
    """A network that answers in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, time: Tensor, told: Tensor) -> Tensor:
        return self.network(x, time, told).float()


def _normalised(network: nn.Module) -> nn.Module:
    for name, module in _of_type(network, nn.GroupNorm):
        network.set_submodule(name, _Norm(module))
    return network


def _traced(network: nn.Module, inputs: Inputs) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TorchScript, about its age
        return torch.jit.freeze(torch.jit.trace(_Answering(network).eval(), inputs, check_trace=False))
