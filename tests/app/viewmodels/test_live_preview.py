"""LivePreview: one after another, the last that was asked for, and none that is not wanted any more."""

import pytest
from PySide6.QtCore import QObject

from desktop_app.viewmodels.live_preview import MANY, STUDENT, LivePreview
from ml.config import Corner, SampleRequest
from ml.events import Frame, Progress, Sampled
from tests.app.viewmodels.conftest import Clock
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments
from tests.support.fake_events import frames, sampled

ONE = SampleRequest(labels=(1,))


@pytest.fixture
def owner(app: FakeApp) -> QObject:
    return QObject(app.session)


@pytest.fixture
def sketches(app: FakeApp, owner: QObject) -> LivePreview:
    return LivePreview(app.context, owner)


@pytest.fixture
def drawn(sketches: LivePreview) -> list[Sampled]:
    found: list[Sampled] = []
    sketches.drawn.connect(found.append)
    return found


def seeded(seed: int) -> SampleRequest:
    return ONE.with_changes(seed=seed)


def asked(app: FakeApp) -> list[int]:
    """The seeds of what is being sketched."""
    return [arguments(job)[0].seed for job in app.engine.jobs_of("sample")]


def test_of_many_asked_for_meanwhile_only_the_last_is_drawn(
    app: FakeApp, sketches: LivePreview, drawn: list[Sampled]
) -> None:
    for seed in range(5):
        sketches.request(seeded(seed))
    assert asked(app) == [0]
    job = app.engine.job("sample")
    assert job in app.engine.sketches and not job.background  # drawing never waits for sketches
    app.engine.give(job, Progress("Loading", 0, 0), frames(ONE)[0])
    assert asked(app) == [0] and not drawn
    app.engine.end(job, first := sampled(seeded(0)))
    assert drawn == [first] and asked(app) == [4]
    app.engine.end(app.engine.job("sample"), last := sampled(seeded(4)))
    assert drawn == [first, last] and not asked(app)


def test_a_sketch_that_fails_does_not_end_them(app: FakeApp, sketches: LivePreview, drawn: list[Sampled]) -> None:
    sketches.request(seeded(0))
    sketches.request(seeded(1))
    app.engine.end(app.engine.job("sample"))
    assert not drawn and asked(app) == [1]


def test_a_hand_that_rests_still_gets_what_was_begun(app: FakeApp, sketches: LivePreview, drawn: list[Sampled]) -> None:
    sketches.request(seeded(0))
    sketches.request(seeded(1))
    sketches.pause()
    app.engine.end(app.engine.job("sample"), first := sampled(seeded(0)))
    assert drawn == [first] and not asked(app)


def test_what_is_forgotten_is_not_shown_and_does_not_hold_the_next_up(
    app: FakeApp, sketches: LivePreview, drawn: list[Sampled]
) -> None:
    sketches.request(seeded(0))
    old = app.engine.job("sample")
    sketches.request(seeded(1))
    sketches.discard()
    sketches.request(seeded(2))
    assert asked(app) == [0, 2]
    app.engine.end(old, sampled(seeded(0)))
    assert not drawn and asked(app) == [2]
    app.engine.end(app.engine.job("sample"), done := sampled(seeded(2)))
    assert drawn == [done]


def test_nothing_is_begun_while_the_window_closes(app: FakeApp, sketches: LivePreview) -> None:
    app.context.closing = True
    sketches.request(seeded(0))
    sketches._like = [ONE]
    sketches._warm_up()
    assert not app.engine.jobs


# ---- forms


def test_the_first_of_a_kind_is_drawn_to_nowhere_once_all_is_quiet(
    app: FakeApp, sketches: LivePreview, drawn: list[Sampled], clock: Clock
) -> None:
    app.engine.end(app.context.submit(lambda _control: iter(()), lambda _event: None))
    many = SampleRequest(labels=(3,) * 100)
    sketches.warm_up(many, None, ONE.with_changes(model=STUDENT))
    assert sketches._soon.isActive() and not app.engine.jobs
    sketches._soon.stop()
    sketches._soon.timeout.emit()  # its time has come, but something was asked for just now
    assert not app.engine.jobs and sketches._soon.isActive()
    clock.tick(10)
    other = app.context.submit(lambda _control: iter(()), lambda _event: None)
    clock.tick(10)
    sketches._soon.timeout.emit()  # something is being done
    assert not app.engine.jobs_of("sample")
    app.engine.end(other)
    sketches._soon.timeout.emit()
    jobs = app.engine.jobs_of("sample")
    assert [(arguments(job)[0].model, len(arguments(job)[0].labels)) for job in jobs] == [
        ("digits", MANY),
        (STUDENT, 1),
    ]
    assert all(job in app.engine.sketches for job in jobs)
    assert all(job.work.keywords == {"optimized": True} for job in jobs)  # type: ignore[attr-defined]
    for job in jobs:
        app.engine.end(job, sampled(arguments(job)[0]))
    assert not drawn
    clock.tick(10)
    sketches.warm_up(many.with_changes(seed=9), ONE)
    sketches._soon.timeout.emit()
    assert [(arguments(job)[0].model, len(arguments(job)[0].labels)) for job in app.engine.jobs] == [
        ("digits", 1)
    ]  # what is new
    sketches._soon.stop()


def test_stop_ends_the_making_of_forms_which_is_begun_anew_after_the_next_drawing(
    app: FakeApp, sketches: LivePreview, clock: Clock
) -> None:
    for _ in range(2):
        clock.tick(10)
        sketches.warm_up(ONE)
        sketches._soon.timeout.emit()
        (job,) = (job for job in app.engine.jobs if not job.control.cancelled)
        sketches.stop()
        assert job.control.cancelled and not sketches._soon.isActive() and not sketches._warming
        app.engine.end(job)


def test_the_end_of_the_session_ends_the_waiting_for_quiet(app: FakeApp, sketches: LivePreview) -> None:
    sketches.warm_up(ONE)
    app.context.close()
    assert not sketches._soon.isActive()


# ---- the student


def test_the_student_draws_the_same_in_one_step_by_its_own_settings(app: FakeApp, sketches: LivePreview) -> None:
    asked = SampleRequest(labels=(1, 2), seed=5, steps=30, guidance=4.0, model_hash="of the teacher")
    student = app.context.card(STUDENT)
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
    app: FakeApp, sketches: LivePreview, changes: dict[str, object]
) -> None:
    assert sketches.by_student(ONE.model_copy(update={"corners": (Corner(seed=1),), "weights": ((1.0,),)}))
    assert sketches.by_student(ONE.model_copy(update=changes)) is None
    app.context.models = tuple(card for card in app.context.models if card.name != STUDENT)
    assert sketches.by_student(ONE) is None


def test_a_step_on_the_way_is_no_sketch(app: FakeApp, sketches: LivePreview, drawn: list[Sampled]) -> None:
    sketches.request(ONE)
    (job,) = app.engine.jobs_of("sample")
    app.engine.give(job, *frames(ONE))
    assert not drawn and isinstance(frames(ONE)[0], Frame) and sketches._drawing is not None
