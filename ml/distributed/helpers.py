"""Commands that several processes carry out: the first leads and runs them, the others help it.

Helpers read no files of a run and of its data, write none, and say nothing, so that only the leader's machine needs
them. Networks' buffers, such as batch normalisation's averages, are the leader's.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ml.cli.console import FAILED
from ml.config import Description, SampleRequest, TrainConfig
from ml.control import RunControl
from ml.data.dataset import Dataset
from ml.distributed import collectives, torchrun
from ml.distributed.collectives import Order, Outcome
from ml.errors import BadRequest, FailedElsewhere, LostProcess
from ml.events import Frame, Sampled, SampleEvent
from ml.generation import loaded_model, pipeline
from ml.generation.plan import BATCH
from ml.specs import DeviceName
from ml.system.device import pick
from ml.training.run import Run

ABLE = ("train", "sample", "evaluate")  # the commands whose work can be shared


class Enlisting(Description):
    """What a helper learns of a training run, beside its tensors."""

    config: TrainConfig
    device: DeviceName
    classes: tuple[str, ...]


class Drawing(Description):
    """What images the helpers draw their share of."""

    request: SampleRequest
    device: DeviceName


def by_all(command: Callable[[], int], name: str) -> int:
    """The exit code of a command that the first process runs and the others help with; raises BadRequest, LostProcess.

    Another one than those of ABLE is refused.
    """
    try:
        with collectives.together():
            return _lead(command, name) if collectives.leads() else _help()
    except LostProcess as error:
        if torchrun.rank() == 1:  # speaks for the leader, which may be the one that has gone
            print(f"{error.message} What is on disk is whole; a run goes on with --resume.", file=sys.stderr)
        if torchrun.rank() > 0:
            return FAILED
        raise


def _lead(command: Callable[[], int], name: str) -> int:
    if name not in ABLE:
        able = f"{', '.join(ABLE[:-1])} and {ABLE[-1]}"
        raise BadRequest(f"{name} is nothing that several processes can share.", f"Use torchrun for {able} alone.")
    return command()


def _help() -> int:
    """Do what the leader orders until it lets this process go; the exit code. Raises LostProcess."""
    control = RunControl()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: control.cancel())
    run: Run | None = None
    while True:
        order, number = collectives.hear()
        with suppress(FailedElsewhere):  # the leader says it
            if order is Order.LEAVE:
                return 0
            if order is Order.TRAIN:
                run = _enlisted()
            elif order is Order.DRAW:
                _draw(control)
            elif run is not None and order is Order.STATE:
                run.share()
            elif run is not None and order is Order.STEP:
                run.leaving = control.cancelled
                run.advance_at(number)


def check(config: TrainConfig) -> None:
    """Raises BadRequest for a training run that these processes cannot share."""
    count = collectives.size()
    if count == 1:
        return
    if config.batch_size % count:
        raise BadRequest(
            f"A batch of {config.batch_size} images cannot be shared evenly by {count} processes.",
            f"Set batch_size to a multiple of {count}, or start another number of processes.",
        )
    if config.teacher_from or config.model.network == "clip":
        kind = "few-step student" if config.teacher_from else "CLIP"
        raise BadRequest(f"A {kind} learns from whole batches, which processes cannot share.", "Leave torchrun out.")


def enlist(run: Run, dataset: Dataset, built_on: dict[str, dict[str, Tensor]]) -> None:
    """Have the helpers build the same run; raises FailedElsewhere, LostProcess."""
    if collectives.size() == 1:
        return
    collectives.order(Order.TRAIN)
    config = run.config.with_changes(precision="bf16" if run.bf16 else "fp32")
    kind = run.device.torch_device.type
    told = Enlisting.model_validate({"config": config, "device": kind, "classes": dataset.classes})
    collectives.told(told.model_dump_json().encode())
    collectives.spread({"images": dataset.images, "labels": dataset.labels})
    weights = {f"{part}/{name}": tensor for part, tensors in built_on.items() for name, tensor in tensors.items()}
    collectives.spread(weights)
    collectives.settle(Outcome.FINE, patiently=True)


def _enlisted() -> Run:
    """The run that the leader builds; raises FailedElsewhere where it cannot be built here, LostProcess."""
    told = Enlisting.model_validate_json(collectives.told())
    data, weights = collectives.spread({}), collectives.spread({})
    built_on: dict[str, dict[str, Tensor]] = {}
    for name, tensor in weights.items():
        part, _, rest = name.partition("/")
        built_on.setdefault(part, {})[rest] = tensor
    dataset = Dataset(told.config.data, data["images"], data["labels"], told.classes)
    return collectives.tried(lambda: Run(told.config, Path(), pick(told.device), dataset, built_on))


def sample(
    request: SampleRequest, *, device: DeviceName = "auto", control: RunControl | None = None
) -> Iterator[SampleEvent]:
    """`pipeline.sample`, by all processes: each draws some of the parts that the images are drawn in.

    Of the frames, there are those of the leader's parts alone. Raises FailedElsewhere and LostProcess too.
    """
    if collectives.size() == 1:
        yield from pipeline.sample(request, device=device, control=control)
        return
    model = loaded_model.load(request.model, device)
    request = request.with_changes(model_hash=request.model_hash or model.hash)
    collectives.order(Order.DRAW)
    told = Drawing.model_validate({"request": request, "device": model.device.type})
    collectives.told(told.model_dump_json().encode())
    drawn, error, outcome = None, None, Outcome.LEAVING
    try:
        for event in pipeline.sample(request.some(_chosen(request, 0)), device=device, control=control):
            if isinstance(event, Sampled):
                drawn, outcome = event, Outcome.FINE
            else:
                yield replace(event, first=event.first * collectives.size()) if isinstance(event, Frame) else event
    except Exception as failed:
        error, outcome = failed, Outcome.FAILED
    finally:
        outcome = collectives.settle(outcome, error, patiently=True)
    if drawn is not None and outcome is Outcome.FINE:
        yield replace(drawn, request=request, images=_gathered(request, drawn.images))


def _draw(control: RunControl) -> None:
    """A helper's share of a request; raises FailedElsewhere, LostProcess."""
    told = Drawing.model_validate_json(collectives.told())
    drawn, error, outcome = None, None, Outcome.LEAVING
    mine = _chosen(told.request, collectives.rank())
    try:
        events = pipeline.sample(told.request.some(mine), device=told.device, control=control) if mine else iter(())
        drawn = next((event for event in events if isinstance(event, Sampled)), None)
        if drawn or not mine:
            outcome = Outcome.FINE
    except Exception as failed:
        error, outcome = failed, Outcome.FAILED
    if collectives.settle(outcome, error, patiently=True) is Outcome.FINE and drawn:
        collectives.send(torch.from_numpy(drawn.images))


def _chosen(request: SampleRequest, rank: int) -> list[int]:
    """Which images a process draws: whole parts, as one process alone would draw them."""
    count = len(request.labels)
    firsts = range(rank * BATCH, count, collectives.size() * BATCH)
    return [k for first in firsts for k in range(first, min(first + BATCH, count))]


def _gathered(request: SampleRequest, own: np.ndarray) -> np.ndarray:
    """All images of a request, in order, from those of the leader and what the helpers send."""
    images = np.empty((len(request.labels), *own.shape[1:]), np.uint8)
    images[_chosen(request, 0)] = own
    for rank in range(1, collectives.size()):
        if chosen := _chosen(request, rank):
            images[chosen] = collectives.receive((len(chosen), *own.shape[1:]), torch.uint8, rank).numpy()
    return images
