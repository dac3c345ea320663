"""The Explore page without its widgets: the forward process on an image, and classic questions with their answers."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from PySide6.QtCore import QObject, Signal

from desktop_app.settings import ExploreSettings
from desktop_app.tasks import explore
from desktop_app.tasks.explore import Answered, NoisedImage, RowDone
from desktop_app.viewmodels.context import AppContext
from desktop_app.worker.compute_thread import Job, JobEnded
from ml.errors import BadFile
from ml.events import Failed, Pixels, Progress
from ml.export.plot_metadata import OTHER_FILE

if TYPE_CHECKING:
    from ml.evaluation.forward_process import ForwardProcess
    from ml.experiments.questions import Answer, Row

QUESTIONS = {  # by the name of the experiment
    "schedule": "Linear or cosine?",
    "steps": "How many steps does DDIM need?",
    "eta": "What does eta do?",
    "guidance-wide": "Guidance 1, 3 or 7.5?",
    "chain": "What if T = 20?",
    "clipping": "What does clipping repair?",
    "samplers": "Which sampler, in ten steps?",
    "student": "What does a few-step student lose?",
    "words": "Which digits does CLIP get right?",
}


class Explore(QObject):
    """Observable state of the page. Nothing is computed before the page is first shown."""

    changed = Signal()  # settings
    noised = Signal()  # the noised images have changed
    answered = Signal()
    busy_changed = Signal()
    noising_changed = Signal()
    open_in_generate = Signal(object)  # SampleRequest
    open_file = Signal(object)  # Path of a lesson

    def __init__(self, context: AppContext, settings: ExploreSettings) -> None:
        super().__init__(context)
        self._context = context
        self.settings = settings
        self.noisings: tuple[ForwardProcess, ...] = ()
        self.what = ""  # the image shows
        self.question = ""  # the name of the last experiment
        self.answer: Answer | None = None
        self.figure: Pixels | None = None  # of the answer
        self.rows: list[Row] = []  # of the last experiment, as far as they are done
        self.asked = ""  # the last experiment, even if it was stopped
        self.conclusion = ""  # what the answer shows, in words
        self.progress: Progress | None = None
        self._job: Job | None = None
        self._submitted = 0  # questions so far
        self._shown: ExploreSettings | None = None
        self.noising = False  # whether noise is being added
        self._good: ExploreSettings | None = None  # of the noised images that are shown

    def change(self, **changes: object) -> None:
        """Change the image or the noise."""
        new = self.settings.with_changes(**changes)
        if new != self.settings:
            self.settings = new
            self.changed.emit()
            self.look()

    def use_picture(self, path: Path | None) -> None:
        """Add noise to an image file, or to a digit again."""
        self.change(picture=path)

    def restore(self, settings: dict[str, Any]) -> str:
        """Show the schedules of a plot; returns a message. Raises BadFile.

        A picture is restored only if it is the one shown now: a file must not decide which other files are opened.
        """
        try:
            new = ExploreSettings.model_validate(settings | {"tab": "schedules"})
        except ValidationError as error:
            raise BadFile("The schedules of this plot are invalid.", OTHER_FILE) from error
        gone = new.picture is not None and new.picture != self.settings.picture
        self.change(**new.model_dump() | ({"picture": None} if gone else {}))
        restored = f"The schedules over {new.timesteps:,} steps, drawn again."
        instead = f"Its image was {new.picture}: open it again, or use the digit."
        return f"{restored} {instead}" if gone else restored

    def look(self) -> None:
        """Compute the noised images, unless they are up to date."""
        new = self.settings.with_changes(tab="forward")  # both tabs show the same images
        if new == self._shown or self._context.closing:
            return
        self._shown = new
        task = partial(explore.add_noise, self.settings, self._context.data_root)
        self._context.submit(task, partial(self._on_noised, new))
        self._set_noising(True)

    @property
    def outdated(self) -> bool:
        """Whether the noised images that are shown are of other settings, since theirs could not be computed."""
        return bool(self.noisings) and not self.noising and self._shown != self._good

    def _set_noising(self, noising: bool) -> None:
        self.noising = noising
        self.noising_changed.emit()

    def _on_noised(self, settings: ExploreSettings, event: object) -> None:
        if settings != self._shown:
            return  # of earlier settings
        if isinstance(event, JobEnded):
            self._set_noising(False)
        if isinstance(event, NoisedImage):
            self.noisings, self.what, self._good = event.noisings, event.what, settings
            self.noised.emit()
        elif isinstance(event, Failed) and settings.picture:
            before = self._good.picture if self._good else None
            self.change(picture=before if before != settings.picture else None)  # the message says why

    # ---- questions

    @property
    def busy(self) -> bool:
        """Whether a question is being answered."""
        return self._job is not None

    def ask(self, question: str) -> None:
        """Run an experiment, in place of the running one."""
        if self._context.closing:
            return
        self.stop()
        self.question, self.answer, self.figure, self.progress = question, None, None, None
        self.asked, self.rows, self.conclusion = question, [], ""
        self._submitted += 1
        self._job = self._context.submit(
            partial(explore.answer_question, question),
            partial(self._on_answer, self._submitted),
            title=QUESTIONS.get(question, "Answering a question"),
            stop=self.stop,
        )
        self.busy_changed.emit()

    @property
    def doing(self) -> tuple[str, float | None]:
        """What runs, and the share that is done."""
        known = self.progress and self.progress.total
        return "Answering a question", self.progress.done / self.progress.total if self.progress and known else None

    def stop(self) -> None:
        """Stop the experiment."""
        if self._job:
            self._job.control.cancel()
            self._job = None
            self.question, self.progress = "", None
            self.busy_changed.emit()

    def _on_answer(self, number: int, event: object) -> None:
        if number != self._submitted or self._job is None:
            return  # an event of an experiment that was replaced
        if isinstance(event, Progress):
            self.progress = event
            self.busy_changed.emit()
        elif isinstance(event, RowDone):
            self.rows.append(event.row)
            self.busy_changed.emit()
        elif isinstance(event, Answered):
            self.answer, self.figure, self.conclusion = event.answer, event.figure, event.conclusion
            self.rows = list(event.answer.rows)
            self.answered.emit()
        elif isinstance(event, JobEnded):
            self._job = None
            self.busy_changed.emit()

    def export(self, path: Path, scale: int = 4) -> None:
        """Write the answer as a labelled figure."""
        if self.answer:
            write = partial(explore.write_answer, path, self.answer, scale)
            self._context.files.write_by(path, write, self._context.notify_saved)

    def open_row(self, row: int) -> None:
        """Open a row of the answer on the Generate page."""
        request = self.rows[row].request if row < len(self.rows) else None
        if request is not None:
            self.open_in_generate.emit(request)
