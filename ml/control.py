"""How a screen or a command line steers a running job: cancel, pause, and a mailbox of commands."""

import importlib
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

LOOK_S = 0.02  # between two looks while something is imported
Command = Literal["save", "preview"]


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
    before = getattr(_here, "control", None)
    _here.control = control
    try:
        yield
    finally:
        _here.control = before


def stop_here() -> None:
    """Raise Stopped where the work that this thread is at was cancelled: for whatever takes long between two events."""
    control: RunControl | None = getattr(_here, "control", None)
    if control is not None and control.cancelled:
        raise Stopped


def import_here(name: str) -> None:
    """Import a module that takes seconds to, in a thread of its own, so that the work can be stopped meanwhile."""
    if name in sys.modules or getattr(_here, "control", None) is None:
        return
    thread = threading.Thread(target=importlib.import_module, args=(name,), name=f"import of {name}", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(LOOK_S)
        stop_here()
