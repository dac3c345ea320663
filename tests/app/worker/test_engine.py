"""The engine: how events reach their handlers, and how it ends."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from PySide6.QtWidgets import QApplication

from desktop_app.worker import engine as module
from desktop_app.worker.compute_thread import Job, JobEnded
from desktop_app.worker.engine import FRAME_MS, ThreadEngine


def idle(_control: object) -> Iterator[object]:
    return iter(())


class Clock:
    now = 1000.0

    def tick(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def engine(qapp: QApplication) -> Iterator[ThreadEngine]:
    """An engine whose threads are never started: it only queues jobs."""
    engine = ThreadEngine()
    yield engine
    engine.finish()
    engine.deleteLater()


def test_every_event_reaches_its_own_handler_until_the_job_has_ended(engine: ThreadEngine) -> None:
    received: dict[str, list[object]] = {"a": [], "b": []}
    first, second = Job(idle), Job(idle)
    for job, name in ((first, "a"), (second, "b")):
        engine.submit(job, received[name].append)
    assert list(engine.compute_thread._foreground) == [first, second]
    engine.compute_thread.mailbox.post(second.number, 1)
    engine.compute_thread.mailbox.post(first.number, 2)
    engine.compute_thread.mailbox.post(second.number, JobEnded())
    engine._read_mail()
    assert received == {"a": [2], "b": [1, JobEnded()]} and list(engine._handlers) == [first.number]


def test_the_mail_is_read_once_a_frame_and_that_of_sketches_at_once(engine: ThreadEngine, clock: Clock) -> None:
    received: list[object] = []
    job, sketch = Job(idle), Job(idle)
    engine.submit(job, received.append)
    engine._read_mail()
    engine.compute_thread.mailbox.post(job.number, "soon")
    clock.tick(0.003)
    engine._on_messages()
    assert engine._drain.isActive() and engine._drain.interval() == FRAME_MS - 3 and not received
    engine._drain.stop()
    engine._drain.timeout.emit()
    assert received == ["soon"]
    clock.tick(1)
    engine._on_messages()
    assert engine._drain.interval() == 0  # the last frame is long past
    engine._drain.stop()
    engine.submit(sketch, received.append, sketch=True)
    assert list(engine.sketch_thread._foreground) == [sketch]
    engine.sketch_thread.mailbox.post(sketch.number, "at once")
    engine._read_sketches()
    assert received[-1] == "at once"


def test_the_end_delivers_the_last_events_and_is_signalled_once(engine: ThreadEngine) -> None:
    received: list[object] = []
    finished: list[list[object]] = []
    engine.finished.connect(lambda: finished.append(list(received)))
    job, sketch = Job(idle), Job(idle)
    engine.submit(job, received.append)
    engine.submit(sketch, received.append, sketch=True)
    engine.compute_thread.mailbox.post(job.number, "saved")
    engine.sketch_thread.mailbox.post(sketch.number, "drawn")
    engine.finish()
    engine.finish()
    assert finished == [["drawn", "saved"]]
    engine._on_messages()
    assert not engine._drain.isActive()


def test_what_the_first_job_has_imported_is_exempt_from_garbage_collection(
    engine: ThreadEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[None] = []
    monkeypatch.setattr(engine._gc_guard, "settle", lambda: settled.append(None))
    jobs = [Job(idle), Job(idle)]
    for job in jobs:
        engine.submit(job, lambda _event: None)
    engine.compute_thread.mailbox.post(jobs[0].number, "loading")
    engine._read_mail()
    assert not settled
    for job in jobs:
        engine.compute_thread.mailbox.post(job.number, JobEnded())
        engine._read_mail()
        assert len(settled) == 1
