"""Compiled variants of a network: faster on some device, equal to a tolerance, without a gradient.

On a CPU the network is traced (TorchScript), which leaves Python out. Weights of convolutions are packed in oneDNN's
layout, and are in bfloat16 where the processor multiplies in it. For a single image a call of a convolution takes half
as long as its arithmetic: oneDNN Graph compiles the calls, and one matrix product gives the scales and shifts of all
blocks.

On a GPU the network is in bfloat16, and its calls are CUDA graphs: starting its some two hundred operations one by one
takes several times as long as they do.
"""

import copy
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.models.blocks import Condition, ResidualBlock
from ml.models.unet import UNet
from ml.system.device import bf16_is_fast, bf16_is_native, random_numbers

WARM_UP = 3  # calls after which TorchScript has compiled the graph, and CUDA's libraries have allocated what they need
MOST_GRAPHS = 16  # of one network, each with memory of its own
FEW_CHANNELS = 16  # of a group; with fewer, normalisation in bfloat16 is several times as slow as in float32

M = TypeVar("M", bound=nn.Module)
Inputs = tuple[Tensor, Tensor, Tensor]  # x_t, time, condition
Compiler = Callable[[nn.Module, Inputs], nn.Module]
Replay = Callable[[Tensor, Tensor, Tensor], Tensor]


def variants(device: torch.device, *, single: bool) -> Iterator[Compiler]:
    """The compilers of variants for a device, the most promising first; for a single image, or for batches."""
    if device.type == "cpu":
        for dtype in (torch.bfloat16, torch.float32) if bf16_is_native(device) else (torch.float32,):
            if single:
                yield partial(compiled, dtype)
            yield partial(packed, dtype)
    elif device.type == "cuda":
        if bf16_is_fast(device):
            yield lambda network, inputs: Graphed(Half(network), inputs)
            yield lambda network, _inputs: Half(network)
        yield Graphed


def packed(dtype: torch.dtype, network: nn.Module, inputs: Inputs) -> nn.Module:
    """A variant for batches: convolutions are packed for the image sizes that these inputs lead to."""
    network = copy.deepcopy(network)
    sizes: dict[str, list[int]] = {}
    hooks = [
        module.register_forward_pre_hook(partial(_note_size, sizes, name))
        for name, module in network.named_modules()
        if type(module) is nn.Conv2d
    ]
    network(*inputs)
    for hook in hooks:
        hook.remove()
    for name, module in _of_type(network, nn.Conv2d):
        network.set_submodule(name, _Convolution(module, dtype, sizes.get(name)))
    return _traced(_normalised(network), inputs)


def compiled(dtype: torch.dtype, network: nn.Module, inputs: Inputs) -> nn.Module:
    """A variant for a single image, with inputs of just this shape."""
    network = copy.deepcopy(network)
    for unet in [module for module in network.modules() if isinstance(module, UNet)]:
        _merge_films(unet)
    for name, module in _of_type(network, nn.Conv2d):
        network.set_submodule(name, _Convolution(module, dtype))
    torch.jit.enable_onednn_fusion(True)
    try:
        traced = _traced(_normalised(network), inputs)
        for _ in range(WARM_UP):
            traced(*inputs)
    finally:
        torch.jit.enable_onednn_fusion(False)
    return traced


class Half(nn.Module):
    """A network under autocast to bfloat16, with output in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        for kind in (nn.Conv2d, nn.Linear):
            for _, module in _of_type(self.network, kind):
                module.to(torch.bfloat16)  # once: autocast converts weights without a gradient at every call

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            return self.network(x, time, condition).float()


class Graphed(nn.Module):
    """A network whose calls are CUDA graphs, one for each shape of the inputs; the first is captured at once.

    A later shape that cannot be captured is computed by the network itself. Raises RuntimeError where the first cannot.
    """

    def __init__(self, network: nn.Module, inputs: Inputs) -> None:
        super().__init__()
        self.network = network
        self._graphs: dict[tuple[torch.Size, ...], Replay | None] = {_shapes(inputs): capture(network, inputs)}
        self._lock = threading.Lock()  # several threads draw, and a graph has one place for its inputs

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        inputs = x, time, condition
        with self._lock:
            if (shapes := _shapes(inputs)) not in self._graphs:
                self._add(shapes, inputs)
            replay = self._graphs[shapes]
            return replay(*inputs) if replay else self.network(*inputs)

    def _add(self, shapes: tuple[torch.Size, ...], inputs: Inputs) -> None:
        if len(self._graphs) == MOST_GRAPHS:
            del self._graphs[next(iter(self._graphs))]  # the oldest
        try:
            self._graphs[shapes] = capture(self.network, inputs)
        except RuntimeError:  # there is no memory for another one, for example
            self._graphs[shapes] = None


def _shapes(inputs: Inputs) -> tuple[torch.Size, ...]:
    return tuple(tensor.shape for tensor in inputs)


@torch.no_grad()
def capture(network: nn.Module, inputs: Inputs) -> Replay:
    """The network's call with such inputs as a CUDA graph: a function of others of that shape. Raises RuntimeError."""
    held = [tensor.clone() for tensor in inputs]
    graph, aside = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with random_numbers:
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                network(*held)
        # The other threads may use the GPU meanwhile.
        with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
            output = network(*held)
    torch.cuda.current_stream().wait_stream(aside)

    def replay(x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        for place, given in zip(held, (x, time, condition), strict=True):
            place.copy_(given)
        graph.replay()
        return output.clone()

    return replay


class _Convolution(nn.Module):
    """A convolution in a type, packed for images of `size` (B, C, H, W) where one is given."""

    def __init__(self, conv: nn.Conv2d, dtype: torch.dtype, size: list[int] | None = None) -> None:
        super().__init__()
        conv = conv.to(dtype=dtype)
        self.dtype, self.plain, self.packed = dtype, conv, None
        if size and conv.kernel_size != (1, 1):  # 1 x 1 packed for two images is twenty times as slow on one
            shape = list(conv.stride), list(conv.padding), list(conv.dilation), conv.groups  # type: ignore[arg-type]
            weights = conv.weight.detach(), None if conv.bias is None else conv.bias.detach()
            self.packed = torch.ops.mkldnn_prepacked.conv2d_prepack(*weights, *shape, size, "none")

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.dtype, memory_format=torch.channels_last)
        return torch.ops.mkldnn_prepacked.conv2d_run(x, self.packed) if self.packed is not None else self.plain(x)


class _Norm(nn.Module):
    """A normalisation in the faster type, with other scales and shifts (C,) where they are given."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.groups, self.weight, self.bias, self.eps = norm.num_groups, norm.weight, norm.bias, norm.eps
        self.as_float = norm.num_channels // norm.num_groups < FEW_CHANNELS

    def forward(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        if scale is None:
            scale, shift = self.weight, self.bias
        return F.group_norm(x.float() if self.as_float else x, self.groups, scale, shift, self.eps)


class _RowLinear(nn.Module):
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
    """Scales and shifts of all blocks (n,) for the time and condition of one image, in one product.

    FiLM behind a normalisation, (gain y + offset) (1 + scale) + shift, is a scale and a shift of y by themselves, which
    are affine in the condition as well.
    """

    def __init__(self, condition: Condition, blocks: list[ResidualBlock]) -> None:
        super().__init__()
        for name, linear in _of_type(condition, nn.Linear):
            condition.set_submodule(name, _RowLinear(linear.weight, linear.bias))
        self.condition = condition
        weights: list[Tensor] = []
        biases: list[Tensor] = []
        for block in blocks:
            gain, offset = block.norm2.weight, block.norm2.bias
            (scale, shift), (scale_0, shift_0) = block.film.weight.chunk(2), block.film.bias.chunk(2)
            weights += [gain[:, None] * scale, offset[:, None] * scale + shift]
            biases += [gain * (1 + scale_0), offset * (1 + scale_0) + shift_0]
        self.product = _RowLinear(torch.cat(weights), torch.cat(biases))

    def forward(self, time: Tensor, condition: Tensor, _augmentation: None = None) -> Tensor:
        return self.product(self.condition(time, condition))[0]


class _Block(nn.Module):
    """A residual block for one image, with its scales and shifts from index `first` of those of all blocks."""

    def __init__(self, block: ResidualBlock, first: int) -> None:
        super().__init__()
        self.norm1, self.conv1, self.norm2, self.conv2 = block.norm1, block.conv1, _Norm(block.norm2), block.conv2
        self.skip, self.first, self.channels = block.skip, first, block.norm2.num_channels

    def forward(self, x: Tensor, films: Tensor) -> Tensor:
        scale, shift = films[self.first : self.first + 2 * self.channels].chunk(2)
        h = self.norm2(self.conv1(F.silu(self.norm1(x))), scale, shift)
        return self.skip(x) + self.conv2(F.silu(h))


def _merge_films(unet: UNet) -> None:
    """Compute the scales and shifts of all blocks in one product."""
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


class _FloatOutput(nn.Module):
    """A network with output in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        return self.network(x, time, condition).float()


def _normalised(network: nn.Module) -> nn.Module:
    for name, module in _of_type(network, nn.GroupNorm):
        network.set_submodule(name, _Norm(module))
    return network


def _traced(network: nn.Module, inputs: Inputs) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript warns that it is deprecated
        return torch.jit.freeze(torch.jit.trace(_FloatOutput(network).eval(), inputs, check_trace=False))
