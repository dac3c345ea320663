"""The Draw page without its widgets: a drawing, what a diffusion model generates from it, and its recognition."""

import time
from collections import deque
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PySide6.QtCore import QObject, Signal

from desktop_app.settings import DrawSettings
from desktop_app.tasks import draw, sampling
from desktop_app.tasks.draw import OpenedImage, Recognised
from desktop_app.text.subject import Subject
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.history import Result
from desktop_app.viewmodels.own_set import OwnSet
from desktop_app.viewmodels.undo import TOGETHER_S
from desktop_app.worker.compute_thread import Job, JobEnded, Work
from ml.config import DRAWING_SIDE, NO_LABEL, SampleRequest
from ml.errors import BadRequest
from ml.events import Frame, Pixels, Progress, Sampled
from ml.export import files
from ml.export.formats import format_of
from ml.export.metadata import Layout
from ml.generation.requests import rebuilt, redrawn
from ml.imaging.embedded_png import pixels_of
from ml.imaging.pixels import film

COUNT = 9
MAX_REBUILT = 99  # classes, as many as a request has corners beside the reconstruction
UNDO_STEPS = 50


Part = Literal["drawing", "results", "recognition"]  # of the page


class Past(NamedTuple):
    """The state that a step of undo restores."""

    drawing: Pixels
    mask: Pixels
    settings: DrawSettings


class Draw(QObject):
    """Observable state of the page; a new job replaces the running one."""

    changed = Signal()  # settings
    drawing_changed = Signal()  # the drawing, or what of it is marked
    finished = Signal()  # new images
    recognised = Signal()
    busy_changed = Signal()
    exported = Signal(object)  # Path

    def __init__(self, context: AppContext, settings: DrawSettings) -> None:
        super().__init__(context)
        self._context = context
        self.settings = settings
        self.own_set = OwnSet(context, self)
        self.own_set.added.connect(self.clear)
        self.drawing: Pixels = np.zeros((DRAWING_SIDE, DRAWING_SIDE), np.uint8)
        self.mask: Pixels = np.zeros((DRAWING_SIDE, DRAWING_SIDE), np.uint8)  # white: to be completed
        self.sampled: Sampled | None = None  # the last result ...
        self.images: Pixels | None = None  # ... and its images as shown
        self.captions: tuple[str, ...] = ()
        self.probabilities: np.ndarray | None = None
        self.status = ""
        self.waits_on: Part | None = None  # what the job in progress computes
        self._asked: Past | None = None  # the drawing and the settings of the last job ...
        self._made: Past | None = None  # ... and of the result
        self._frames: list[Frame] = []  # of the result ...
        self._coming: list[Frame] = []  # ... and of the job in progress
        self._past: deque[Past] = deque(maxlen=UNDO_STEPS)
        self._changed_at = 0.0  # on the clock of time.monotonic
        self._job: Job | None = None
        self._submitted = 0  # jobs so far

    def change(self, **changes: object) -> None:
        """Change settings; changes in quick succession, as by a slider, are one step of undo."""
        new = self.settings.with_changes(**changes)
        if new != self.settings:
            now = time.monotonic()
            if now - self._changed_at > TOGETHER_S:
                self.begin_stroke()
            self._changed_at = now
            if new.model != self.settings.model:
                self.probabilities = None  # of other classes
            self.settings = new
            self.changed.emit()

    # ---- the model

    @property
    def models(self) -> list[str]:
        """The models that can begin with a drawing."""
        cards = self._context.drawing_models
        return [card.name for card in cards if self._context.takes_drawings(card.name) and not card.header.model.reader]

    def use_model(self, name: str) -> None:
        """Draw with another model; of other classes, any."""
        same = self._context.subject(name).classes == self.subject.classes
        self.change(model=name, label=self.settings.label if same else NO_LABEL)

    def replace_model(self, old: str, new: str) -> None:
        """Use another model if the old one is chosen."""
        if self.settings.model == old:
            self.use_model(new)

    @property
    def subject(self) -> Subject:
        """What the model draws, in words."""
        return self._context.subject(self.settings.model)

    @property
    def can_recognise(self) -> bool:
        """Whether the model has classes to tell apart."""
        return len(self.subject.classes) > 1

    # ---- the drawing

    @property
    def empty(self) -> bool:
        return not self.drawing.any()

    def begin_stroke(self) -> None:
        """Begin a step of undo."""
        self._past.append(self._now())

    def dab(self, x: float, y: float, *, marking: bool = False, erase: bool = False) -> None:
        """Apply the soft pen at pixel coordinates (x, y); with `marking`, to the mask of what is to be completed."""
        rows, columns = np.mgrid[0:DRAWING_SIDE, 0:DRAWING_SIDE]
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
        self.mask[DRAWING_SIDE // 2 :] = 255
        self.drawing_changed.emit()

    def take(self, drawing: Pixels) -> None:
        """Replace the drawing, (28, 28), with nothing marked."""
        self.begin_stroke()
        self.drawing, self.mask, self.probabilities = drawing.copy(), np.zeros_like(self.mask), None
        self.drawing_changed.emit()

    def take_generated(self, image: Pixels, model: str) -> None:
        """Use a generated image as the drawing, and if it shows something else, its model."""
        if model in self.models and self._context.subject(model) != self.subject:
            self.use_model(model)
        self.take(image)

    def take_result(self, index: int) -> None:
        """Use one of the results as the drawing."""
        if self.images is not None and index < len(self.images):
            self.take(self.images[index])

    def restore(self, request: SampleRequest) -> bool:
        """Take over the drawing and the settings of a request; returns whether the page then makes exactly it.

        A drawing that cannot be read is left out.
        """
        before = request.parent.corners if request.parent else ()
        source = request.source or (before[0].picture if len(before) == 1 else "")
        if not source:
            return False
        with suppress(BadRequest):
            self.take(pixels_of(source, 1, DRAWING_SIDE))
            if request.mask:
                self.mask = pixels_of(request.mask, 1, DRAWING_SIDE)
            task = "rebuild" if request.parent else "complete" if request.mask else "vary"
            if request.model in self.models:
                self.use_model(request.model)
            classes = len(self.subject.classes)
            known = {"label": request.labels[0]} if request.source and request.labels[0] < classes else {}
            noise = {"vary_from": min(request.vary_from, 40)} if request.vary_from else {}
            self.change(task=task, **known, **noise)
            self.drawing_changed.emit()
        own = self.request()
        return own is not None and own == request.unhashed

    def clear(self) -> None:
        self.take(np.zeros((DRAWING_SIDE, DRAWING_SIDE), np.uint8))

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    def undo(self) -> None:
        """Undo the last stroke or change of settings."""
        if self._past:
            self._changed_at = 0.0
            self.drawing, self.mask, self.settings = self._past.pop()
            self.probabilities = None
            self.changed.emit()
            self.drawing_changed.emit()

    def forget_past(self) -> None:
        """Forget all changes so far: a lesson has begun or ended."""
        self._past.clear()

    def load(self, path: Path) -> None:
        """Use an image file as the drawing."""
        self._submit(partial(draw.open_image, path), "Opening the image", "drawing")

    def example(self, digit: int, number: int) -> None:
        """Use a digit of MNIST as the drawing, or a synthetic one where MNIST is not at hand."""
        task = partial(draw.load_example, digit, number, self._context.data_root)
        self._submit(task, "Loading a digit", "drawing")

    # ---- jobs

    @property
    def busy(self) -> bool:
        return self._job is not None

    def request(self) -> SampleRequest | None:
        """The request that the settings make; None without a drawing, or without a mask where one is needed."""
        card = self._context.card(self.settings.model)
        completing = self.settings.task == "complete"
        if card is None or self.empty or (completing and not self.mask.any()):
            return None
        settings, defaults, classes = self.settings, card.header.defaults, len(self.subject.classes)
        if settings.task == "rebuild":
            return rebuilt(card.name, defaults, self.drawing, min(classes, MAX_REBUILT))
        label = settings.label if settings.label < classes else NO_LABEL
        mask = self.mask if completing else None
        return redrawn(card.name, defaults, self.drawing, (label,) * COUNT, mask, settings.vary_from)

    def make(self) -> None:
        """Vary, complete or rebuild the drawing."""
        request = self.request()
        if request is not None:
            self._asked = self._now()
            self._submit(partial(sampling.sample, request, frames=True), "Drawing", "results")

    def _now(self) -> Past:
        return Past(self.drawing.copy(), self.mask.copy(), self.settings)

    @property
    def outdated(self) -> bool:
        """Whether the result that is shown is of another drawing or other settings."""
        made, now = self._made, self.settings
        if self.sampled is None or made is None or self.waits_on == "results":
            return False
        unused = {"pen", *(("label", "vary_from") if now.task == "rebuild" else ())}
        same = made.settings.model_dump(exclude=unused) == now.model_dump(exclude=unused)
        masked = now.task == "complete" and not np.array_equal(made.mask, self.mask)
        return not same or masked or not np.array_equal(made.drawing, self.drawing)

    def recognise(self) -> None:
        """Classify the drawing with the diffusion model."""
        if not self.empty and self.can_recognise:
            task = partial(draw.recognise, centred(self.drawing), self.settings.model)
            self._submit(task, "Comparing every class", "recognition")

    @property
    def doing(self) -> tuple[str, float | None]:
        """What runs, and the share of a drawing's steps that is done."""
        return self.status, self._coming[-1].step / self._coming[-1].steps if self._coming else None

    def stop(self) -> None:
        if self._job:
            self._job.control.cancel()
            self._end()

    def _submit(self, task: Work, status: str, part: Part) -> None:
        if self._context.closing:
            return
        if self._job:
            self._job.control.cancel()
        self.status, self.waits_on, self._coming = status, part, []
        self._submitted += 1
        self._job = self._context.submit(task, partial(self._on_event, self._submitted), title=status, stop=self.stop)
        self.busy_changed.emit()

    def _on_event(self, number: int, event: object) -> None:
        if number != self._submitted or self._job is None:
            return  # an event of a job that was replaced
        if isinstance(event, Progress) and event.total:
            self.status = f"{event.what} {event.done} of {event.total}"
            self.busy_changed.emit()
        elif isinstance(event, Frame):
            self._coming.append(event)
            self.busy_changed.emit()  # `doing` has changed
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
        self._made = self._asked
        if done.request.parent:
            self.images = np.concatenate([self._frames[0].x_t[:1], done.images])
            subject, labels = self._context.subject(done.request.model), range(len(done.images) - 1)
            self.captions = ("its noise", "and back", *subject.names(labels))
        self._keep(done)
        self.finished.emit()

    def _keep(self, done: Sampled) -> None:
        """Add the result to the history."""
        images, captions, frames = self.images, self.captions, self._frames
        before = self._made or self._now()

        def restore() -> None:
            self.stop()
            self.begin_stroke()
            self.drawing, self.mask, self.settings = before.drawing.copy(), before.mask.copy(), before.settings
            self.sampled, self.images, self.captions, self.probabilities = done, images, captions, None
            self._frames, self._made = frames, before
            self.changed.emit()
            self.drawing_changed.emit()
            self.finished.emit()

        columns = self.columns

        def write(path: Path, scale: int) -> None:
            files.save(path, done.images, done.request, Layout(columns=columns, scale=scale))

        is_shown = lambda: self.sampled is done  # noqa: E731
        self._context.history.add(Result("draw", done.images, is_shown, restore, write))

    def export(self, path: Path, *, scale: int = 4, labelled: bool = False) -> None:
        """Write the result, or the animation of it, in the format that the suffix names."""
        done = self.sampled
        if done:
            kind = format_of(path).kind(labelled=labelled)
            layout = Layout(columns=self.columns, scale=scale, kind=kind)
            if kind == "sheet":
                layout = layout.with_changes(classes=self._context.subject(done.request.model).caption_names)
            pictures = film(self._frames, len(done.images))
            self._context.files.write(path, done.images, done.request, layout, pictures, then=self.exported.emit)

    @property
    def columns(self) -> int:
        """Images in a row."""
        return 4 if self.captions else 3

    def _end(self) -> None:
        self._job, self.status, self.waits_on = None, "", None
        self.busy_changed.emit()


def centred(drawing: Pixels) -> Pixels:
    """A drawing with its centre of mass in the middle, where MNIST's digits have theirs."""
    total = max(int(drawing.sum(dtype=np.int64)), 1)
    middle = [(np.arange(DRAWING_SIDE) * drawing.sum(axis=1 - axis, dtype=np.int64)).sum() / total for axis in (0, 1)]
    return np.roll(drawing, [round((DRAWING_SIDE - 1) / 2 - float(at)) for at in middle], axis=(0, 1))
