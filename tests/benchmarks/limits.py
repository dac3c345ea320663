"""How far drawing is from what the cores deliver: FLOPs per call against bare convolutions of the same shapes."""

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from ml.config import ModelConfig, SampleRequest
from ml.control import RunControl
from ml.events import Sampled
from ml.generation.loaded_model import LoadedModel
from ml.generation.pipeline import sample_with
from ml.models import build
from ml.threads import one_thread
from tests.benchmarks.common import median, spent, synchronise

REPEATS = 3


class Convolution(NamedTuple):
    """What decides how long a convolution takes."""

    images: tuple[int, ...]  # (B, C, H, W)
    weights: tuple[int, ...]
    bias: bool
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int


class Work(NamedTuple):
    """What drawing a request takes."""

    flops: int  # of everything
    convolutions: Counter[Convolution]


class _Recorder(TorchDispatchMode):
    """Writes down every convolution that is computed within."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[Convolution] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution.default and not args[6]:  # transposed ones are another kind
            x, w, bias, stride, padding, dilation, _, _, groups = args
            shape = tuple(x.shape), tuple(w.shape), bias is not None, tuple(stride), tuple(padding), tuple(dilation)
            self.found[Convolution(*shape, groups)] += 1
        return func(*args, **(kwargs or {}))


def plain(model: LoadedModel, config: ModelConfig | None = None) -> LoadedModel:
    """The model with fresh weights in the plain eager form, of another size if `config` says so."""
    config = config or model.config
    network = build(config).to(model.device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
    header = model.header.with_changes(model=config.model_dump())
    return replace(model, header=header, network=network, optimized=False)


def drawing(model: LoadedModel, request: SampleRequest) -> Callable[[], Sampled]:
    """What draws a request to its end."""

    def draw() -> Sampled:
        with one_thread() if model.optimized else nullcontext():  # as `pipeline.sample` does
            *_, sampled = sample_with(model, request, RunControl(), frames=False)
        assert isinstance(sampled, Sampled)
        return sampled

    return draw


def work_of(model: LoadedModel, request: SampleRequest) -> Work:
    """Count what a request takes, in the plain form of the network, whose operations can be seen."""
    seen = plain(model)
    vars(seen)["exact"] = seen.network
    draw = drawing(seen, request)
    with FlopCounterMode(display=False) as counter, _Recorder() as recorder:
        draw()
    return Work(counter.get_total_flops(), recorder.found)


@torch.no_grad()
def bare(work: Work, device: torch.device, dtype: torch.dtype) -> tuple[int, float]:
    """FLOPs of the convolutions, and the seconds that they take with nothing in between: what the cores deliver."""
    flops, seconds = 0, 0.0
    for each, times in work.convolutions.items():
        x, w = (
            torch.randn(shape, device=device).to(dtype, memory_format=torch.channels_last)
            for shape in (each.images, each.weights)
        )
        bias = torch.randn(each.weights[0], device=device).to(dtype) if each.bias else None
        seconds += times * _seconds(each, x, w, bias)
        out = F.conv2d(x, w, bias, each.stride, each.padding, each.dilation, each.groups)
        flops += times * conv_flop_count(list(each.images), list(each.weights), list(out.shape))
    return flops, seconds


def _seconds(each: Convolution, x: Tensor, w: Tensor, bias: Tensor | None) -> float:
    """The median time of one convolution, each of them repeated for a few milliseconds where it is a short one."""

    def run() -> None:
        for _ in range(times):
            F.conv2d(x, w, bias, each.stride, each.padding, each.dilation, each.groups)
        synchronise(x.device)

    times = 1
    run()
    times = max(1, min(100, round(0.005 / max(spent(run), 1e-6))))
    return median(spent(run) for _ in range(REPEATS)) / times
