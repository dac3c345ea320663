"""The Draw page without its widgets: a drawing, what a diffusion model makes of it, and what it takes it for."""

import time
from collections import deque
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PySide6.QtCore import QObject, Signal

from desktop_app.settings import DEFAULT_MODEL, DrawSettings
from desktop_app.tasks import draw, sampling
from desktop_app.tasks.draw import OpenedImage, Recognised
from desktop_app.viewmodels.history import Result
from desktop_app.viewmodels.undo import TOGETHER_S
from desktop_app.worker.compute_thread import Job, JobEnded, Work
from ml.config import SampleRequest
from ml.errors import BadRequest
from ml.events import Frame, Pixels, Progress, Sampled
from ml.export.formats import format_of
from ml.export.metadata import Layout
from ml.generation.requests import SIDE, rebuilt, redrawn
from ml.imaging.embedded_png import pixels_of
from ml.imaging.pixels import film

if TYPE_CHECKING:
    from desktop_app.viewmodels.session import Session

COUNT, CLASSES = 9, 10
UNDO_STEPS = 50


class Past(NamedTuple):
    """What a step of undo brings back."""

    drawing: Pixels
    mask: Pixels
    settings: DrawSettings


class Draw(QObject):
    """Observable state of the page; a newer wish replaces the one that is being worked on."""

    changed = Signal()  # settings
    drawing_changed = Signal()  # the drawing, or what of it is marked
    finished = Signal()  # new images
    recognised = Signal()
    busy_changed = Signal()
    exported = Signal(object)  # Path

    def __init__(self, session: "Session", settings: DrawSettings) -> None:
        super().__init__(session)
        self._session = session
        self.settings = settings
        self.drawing: Pixels = np.zeros((SIDE, SIDE), np.uint8)
        self.mask: Pixels = np.zeros((SIDE, SIDE), np.uint8)  # white: to be completed
        self.sampled: Sampled | None = None  # what was made of a drawing last ...
        self.images: Pixels | None = None  # ... and what is shown of it
        self.captions: tuple[str, ...] = ()
        self.probabilities: np.ndarray | None = None
        self.status = ""
        self._frames: list[Frame] = []  # on the way to what is shown ...
        self._coming: list[Frame] = []  # ... and to what is being made
        self._past: deque[Past] = deque(maxlen=UNDO_STEPS)
        self._changed_at = 0.0  # on the clock of time.monotonic
        self._job: Job | None = None
        self._asked = 0  # how often something was asked for

    def change(self, **changes: object) -> None:
        """Change what is made of the drawing; changes in quick succession, a slider's, are one step of undo."""
        new = self.settings.with_changes(**changes)
        if new != self.settings:
            now = time.monotonic()
            if now - self._changed_at > TOGETHER_S:
                self.begin_stroke()
            self._changed_at = now
            self.settings = new
            self.changed.emit()

    # ---- the drawing

    @property
    def empty(self) -> bool:
        return not self.drawing.any()

    def begin_stroke(self) -> None:
        """What follows is one step of undo."""
        self._past.append(Past(self.drawing.copy(), self.mask.copy(), self.settings))

    def dab(self, x: float, y: float, *, marking: bool = False, erase: bool = False) -> None:
        """The soft pen touches the pixel coordinates (x, y); with `marking` it says what is to be completed."""
        rows, columns = np.mgrid[0:SIDE, 0:SIDE]
        distance = np.hypot(columns + 0.5 - x, rows + 0.5 - y)
        radius = self.settings.pen * (2 if marking else 1)
        ink = (np.clip(radius + 0.5 - distance, 0, 1) * 255).astype(np.uint8)
        if marking:
            self.mask = np.where(ink > 0, 0 if erase else 255, self.mask).astype(np.uint8)
        else:
            self.drawing = np.minimum(self.drawing, 255 - ink) if erase else np.maximum(self.drawing, ink)
        self.probabilities = None
        self.drawing_changed.emit()

    def mark_half(self) -> None:
        """Mark the lower half."""
        self.begin_stroke()
        self.mask = np.zeros_like(self.mask)
        self.mask[SIDE // 2 :] = 255
        self.drawing_changed.emit()

    def take(self, drawing: Pixels) -> None:
        """Another drawing (SIDE, SIDE), with nothing marked."""
        self.begin_stroke()
        self.drawing, self.mask, self.probabilities = drawing.copy(), np.zeros_like(self.mask), None
        self.drawing_changed.emit()

    def take_result(self, index: int) -> None:
        """One of the answers in place of the drawing."""
        if self.images is not None and index < len(self.images):
            self.take(self.images[index])

    def take_up(self, request: SampleRequest) -> bool:
        """The drawing of a request, and what it asks to be made of it; whether the page then asks for just that.

        A drawing that cannot be read is left out.
        """
        before = request.parent.corners if request.parent else ()
        source = request.source or (before[0].picture if len(before) == 1 else "")
        if not source:
            return False
        with suppress(BadRequest):
            self.take(pixels_of(source, 1, SIDE))
            if request.mask:
                self.mask = pixels_of(request.mask, 1, SIDE)
            task = "rebuild" if request.parent else "complete" if request.mask else "vary"
            known = {"label": request.labels[0]} if request.source and request.labels[0] < CLASSES else {}
            noise = {"vary_from": min(request.vary_from, 40)} if request.vary_from else {}
            self.change(task=task, **known, **noise)
            self.drawing_changed.emit()
        asked = self.request()
        return asked is not None and asked == request.unhashed

    def clear(self) -> None:
        self.take(np.zeros((SIDE, SIDE), np.uint8))

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    def undo(self) -> None:
        """Back to before the last stroke or change of settings."""
        if self._past:
            self._changed_at = 0.0
            self.drawing, self.mask, self.settings = self._past.pop()
            self.probabilities = None
            self.changed.emit()
            self.drawing_changed.emit()

    def forget_past(self) -> None:
        """Nothing is taken back any more: a lesson has begun, or was left."""
        self._past.clear()

    def load(self, path: Path) -> None:
        """A picture from a file in place of the drawing."""
        self._submit(partial(draw.opening, path), "Opening the picture")

    def example(self, digit: int, number: int) -> None:
        """A digit of MNIST where it is at hand, or one that the program draws."""
        self._submit(partial(draw.example, digit, number, self._session.train.data_root), "Looking for a digit")

    # ---- what is made of it

    @property
    def busy(self) -> bool:
        return self._job is not None

    def request(self) -> SampleRequest | None:
        """What the settings ask for; None without a drawing, or without anything marked where that is needed."""
        card = self._session.card(DEFAULT_MODEL)
        completing = self.settings.task == "complete"
        if card is None or self.empty or (completing and not self.mask.any()):
            return None
        settings, defaults = self.settings, card.header.defaults
        if settings.task == "rebuild":
            return rebuilt(card.name, defaults, self.drawing, CLASSES)
        mask = self.mask if completing else None
        return redrawn(card.name, defaults, self.drawing, (settings.label,) * COUNT, mask, settings.vary_from)

    def make(self) -> None:
        """Vary the drawing, or complete what is marked of it."""
        request = self.request()
        if request is not None:
            self._submit(partial(sampling.sketching, request, frames=True), "Drawing")

    def recognise(self) -> None:
        """Ask the diffusion model which digit it is."""
        if not self.empty:
            self._submit(partial(draw.recognising, centred(self.drawing), DEFAULT_MODEL), "Asking every class")

    @property
    def doing(self) -> tuple[str, float | None]:
        """What is being made of the drawing."""
        return self.status, None

    def stop(self) -> None:
        if self._job:
            self._job.control.cancel()
            self._end()

    def _submit(self, task: Work, status: str) -> None:
        if self._session.closing:
            return
        if self._job:
            self._job.control.cancel()
        self.status, self._coming = status, []
        self._asked += 1
        self._job = self._session.submit(task, partial(self._on_event, self._asked))
        self.busy_changed.emit()

    def _on_event(self, asked: int, event: object) -> None:
        if asked != self._asked or self._job is None:
            return  # the answer to a question that is no longer asked
        if isinstance(event, Progress) and event.total:
            self.status = f"{event.what} {event.done} of {event.total}"
            self.busy_changed.emit()
        elif isinstance(event, Frame):
            self._coming.append(event)
        elif isinstance(event, Sampled):
            self._show(event)
        elif isinstance(event, Recognised):
            self.probabilities = event.probabilities
            self.recognised.emit()
        elif isinstance(event, OpenedImage):
            self.take(event.image)
        elif isinstance(event, JobEnded):
            self._end()

    def _show(self, done: Sampled) -> None:
        self.sampled, self.images, self.captions, self._frames = done, done.images, (), self._coming
        if done.request.parent:
            self.images = np.concatenate([self._frames[0].x_t[:1], done.images])
            self.captions = ("its noise", "and back", *(str(label) for label in range(CLASSES)))
        self._keep(done)
        self.finished.emit()

    def _keep(self, done: Sampled) -> None:
        """Add what was made of the drawing to the history."""
        made, captions, frames = self.images, self.captions, self._frames
        before = Past(self.drawing.copy(), self.mask.copy(), self.settings)

        def back() -> None:
            self.stop()
            self.begin_stroke()
            self.drawing, self.mask, self.settings = before.drawing.copy(), before.mask.copy(), before.settings
            self.sampled, self.images, self.captions, self.probabilities = done, made, captions, None
            self._frames = frames
            self.changed.emit()
            self.drawing_changed.emit()
            self.finished.emit()

        def lend(scale: int) -> Path:
            return self._session.files.lend(done.images, done.request, Layout(columns=self.columns, scale=scale))

        shown = lambda: self.sampled is done  # noqa: E731
        self._session.history.add(Result("draw", done.images, shown, back, lend))

    def export(self, path: Path, *, scale: int = 4, labelled: bool = False) -> None:
        """Write what was made of the drawing, or the film of it, in the format that the ending names."""
        done = self.sampled
        if done:
            kind = format_of(path).kind(labelled=labelled)
            layout = Layout(columns=self.columns, scale=scale, kind=kind)
            pictures = film(self._frames, len(done.images))
            self._session.files.write(path, done.images, done.request, layout, pictures, then=self.exported.emit)

    @property
    def columns(self) -> int:
        """Images in a row."""
        return 4 if self.captions else 3

    def _end(self) -> None:
        self._job, self.status = None, ""
        self.busy_changed.emit()


def centred(drawing: Pixels) -> Pixels:
    """A drawing with its centre of mass in the middle, where MNIST's digits have theirs."""
    total = max(int(drawing.sum(dtype=np.int64)), 1)
    middle = [(np.arange(SIDE) * drawing.sum(axis=1 - axis, dtype=np.int64)).sum() / total for axis in (0, 1)]
    return np.roll(drawing, [round((SIDE - 1) / 2 - float(at)) for at in middle], axis=(0, 1))
