"""How a screen or a command line steers a running job: cancel, pause, and a mailbox of commands."""

import importlib
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

LOOK_S = 0.02  # between two looks at whether the work is stopped
Command = Literal["save", "preview"]
T = TypeVar("T")


class RunControl:
    """Thread-safe switches read by a generator between two steps. No Qt, no callbacks."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._paused = threading.Event()
        self._commands: deque[Command] = deque()
        self._folder: Path | None = None

    def cancel(self) -> None:
        """Ask the job to stop at the next step, keeping what it has."""
        self._cancelled.set()

    def pause(self) -> None:
        """Ask the job to hold at the next step."""
        self._paused.set()

    def resume(self) -> None:
        """Let a paused job go on."""
        self._paused.clear()

    def write_to(self, folder: Path) -> None:
        """Let a training run that could not write go on in another folder, which holds no run yet."""
        self._folder = folder
        self.resume()

    def take_folder(self) -> Path | None:
        """The folder that `write_to` named since the last time, or None."""
        folder, self._folder = self._folder, None
        return folder

    def post(self, command: Command) -> None:
        """Ask a training run for something between two steps: `save` or `preview`."""
        self._commands.append(command)

    def take(self) -> Command | None:
        """The oldest command not yet handled, or None."""
        return self._commands.popleft() if self._commands else None

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def paused(self) -> bool:
        return self._paused.is_set() and not self.cancelled


class Stopped(Exception):
    """The work was cancelled in the middle of something that gives no event."""


_here = threading.local()


@contextmanager
def heeding(control: RunControl) -> Iterator[None]:
    """Within, `stop_here` in this thread looks at `control`."""
    before = current_control()
    _here.control = control
    try:
        yield
    finally:
        _here.control = before


def current_control() -> RunControl | None:
    """What `stop_here` looks at in this thread."""
    return getattr(_here, "control", None)


def stop_here() -> None:
    """Raise Stopped where the work that this thread is at was cancelled: for whatever takes long between two events."""
    control = current_control()
    if control is not None and control.cancelled:
        raise Stopped


def aside(work: Callable[[], T]) -> T:
    """What `work` returns or raises; a thread of its own is at it, and is left behind where the work here is stopped.

    For what takes seconds and cannot be asked to stop: an import, a server that does not answer.
    """
    if current_control() is None:
        return work()
    done: Future[T] = Future()
    threading.Thread(target=_do, args=(work, done), daemon=True).start()
    while not wait([done], LOOK_S).done:
        stop_here()
    return done.result()


def _do(work: Callable[[], T], done: "Future[T]") -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # whose it is
        done.set_exception(error)


def sleep_here(seconds: float) -> None:
    """Wait for so long, unless the work is stopped."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        stop_here()
        time.sleep(min(left, LOOK_S))


def import_here(name: str) -> None:
    """Import a module that takes seconds to, so that the work can be stopped meanwhile."""
    if name not in sys.modules:
        aside(partial(importlib.import_module, name))
