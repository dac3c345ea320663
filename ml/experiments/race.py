"""A race: several settings denoise the same noise in lockstep."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ml.config import SampleRequest
from ml.control import RunControl
from ml.errors import BadRequest
from ml.events import Frame, Sampled, SampleEvent
from ml.generation import pipeline
from ml.generation.loaded_model import load
from ml.generation.plan import BATCH
from ml.specs import DeviceName

LANES = (2, 4)  # at least, at most


class LaneEvent(NamedTuple):
    """An event of the lane with that number."""

    lane: int
    event: SampleEvent


@dataclass
class _Runner:
    """A lane that runs; `next_share` is its progress at its next event, `seconds` is the time it took by itself."""

    lane: int
    events: Iterator[SampleEvent]
    next_share: float = 0.0
    seconds: float = 0.0

    def advance(self) -> SampleEvent | None:
        began = time.perf_counter()
        event = next(self.events, None)
        self.seconds += time.perf_counter() - began
        if isinstance(event, Frame):
            self.next_share = (event.step + 1) / event.steps  # above 1 once only `Sampled` is to come
        return replace(event, seconds=self.seconds) if isinstance(event, Sampled) else event


def race(
    requests: Sequence[SampleRequest], device: DeviceName = "auto", control: RunControl | None = None
) -> Iterator[LaneEvent]:
    """Sample two to four requests at about the same progress: every `Frame` of each, then its `Sampled`.

    The next event is always of the lane that is furthest behind. So the first `Sampled` comes when all lanes have
    finished; its `seconds` are the time of that lane by itself. Stops without an error when cancelled.
    Raises BadRequest, BadFile, NoDevice.
    """
    _check(requests)
    for request in requests:
        load(request.model, device)  # now, so that it counts for no lane
    control = control or RunControl()
    running = [
        _Runner(lane, pipeline.sample(request, device=device, control=control)) for lane, request in enumerate(requests)
    ]
    while running and not control.cancelled:
        last = min(running, key=lambda runner: runner.next_share)
        event = last.advance()
        if event is None:
            running.remove(last)
        else:
            yield LaneEvent(last.lane, event)


def _check(requests: Sequence[SampleRequest]) -> None:
    least, most = LANES
    if not least <= len(requests) <= most:
        raise BadRequest(f"{len(requests)} cannot race.", f"Let {least} to {most} settings race.")
    if len({(request.seed, len(request.labels)) for request in requests}) > 1:
        raise BadRequest(
            "All lanes of a race start from the same noise.",
            "Give all lanes the same seed and the same number of images.",
        )
    if len(requests[0].labels) > BATCH:
        raise BadRequest(f"{len(requests[0].labels)} images are too many for a race.", f"Race {BATCH}.")
