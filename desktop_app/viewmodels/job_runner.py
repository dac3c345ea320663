"""A view-model's jobs, one at a time."""

from PySide6.QtCore import QObject, Signal

from desktop_app.viewmodels.context import AppContext
from desktop_app.worker.compute_thread import Job, JobEnded, Work


class JobRunner(QObject):
    """Runs one job at a time, which can be stopped; events of a stopped job are dropped."""

    busy_changed = Signal()

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self._context = context
        self._job: Job | None = None

    @property
    def busy(self) -> bool:
        return self._job is not None

    @property
    def doing(self) -> tuple[str, float | None]:
        """What runs, and its progress from 0 to 1, None if unknown."""
        raise NotImplementedError

    def stop(self) -> None:
        """Cancel the job; its results so far stay."""
        if self._job:
            self._job.control.cancel()
            self._end()

    def _run(self, task: Work, *, background: bool = False) -> None:
        """Run a task; `_on_result` gets its events."""
        title = self.doing[0]
        self._job = job = self._context.submit(
            task, lambda event: self._on_event(job, event), background=background, title=title, stop=self.stop
        )

    def _on_event(self, job: Job, event: object) -> None:
        if job is not self._job:
            return
        if isinstance(event, JobEnded):
            self._end()
        else:
            self._on_result(event)

    def _end(self) -> None:
        self._job = None
        self.busy_changed.emit()

    def _on_result(self, event: object) -> None:
        """Handle an event of the current job."""
        raise NotImplementedError
