"""The race: lanes in lockstep, each what it would be alone."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ml.config import SampleRequest, validate
from ml.control import RunControl
from ml.errors import BadRequest
from ml.events import Frame, Sampled
from ml.experiments.race import LaneEvent, race
from ml.generation import pipeline


def lane(**changes: Any) -> SampleRequest:
    return validate(SampleRequest, {"labels": (3, 8), "seed": 5} | changes)


FIELD = [lane(steps=10), lane(steps=3, sampler="ddim", eta=1.0), lane(model="student", sampler="student", steps=1)]


def test_every_lane_is_bit_identical_to_itself_alone() -> None:
    laps = list(race(FIELD, device="cpu"))
    for number, request in enumerate(FIELD):
        alone = list(pipeline.sample(request, device="cpu"))
        mine = [lap.event for lap in laps if lap.lane == number]
        assert len(mine) == len(alone) == request.steps + 2
        for raced, single in zip(mine, alone, strict=True):
            assert type(raced) is type(single)
            if isinstance(raced, Frame) and isinstance(single, Frame):
                assert np.array_equal(raced.x_t, single.x_t) and np.array_equal(raced.x0_hat, single.x0_hat)
        done = mine[-1]
        assert isinstance(done, Sampled) and done.request.model_hash and done.seconds > 0


def test_no_lane_is_more_than_one_step_ahead_of_another() -> None:
    at = dict.fromkeys(range(len(FIELD)), -1)
    for number, event in race(FIELD, device="cpu"):
        if isinstance(event, Frame):
            assert event.step == at[number] + 1
            at[number] = event.step
            behind = [(at[other] + 1) / request.steps for other, request in enumerate(FIELD)]
            assert event.step / event.steps <= min(behind) + 1e-9
        else:
            assert all(step == request.steps for step, request in zip(at.values(), FIELD, strict=True))


def test_the_time_of_a_lane_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def sampling(request: SampleRequest, **_named: Any) -> Iterator[Frame | Sampled]:
        """Every step takes as many seconds as there are steps."""
        nonlocal now
        pixels = np.zeros((2, 28, 28), np.uint8)
        for step in range(request.steps + 1):
            now += request.steps
            yield Frame(0, step, request.steps, 0.5, 0.5, 0.5, pixels, pixels)
        yield Sampled(request, pixels, now, request.steps)

    monkeypatch.setattr("ml.experiments.race.time.perf_counter", lambda: now)
    monkeypatch.setattr("ml.experiments.race.pipeline.sample", sampling)
    done = {}
    for number, event in race([lane(steps=4), lane(steps=2)], device="cpu"):
        now += 1000  # whoever looks on takes time, too
        if isinstance(event, Sampled):
            done[number] = event.seconds
    assert done == {0: 5 * 4, 1: 3 * 2}


def test_a_race_can_be_stopped() -> None:
    control, seen = RunControl(), []
    for lap in race(FIELD, device="cpu", control=control):
        seen.append(lap)
        if len(seen) == 5:
            control.cancel()
    assert len(seen) == 5 and all(isinstance(lap, LaneEvent) for lap in seen)


def test_a_race_that_is_stopped_when_all_have_arrived_hands_out_no_images() -> None:
    control, seen = RunControl(), []
    for _, event in race(FIELD, device="cpu", control=control):
        seen.append(event)
        if sum(isinstance(frame, Frame) and frame.step == frame.steps for frame in seen) == len(FIELD):
            control.cancel()
    assert not any(isinstance(event, Sampled) for event in seen)


@pytest.mark.parametrize(
    ("requests", "complaint"),
    [
        ([lane()], "1 cannot race"),
        ([lane()] * 5, "5 cannot race"),
        ([lane(), lane(seed=6)], "start from the same noise"),
        ([lane(), lane(labels=(1,))], "start from the same noise"),
        ([lane(labels=(1,) * 101)] * 2, "101 images are too many"),
        ([lane(), lane(model="nope")], "no model 'nope'"),
    ],
)
def test_requests_that_cannot_race_are_refused(requests: list[SampleRequest], complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        next(race(requests, device="cpu"))
