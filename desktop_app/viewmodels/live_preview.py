"""Quick drafts while a control is dragged: the same noise through the optimized network, or through the student."""

import os
from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal

from desktop_app.tasks import sampling
from desktop_app.viewmodels.context import AppContext
from desktop_app.worker.compute_thread import Job, JobEnded
from ml.config import SampleRequest
from ml.events import Sampled

STUDENT, STUDENT_STEPS = "student", 1
WARM_MS = 2000  # until the window has made its pages: compiling a variant holds the interpreter lock
MANY = (os.cpu_count() or 1) + 1  # images, several per core, for which another variant is compiled than for a few


class LivePreview(QObject):
    """Draws one sketch at a time; of those requested meanwhile only the last.

    A sketch in progress is finished, so that images appear even while requests keep coming.
    """

    drawn = Signal(object)  # Sampled

    def __init__(self, context: AppContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._drawing: object | None = None  # identifies the sketch in progress
        self._next: SampleRequest | None = None
        self._warming: dict[tuple[str, int], Job] = {}  # by model and number of images
        self._like: list[SampleRequest] = []
        self._soon = QTimer(self, singleShot=True, interval=WARM_MS)
        self._soon.timeout.connect(self._warm_up)
        context.closed.connect(self._soon.stop)

    def request(self, request: SampleRequest) -> None:
        """Draw a request next."""
        self._next = request
        if self._drawing is None:
            self._begin()

    def pause(self) -> None:
        """Begin no further sketch: the model itself draws now."""
        self._next = None

    def discard(self) -> None:
        """Drop the sketch in progress and the next one."""
        self._drawing = self._next = None

    def stop(self) -> None:
        """Stop everything, including the compilation of variants."""
        self.discard()
        self._soon.stop()
        for job in self._warming.values():
            job.control.cancel()
        self._warming.clear()

    def warm_up(self, *sketches: SampleRequest | None) -> None:
        """Compile the variants for such sketches, once the application is quiet, by drawing some and dropping them."""
        self._like = [sketch for sketch in sketches if sketch]
        self._soon.start()

    def _warm_up(self) -> None:
        if self._context.closing:
            return
        if not self._context.is_quiet:  # a compilation would delay what is on the screen
            self._soon.start()
            return
        for sketch in self._like:
            count = min(len(sketch.labels), MANY)
            kind = sketch.model, count
            if kind not in self._warming:
                task = partial(sampling.sample, sketch.some(range(count)), optimized=True)
                self._warming[kind] = self._context.submit(task, lambda _event: None, sketch=True)

    def by_student(self, request: SampleRequest) -> SampleRequest | None:
        """The same images by the student of the model; None if it has none, or the noise was inverted by the model."""
        student = self._context.card(STUDENT)
        elsewhere = request.route != "class" or request.source or request.parent
        pictured = any(corner.picture for corner in request.corners)
        if student is None or request.model != student.header.teacher or elsewhere or pictured:
            return None
        own = {"model": STUDENT, "model_hash": "", "steps": STUDENT_STEPS}
        return request.with_changes(**student.header.defaults.model_dump() | own)

    def _begin(self) -> None:
        request, self._next = self._next, None
        if request is None or self._context.closing:
            return
        self._drawing = token = object()
        task = partial(sampling.sample, request, optimized=True)
        self._context.submit(task, partial(self._on_event, token), sketch=True)

    def _on_event(self, token: object, event: object) -> None:
        if token is not self._drawing or not isinstance(event, Sampled | JobEnded):
            return
        self._drawing = None
        if isinstance(event, Sampled):
            self.drawn.emit(event)
        self._begin()
