"""The lane and its mailbox: order, turns, pauses, errors, and the end."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from pytestqt.qtbot import QtBot

from desktop_app.worker import compute_thread as jobs
from desktop_app.worker.compute_thread import ALONE_S, NICENESS, ComputeThread, Job, JobEnded, failure
from desktop_app.worker.mailbox import Envelope, Mailbox
from ml.cancellation import check_cancelled
from ml.control import RunControl
from ml.errors import BadFile
from ml.events import Failed, Paused, Progress
from tests.patience import WAIT_MS, WAIT_S


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """The lane's clock, which stands still until a test advances it."""
    now = [1000.0]
    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


@pytest.fixture
def waiting(qtbot: QtBot, clock: Callable[[float], None]) -> Iterator[ComputeThread]:
    """A lane that has not begun: it finds jobs there."""
    lane = ComputeThread()
    yield lane
    lane.finish()
    lane.start()
    assert lane.wait(WAIT_MS)


@pytest.fixture
def lane(waiting: ComputeThread) -> ComputeThread:
    waiting.start()
    return waiting


def letters(lane: ComputeThread, qtbot: QtBot, ended: int = 1) -> list[Envelope]:
    """All letters until that many jobs have ended."""
    found: list[Envelope] = []

    def read() -> bool:
        found.extend(lane.mailbox.drain())
        return sum(isinstance(letter.event, JobEnded) for letter in found) >= ended

    qtbot.waitUntil(read, timeout=WAIT_MS)
    return found


def test_the_mailbox_rings_once_and_loses_nothing() -> None:
    rings: list[int] = []
    box = Mailbox(lambda: rings.append(1))
    for number in range(100):
        box.post(1, number)
    assert len(rings) == 1
    assert [letter.event for letter in box.drain()] == list(range(100))
    box.post(1, "again")
    assert len(rings) == 2


def test_of_progress_only_the_newest_is_kept_and_never_across_jobs() -> None:
    box = Mailbox(lambda: None)
    for done in range(5):
        box.post(1, Progress("reading", done, 5))
    box.post(2, Progress("writing", 0, 1))
    box.post(1, "done")
    box.post(1, Progress("reading", 5, 5))
    assert [letter.event for letter in box.drain()] == [
        Progress("reading", 4, 5), Progress("writing", 0, 1), "done", Progress("reading", 5, 5),
    ]  # fmt: skip


def test_events_arrive_in_order_and_then_the_end(lane: ComputeThread, qtbot: QtBot) -> None:
    job = Job(lambda control: iter(["a", "b", "c"]))
    lane.submit(job)
    found = letters(lane, qtbot)
    assert [letter.event for letter in found] == ["a", "b", "c", JobEnded()]
    assert {letter.job for letter in found} == {job.number}


def test_work_runs_in_the_lane_and_nowhere_else(lane: ComputeThread, qtbot: QtBot) -> None:
    def work(control: RunControl) -> Iterator[object]:
        yield threading.get_ident()

    lane.submit(Job(work))
    lane.submit(Job(work))
    threads = {letter.event for letter in letters(lane, qtbot, 2) if not isinstance(letter.event, JobEnded)}
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_a_foreground_job_goes_between_two_steps_of_a_background_one(lane: ComputeThread, qtbot: QtBot) -> None:
    stepping, go = threading.Event(), threading.Event()

    def long(control: RunControl) -> Iterator[object]:
        yield "long"
        stepping.set()
        assert go.wait(WAIT_S)
        yield "long"
        yield "long saved"

    lane.submit(Job(long, background=True))
    assert stepping.wait(WAIT_S)
    lane.submit(Job(lambda control: iter(["quick"] * 3)))
    go.set()
    events = [letter.event for letter in letters(lane, qtbot, 2)]
    assert events == ["long", "long", "quick", "quick", "quick", JobEnded(), "long saved", JobEnded()]


@pytest.mark.parametrize("training", [False, True])
def test_what_nobody_asked_for_comes_after_all_that_somebody_did(
    waiting: ComputeThread, qtbot: QtBot, training: bool
) -> None:
    waiting.submit(Job(lambda control: iter(["unasked"] * 2), asked=False))
    if training:
        waiting.submit(Job(lambda control: iter(["step"] * 3), background=True))
    waiting.submit(Job(lambda control: iter(["grid"] * 2)))
    waiting.start()
    found = letters(waiting, qtbot, 3 if training else 2)
    events = [letter.event for letter in found if not isinstance(letter.event, JobEnded)]
    rest = ["step", "unasked", "step", "unasked", "step"] if training else ["unasked"] * 2
    assert events == ["grid"] * 2 + rest


def taking(clock: Callable[[float], None], name: str, count: int, each_s: float) -> Job:
    """A job of so many steps, each of which takes so long."""

    def steps(_control: RunControl) -> Iterator[object]:
        for _ in range(count):
            clock(each_s)
            yield name

    return Job(steps, background=name == "back")


def turns(lane: ComputeThread, qtbot: QtBot, count: int) -> list[object]:
    """Whose steps were taken, in order, until so many jobs have ended."""
    lane.start()
    return [letter.event for letter in letters(lane, qtbot, count) if not isinstance(letter.event, JobEnded)]


def test_a_long_foreground_job_shares_the_lane(
    waiting: ComputeThread, qtbot: QtBot, clock: Callable[[float], None]
) -> None:
    waiting.submit(taking(clock, "front", 10, 0.3 * ALONE_S))
    waiting.submit(taking(clock, "back", 5, 0.0))
    alone, then = ["front"] * 4, ["back", "front"] * 5
    assert turns(waiting, qtbot, 2) == [*alone, *then, "front"]


def test_short_foreground_jobs_in_a_row_share_the_lane_too(
    waiting: ComputeThread, qtbot: QtBot, clock: Callable[[float], None]
) -> None:
    for _ in range(4):
        waiting.submit(taking(clock, "front", 2, 0.3 * ALONE_S))
    waiting.submit(taking(clock, "back", 3, 0.0))
    # The second one's end is a turn as well, of which nothing is seen.
    shared = ["back", "back", "front", "back", "front"]
    assert turns(waiting, qtbot, 5) == [*["front"] * 4, *shared, "front", "front"]


def test_a_foreground_job_that_comes_later_has_the_lane_to_itself_again(
    lane: ComputeThread, qtbot: QtBot, clock: Callable[[float], None]
) -> None:
    lane.submit(taking(clock, "front", 2, 2 * ALONE_S))
    letters(lane, qtbot)
    between = threading.Event()

    def back(_control: RunControl) -> Iterator[object]:
        between.set()
        assert go.wait(WAIT_S)
        yield from ["back"] * 3

    go = threading.Event()
    lane.submit(Job(back, background=True))
    assert between.wait(WAIT_S)
    lane.submit(taking(clock, "front", 3, 0.4 * ALONE_S))
    go.set()
    events = [letter.event for letter in letters(lane, qtbot, 2) if not isinstance(letter.event, JobEnded)]
    assert events == ["back", "front", "front", "front", "back", "back"]


def test_a_pause_is_told_once_and_leaves_the_lane_free(
    lane: ComputeThread, qtbot: QtBot, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PAUSE_POLL_S", WAIT_S)  # it is woken
    looked = 0

    def work(control: RunControl) -> Iterator[object]:
        nonlocal looked
        yield "first"
        while control.paused:
            looked += 1
            yield Paused(looked)
        yield "last"

    def wake_until(condition: Callable[[], bool]) -> None:
        qtbot.waitUntil(lambda: (lane.wake(), condition())[1], timeout=WAIT_MS)

    job = Job(work, background=True)
    job.control.pause()
    lane.submit(job)
    wake_until(lambda: looked >= 3)
    before = looked
    lane.submit(taking(clock, "between", 3, 2 * ALONE_S))  # however long: what is paused needs no turn
    found = letters(lane, qtbot)
    assert [letter.event for letter in found] == ["first", Paused(1), "between", "between", "between", JobEnded()]
    assert looked <= before + 1  # no turn was lost to it
    job.control.resume()
    wake_until(lambda: not lane._background)
    assert [letter.event for letter in letters(lane, qtbot)] == ["last", JobEnded()]


def test_a_pause_of_the_next_run_is_told_of_as_well(lane: ComputeThread, qtbot: QtBot) -> None:
    def work(control: RunControl) -> Iterator[object]:
        while control.paused:
            yield Paused(1)

    for _ in range(2):
        job = Job(work, background=True)
        job.control.pause()
        lane.submit(job)
        found: list[Envelope] = []
        qtbot.waitUntil(lambda found=found: bool(found.extend(lane.mailbox.drain()) or found), timeout=WAIT_MS)
        job.control.cancel()
        lane.wake()
        assert [letter.event for letter in [*found, *letters(lane, qtbot)]] == [Paused(1), JobEnded()]


def test_one_run_follows_another(waiting: ComputeThread, qtbot: QtBot, clock: Callable[[float], None]) -> None:
    for number in (1, 2):
        waiting.submit(Job(lambda control, number=number: iter([number] * 2), background=True))
    assert turns(waiting, qtbot, 2) == [1, 1, 2, 2]


def test_an_error_becomes_one_failed_event_and_the_lane_goes_on(lane: ComputeThread, qtbot: QtBot) -> None:
    def broken(control: RunControl) -> Iterator[object]:
        yield "before"
        raise BadFile("It is torn.", "Mend it.")

    lane.submit(Job(broken))
    lane.submit(Job(lambda control: iter(["after"])))
    events = [letter.event for letter in letters(lane, qtbot, 2)]
    assert events[0] == "before" and events[2:] == [JobEnded(), "after", JobEnded()]
    failed = events[1]
    assert isinstance(failed, Failed) and (failed.kind, failed.message, failed.what_to_do) == (
        "file", "It is torn.", "Mend it.",
    )  # fmt: skip
    assert "BadFile" in failed.traceback


def test_a_job_cancelled_before_its_turn_never_begins(lane: ComputeThread, qtbot: QtBot) -> None:
    job = Job(lambda control: iter(["never"]))
    job.control.cancel()
    lane.submit(job)
    assert [letter.event for letter in letters(lane, qtbot)] == [JobEnded()]


def test_work_that_is_stopped_in_the_middle_of_a_step_ends_without_a_word(lane: ComputeThread, qtbot: QtBot) -> None:
    def work(control: RunControl) -> Iterator[object]:
        yield "begun"
        control.cancel()
        check_cancelled()
        yield "never"

    lane.submit(Job(work))
    assert [letter.event for letter in letters(lane, qtbot)] == ["begun", JobEnded()]


def test_what_is_asked_for_after_the_end_never_begins(waiting: ComputeThread, qtbot: QtBot) -> None:
    waiting.finish()
    for background in (True, False):
        waiting.submit(Job(lambda control: iter(["never"]), background=background))
    assert turns(waiting, qtbot, 2) == []
    assert waiting.wait(WAIT_MS)


def test_the_end_lets_every_job_save(qtbot: QtBot) -> None:
    lane, saved = ComputeThread(), threading.Event()

    def work(control: RunControl) -> Iterator[object]:
        while not control.cancelled:
            yield "step"
        saved.set()
        yield "saved"

    lane.start()
    lane.submit(Job(work, background=True))
    qtbot.waitUntil(lambda: len(lane.mailbox.drain()) > 0, timeout=WAIT_MS)
    lane.finish()
    assert lane.wait(WAIT_MS) and saved.is_set()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have priorities of another kind")
@pytest.mark.parametrize(("low_priority", "more"), [(True, NICENESS), (False, 0)])
def test_a_lane_and_its_threads_leave_the_processor_to_the_window(low_priority: bool, more: int, qtbot: QtBot) -> None:
    lane = ComputeThread(low_priority=low_priority)
    lane.start()

    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def work(control: RunControl) -> Iterator[object]:
        with ThreadPoolExecutor(1) as helper:
            yield niceness(), helper.submit(niceness).result()

    lane.submit(Job(work))
    before = niceness()
    assert letters(lane, qtbot)[0].event == (min(before + more, 19),) * 2
    lane.finish()
    assert lane.wait(WAIT_MS) and niceness() == before


@pytest.mark.parametrize(
    ("error", "kind"),
    [(MemoryError(), "memory"), (RuntimeError("CUDA out of memory"), "memory"), (KeyError("x"), "bug")],
)
def test_every_error_has_a_kind_and_a_next_step(error: Exception, kind: str) -> None:
    failed = failure(error)
    assert failed.kind == kind and failed.what_to_do
