"""Opening files: what Noiseloom wrote is generated again on its page and compared with the file."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop_app import lesson_file, project_file
from desktop_app.lesson_file import Lesson
from desktop_app.tasks.draw import OpenedImage
from desktop_app.tasks.explore import verify_answer
from desktop_app.tasks.files import ReadFile, ReadPlot, read_file, verify_figure, verify_images
from desktop_app.text.display_names import data_title
from desktop_app.viewmodels.compare import Compare
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.draw import Draw
from desktop_app.viewmodels.explore import QUESTIONS, Explore
from desktop_app.viewmodels.generate import Generate
from desktop_app.viewmodels.interpolate import Interpolate
from desktop_app.viewmodels.lessons import Lessons
from desktop_app.viewmodels.models import Models
from desktop_app.viewmodels.notification import Message
from desktop_app.viewmodels.train import Train
from ml.config import SampleRequest
from ml.data.archive import is_archive
from ml.errors import BadFile
from ml.events import Sampled
from ml.experiments.comparison_figure import prove_race
from ml.export.verify import Proof
from ml.specs import IMAGE_FOLDER, PIPELINE_INDEX


@dataclass(frozen=True, slots=True)
class _Restoring:
    """An opened file, and the request that a page is drawing for it."""

    read: ReadFile
    request: SampleRequest
    page: str


class FileOpener(QObject):
    """Opens one file at a time, on the page that it belongs to."""

    opened = Signal(str)  # the page that shows the file
    project = Signal(object)  # Path of a project

    def __init__(
        self,
        context: AppContext,
        *,
        generate: Generate,
        draw: Draw,
        interpolate: Interpolate,
        compare: Compare,
        explore: Explore,
        train: Train,
        models: Models,
        lessons: Lessons,
    ) -> None:
        super().__init__(context)
        self._context = context
        self._generate, self._draw, self._interpolate = generate, draw, interpolate
        self._compare, self._explore, self._train, self._lessons = compare, explore, train, lessons
        self._models = models
        self._restoring: _Restoring | None = None
        generate.finished.connect(lambda: self._on_drawn("generate", generate.sampled))
        generate.begun.connect(self._on_begun)
        draw.finished.connect(lambda: self._on_drawn("draw", draw.sampled))
        compare.busy_changed.connect(self._on_compared)
        interpolate.sampled.connect(partial(self._on_drawn, "interpolate"))

    def open(self, path: Path, *, as_drawing: bool = False) -> None:
        """Restore the settings and images of a file; with `as_drawing`, use any other image as a drawing.

        The images of a folder are what the next run is trained on; a diffusers pipeline is imported.
        """
        if self._context.closing:
            return
        if is_pipeline(path):
            self.opened.emit("models")
            self._models.import_file(path)
        elif path.is_dir() or is_archive(path):
            self._open_folder(path)
        elif path.suffix.lower() == project_file.SUFFIX:
            self.project.emit(path)
        elif path.suffix.lower() == lesson_file.SUFFIX:
            self._context.files.run(partial(lesson_file.reading, path), self._on_lesson, f"Reading {path.name}")
        else:
            self._context.files.run(partial(read_file, path, as_drawing), self._on_read, f"Reading {path.name}")

    def reopen(self, path: Path) -> None:
        """Show a result of an earlier session with its settings."""
        if not self._context.closing:
            self._context.files.run(partial(read_file, path, False), self._on_reopened, "Opening a result")

    def _on_reopened(self, event: object) -> None:
        if not isinstance(event, ReadFile):
            return
        request, columns = event.stamp.request, event.stamp.layout.columns
        elsewhere = request.source or request.corners or (request.parent and request.parent.corners)
        if elsewhere or event.stamp.comparison or event.stamp.race:
            self._restore(event)
        else:
            self._generate.show_kept(request, columns, event.pixels)
            self.opened.emit("generate")
        self._restoring = None  # it is not compared with the file

    def _open_folder(self, folder: Path) -> None:
        """Choose the images of a folder or an archive on the Train page."""
        self._train.change(data=f"{IMAGE_FOLDER}{folder}")
        self.opened.emit("train")
        if self._train.active:
            title = f"Chosen for the next run: {data_title(self._train.settings.data)}"
            self._context.notify(Message("info", title, "The current run keeps its own data."))

    def _on_lesson(self, event: object) -> None:
        if isinstance(event, Lesson):
            self._lessons.begin(event)

    def _on_read(self, event: object) -> None:
        if isinstance(event, OpenedImage):
            self._draw.take(event.image)
            self.opened.emit("draw")
        elif isinstance(event, ReadPlot):
            self._restore_plot(event)
        elif isinstance(event, ReadFile):
            self._restore(event)

    def _restore_plot(self, plot: ReadPlot) -> None:
        """Show the page of a plot, with the settings it was made with."""
        metadata, name = plot.metadata, plot.path.name
        if metadata.schedules is not None:
            try:
                what = self._explore.restore(metadata.schedules)
            except BadFile as error:
                self._context.notify_failed(error)
                return
            self.opened.emit("explore")
        elif metadata.runs:
            self.opened.emit("train")
            what = self._train.restore(metadata.runs, by_noise=metadata.by_noise)
        else:
            what = "Its run was deleted before the plot was saved."
            self._context.notify(Message("warning", f"{name} is a Noiseloom plot without its settings", what))
            return
        if plot.proof.same:
            self._context.notify(Message("success", f"Restored {name}", f"{what} The file has {plot.proof.words}."))
        else:
            what = f"The file has {plot.proof.words}. {plot.proof.why} {what}"
            self._context.notify(Message("warning", f"Restored {name}, but it is not the same", what))

    def _restore(self, read: ReadFile) -> None:
        """Draw the request of a file on its own page, or on the Generate page where its own lacks the settings."""
        stamp = read.stamp
        if stamp.comparison:
            self._restore_figure(read)
        elif stamp.race:
            self._compare.race.restore(stamp.race)
            self.opened.emit("compare")
            self._on_proof(_Restoring(read, stamp.request, "compare"), prove_race(stamp, read.pixels))
        elif stamp.experiment:
            self._restore_answer(read)
        elif self._draw.restore(stamp.request):
            self._restoring = _Restoring(read, stamp.request, "draw")
            self.opened.emit("draw")
            self._draw.make()
        elif self._interpolate.restore(stamp.request):
            self._restoring = _Restoring(read, stamp.request, "interpolate")
            self.opened.emit("interpolate")
            for drawn in (self._interpolate.shown, self._interpolate.loop):
                self._on_drawn("interpolate", drawn)
        else:
            columns = 10 if stamp.layout.kind == "walk" else stamp.layout.columns
            self._restoring = None
            self._restoring = _Restoring(read, self._generate.restore(stamp.request, columns), "generate")
            self.opened.emit("generate")

    def _restore_figure(self, read: ReadFile) -> None:
        """Repeat the comparison of a figure if the Compare page has its settings, then verify the figure."""
        self._restoring = _Restoring(read, read.stamp.request, "compare")
        try:
            repeated = self._compare.restore(read.stamp)
        except BadFile as error:
            self._restoring = None
            self._context.notify_failed(error)
            return
        self.opened.emit("compare")
        if not repeated:
            self._on_compared()

    def _restore_answer(self, read: ReadFile) -> None:
        """Repeat the question of a figure, and verify the figure apart, since the page draws from its own noise."""
        restoring = _Restoring(read, read.stamp.request, "explore")
        if read.stamp.experiment in QUESTIONS:
            self._explore.change(tab="questions")
            self._explore.ask(read.stamp.experiment)
            self.opened.emit("explore")
        title = f"Comparing {read.path.name}"
        self._context.files.run(partial(verify_answer, read), partial(self._on_proof, restoring), title)

    def _on_compared(self) -> None:
        """Verify a figure once its comparison has ended."""
        restoring = self._restoring
        if restoring and restoring.page == "compare" and not self._compare.busy:
            self._restoring = None
            task = partial(verify_figure, restoring.read, tuple(self._compare.cells))
            title = f"Comparing {restoring.read.path.name}"
            self._context.submit(task, partial(self._on_proof, restoring), title=title)

    def _on_begun(self) -> None:
        """Cancel the verification if something else is drawn."""
        restoring = self._restoring
        if restoring and restoring.page == "generate" and self._generate.request is not restoring.request:
            self._restoring = None

    def _on_drawn(self, page: str, sampled: Sampled | None) -> None:
        """Verify a file once its page has drawn its request."""
        restoring = self._restoring
        if sampled is None or restoring is None or restoring.page != page:
            return
        if sampled.request.unhashed != restoring.request.unhashed:
            return
        self._restoring = None
        total = len(restoring.read.stamp.request.labels)
        if len(sampled.images) < total:
            what = f"Its first {len(sampled.images)} of {total:,} images are shown, as many as this page holds."
            self._context.notify(Message("info", f"Restored {restoring.read.path.name}", what))
            return
        task = partial(verify_images, restoring.read, sampled.images)
        title = f"Comparing {restoring.read.path.name}"
        self._context.submit(task, partial(self._on_proof, restoring), title=title)

    def _on_proof(self, restoring: _Restoring, event: object) -> None:
        read, name = restoring.read, restoring.read.path.name
        if isinstance(event, Proof) and event.same:
            more = elsewhere(read.stamp.request) if restoring.page == "generate" else ""
            how = "The race starts again; the file has" if read.stamp.race else "Drawn again from its request, it has"
            self._context.notify(Message("success", f"Restored {name}", f"{how} {event.words}.{more}"))
        elif isinstance(event, Proof):
            how = "The file has" if read.stamp.race else "Drawn again, it has"
            what = f"{how} {event.words}. {event.why or 'The file or the machine has changed.'}"
            self._context.notify(Message("warning", f"Restored {name}, but it is not the same", what))


def is_pipeline(path: Path) -> bool:
    """Whether a path is the folder of a diffusers pipeline, or its index."""
    return path.name == PIPELINE_INDEX or os.path.isfile(path / PIPELINE_INDEX)  # False for any path


def elsewhere(request: SampleRequest) -> str:
    """Where the settings are that the Generate page lacks."""
    if request.source:
        return " Its source image is on the Draw page."
    if request.parent:
        return " It is a branch, which these settings can't express."
    return " It lies between corners, as on the Interpolate page." if request.corners else ""
