"""The compute thread: it runs jobs, which are generators of events, and is the only thread that uses models.

A foreground job (drawing, exporting) goes before a background one (training), which waits between two of its steps:
with one thread, no two computations compete for the processor. Foreground jobs that take long, alone or one after
another, take turns with training, so that a run always makes progress. Work that was not asked for, such as pictures of
a list, waits until no foreground job is left, and takes turns with training, which goes first. Only sketches, which
take milliseconds and would wait for a step of training, have a second thread.
"""

import itertools
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, QThread, Signal

from desktop_app.worker.mailbox import Mailbox
from ml.cancellation import Cancelled, cancellable
from ml.control import RunControl
from ml.errors import NoiseloomError, is_out_of_memory
from ml.events import Failed, Paused

Work = Callable[[RunControl], Iterator[object]]
PAUSE_POLL_S = 0.1
ALONE_S = 1.0  # during which foreground jobs run without taking turns
NICENESS = 10  # added to the thread's own: it gets a tenth of a core that the window uses
SWITCH_S = 0.001  # Python's switch interval: the window waits no longer for this thread
_numbers = itertools.count(1)


@dataclass(eq=False)
class Job:
    """A function that makes a generator of events, and the control that it reads."""

    work: Work
    background: bool = False
    asked: bool = True  # a person started it, or waits for it
    title: str = ""  # in the list of jobs; empty: it is not listed
    control: RunControl = field(default_factory=RunControl)
    number: int = field(default_factory=lambda: next(_numbers))
    events: Iterator[object] | None = None


@dataclass(frozen=True, slots=True)
class JobEnded:
    """The last event of every job, whether it finished, failed or was cancelled."""


class ComputeThread(QThread):
    """Runs jobs one event at a time; `has_messages`: the mailbox has events; `finished`: the thread has ended."""

    has_messages = Signal()

    def __init__(
        self, parent: QObject | None = None, name: str = "compute thread", *, low_priority: bool = True
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._low_priority = low_priority
        self.mailbox = Mailbox(self.has_messages.emit)
        self._changed = threading.Condition()
        self._foreground: deque[Job] = deque()
        self._background: deque[Job] = deque()
        self._unasked: deque[Job] = deque()
        self._finishing = False
        self._holding = False  # the background job is paused
        self._last: Job | None = None  # had the last turn
        self._in_front_since = 0.0  # time since which there are foreground jobs; 0: none

    def submit(self, job: Job) -> None:
        """Queue a job; from any thread."""
        with self._changed:
            self._queue_of(job).append(job)
            if self._finishing:
                job.control.cancel()
            self._changed.notify()

    def wake(self) -> None:
        """Have a paused job read its control at once."""
        with self._changed:
            self._changed.notify()

    def finish(self) -> None:
        """Cancel every job, which saves its results, and end the thread."""
        with self._changed:
            self._finishing = True
            for job in (*self._foreground, *self._background, *self._unasked):
                job.control.cancel()
            self._changed.notify()

    def run(self) -> None:
        sys.setswitchinterval(SWITCH_S)
        if self._low_priority:
            _lower_priority()
        while (job := self._next()) is not None:
            self._last = job
            self._step(job)

    def _next(self) -> Job | None:
        """Wait for the next job; None when the thread is to end."""
        with self._changed:
            while not self._foreground:
                self._in_front_since = 0.0
                if self._unasked and not (self._background and self._last is not self._background[0]):
                    return self._unasked[0]
                if self._background:
                    if self._holding and self._background[0].control.paused and not self._unasked:
                        self._changed.wait(PAUSE_POLL_S)
                    if not self._foreground:
                        return self._background[0]
                elif self._finishing:
                    return None
                else:
                    self._changed.wait()
            now = time.monotonic()
            self._in_front_since = self._in_front_since or now
            shares = self._background and not self._holding and now - self._in_front_since > ALONE_S
            return self._background[0] if shares and self._last is not self._background[0] else self._foreground[0]

    def _queue_of(self, job: Job) -> deque[Job]:
        return self._background if job.background else self._foreground if job.asked else self._unasked

    def _step(self, job: Job) -> None:
        try:
            if job.events is None:
                if job.control.cancelled:
                    return self._end(job)
                job.events = job.work(job.control)
            with cancellable(job.control):
                event = next(job.events, None)
        except Cancelled:
            return self._end(job)
        except Exception as error:  # the only place where a job's error is caught
            self.mailbox.post(job.number, failure(error))
            return self._end(job)
        if event is None:
            return self._end(job)
        paused = isinstance(event, Paused)
        if not (paused and self._holding):
            self.mailbox.post(job.number, event)
        if job.background:
            self._holding = paused
        return None

    def _end(self, job: Job) -> None:
        with self._changed:
            self._queue_of(job).remove(job)
        if job.background:
            self._holding = False
        job.events = None  # frees its arrays in the thread that made them
        self.mailbox.post(job.number, JobEnded())


def _lower_priority() -> None:
    """Give this thread a lower priority than the window."""
    QThread.currentThread().setPriority(QThread.Priority.LowPriority)
    if sys.platform == "linux":  # where Qt's priority does nothing, and niceness is per thread
        with suppress(OSError):
            os.nice(NICENESS)


def failure(error: BaseException) -> Failed:
    """The message for an error."""
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, NoiseloomError):
        return Failed(error.kind, error.message, error.what_to_do, trace)
    if is_out_of_memory(error):
        return Failed("memory", "There isn't enough memory for this.", "Use fewer images or a smaller batch.", trace)
    return Failed("bug", f"Unexpected error: {error}", "Copy the report from Details.", trace)
