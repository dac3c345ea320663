"""What is drawn while a hand moves: the same images sooner, by the optimized network, or by the student."""

import os
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from desktop_app.tasks import sampling
from desktop_app.worker.compute_thread import Job, JobEnded
from ml.config import SampleRequest
from ml.events import Sampled

if TYPE_CHECKING:
    from desktop_app.viewmodels.session import Session

STUDENT, STUDENT_STEPS = "student", 1
WARM_MS = 2000  # until the window has made its pages: the making of forms keeps the interpreter from other threads
MANY = (os.cpu_count() or 1) + 1  # images of which a core has several, for which there is another form than for a few


class Sketches(QObject):
    """Draws one sketch after another; of those asked for meanwhile only the last.

    A sketch that was begun is finished, so that images follow a hand that never rests.
    """

    drawn = Signal(object)  # Sampled

    def __init__(self, session: "Session", parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._drawing: object | None = None  # stands for the sketch that is awaited
        self._next: SampleRequest | None = None
        self._warming: dict[tuple[str, int], Job] = {}  # by the model that is optimized and the number of images
        self._like: list[SampleRequest] = []
        self._soon = QTimer(self, singleShot=True, interval=WARM_MS)
        self._soon.timeout.connect(self._warm_up)
        session.closed.connect(self._soon.stop)

    def ask(self, request: SampleRequest) -> None:
        """Draw this next."""
        self._next = request
        if self._drawing is None:
            self._begin()

    def rest(self) -> None:
        """The hand rests: nothing more is begun, since it is being drawn well."""
        self._next = None

    def forget(self) -> None:
        """Something else was asked for: none that comes now is wanted any more."""
        self._drawing = self._next = None

    def stop(self) -> None:
        """Somebody wants everything to stop, the making of forms, too."""
        self.forget()
        self._soon.stop()
        for job in self._warming.values():
            job.control.cancel()
        self._warming.clear()

    def warm_up(self, *sketches: SampleRequest | None) -> None:
        """Once all is quiet, draw some like those to nowhere: the first of a kind makes the form of its network."""
        self._like = [sketch for sketch in sketches if sketch]
        self._soon.start()

    def _warm_up(self) -> None:
        if self._session.closing:
            return
        if (
            not self._session.is_quiet
        ):  # a hand that moves would wait for it, and nobody may be short of the interpreter
            self._soon.start()
            return
        for sketch in self._like:
            count = min(len(sketch.labels), MANY)
            kind = sketch.model, count
            if kind not in self._warming:
                task = partial(sampling.sketching, sketch.some(range(count)), optimized=True)
                self._warming[kind] = self._session.submit(task, lambda _event: None, sketch=True)

    def by_student(self, request: SampleRequest) -> SampleRequest | None:
        """The same images by the student of the model; None where it has none, or the noise is the model's own."""
        student = self._session.card(STUDENT)
        elsewhere = request.route != "class" or request.source or request.parent
        pictured = any(corner.picture for corner in request.corners)
        if student is None or request.model != student.header.teacher or elsewhere or pictured:
            return None
        own = {"model": STUDENT, "model_hash": "", "steps": STUDENT_STEPS}
        return request.with_changes(**student.header.defaults.model_dump() | own)

    def _begin(self) -> None:
        request, self._next = self._next, None
        if request is None or self._session.closing:
            return
        self._drawing = awaited = object()
        task = partial(sampling.sketching, request, optimized=True)
        self._session.submit(task, partial(self._on_event, awaited), sketch=True)

    def _on_event(self, awaited: object, event: object) -> None:
        if awaited is not self._drawing or not isinstance(event, Sampled | JobEnded):
            return
        self._drawing = None
        if isinstance(event, Sampled):
            self.drawn.emit(event)
        self._begin()
