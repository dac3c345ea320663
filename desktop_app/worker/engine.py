"""The engine runs jobs and delivers their events: two compute threads, one for what answers in milliseconds."""

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from desktop_app.worker.compute_thread import ComputeThread, Job, JobEnded
from desktop_app.worker.gc_guard import GcGuard
from desktop_app.worker.mailbox import Envelope

FRAME_MS = 8  # between two readings of the mailbox: a frame of the fastest display
Handler = Callable[[object], None]


class Engine(QObject):
    """Runs jobs; calls each job's handler with its events in order, the last of which is `JobEnded`."""

    finished = Signal()  # every job has ended, and all events are delivered

    @property
    def running(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def submit(self, job: Job, handler: Handler, *, sketch: bool = False) -> None:
        """Queue a job; `sketch` for one that takes milliseconds."""
        raise NotImplementedError

    def wake(self) -> None:
        """Have a paused job read its control at once."""
        raise NotImplementedError

    def finish(self) -> None:
        """Cancel every job; `finished` follows once each has saved its results."""
        raise NotImplementedError


class ThreadEngine(Engine):
    """Runs jobs in two threads; handlers are called in the thread that made the engine."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.compute_thread = ComputeThread(self)
        self.sketch_thread = ComputeThread(self, "sketch thread", low_priority=False)
        self._handlers: dict[int, Handler] = {}  # by the number of the job
        self._gc_guard = GcGuard(self)
        self._drain = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._drain.timeout.connect(self._read_mail)
        self._read_at = 0.0  # on the clock of time.monotonic
        self._settled = self._ended = False
        self.compute_thread.has_messages.connect(self._on_messages, Qt.ConnectionType.QueuedConnection)
        self.sketch_thread.has_messages.connect(self._read_sketches, Qt.ConnectionType.QueuedConnection)
        for thread in (self.compute_thread, self.sketch_thread):
            thread.finished.connect(self._on_thread_finished, Qt.ConnectionType.QueuedConnection)

    @property
    def running(self) -> bool:
        return self.compute_thread.isRunning() or self.sketch_thread.isRunning()

    def start(self) -> None:
        self._gc_guard.begin()
        self.compute_thread.start()
        self.sketch_thread.start()

    def submit(self, job: Job, handler: Handler, *, sketch: bool = False) -> None:
        self._handlers[job.number] = handler
        (self.sketch_thread if sketch else self.compute_thread).submit(job)

    def wake(self) -> None:
        self.compute_thread.wake()

    def finish(self) -> None:
        if self.compute_thread.isRunning():
            self.compute_thread.finish()
            self.sketch_thread.finish()
        else:
            self._on_thread_finished()

    def _on_messages(self) -> None:
        if not (self._drain.isActive() or self._ended):  # the last mail is read when both threads have ended
            since_ms = 1000 * (time.monotonic() - self._read_at)
            self._drain.start(max(0, FRAME_MS - int(since_ms)))

    def _read_mail(self) -> None:
        self._read_at = time.monotonic()
        self._deliver(self.compute_thread.mailbox.drain())

    def _read_sketches(self) -> None:
        """Deliver at once: sketches come one at a time."""
        self._deliver(self.sketch_thread.mailbox.drain())

    def _deliver(self, envelopes: list[Envelope]) -> None:
        for number, event in envelopes:
            handler = self._handlers[number]
            if isinstance(event, JobEnded):
                del self._handlers[number]
            handler(event)
            if isinstance(event, JobEnded) and not self._settled:
                self._settled = True
                self._gc_guard.settle()  # the first job imports torch

    def _on_thread_finished(self) -> None:
        if self._ended or self.running:
            return
        self._ended = True
        self._drain.stop()
        self._read_sketches()
        self._read_mail()
        self._gc_guard.end()
        self.finished.emit()
