"""The compute lane: one thread that drives generators of events, and alone touches models.

A foreground job (drawing, exporting) goes before a background one (training), which waits between two of its steps:
with one lane there is never a second computation to fight over the processor with. Foreground jobs that take long, one
alone or one after another, share the lane, turn by turn, so that a run never stands still. Only sketches, which are
gone in milliseconds and would wait for a step of training, have a lane of their own.
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
ALONE_S = 1.0  # how long foreground jobs have the lane to themselves
NICENESS = 10  # that a lane adds to its own: it gets a tenth of a core that the window wants
SWITCH_S = 0.001  # after which a thread in Python lets another one go on: the window waits no longer for a lane
_numbers = itertools.count(1)


@dataclass(eq=False)
class Job:
    """A generator to be driven, and the switches it reads."""

    work: Work
    background: bool = False
    control: RunControl = field(default_factory=RunControl)
    number: int = field(default_factory=lambda: next(_numbers))
    events: Iterator[object] | None = None


@dataclass(frozen=True, slots=True)
class JobEnded:
    """The last letter of every job, whatever became of it."""


class ComputeThread(QThread):
    """Drives jobs one event at a time; `rang` says that the mailbox has letters, `finished` that the lane has ended."""

    rang = Signal()

    def __init__(self, parent: QObject | None = None, name: str = "compute lane", *, gives_way: bool = True) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._gives_way = gives_way
        self.mailbox = Mailbox(self.rang.emit)
        self._changed = threading.Condition()
        self._foreground: deque[Job] = deque()
        self._background: deque[Job] = deque()
        self._finishing = False
        self._holding = False  # the background job is paused
        self._last: Job | None = None  # whose turn it was
        self._in_front_since = 0.0  # that there is a foreground job, one or another; 0: there is none

    def submit(self, job: Job) -> None:
        """Queue a job; from any thread."""
        with self._changed:
            (self._background if job.background else self._foreground).append(job)
            if self._finishing:
                job.control.cancel()
            self._changed.notify()

    def wake(self) -> None:
        """Have a paused job look at its control at once."""
        with self._changed:
            self._changed.notify()

    def finish(self) -> None:
        """Cancel every job, let each save what it has, and end."""
        with self._changed:
            self._finishing = True
            for job in (*self._foreground, *self._background):
                job.control.cancel()
            self._changed.notify()

    def run(self) -> None:
        sys.setswitchinterval(SWITCH_S)
        if self._gives_way:
            _give_way()
        while (job := self._next()) is not None:
            self._last = job
            self._advance(job)

    def _next(self) -> Job | None:
        """The job whose turn it is; waits for one. None at the end."""
        with self._changed:
            while not self._foreground:
                self._in_front_since = 0.0
                if self._background:
                    if self._holding and self._background[0].control.paused:
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

    def _advance(self, job: Job) -> None:
        try:
            if job.events is None:
                if job.control.cancelled:
                    return self._end(job)
                job.events = job.work(job.control)
            with cancellable(job.control):
                event = next(job.events, None)
        except Cancelled:
            return self._end(job)
        except Exception as error:  # the one place where a job's error is caught
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
            (self._background if job.background else self._foreground).remove(job)
        if job.background:
            self._holding = False
        job.events = None  # its arrays are freed here, in the thread that made them
        self.mailbox.post(job.number, JobEnded())


def _give_way() -> None:
    """Have this thread leave the processor to the window whenever that wants it."""
    QThread.currentThread().setPriority(QThread.Priority.LowPriority)
    if sys.platform == "linux":  # where that does nothing, but where this is of the thread and those that it starts
        with suppress(OSError):
            os.nice(NICENESS)


def failure(error: BaseException) -> Failed:
    """The form in which an error reaches the person."""
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, NoiseloomError):
        return Failed(error.kind, error.message, error.what_to_do, trace)
    if is_out_of_memory(error):
        return Failed(
            "memory", "There was not enough memory for this.", "Ask for fewer images or a smaller batch.", trace
        )
    return Failed("bug", f"Something went wrong that should not: {error}", "Copy the report from Details.", trace)
