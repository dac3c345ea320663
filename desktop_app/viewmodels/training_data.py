"""The data that the next run is trained on: what is in them, and the images that are shown of them."""

from functools import partial
from typing import Literal

import numpy as np
from PySide6.QtCore import Signal

from desktop_app.tasks import data
from desktop_app.tasks.data import ClassImages, DataChoice, FirstImages, NotHere, NotReadable
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.job_runner import JobRunner
from desktop_app.worker.compute_thread import Job
from ml.data.survey import Survey
from ml.events import Pixels, Progress

ALL = -1  # in place of the index of a class
KEPT = 12  # surveys
State = Literal["waiting", "reading", "here", "not here", "unreadable"]


class TrainingData(JobRunner):
    """Looks at the chosen data once they are shown, behind everything that a person has started."""

    changed = Signal()
    chosen = Signal()  # other data, or another way to read them

    def __init__(self, context: AppContext, choice: DataChoice) -> None:
        super().__init__(context)
        self.choice = choice
        self.survey: Survey | None = None  # of the choice, or of the one before until it is read
        self.progress: Progress | None = None
        self.problem: NotHere | NotReadable | None = None
        self.shown_class = ALL
        self.pictures: Pixels | None = None  # (N, S, S[, 3]) of the class that is shown
        self.labels: tuple[int, ...] = ()  # of the pictures
        self._surveys: dict[DataChoice, Survey] = {}
        self._reading_class: Job | None = None

    @property
    def state(self) -> State:
        """Where the look at the choice stands; "waiting" before it, and while a run uses the processor."""
        if isinstance(self.problem, NotHere):
            return "not here"
        if self.problem:
            return "unreadable"
        if self.choice in self._surveys:
            return "here"
        return "reading" if self.busy else "waiting"

    @property
    def doing(self) -> tuple[str, float | None]:
        progress = self.progress
        if progress is None:
            return "Looking at the data", None
        return progress.what, progress.done / progress.total if progress.total else None

    def choose(self, choice: DataChoice) -> None:
        """Choose data, or how they are read; what is being read for another choice is cancelled."""
        if choice == self.choice:
            return
        other = (choice.name, choice.root) != (self.choice.name, self.choice.root)
        self.stop()
        self.choice, self.problem = choice, None
        if other:
            self.survey, self.shown_class, self.pictures, self.labels = None, ALL, None, ()
        if choice in self._surveys:
            self._show(self._surveys[choice])
        self.changed.emit()
        self.chosen.emit()

    def look(self, *, download: bool = False) -> None:
        """Look at the chosen data, unless that is done; a data set that is not here is downloaded only if told to."""
        if self.busy or self._context.closing or self.state in ("here", "unreadable"):
            return
        if self.state == "not here" and not download:
            return
        self.problem, self.progress = None, None
        self._run(partial(data.survey_data, self.choice, download), background=True)
        self.changed.emit()

    def look_again(self) -> None:
        """Look at data that could not be read, or that may have changed."""
        self.stop()
        self._surveys.pop(self.choice, None)
        self.problem = None
        self.look()

    def show_class(self, label: int) -> None:
        """Show the images of a class, or some of all classes."""
        if self.survey and label != self.shown_class and label < len(self.survey.classes):
            self.shown_class = label
            self._show_pictures(self.survey)
            self.changed.emit()

    def _show(self, survey: Survey) -> None:
        if self.survey is None or self.shown_class >= len(survey.classes):
            self.shown_class = ALL
        self.survey = survey
        self._show_pictures(survey)

    def _show_pictures(self, survey: Survey) -> None:
        """Show those images that the survey has at once, and read more of a class."""
        if self._reading_class:
            self._reading_class.control.cancel()
            self._reading_class = None
        label, images = self.shown_class, survey.thumbnails
        self.labels = survey.thumbnail_labels
        if label != ALL:
            images = images[np.array(self.labels, int) == label]
            self.labels = (label,) * len(images)
            self._read_class(label)
        self.pictures = images[..., 0] if survey.channels == 1 else images

    def _read_class(self, label: int) -> None:
        if self.choice in self._surveys and not self._context.closing:
            task = partial(data.class_images, self.choice, label)
            self._reading_class = job = self._context.submit(task, lambda event: self._on_class(job, event))

    def _on_class(self, job: Job, event: object) -> None:
        if job is self._reading_class and isinstance(event, ClassImages):
            self.pictures, self.labels = event.images, (event.label,) * len(event.images)
            self.changed.emit()

    def _on_result(self, event: object) -> None:
        match event:
            case Progress():
                self.progress = event
            case FirstImages():
                self._show(event.survey)
            case Survey():
                self._surveys[self.choice] = event
                if len(self._surveys) > KEPT:
                    del self._surveys[next(iter(self._surveys))]
                self._show(event)
            case NotHere() | NotReadable():
                self.problem, self.survey, self.pictures, self.labels = event, None, None, ()
            case _:
                return
        self.changed.emit()

    def _end(self) -> None:
        super()._end()
        self.changed.emit()
