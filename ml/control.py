"""The remote control of a running job: cancel, pause, and commands."""

import threading
from collections import deque
from pathlib import Path
from typing import Literal

Command = Literal["save", "preview"]


class RunControl:
    """Thread-safe switches read by a generator between two steps. No Qt, no callbacks."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._paused = threading.Event()
        self._commands: deque[Command] = deque()
        self._folder: Path | None = None

    def cancel(self) -> None:
        """Stop the job at the next step; it keeps its results so far."""
        self._cancelled.set()

    def end(self) -> None:
        """Cancel a training run that is to end here: it keeps its model, and does not count as interrupted."""
        self._ended.set()
        self.cancel()

    def pause(self) -> None:
        """Pause the job at the next step."""
        self._paused.set()

    def resume(self) -> None:
        """Resume a paused job."""
        self._paused.clear()

    def write_to(self, folder: Path) -> None:
        """Resume a training run whose folder cannot be written in another folder, without a run in it."""
        self._folder = folder
        self.resume()

    def take_folder(self) -> Path | None:
        """The folder of the last `write_to`, once; else None."""
        folder, self._folder = self._folder, None
        return folder

    def post(self, command: Command) -> None:
        """Queue a command for a training run: `save` or `preview`."""
        self._commands.append(command)

    def take(self) -> Command | None:
        """The oldest queued command, or None."""
        return self._commands.popleft() if self._commands else None

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    @property
    def paused(self) -> bool:
        return self._paused.is_set() and not self.cancelled
