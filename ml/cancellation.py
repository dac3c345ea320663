"""Cancellation of a thread's work, checked at points that the working code chooses."""

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

POLL_S = 0.02  # between two checks for cancellation

T = TypeVar("T")


class Cancelled(BaseException):
    """The work was cancelled between two events: no failure, so that `except Exception` does not take it for one."""


_here = threading.local()


@contextmanager
def cancellable(control: RunControl) -> Iterator[None]:
    """Within, `check_cancelled` in this thread checks `control`."""
    before = current_control()
    _here.control = control
    try:
        yield
    finally:
        _here.control = before


def current_control() -> RunControl | None:
    """The control that `check_cancelled` checks in this thread."""
    return getattr(_here, "control", None)


def check_cancelled() -> None:
    """Raise Cancelled where the work of this thread was cancelled; for work that takes long between two events."""
    control = current_control()
    if control is not None and control.cancelled:
        raise Cancelled


def run_interruptibly(work: Callable[[], T]) -> T:
    """Run `work` in a thread of its own, and return or raise its outcome; abandon the thread on cancellation.

    For work that takes seconds and cannot check by itself: an import, a request to a server.
    """
    if current_control() is None:
        return work()
    done: Future[T] = Future()
    threading.Thread(target=_do, args=(work, done), daemon=True).start()
    while not wait([done], POLL_S).done:
        check_cancelled()
    return done.result()


def _do(work: Callable[[], T], done: "Future[T]") -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # raised again by `done.result`
        done.set_exception(error)


def interruptible_sleep(seconds: float) -> None:
    """Sleep; raises Cancelled."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check_cancelled()
        time.sleep(min(left, POLL_S))


def import_interruptibly(name: str) -> None:
    """Import a module that takes seconds; raises Cancelled."""
    if name not in sys.modules:
        run_interruptibly(partial(importlib.import_module, name))
