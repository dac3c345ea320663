"""A network in the variant that is fastest on its device; the plain module stays the reference.

The variants are in `ml.models.optimized_variants`. On a CPU every core computes some images of a batch by itself, so
that none waits for another within the network. The embedding of time and class stays in float32.
"""

import time
from functools import lru_cache, partial

import torch
from torch import Tensor, nn

from ml.cancellation import check_cancelled
from ml.models.optimized_variants import Inputs, variants
from ml.system import cores

TOLERANCE = 0.05  # distance of a variant's output from the reference's, as a share of the reference's length
TRIALS = 5  # timed calls, of which the shortest counts
EXAMPLES = 2  # images in a trial of a variant for batches


class OptimizedNetwork(nn.Module):
    """A network that runs the variant which `fastest_variant` finds at the first call with each kind of input.

    A kind is the type and shape of the condition, the number of times, and whether each core computes one image at
    most. There is no gradient.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.reference = network
        self._variants: dict[tuple[bool, int, torch.dtype, int], nn.Module] = {}

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        on_cpu = x.device.type == "cpu"
        single = on_cpu and len(x) <= cores.CORES
        kind = single, condition.ndim, condition.dtype, len(time)
        if kind not in self._variants:
            self._variants[kind] = fastest_variant(self.reference, x, time, condition, single=single)
        variant = self._variants[kind]
        if on_cpu and min(cores.CORES, len(x)) > 1:
            return _on_all_cores(variant, x, time, condition)
        return variant(x, time, condition)


def _on_all_cores(network: nn.Module, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
    """The output for a batch, of which every core computes a part."""
    parts = min(cores.CORES, len(x))
    times = time.tensor_split(parts) if len(time) > 1 else (time,) * parts
    shares = zip(x.tensor_split(parts), times, condition.tensor_split(parts), strict=True)
    return torch.cat(cores.on_cores([partial(network, *share) for share in shares]))


@lru_cache(maxsize=4)
def optimize(network: nn.Module) -> OptimizedNetwork:
    """The optimized network, made once."""
    return OptimizedNetwork(network)


@torch.no_grad()
def fastest_variant(
    network: nn.Module, x: Tensor, time: Tensor, condition: Tensor, *, single: bool = False
) -> nn.Module:
    """The first variant that agrees with the network to TOLERANCE on such inputs and is faster; else the network.

    For a `single` image, or for batches of any size. Compiling takes a while, so the most promising variant comes first
    and the search ends with the first that passes.
    """
    rows = [k % len(x) for k in range(1 if single else EXAMPLES)]
    inputs = x[rows], time if len(time) == 1 else time[rows], condition[rows]
    reference = network(*inputs)
    reference_seconds = _seconds(network, inputs)
    for make in variants(x.device, single=single):
        check_cancelled()
        try:
            variant = make(network, inputs)
            agrees = distance(variant(*inputs), reference) <= TOLERANCE
        except Exception:  # an operator is missing in this build of torch: try the next variant
            continue
        if agrees and _seconds(variant, inputs) < reference_seconds:
            return variant
    return network


def distance(output: Tensor, reference: Tensor) -> float:
    """The distance between two outputs, as a share of the length of the reference."""
    return float((output - reference).norm() / reference.norm().clamp(min=1e-6))


def _seconds(network: nn.Module, inputs: Inputs) -> float:
    """The shortest time of a call in TRIALS."""
    taken: list[float] = []
    for _ in range(TRIALS):
        began = time.perf_counter()
        network(*inputs)
        if inputs[0].is_cuda:
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return min(taken)
