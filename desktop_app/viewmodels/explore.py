"""The Explore page without its widgets: an image on its way into noise, and classic questions with their answers."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from PySide6.QtCore import QObject, Signal

from desktop_app.settings import ExploreSettings
from desktop_app.tasks import explore
from desktop_app.tasks.explore import Answered, NoisedImage
from desktop_app.worker.compute_thread import Job, JobEnded
from ml.errors import BadFile
from ml.events import Failed, Pixels, Progress
from ml.export.plot_metadata import OTHER_FILE

if TYPE_CHECKING:
    from desktop_app.viewmodels.session import Session
    from ml.evaluation.forward_process import ForwardProcess
    from ml.experiments.questions import Answer

QUESTIONS = {  # by the name of the experiment
    "schedule": "Linear or cosine?",
    "steps": "How many steps does DDIM need?",
    "eta": "What does eta do?",
    "guidance": "Guidance 1, 3 or 7.5?",
    "chain": "What if T = 20?",
    "clipping": "What does clipping repair?",
    "samplers": "Which sampler, in ten steps?",
    "student": "What does a few-step student lose?",
    "words": "Which digits does CLIP get right?",
}


class Explore(QObject):
    """Observable state of the page. Nothing is computed before the page is first looked at."""

    changed = Signal()  # settings
    noised = Signal()  # an image and what became of it are there
    answered = Signal()
    busy_changed = Signal()

    def __init__(self, session: "Session", settings: ExploreSettings) -> None:
        super().__init__(session)
        self._session = session
        self.settings = settings
        self.noisings: tuple[ForwardProcess, ...] = ()
        self.what = ""  # the image is
        self.question = ""  # the name of the experiment that is being answered, or was
        self.answer: Answer | None = None
        self.figure: Pixels | None = None  # of the answer
        self.progress: Progress | None = None
        self._job: Job | None = None
        self._asked = 0  # how often something was asked
        self._shown: ExploreSettings | None = None

    def change(self, **changes: object) -> None:
        """Change what is put noise on, or how."""
        new = self.settings.with_changes(**changes)
        if new != self.settings:
            self.settings = new
            self.changed.emit()
            self.look()

    def use_picture(self, path: Path | None) -> None:
        """Put noise on a picture of one's own, or on digits again."""
        self.change(picture=path)

    def take_up(self, settings: dict[str, Any]) -> str:
        """Show the schedules that a plot shows; in words. Raises BadFile.

        A picture comes back only where it is the one that is shown here: no file tells which others are opened.
        """
        try:
            wanted = ExploreSettings.model_validate(settings | {"tab": "schedules"})
        except ValidationError as error:
            raise BadFile("The plot tells of schedules that cannot be.", OTHER_FILE) from error
        gone = wanted.picture is not None and wanted.picture != self.settings.picture
        self.change(**wanted.model_dump() | ({"picture": None} if gone else {}))
        said = f"The schedules over {wanted.timesteps:,} steps, drawn again."
        instead = f"They were shown with the picture {wanted.picture}: choose it again, or take the digit."
        return f"{said} {instead}" if gone else said

    def look(self) -> None:
        """Compute what the settings ask for, unless that is what is there."""
        wanted = self.settings.with_changes(tab="forward")  # the tabs show the same images
        if wanted == self._shown or self._session.closing:
            return
        self._shown = wanted
        task = partial(explore.noising, self.settings, self._session.train.data_root)
        self._session.submit(task, partial(self._on_noised, wanted))

    def _on_noised(self, asked: ExploreSettings, event: object) -> None:
        if asked != self._shown:
            return  # the answer to a question that is no longer asked
        if isinstance(event, NoisedImage):
            self.noisings, self.what = event.noisings, event.what
            self.noised.emit()
        elif isinstance(event, Failed) and asked.picture:
            self.change(picture=None)  # a digit again, as the message says

    # ---- questions

    @property
    def busy(self) -> bool:
        """Whether a question is being answered."""
        return self._job is not None

    def ask(self, question: str) -> None:
        """Have an experiment answered, in place of the one that is going on."""
        if self._session.closing:
            return
        self.stop()
        self.question, self.answer, self.figure, self.progress = question, None, None, None
        self._asked += 1
        self._job = self._session.submit(
            partial(explore.experimenting, question), partial(self._on_answer, self._asked)
        )
        self.busy_changed.emit()

    @property
    def doing(self) -> tuple[str, float | None]:
        """How far the answer to a question is."""
        known = self.progress and self.progress.total
        return "Answering a question", self.progress.done / self.progress.total if self.progress and known else None

    def stop(self) -> None:
        """Leave the question unanswered."""
        if self._job:
            self._job.control.cancel()
            self._job = None
            self.question, self.progress = "", None
            self.busy_changed.emit()

    def _on_answer(self, asked: int, event: object) -> None:
        if asked != self._asked or self._job is None:
            return  # the answer to a question that is no longer asked
        if isinstance(event, Progress):
            self.progress = event
            self.busy_changed.emit()
        elif isinstance(event, Answered):
            self.answer, self.figure = event.answer, event.figure
            self.answered.emit()
        elif isinstance(event, JobEnded):
            self._job = None
            self.busy_changed.emit()

    def export(self, path: Path, scale: int = 4) -> None:
        """Write the answer as a labelled figure."""
        if self.answer:
            write = partial(explore.writing_answer, path, self.answer, scale)
            self._session.files.write_by(path, write, self._session.tell_saved)

    def try_out(self, row: int) -> None:
        """Set up the Generate page as a row of the answer was drawn."""
        request = self.answer.rows[row].request if self.answer else None
        if request is not None:
            self._session.generate.take_up(request)
