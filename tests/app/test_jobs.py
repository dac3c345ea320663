"""The lane and its mailbox: order, turns, pauses, errors, and the end."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytestqt.qtbot import QtBot

from desktop_app.jobs import NICENESS, Ended, Job, Lane, failure
from desktop_app.mailbox import Letter, Mailbox
from ml.control import RunControl
from ml.errors import BadFile
from ml.events import Failed, Paused, Progress

WAIT_MS = 5000


@pytest.fixture
def lane(qtbot: QtBot) -> Iterator[Lane]:
    lane = Lane()
    lane.start()
    yield lane
    lane.finish()
    assert lane.wait(WAIT_MS)


def letters(lane: Lane, qtbot: QtBot, ended: int = 1) -> list[Letter]:
    """All letters until that many jobs have ended."""
    found: list[Letter] = []

    def read() -> bool:
        found.extend(lane.mailbox.drain())
        return sum(isinstance(letter.event, Ended) for letter in found) >= ended

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
    assert [letter.event for letter in box.drain()] == [Progress("reading", 4, 5), Progress("writing", 0, 1), "done"]


def test_events_arrive_in_order_and_then_the_end(lane: Lane, qtbot: QtBot) -> None:
    job = Job(lambda control: iter(["a", "b", "c"]))
    lane.submit(job)
    found = letters(lane, qtbot)
    assert [letter.event for letter in found] == ["a", "b", "c", Ended()]
    assert {letter.job for letter in found} == {job.number}


def test_work_runs_in_the_lane_and_nowhere_else(lane: Lane, qtbot: QtBot) -> None:
    def work(control: RunControl) -> Iterator[object]:
        yield threading.get_ident()

    lane.submit(Job(work))
    lane.submit(Job(work))
    threads = {letter.event for letter in letters(lane, qtbot, 2) if not isinstance(letter.event, Ended)}
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_a_foreground_job_goes_between_two_steps_of_a_background_one(lane: Lane, qtbot: QtBot) -> None:
    started = threading.Event()

    def long(control: RunControl) -> Iterator[object]:
        while not control.cancelled:
            started.set()
            time.sleep(0.001)
            yield "long"
        yield "long saved"

    background = Job(long, background=True)
    lane.submit(background)
    assert started.wait(5)
    lane.submit(Job(lambda control: iter(["quick"] * 3)))
    found = letters(lane, qtbot)
    background.control.cancel()
    found += letters(lane, qtbot)
    events = [letter.event for letter in found]
    at = events.index("quick")
    assert events[at : at + 4] == ["quick", "quick", "quick", Ended()]
    assert events[0] == "long" and events[-2:] == ["long saved", Ended()]


def test_a_long_foreground_job_shares_the_lane(lane: Lane, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desktop_app.jobs.ALONE_S", 0.05)

    def steps(name: str, count: int, pause_s: float) -> Iterator[object]:
        for _ in range(count):
            time.sleep(pause_s)
            yield name

    lane.submit(Job(lambda control: steps("front", 40, 0.005)))
    lane.submit(Job(lambda control: steps("back", 10, 0.0), background=True))
    events = [letter.event for letter in letters(lane, qtbot, 2) if not isinstance(letter.event, Ended)]
    first = events.index("back")
    assert 5 <= first <= 12  # alone at first ...
    assert events[first : first + 6] == ["back", "front"] * 3  # ... then turn by turn


def test_short_foreground_jobs_in_a_row_share_the_lane_too(
    lane: Lane, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop_app.jobs.ALONE_S", 0.05)

    def short() -> Iterator[object]:
        for _ in range(2):
            time.sleep(0.005)
            yield "front"

    for _ in range(20):
        lane.submit(Job(lambda control: short()))
    lane.submit(Job(lambda control: iter(["back"] * 5), background=True))
    events = [letter.event for letter in letters(lane, qtbot, 21) if not isinstance(letter.event, Ended)]
    assert events[-1] == "front" and events.count("back") == 5  # not only once all of them are done


def test_a_pause_is_told_once_and_leaves_the_lane_free(lane: Lane, qtbot: QtBot) -> None:
    def work(control: RunControl) -> Iterator[object]:
        yield "first"
        while control.paused:
            yield Paused(1)
        yield "last"

    job = Job(work, background=True)
    job.control.pause()
    lane.submit(job)
    lane.submit(Job(lambda control: iter(["between"])))
    found = letters(lane, qtbot)
    time.sleep(0.3)
    job.control.resume()
    lane.wake()
    found += letters(lane, qtbot)
    events = [letter.event for letter in found if not isinstance(letter.event, Ended)]
    assert sorted(map(str, events)) == sorted(["first", "between", str(Paused(1)), "last"])


def test_an_error_becomes_one_failed_event_and_the_lane_goes_on(lane: Lane, qtbot: QtBot) -> None:
    def broken(control: RunControl) -> Iterator[object]:
        yield "before"
        raise BadFile("It is torn.", "Mend it.")

    lane.submit(Job(broken))
    lane.submit(Job(lambda control: iter(["after"])))
    events = [letter.event for letter in letters(lane, qtbot, 2)]
    assert events[0] == "before" and events[2:] == [Ended(), "after", Ended()]
    failed = events[1]
    assert isinstance(failed, Failed) and (failed.kind, failed.message, failed.what_to_do) == (
        "file", "It is torn.", "Mend it.",
    )  # fmt: skip
    assert "BadFile" in failed.traceback


def test_a_job_cancelled_before_its_turn_never_begins(lane: Lane, qtbot: QtBot) -> None:
    job = Job(lambda control: iter(["never"]))
    job.control.cancel()
    lane.submit(job)
    assert [letter.event for letter in letters(lane, qtbot)] == [Ended()]


def test_the_end_lets_every_job_save(qtbot: QtBot) -> None:
    lane, saved = Lane(), threading.Event()

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
@pytest.mark.parametrize(("gives_way", "more"), [(True, NICENESS), (False, 0)])
def test_a_lane_and_its_threads_leave_the_processor_to_the_window(gives_way: bool, more: int, qtbot: QtBot) -> None:
    lane = Lane(gives_way=gives_way)
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
