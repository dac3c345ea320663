"""The folder of a run: its tables, previews and snapshots, which one process at a time locks."""

import os
from pathlib import Path

from filelock import BaseFileLock

from ml.errors import CannotWrite
from ml.registry import model_cards
from ml.registry.run_layout import SNAPSHOTS, STATE_FILE
from ml.system.files import copy_into, make_folder, sweep
from ml.system.folder_lock import lock_folder
from ml.tracking import preview_history
from ml.tracking.metrics_table import (
    LOSS_COLUMNS,
    LOSS_FILE,
    NOISE_COLUMNS,
    NOISE_FILE,
    VALIDATION_COLUMNS,
    VALIDATION_FILE,
    Table,
)


class RunFolder:
    """The folder of a run, with its tables and its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.losses = Table(path / LOSS_FILE, LOSS_COLUMNS)
        self.noise = Table(path / NOISE_FILE, NOISE_COLUMNS)
        self.validation = Table(path / VALIDATION_FILE, VALIDATION_COLUMNS)
        self._tables = self.losses, self.noise, self.validation
        self._lock: BaseFileLock | None = None

    def lock(self) -> None:
        """Lock the folder until `unlock`; raises BadRequest where another process holds it, CannotWrite."""
        self.unlock()
        self._lock = lock_folder(self.path)

    def unlock(self) -> None:
        """Release the lock, if it is held."""
        if self._lock:
            self._lock.release()

    def write(self) -> None:
        """Write the added rows of all tables. Raises CannotWrite; the rows are then kept for the next call."""
        for table in self._tables:
            table.write()

    def remove_after(self, step: int) -> None:
        """Remove what was written after a step, and temporary files of a killed process; raises CannotWrite."""
        for table in self._tables:
            table.remove_after(step)
        preview_history.remove_after(self.path, step)
        for path in model_cards.snapshots(str(self.path)):
            if int(path.stem) > step:
                path.unlink(missing_ok=True)
                path.with_suffix(".json").unlink(missing_ok=True)
        for folder in (self.path, self.path / SNAPSHOTS, self.path / preview_history.FOLDER):
            sweep(folder)

    def move_to(self, path: Path) -> None:
        """Continue in another folder, with copies of this one's files. Raises CannotWrite, BadRequest.

        The same folder is created again if it was deleted.
        """
        before, same = self.path, path == self.path
        if not same and os.path.exists(path / STATE_FILE):
            raise CannotWrite(f"{path} already holds a run.", "Choose another folder.")
        if same:
            self.unlock()
        lock = lock_folder(path)
        try:
            for table in self._tables:
                copy_into(table.path, path)
            for name in (SNAPSHOTS, preview_history.FOLDER):
                for file in (before / name).glob("[0-9]*"):
                    copy_into(file, make_folder(path / name))
        except CannotWrite:
            lock.release()
            raise
        self.unlock()
        self.path, self._lock = path, lock
        for table in self._tables:
            table.path = path / table.path.name
