"""File jobs: exports, temporary files for drag and drop, and the progress of what is being written or read."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from desktop_app.tasks.files import Exported, export
from desktop_app.worker.compute_thread import Job, JobEnded, Work
from ml.config import SampleRequest
from ml.events import Pixels, Progress
from ml.export import files
from ml.export.metadata import Layout, Watch
from ml.system.files import free_name

Then = Callable[[Path], object]


class Jobs(Protocol):
    """Where jobs are submitted."""

    closing: bool

    def submit(self, task: Work, handler: Callable[[object], None], *, title: str) -> Job: ...


class FileWriter(QObject):
    """Runs any number of file jobs, one after another."""

    busy_changed = Signal()

    def __init__(self, jobs: Jobs, parent: QObject) -> None:
        super().__init__(parent)
        self._submitter = jobs
        self._jobs: list[Job] = []
        self._progress: Progress | None = None
        self._temporary: Path | None = None

    def write(
        self,
        path: Path,
        images: Pixels,
        request: SampleRequest,
        layout: Layout,
        film: Sequence[Pixels] = (),
        *,
        then: Then,
    ) -> None:
        """Write the format that the path's suffix names; `then` is called once the file is complete."""
        self.write_by(path, partial(files.save, path, images, request, layout, film), then)

    def write_digits(self, folder: Path, images: Pixels, request: SampleRequest, scale: int, *, then: Then) -> None:
        """Write one PNG per image into a folder."""
        self.write_by(folder, partial(files.save_digits, folder, images, request, scale), then)

    def write_by(self, path: Path, write: Callable[[Watch], object], then: Then) -> None:
        """Write a file by calling `write`; `then` is called once the file is complete."""
        if not self._submitter.closing:
            self.run(partial(export, path, write), partial(self._on_written, then), f"Writing {path.name}")

    def write_temporary(self, name: str, write: Callable[[Path], object]) -> Path:
        """Write a PNG to be dragged out of the window, in a folder that is deleted when the program ends."""
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="noiseloom-"))
            atexit.register(shutil.rmtree, self._temporary, ignore_errors=True)
        path = free_name(self._temporary / f"noiseloom-{name}.png")
        write(path)
        return path

    def run(self, task: Work, handler: Callable[[object], None], title: str) -> None:
        """Run a job on a file, which counts as busy until it has ended."""

        def on_event(event: object) -> None:
            if isinstance(event, Progress):
                self._progress = event
            elif isinstance(event, JobEnded):
                self._jobs.remove(job)
                self._progress = None
            handler(event)
            self.busy_changed.emit()

        job = self._submitter.submit(task, on_event, title=title)
        self._jobs.append(job)
        self.busy_changed.emit()

    @staticmethod
    def _on_written(then: Then, event: object) -> None:
        if isinstance(event, Exported):
            then(event.path)

    @property
    def busy(self) -> bool:
        return bool(self._jobs)

    @property
    def doing(self) -> tuple[str, float | None]:
        """What is being written or read, and the share that is done."""
        at = self._progress
        return (at.what, at.done / at.total if at.total else None) if at else ("Writing a file", None)

    def stop(self) -> None:
        """Stop writing; incomplete files are removed."""
        for job in self._jobs:
            job.control.cancel()
