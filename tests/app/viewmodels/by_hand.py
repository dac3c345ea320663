"""A session whose lanes never start: a test hands its pages the events of their jobs, one by one."""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pytest

from desktop_app.settings import AppSettings
from desktop_app.viewmodels.notification import Message
from desktop_app.viewmodels.session import Session
from desktop_app.worker.compute_thread import Job, JobEnded
from desktop_app.worker.mailbox import Envelope
from ml.config import SampleRequest
from ml.events import Frame, Pixels, Sampled
from ml.registry import model_cards
from ml.registry.model_cards import ModelCard

SIDE = 28


class ByHand:
    """The session, what it asked the lanes for, and what it told the person."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.told: list[Message] = []
        session.message.connect(self.told.append)

    @property
    def jobs(self) -> list[Job]:
        """What has not ended, in the order in which it was asked for."""
        return [job for job, _handler, _remedies in self.session._jobs.values()]

    def asked(self, work: str) -> list[Job]:
        """Those of a kind."""
        return [job for job in self.jobs if kind(job) == work]

    def job(self, work: str) -> Job:
        """The latest of a kind."""
        return self.asked(work)[-1]

    def give(self, job: Job, *events: object) -> None:
        """The lane has come so far with a job."""
        self.session._deliver([Envelope(job.number, event) for event in events])

    def end(self, job: Job, *events: object) -> None:
        """The lane has come to the end of a job."""
        self.give(job, *events, JobEnded())


@lru_cache(maxsize=1)
def bundled_cards() -> tuple[ModelCard, ...]:
    return tuple(model_cards.cards())


def make(settings: AppSettings) -> ByHand:
    """A session with the bundled models."""
    session = Session(settings)
    session.models, session.device = bundled_cards(), "by hand"
    return ByHand(session)


def taken_over(session: Session, monkeypatch: pytest.MonkeyPatch) -> ByHand:
    """The session of a window that is at rest: its lanes get nothing to do any more."""
    assert not session._jobs
    for lane in (session.lane, session._sketch_lane):
        monkeypatch.setattr(lane, "submit", lambda _job: None)
    return ByHand(session)


def kind(job: Job) -> str:
    """The name of the function that a job is to do."""
    work = job.work
    return (work.func if isinstance(work, partial) else work).__name__


def given(job: Job) -> tuple[Any, ...]:
    """What that function is given."""
    assert isinstance(job.work, partial)
    return job.work.args


def images(count: int, shade: int = 0) -> Pixels:
    """So many images, each a little brighter than the one before."""
    return np.stack([np.full((SIDE, SIDE), (shade + k) % 256, np.uint8) for k in range(count)])


def frames(request: SampleRequest, count: int | None = None, shade: int = 0) -> list[Frame]:
    """The steps on the way of a request, or the first of them: x_t, x0_hat and eps of each are unlike all others."""
    steps, number = request.steps, len(request.labels)
    return [
        Frame(
            0, step, steps, 1 - step / steps, step / steps, 1 - step / steps,
            images(number, shade + 3 * step), images(number, shade + 3 * step + 101),
            eps=images(number, shade + 3 * step + 202) if step < steps else None,
        )
        for step in range(steps + 1 if count is None else count)
    ]  # fmt: skip


def sampled(request: SampleRequest, shade: int = 0, seconds: float = 1.0, hashed: str = "h") -> Sampled:
    """The finished images of a request."""
    done = request.with_changes(model_hash=hashed)
    return Sampled(done, images(len(request.labels), shade), seconds, request.steps)


def whole(request: SampleRequest, shade: int = 0) -> Sequence[object]:
    """All events of a drawing."""
    return [*frames(request, shade=shade), sampled(request, shade + 3 * request.steps)]
