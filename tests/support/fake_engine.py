"""An engine without threads: a test scripts the events of each job, and delivers them one by one.

A job is known by the name of its task, as in `engine.job("sample")`. Events come from a script, or from the test:

    engine.script("sample", lambda request: [*frames(request), sampled(request)])
    page.draw()
    engine.step()  # the first frame
    engine.run()  # all others, and `JobEnded`

    page.draw()
    engine.give(engine.job("sample"), frame)
    engine.fail(engine.job("sample"), "memory", "There isn't enough memory.")

or from the task itself, done at once and in this thread: a file that is read, an export that is written:

    engine.perform(engine.job("read_file"))
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pytest

from desktop_app.worker.compute_thread import Job, JobEnded, failure
from desktop_app.worker.engine import Engine, Handler
from ml.cancellation import Cancelled, cancellable
from ml.events import Failed

Script = Callable[..., Iterable[object]]  # the events of a job, from the arguments of its task


class FakeEngine(Engine):
    """Runs nothing by itself. A cancelled job has no further events than its end, as in the real engine."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Job] = []  # that have not ended, in the order of their submission
        self.sketches: list[Job] = []  # those of them that were submitted as sketches
        self.woken = 0  # how often a paused job was told to read its control
        self._handlers: dict[Job, Handler] = {}
        self._scripts: dict[str, deque[Script]] = {}
        self._events: dict[Job, Iterator[object]] = {}

    # ---- the engine

    @property
    def running(self) -> bool:
        return False

    def start(self) -> None:
        pass

    def submit(self, job: Job, handler: Handler, *, sketch: bool = False) -> None:
        self.jobs.append(job)
        self._handlers[job] = handler
        if sketch:
            self.sketches.append(job)
        scripts = self._scripts.get(task_of(job))
        if scripts:
            self._events[job] = iter(scripts.popleft()(*arguments(job)))

    def wake(self) -> None:
        self.woken += 1

    def finish(self) -> None:
        """Cancel and end every job."""
        while self.jobs:
            self.cancel(self.jobs[0])
        self.finished.emit()

    # ---- which jobs there are

    def jobs_of(self, task: str) -> list[Job]:
        """The jobs of a task, in the order of their submission."""
        return [job for job in self.jobs if task_of(job) == task]

    def job(self, task: str) -> Job:
        """The latest job of a task."""
        return self.jobs_of(task)[-1]

    # ---- what they do

    def script(self, task: str, script: Script) -> None:
        """Script the next job of a task that is submitted without a script; several in the order of submission."""
        self._scripts.setdefault(task, deque()).append(script)

    def step(self, job: Job | None = None) -> object:
        """Deliver the next scripted event of a job, by default of the oldest; after the last one, or if it was
        cancelled, its end. Returns the event.
        """
        job = job or self.jobs[0]
        event = JobEnded() if job.control.cancelled else next(self._events.get(job, iter(())), JobEnded())
        self.give(job, event)
        return event

    def run(self, job: Job | None = None) -> None:
        """Step a job, by default the oldest, to its end."""
        job = job or self.jobs[0]
        while job in self.jobs:
            self.step(job)

    def run_all(self) -> None:
        """Run the jobs one after another, and those that are submitted meanwhile."""
        while self.jobs:
            self.run()

    def give(self, job: Job, *events: object) -> None:
        """Deliver events of a job."""
        for event in events:
            handler = self._handlers[job]
            if isinstance(event, JobEnded):
                self.jobs.remove(job)
                del self._handlers[job]
                self._events.pop(job, None)
                if job in self.sketches:
                    self.sketches.remove(job)
            handler(event)

    def perform(self, job: Job | None = None) -> None:
        """Do the work of a job, by default the oldest, and deliver its events: for tasks that need no model."""
        job = job or self.jobs[0]
        events = job.work(job.control)
        while job in self.jobs:
            try:
                with cancellable(job.control):
                    event = next(events, JobEnded())
            except Cancelled:
                self.end(job)
            except Exception as error:
                self.end(job, failure(error))
            else:
                self.give(job, event)

    def end(self, job: Job, *events: object) -> None:
        """Deliver the last events of a job, and its end."""
        self.give(job, *events, JobEnded())

    def fail(self, job: Job, kind: str, message: str, what_to_do: str = "", traceback: str = "") -> None:
        """End a job with an error."""
        self.end(job, Failed(kind, message, what_to_do, traceback))

    def cancel(self, job: Job) -> None:
        """Cancel a job, and end it."""
        job.control.cancel()
        self.end(job)


def task_of(job: Job) -> str:
    """The name of the task of a job."""
    work = job.work
    return (work.func if isinstance(work, partial) else work).__name__


def arguments(job: Job) -> tuple[Any, ...]:
    """The arguments of the task of a job."""
    return job.work.args if isinstance(job.work, partial) else ()


def take_over(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """From now on the jobs of an engine at rest go to a fake one, in a window whose threads run."""
    fake = FakeEngine()
    monkeypatch.setattr(engine, "submit", fake.submit)
    return fake
