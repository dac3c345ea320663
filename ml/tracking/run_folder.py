"""The folder of a run: its tables, previews and snapshots, held by one process at a time, and left for another one."""

import os
from pathlib import Path

from filelock import BaseFileLock

from ml.errors import CannotWrite
from ml.registry import model_cards
from ml.registry.run_layout import SNAPSHOTS, STATE_FILE
from ml.system.files import copy_into, make_folder, sweep
from ml.system.folder_lock import hold
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
    """Where a run keeps what it leaves behind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.losses = Table(path / LOSS_FILE, LOSS_COLUMNS)
        self.noise = Table(path / NOISE_FILE, NOISE_COLUMNS)
        self.validation = Table(path / VALIDATION_FILE, VALIDATION_COLUMNS)
        self._tables = self.losses, self.noise, self.validation
        self._lock: BaseFileLock | None = None

    def hold(self) -> None:
        """Have the folder for oneself until `let_go`; raises BadRequest, CannotWrite."""
        self.let_go()
        self._lock = hold(self.path)

    def let_go(self) -> None:
        """Leave the folder to others."""
        if self._lock:
            self._lock.release()

    def write(self) -> None:
        """Write the rows that wait in the tables; raises CannotWrite, and then they wait on."""
        for table in self._tables:
            table.write()

    def forget_after(self, step: int) -> None:
        """Take out what came after the checkpoint that a run goes on from, and what a killed one left half-written.

        Raises CannotWrite.
        """
        for table in self._tables:
            table.forget_after(step)
        preview_history.forget_after(self.path, step)
        for path in model_cards.snapshots(str(self.path)):
            if int(path.stem) > step:
                path.unlink(missing_ok=True)
        for folder in (self.path, self.path / SNAPSHOTS, self.path / preview_history.FOLDER):
            sweep(folder)

    def move_to(self, path: Path) -> None:
        """Be another folder from now on, with what there is in this one; raises CannotWrite, BadRequest.

        Where it is the same one, because it can be written in again, it is made anew if it has gone.
        """
        before, same = self.path, path == self.path
        if not same and os.path.exists(path / STATE_FILE):
            raise CannotWrite(f"{path} already holds a run.", "Choose another folder.")
        if same:
            self.let_go()
        lock = hold(path)
        try:
            for table in self._tables:
                copy_into(table.path, path)
            for name in (SNAPSHOTS, preview_history.FOLDER):
                for file in (before / name).glob("[0-9]*"):
                    copy_into(file, make_folder(path / name))
        except CannotWrite:
            lock.release()
            raise
        self.let_go()
        self.path, self._lock = path, lock
        for table in self._tables:
            table.path = path / table.path.name
