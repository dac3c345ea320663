"""Sampling by several processes: a rank's share of a request, and the gathering of all images in rank 0."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from ml.config import SampleRequest
from ml.control import RunControl
from ml.distributed import collectives
from ml.distributed.collectives import Outcome
from ml.events import Frame, Sampled, SampleEvent
from ml.generation import loaded_model, pipeline
from ml.generation.plan import BATCH
from ml.specs import DeviceName


def sample(
    request: SampleRequest,
    *,
    device: DeviceName = "auto",
    control: RunControl | None = None,
    keep_frames: bool = False,
) -> Iterator[SampleEvent]:
    """`pipeline.sample` by all processes: each samples some batches, and rank 0 yields `Sampled` with all images.

    Each process yields the frames of its own batches. With `keep_frames` rank 0 samples alone, so that it has all of
    them. Raises FailedElsewhere and LostProcess, too.
    """
    if keep_frames or collectives.size() == 1:
        if collectives.is_main():
            yield from pipeline.sample(request, device=device, control=control)
        return
    shares = [share(request, rank) for rank in range(collectives.size())]
    mine = shares[collectives.rank()]
    own_hash = loaded_model.load(request.model, device).hash
    main_hash = collectives.broadcast(own_hash.encode()).decode()  # all sample with the same weights
    request = request.with_changes(model_hash=request.model_hash or main_hash)
    sampled, error, outcome = None, None, Outcome.STOP if mine else Outcome.FINE
    try:
        for event in pipeline.sample(request.some(mine), device=device, control=control) if mine else ():
            if isinstance(event, Sampled):
                sampled, outcome = event, Outcome.FINE
            else:
                yield replace(event, first=event.first * collectives.size()) if isinstance(event, Frame) else event
    except Exception as failed:
        error, outcome = failed, Outcome.FAILED
    finally:
        outcome = collectives.agree(outcome, error)
    if outcome is not Outcome.FINE:
        return
    own = torch.from_numpy(sampled.images) if sampled else torch.empty(0, dtype=torch.uint8)
    rows = collectives.gather(own, [len(chosen) for chosen in shares])
    if sampled and rows:
        images = np.empty((len(request.labels), *sampled.images.shape[1:]), np.uint8)
        for chosen, part in zip(shares, rows, strict=True):
            images[chosen] = part.numpy()
        yield replace(sampled, request=request, images=images)


def share(request: SampleRequest, rank: int) -> list[int]:
    """The numbers of the images that a rank samples: whole batches, as one process alone would sample them."""
    count = len(request.labels)
    firsts = range(rank * BATCH, count, collectives.size() * BATCH)
    return [k for first in firsts for k in range(first, min(first + BATCH, count))]
