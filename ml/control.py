"""How a screen or a command line steers a running job: cancel, pause, and a mailbox of commands."""

import threading
from collections import deque
from pathlib import Path
from typing import Literal

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
