"""The network in the form in which this device draws soonest; the plain module stays the reference.

The forms are in `ml.models.optimized_forms`.
On a CPU, of many images every core computes some by itself, so that none waits for another within the network. What
the network is told, its time and its class, stays in float32.
"""

import time
from functools import lru_cache, partial

import torch
from torch import Tensor, nn

from ml.cancellation import Stopped, check_cancelled
from ml.models.optimized_forms import Inputs, forms
from ml.system import cores

TOLERANCE = 0.05  # of a form's output from the reference's: their distance as a share of its length
TRIALS = 5  # calls of which the quickest tells how optimized a form is
EXAMPLES = 2  # images in a trial of a form for many


class Optimized(nn.Module):
    """A network that takes the form of `fastest_form` at its first call, and another for labels of another kind.

    Where no core has more than one image to compute, it has a form for that. Has no gradient. What no form can be made
    of is computed by the network itself.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.reference = network
        self._forms: dict[tuple[bool, int, torch.dtype, int], nn.Module] = {}

    def forward(self, x: Tensor, time: Tensor, told: Tensor) -> Tensor:
        on_cpu = x.device.type == "cpu"
        single = on_cpu and len(x) <= cores.CORES
        kind = single, told.ndim, told.dtype, len(time)
        if kind not in self._forms:
            self._forms[kind] = fastest_form(self.reference, x, time, told, single=single)
        form = self._forms[kind]
        return _shared(form, x, time, told) if on_cpu and min(cores.CORES, len(x)) > 1 else form(x, time, told)


def _shared(form: nn.Module, x: Tensor, time: Tensor, told: Tensor) -> Tensor:
    """The output for a batch, of which every core computes a part."""
    parts = min(cores.CORES, len(x))
    times = time.tensor_split(parts) if len(time) > 1 else (time,) * parts
    shares = zip(x.tensor_split(parts), times, told.tensor_split(parts), strict=True)
    return torch.cat(cores.on_cores([partial(form, *share) for share in shares]))


@lru_cache(maxsize=4)
def optimized(network: nn.Module) -> Optimized:
    """The optimized form of a network, made once."""
    return Optimized(network)


@torch.no_grad()
def fastest_form(network: nn.Module, x: Tensor, time: Tensor, told: Tensor, *, single: bool = False) -> nn.Module:
    """The first form of a network that agrees with it to TOLERANCE on such inputs and is quicker; at last itself.

    A form for a `single` image, or for any number. Making one takes a while, so that the most promising one comes first
    and not all are tried.
    """
    rows = [k % len(x) for k in range(1 if single else EXAMPLES)]
    inputs = x[rows], time if len(time) == 1 else time[rows], told[rows]
    wanted = network(*inputs)
    plain = _seconds(network, inputs)
    for make in forms(x.device, single=single):
        check_cancelled()
        try:
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
