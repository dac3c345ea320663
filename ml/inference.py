"""The network in the form in which this device draws soonest; the plain module stays the reference.

On a CPU the weights of every convolution are packed once, as oneDNN wants them, instead of anew at every call; where
the processor multiplies in bfloat16 they are kept in it; the whole is traced (TorchScript), which leaves Python out;
and of many images every core computes some by itself, so that none waits for another within the network. What the
network is told, its time and its class, stays in float32. On a GPU the network is in bfloat16.
"""

import copy
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial

import torch
from torch import Tensor, nn

from ml.control import Stopped, stop_here
from ml.device import bf16_is_fast, bf16_is_native, tune

TOLERANCE = 0.05  # of a form's output from the reference's: their distance as a share of its length
TRIALS = 5  # calls of which the quickest tells how quick a form is
EXAMPLES = 2  # images in a trial: one, guided
CORES = torch.get_num_threads()
PATIENCE_S = 10.0  # for a thread to begin


class _Convolution(nn.Module):
    """A convolution in this type, its weights packed for images of this size; others and any batch work, too."""

    def __init__(self, conv: nn.Conv2d, size: list[int], dtype: torch.dtype) -> None:
        super().__init__()
        conv = conv.to(dtype)
        self.dtype, self.plain, self.packed = dtype, conv, None
        if conv.kernel_size != (1, 1):  # which is twenty times as slow on one image where it was packed for two
            shape = list(conv.stride), list(conv.padding), list(conv.dilation), conv.groups  # type: ignore[arg-type]
            weights = conv.weight.detach(), None if conv.bias is None else conv.bias.detach()
            self.packed = torch.ops.mkldnn_prepacked.conv2d_prepack(*weights, *shape, size, "none")

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.dtype, memory_format=torch.channels_last)
        return torch.ops.mkldnn_prepacked.conv2d_run(x, self.packed) if self.packed is not None else self.plain(x)


class _Norm(nn.Module):
    """A normalisation in float32, which over few channels is many times as quick as in bfloat16."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.float())


class _Answering(nn.Module):
    """A network that answers in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, time: Tensor, told: Tensor) -> Tensor:
        return self.network(x, time, told).float()


class _Half(_Answering):
    """A network that computes in bfloat16 what loses little by it."""

    def forward(self, x: Tensor, time: Tensor, told: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            return super().forward(x, time, told)


class Quick(nn.Module):
    """A network that takes the form of `formed` at its first call, and another for labels of another kind.

    Has no gradient. What no form can be made of is computed by the network itself.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.reference = network
        self._forms: dict[tuple[int, torch.dtype, int], nn.Module] = {}

    def forward(self, x: Tensor, time: Tensor, told: Tensor) -> Tensor:
        kind = told.ndim, told.dtype, len(time)
        if kind not in self._forms:
            self._forms[kind] = formed(self.reference, x, time, told)
        form = self._forms[kind]
        alone = min(CORES, len(x)) == 1 or x.device.type != "cpu"
        return form(x, time, told) if alone else _shared(form, x, time, told)


def _shared(form: nn.Module, x: Tensor, time: Tensor, told: Tensor) -> Tensor:
    """The output for a batch, of which every core computes a part."""
    parts = min(CORES, len(x))
    times = time.tensor_split(parts) if len(time) > 1 else (time,) * parts
    given = zip(x.tensor_split(parts), times, told.tensor_split(parts), strict=True)
    return torch.cat([part.result() for part in [_workers().submit(form, *each) for each in given]])


@lru_cache(maxsize=1)
def _workers() -> ThreadPoolExecutor:
    """A thread for each core, which computes alone."""
    all_there = threading.Barrier(CORES, timeout=PATIENCE_S)

    def begin(_number: int) -> None:
        torch.get_num_threads()  # a thread takes over everybody's number at its first look, whatever it was told before
        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        tune(torch.device("cpu"))
        all_there.wait()

    before = torch.get_num_threads()
    workers = ThreadPoolExecutor(CORES, "drawing on core")
    try:
        list(workers.map(begin, range(CORES)))
    finally:
        torch.set_num_threads(before)  # which they have changed for every thread that is yet to come
    return workers


@lru_cache(maxsize=4)
def quick(network: nn.Module) -> Quick:
    """The quick form of a network, made once."""
    return Quick(network)


@torch.no_grad()
def formed(network: nn.Module, x: Tensor, time: Tensor, told: Tensor) -> nn.Module:
    """The first form of a network that agrees with it to TOLERANCE on such inputs and is quicker; at last itself.

    Making one takes a while, so that the most promising one comes first and not all are tried.
    """
    rows = [k % len(x) for k in range(EXAMPLES)]
    inputs = x[rows], time if len(time) == 1 else time[rows], told[rows]
    wanted = network(*inputs)
    plain = _seconds(network, inputs)
    for make in _forms(x.device):
        stop_here()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of TorchScript, about its age
                form = make(network, inputs)
            agrees = distance(form(*inputs), wanted) <= TOLERANCE
        except Stopped:
            raise
        except Exception:  # an operator that is not there: the next form
            continue
        if agrees and _seconds(form, inputs) < plain:
            return form
    return network


def distance(output: Tensor, wanted: Tensor) -> float:
    """How far an output is from the one that is wanted, as a share of the length of that."""
    return float((output - wanted).norm() / wanted.norm().clamp(min=1e-6))


Inputs = tuple[Tensor, Tensor, Tensor]


def _forms(device: torch.device) -> Iterator[Callable[[nn.Module, Inputs], nn.Module]]:
    if device.type == "cpu":
        for dtype in (torch.bfloat16, torch.float32) if bf16_is_native(device) else (torch.float32,):
            yield partial(_packed_and_traced, dtype)
    elif bf16_is_fast(device):
        yield lambda network, _inputs: _Half(network)


def _packed_and_traced(dtype: torch.dtype, network: nn.Module, inputs: Inputs) -> nn.Module:
    return _traced(_packed(network, inputs, dtype), inputs)


def _packed(network: nn.Module, inputs: Inputs, dtype: torch.dtype) -> nn.Module:
    """A copy whose convolutions are packed for the sizes that they have with such inputs."""
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
    for name, size in sizes.items():
        conv = network.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        network.set_submodule(name, _Convolution(conv, size, dtype))
    for name, module in list(network.named_modules()):
        if type(module) is nn.GroupNorm:
            network.set_submodule(name, _Norm(module))
    return _Answering(network)


def _note_size(sizes: dict[str, list[int]], name: str, _module: nn.Module, given: tuple[Tensor]) -> None:
    sizes[name] = list(given[0].shape)


def _traced(network: nn.Module, inputs: Inputs) -> nn.Module:
    return torch.jit.freeze(torch.jit.trace(network.eval(), inputs, check_trace=False))


def _seconds(network: nn.Module, inputs: Inputs) -> float:
    """What a call takes, at its best."""
    taken: list[float] = []
    for _ in range(TRIALS):
        began = time.perf_counter()
        network(*inputs)
        if inputs[0].is_cuda:
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return min(taken)
