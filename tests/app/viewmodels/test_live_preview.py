"""Sketches: one after another, the last that was asked for, and none that is not wanted any more."""

import pytest
from PySide6.QtCore import QObject

from desktop_app.viewmodels.live_preview import MANY, STUDENT, Sketches
from ml.config import Corner, SampleRequest
from ml.events import Frame, Progress, Sampled
from tests.app.viewmodels.by_hand import ByHand, frames, given, sampled
from tests.app.viewmodels.conftest import Clock

ONE = SampleRequest(labels=(1,))


@pytest.fixture
def owner(hand: ByHand) -> QObject:
    return QObject(hand.session)


@pytest.fixture
def sketches(hand: ByHand, owner: QObject) -> Sketches:
    return Sketches(hand.session, owner)


@pytest.fixture
def drawn(sketches: Sketches) -> list[Sampled]:
    found: list[Sampled] = []
    sketches.drawn.connect(found.append)
    return found


def seeded(seed: int) -> SampleRequest:
    return ONE.with_changes(seed=seed)


def asked(hand: ByHand) -> list[int]:
    """The seeds of what is being sketched."""
    return [given(job)[0].seed for job in hand.asked("sketching")]


def test_of_many_asked_for_meanwhile_only_the_last_is_drawn(
    hand: ByHand, sketches: Sketches, drawn: list[Sampled]
) -> None:
    for seed in range(5):
        sketches.ask(seeded(seed))
    assert asked(hand) == [0]
    job = hand.job("sketching")
    assert job in hand.session._sketch_lane._foreground and not job.background  # drawing never waits for sketches
    hand.give(job, Progress("Loading", 0, 0), frames(ONE)[0])
    assert asked(hand) == [0] and not drawn
    hand.end(job, first := sampled(seeded(0)))
    assert drawn == [first] and asked(hand) == [4]
    hand.end(hand.job("sketching"), last := sampled(seeded(4)))
    assert drawn == [first, last] and not asked(hand)


def test_a_sketch_that_fails_does_not_end_them(hand: ByHand, sketches: Sketches, drawn: list[Sampled]) -> None:
    sketches.ask(seeded(0))
    sketches.ask(seeded(1))
    hand.end(hand.job("sketching"))
    assert not drawn and asked(hand) == [1]


def test_a_hand_that_rests_still_gets_what_was_begun(hand: ByHand, sketches: Sketches, drawn: list[Sampled]) -> None:
    sketches.ask(seeded(0))
    sketches.ask(seeded(1))
    sketches.rest()
    hand.end(hand.job("sketching"), first := sampled(seeded(0)))
    assert drawn == [first] and not asked(hand)


def test_what_is_forgotten_is_not_shown_and_does_not_hold_the_next_up(
    hand: ByHand, sketches: Sketches, drawn: list[Sampled]
) -> None:
    sketches.ask(seeded(0))
    old = hand.job("sketching")
    sketches.ask(seeded(1))
    sketches.forget()
    sketches.ask(seeded(2))
    assert asked(hand) == [0, 2]
    hand.end(old, sampled(seeded(0)))
    assert not drawn and asked(hand) == [2]
    hand.end(hand.job("sketching"), done := sampled(seeded(2)))
    assert drawn == [done]


def test_nothing_is_begun_while_the_window_closes(hand: ByHand, sketches: Sketches) -> None:
    hand.session.closing = True
    sketches.ask(seeded(0))
    sketches._like = [ONE]
    sketches._warm_up()
    assert not hand.jobs


# ---- forms


def test_the_first_of_a_kind_is_drawn_to_nowhere_once_all_is_quiet(
    hand: ByHand, sketches: Sketches, drawn: list[Sampled], clock: Clock
) -> None:
    hand.end(hand.session.submit(lambda _control: iter(()), lambda _event: None))
    many = SampleRequest(labels=(3,) * 100)
    sketches.warm_up(many, None, ONE.with_changes(model=STUDENT))
    assert sketches._soon.isActive() and not hand.jobs
    sketches._soon.stop()
    sketches._soon.timeout.emit()  # its time has come, but something was asked for just now
    assert not hand.jobs and sketches._soon.isActive()
    clock.tick(10)
    other = hand.session.submit(lambda _control: iter(()), lambda _event: None)
    clock.tick(10)
    sketches._soon.timeout.emit()  # something is being done
    assert not hand.asked("sketching")
    hand.end(other)
    sketches._soon.timeout.emit()
    jobs = hand.asked("sketching")
    assert [(given(job)[0].model, len(given(job)[0].labels)) for job in jobs] == [("digits", MANY), (STUDENT, 1)]
    assert all(job in hand.session._sketch_lane._foreground for job in jobs)
    assert all(job.work.keywords == {"optimized": True} for job in jobs)  # type: ignore[attr-defined]
    for job in jobs:
        hand.end(job, sampled(given(job)[0]))
    assert not drawn
    clock.tick(10)
    sketches.warm_up(many.with_changes(seed=9), ONE)
    sketches._soon.timeout.emit()
    assert [(given(job)[0].model, len(given(job)[0].labels)) for job in hand.jobs] == [("digits", 1)]  # what is new
    sketches._soon.stop()


def test_stop_ends_the_making_of_forms_which_is_begun_anew_after_the_next_drawing(
    hand: ByHand, sketches: Sketches, clock: Clock
) -> None:
    for _ in range(2):
        clock.tick(10)
        sketches.warm_up(ONE)
        sketches._soon.timeout.emit()
        (job,) = (job for job in hand.jobs if not job.control.cancelled)
        sketches.stop()
        assert job.control.cancelled and not sketches._soon.isActive() and not sketches._warming
        hand.end(job)


def test_the_end_of_the_session_ends_the_waiting_for_quiet(hand: ByHand, sketches: Sketches) -> None:
    sketches.warm_up(ONE)
    hand.session.close()
    assert not sketches._soon.isActive()


# ---- the student


def test_the_student_draws_the_same_in_one_step_by_its_own_settings(hand: ByHand, sketches: Sketches) -> None:
    asked = SampleRequest(labels=(1, 2), seed=5, steps=30, guidance=4.0, model_hash="of the teacher")
    student = hand.session.card(STUDENT)
    found = sketches.by_student(asked)
    assert student and found and (found.labels, found.seed) == (asked.labels, asked.seed)
    assert (found.model, found.model_hash, found.steps) == (STUDENT, "", 1)
    assert found.sampler == student.header.defaults.sampler and found.guidance == student.header.defaults.guidance


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "shuffle-flow"},
        {"route": "text"},
        {"source": "a picture"},
        {"parent": ONE},
        {"corners": (Corner(picture="a picture"),), "weights": ((1.0,),)},
    ],
)
def test_the_student_does_not_draw_what_it_cannot_know(
    hand: ByHand, sketches: Sketches, changes: dict[str, object]
) -> None:
    assert sketches.by_student(ONE.model_copy(update={"corners": (Corner(seed=1),), "weights": ((1.0,),)}))
    assert sketches.by_student(ONE.model_copy(update=changes)) is None
    hand.session.models = tuple(card for card in hand.session.models if card.name != STUDENT)
    assert sketches.by_student(ONE) is None


def test_a_step_on_the_way_is_no_sketch(hand: ByHand, sketches: Sketches, drawn: list[Sampled]) -> None:
    sketches.ask(ONE)
    (job,) = hand.asked("sketching")
    hand.give(job, *frames(ONE))
    assert not drawn and isinstance(frames(ONE)[0], Frame) and sketches._drawing is not None
