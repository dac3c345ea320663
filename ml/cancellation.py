"""Cancellation of what a thread computes, checked at points that the computing code chooses."""

import importlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from ml.control import RunControl

LOOK_S = 0.02  # between two looks at whether the work is stopped


T = TypeVar("T")


class Stopped(Exception):
    """The work was cancelled in the middle of something that gives no event."""


_here = threading.local()


@contextmanager
def cancellable(control: RunControl) -> Iterator[None]:
    """Within, `check_cancelled` in this thread looks at `control`."""
    before = current_control()
    _here.control = control
    try:
        yield
    finally:
        _here.control = before


def current_control() -> RunControl | None:
    """What `check_cancelled` looks at in this thread."""
    return getattr(_here, "control", None)


def check_cancelled() -> None:
    """Raise Stopped where the work that this thread is at was cancelled: for whatever takes long between two events."""
    control = current_control()
    if control is not None and control.cancelled:
        raise Stopped


def run_interruptibly(work: Callable[[], T]) -> T:
    """What `work` returns or raises; a thread of its own is at it, and is left behind where the work here is stopped.

    For what takes seconds and cannot be asked to stop: an import, a server that does not answer.
    """
    if current_control() is None:
        return work()
    done: Future[T] = Future()
    threading.Thread(target=_do, args=(work, done), daemon=True).start()
    while not wait([done], LOOK_S).done:
        check_cancelled()
    return done.result()


def _do(work: Callable[[], T], done: "Future[T]") -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # whose it is
        done.set_exception(error)


def interruptible_sleep(seconds: float) -> None:
    """Wait for so long, unless the work is stopped."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check_cancelled()
        time.sleep(min(left, LOOK_S))


def import_interruptibly(name: str) -> None:
    """Import a module that takes seconds to, so that the work can be stopped meanwhile."""
    if name not in sys.modules:
        run_interruptibly(partial(importlib.import_module, name))
