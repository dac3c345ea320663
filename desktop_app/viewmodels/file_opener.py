"""Files without their widgets: what is being written, and what a file that was dropped or opened brings back."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop_app import lesson_file
from desktop_app.tasks.draw import OpenedImage
from desktop_app.tasks.explore import proving_answer
from desktop_app.tasks.files import Exported, ReadFile, ReadPlot, exporting, proving, proving_figure, restoring
from desktop_app.viewmodels.explore import QUESTIONS
from desktop_app.viewmodels.notification import Message
from desktop_app.worker.compute_thread import Job, JobEnded, Work
from ml.config import SampleRequest
from ml.errors import BadFile
from ml.events import Pixels, Progress, Sampled
from ml.experiments.comparison_figure import prove_race
from ml.export import files
from ml.export.metadata import Layout, Watch
from ml.export.verify import Proof
from ml.system.files import free_name

if TYPE_CHECKING:
    from desktop_app.viewmodels.session import Session

Then = Callable[[Path], object]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file that was opened, and the request for what it shows that a page is drawing."""

    read: ReadFile
    request: SampleRequest
    page: str


class Files(QObject):
    """Writes any number of files, one after another, and opens one at a time."""

    busy_changed = Signal()
    opened = Signal(str)  # the page that shows what the file brought

    def __init__(self, session: "Session") -> None:
        super().__init__(session)
        self._session = session
        self._jobs: list[Job] = []
        self._progress: Progress | None = None
        self._wanted: _Wanted | None = None
        self._lent: Path | None = None
        session.generate.finished.connect(lambda: self._arrived("generate", session.generate.sampled))
        session.generate.begun.connect(self._begun)
        session.draw.finished.connect(lambda: self._arrived("draw", session.draw.sampled))
        session.compare.busy_changed.connect(self._compared)
        session.interpolate.sampled.connect(partial(self._arrived, "interpolate"))

    # ---- writing

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
        """Write the format that the path's suffix names; `then` is called once it is whole."""
        self.write_by(path, partial(files.save, path, images, request, layout, film), then)

    def write_digits(self, folder: Path, images: Pixels, request: SampleRequest, scale: int, *, then: Then) -> None:
        """Write one PNG per image into a folder."""
        self.write_by(folder, partial(files.save_digits, folder, images, request, scale), then)

    def lend(self, images: Pixels, request: SampleRequest, layout: Layout) -> Path:
        """A PNG to be dragged out of the window, in a folder that goes away with the program."""
        return self.lend_by(str(request.seed), partial(files.save, images=images, request=request, layout=layout))

    def lend_by(self, name: str, write: Callable[[Path], object]) -> Path:
        """The same, of what `write` makes."""
        if self._lent is None:
            self._lent = Path(tempfile.mkdtemp(prefix="noiseloom-"))
            atexit.register(shutil.rmtree, self._lent, ignore_errors=True)
        path = free_name(self._lent / f"noiseloom-{name}.png")
        write(path)
        return path

    def write_by(self, path: Path, write: Callable[[Watch], object], then: Then) -> None:
        """Have `write` make the file; `then` is called once it is whole."""
        if not self._session.closing:
            self._follow(partial(exporting, path, write), partial(self._on_written, then))

    def _follow(self, task: Work, handler: Callable[[object], None]) -> None:
        def on_event(event: object) -> None:
            if isinstance(event, Progress):
                self._progress = event
            elif isinstance(event, JobEnded):
                self._jobs.remove(job)
                self._progress = None
            handler(event)
            self.busy_changed.emit()

        job = self._session.submit(task, on_event)
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
        """What is being written or read, and how far that is."""
        at = self._progress
        return (at.what, at.done / at.total if at.total else None) if at else ("Writing a file", None)

    def stop(self) -> None:
        """Stop writing; what is not whole goes away."""
        for job in self._jobs:
            job.control.cancel()

    # ---- opening

    def open(self, path: Path, *, as_drawing: bool = False) -> None:
        """Bring back what a file of ours holds, settings and images; with `as_drawing`, draw on any other picture."""
        if self._session.closing:
            return
        if path.suffix.lower() == lesson_file.SUFFIX:
            self._follow(partial(lesson_file.reading, path), self._session.lessons.on_read)
        else:
            self._follow(partial(restoring, path, as_drawing), self._on_read)

    def _on_read(self, event: object) -> None:
        if isinstance(event, OpenedImage):
            self._session.draw.take(event.image)
            self.opened.emit("draw")
        elif isinstance(event, ReadPlot):
            self._restore_plot(event)
        elif isinstance(event, ReadFile):
            self._restore(event)

    def _restore_plot(self, plot: ReadPlot) -> None:
        """Go back to the page of a plot, with the settings of what it shows."""
        told, name, train = plot.told, plot.path.name, self._session.train
        if told.schedules is not None:
            try:
                what = self._session.explore.take_up(told.schedules)
            except BadFile as error:
                self._session.tell_failed(error)
                return
            self.opened.emit("explore")
        elif told.runs:
            self.opened.emit("train")
            what = train.take_up(told.runs, by_noise=told.by_noise)
        else:
            what = "It does not say of which run: that was thrown away before the plot was saved."
            self._session.tell(Message("warning", f"{name} is a plot of ours, without its settings", what))
            return
        if plot.proof.same:
            self._session.tell(Message("success", f"Restored {name}", f"{what} The file has {plot.proof.words}."))
        else:
            what = f"The file has {plot.proof.words}. {plot.proof.why} {what}"
            self._session.tell(Message("warning", f"Restored {name}, but it is not the same", what))

    def _restore(self, read: ReadFile) -> None:
        """Draw what a file asks for: on its own page, or where that cannot say all of it, on the Generate page."""
        session, stamp = self._session, read.stamp
        if stamp.comparison:
            self._restore_figure(read)
        elif stamp.race:
            session.race.take_up(stamp.race)
            self.opened.emit("compare")
            self._tell(_Wanted(read, stamp.request, "compare"), prove_race(stamp, read.pixels))
        elif stamp.experiment:
            self._restore_answer(read)
        elif session.draw.take_up(stamp.request):
            self._wanted = _Wanted(read, stamp.request, "draw")
            self.opened.emit("draw")
            session.draw.make()
        elif session.interpolate.take_up(stamp.request):
            self._wanted = _Wanted(read, stamp.request, "interpolate")
            self.opened.emit("interpolate")
            for drawn in (session.interpolate.shown, session.interpolate.loop):
                self._arrived("interpolate", drawn)
        else:
            columns = 10 if stamp.layout.kind == "walk" else stamp.layout.columns
            self._wanted = None
            self._wanted = _Wanted(read, session.generate.restore(stamp.request, columns), "generate")
            self.opened.emit("generate")

    def _restore_figure(self, read: ReadFile) -> None:
        """Compare again what a figure shows, as far as the Compare page can say it, and see whether it is the same."""
        session = self._session
        self._wanted = _Wanted(read, read.stamp.request, "compare")
        try:
            again = session.compare.take_up_figure(read.stamp)
        except BadFile as error:
            self._wanted = None
            session.tell_failed(error)
            return
        self.opened.emit("compare")
        if not again:
            self._compared()

    def _restore_answer(self, read: ReadFile) -> None:
        """Ask again what a figure answers; the page answers from a noise of its own, so a figure's is drawn apart."""
        wanted, explore = _Wanted(read, read.stamp.request, "explore"), self._session.explore
        if read.stamp.experiment in QUESTIONS:
            explore.change(tab="questions")
            explore.ask(read.stamp.experiment)
            self.opened.emit("explore")
        self._follow(partial(proving_answer, read), partial(self._tell, wanted))

    def _compared(self) -> None:
        """A comparison has come to its end."""
        wanted, compare = self._wanted, self._session.compare
        if wanted and wanted.page == "compare" and not compare.busy:
            self._wanted = None
            task = partial(proving_figure, wanted.read, tuple(compare.cells))
            self._session.submit(task, partial(self._tell, wanted))

    def _begun(self) -> None:
        """Something else is drawn: whether the file's images come out the same is not asked any more."""
        wanted = self._wanted
        if wanted and wanted.page == "generate" and self._session.generate.request is not wanted.request:
            self._wanted = None

    def _arrived(self, page: str, sampled: Sampled | None) -> None:
        """A page has drawn something: if it is what the file asks for, see whether it is the same."""
        wanted = self._wanted
        if sampled is None or wanted is None or wanted.page != page:
            return
        if sampled.request.unhashed != wanted.request.unhashed:
            return
        self._wanted = None
        total = len(wanted.read.stamp.request.labels)
        if len(sampled.images) < total:
            what = f"Its first {len(sampled.images)} of {total:,} images are shown, as many as this page holds."
            self._session.tell(Message("info", f"Restored {wanted.read.path.name}", what))
            return
        self._session.submit(partial(proving, wanted.read, sampled.images), partial(self._tell, wanted))

    def _tell(self, wanted: _Wanted, event: object) -> None:
        read, name = wanted.read, wanted.read.path.name
        if isinstance(event, Proof) and event.same:
            more = elsewhere(read.stamp.request) if wanted.page == "generate" else ""
            how = "The race starts again; the file has" if read.stamp.race else "Drawn again from its request, it has"
            what = f"{how} {event.words}.{more}"
            self._session.tell(Message("success", f"Restored {name}", what))
        elif isinstance(event, Proof):
            how = "The file has" if read.stamp.race else "Drawn again, it has"
            what = f"{how} {event.words}. {event.why or 'The file or the machine has changed.'}"
            self._session.tell(Message("warning", f"Restored {name}, but it is not the same", what))


def elsewhere(request: SampleRequest) -> str:
    """Where the settings are that the Generate page does not have."""
    if request.source:
        return " The drawing it began with is on the Draw page."
    if request.parent:
        return " It is a branch, which the settings here cannot say."
    return " It lies between corners, as on the Interpolate page." if request.corners else ""
