"""What a page asks of the lane, one question at a time."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop_app.worker.compute_thread import Job, JobEnded, Work

if TYPE_CHECKING:
    from desktop_app.viewmodels.session import Session


class Activity(QObject):
    """Something that takes a while and can be stopped; the answers to a question that was given up are not heard."""

    busy_changed = Signal()

    def __init__(self, session: "Session") -> None:
        super().__init__(session)
        self._session = session
        self._job: Job | None = None

    @property
    def busy(self) -> bool:
        return self._job is not None

    def stop(self) -> None:
        """Give the question up; what is already known stays."""
        if self._job:
            self._job.control.cancel()
            self._end()

    def _ask(self, task: Work) -> None:
        """Have the lane work on something; `_hear` gets its events."""
        self._job = job = self._session.submit(task, lambda event: self._on_event(job, event))

    def _on_event(self, job: Job, event: object) -> None:
        if job is not self._job:
            return
        if isinstance(event, JobEnded):
            self._end()
        else:
            self._hear(event)

    def _end(self) -> None:
        self._job = None
        self.busy_changed.emit()

    def _hear(self, event: object) -> None:
        """An event of what was asked last."""
        raise NotImplementedError
