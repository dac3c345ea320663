"""What every view-model works with: jobs, the models, notifications, history, file writing and the data folder."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop_app.settings import LessonProgress
from desktop_app.tasks import startup
from desktop_app.tasks.startup import Ready
from desktop_app.text.display_names import model_line, model_title, run_title
from desktop_app.text.subject import Subject, subject_of
from desktop_app.viewmodels.file_writer import FileWriter
from desktop_app.viewmodels.history import History
from desktop_app.viewmodels.notification import Message, Messages
from desktop_app.worker.compute_thread import Job, JobEnded, Work, failure
from desktop_app.worker.engine import Engine, Handler
from ml.config import DRAWING_SIDE
from ml.events import Failed, Progress
from ml.experiments.axes import Value, format_value
from ml.registry import judges
from ml.specs import DRAWING

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard

QUIET_S = 1.0  # without a new job: dragging a slider submits several a second
Remedies = dict[str, tuple[tuple[str, str], ...]]
Stop = Callable[[], object]
REMEDIES: Remedies = {
    "data": (("choose-data", "Choose a folder…"), ("use-synthetic", "Use synthetic digits")),
    "changed-data": (("resume-changed", "Resume with the images as they are now"),),
    "diverged": (("slower", "Restart with a lower learning rate"),),
}
EXPORT_REMEDIES: Remedies = {"write": (("export", "Export elsewhere…"),)}


class AppContext(QObject):
    """Shared state and services of the application. Every signal is emitted in the thread that made the context."""

    ready = Signal()  # device and models are known, or have changed
    found = Signal(object)  # Ready: what `refresh` found, before `ready`
    message = Signal(object)  # Message
    status_changed = Signal()
    queue_changed = Signal()  # what runs or waits
    data_root_changed = Signal()
    lesson_progress_changed = Signal()
    closed = Signal()  # all work has ended

    def __init__(self, engine: Engine, data_root: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.engine = engine
        self.device = ""
        self.on_gpu = False
        self.models: tuple[ModelCard, ...] = ()
        self.past_models: tuple[str, ...] = ()  # RUN@STEP: earlier checkpoints of runs
        self.external_runs: list[Path] = []  # folders of runs outside of the person's folder
        self.data_root = data_root  # None: where downloads are kept
        self.lesson_progress: dict[str, LessonProgress] = {}  # by a lesson's key, the latest last
        self.status = ""  # work in progress that belongs to no page
        self.closing = False
        self.page = ""  # the page in front
        self.messages = Messages(self)
        self.history = History(self, self)
        self.files = FileWriter(self, self)
        self._jobs: dict[Job, Stop | None] = {}  # that have not ended, in the order of their submission
        self._judged: dict[str, bool] = {}  # by model: whether there is a judge of what it draws
        self._of_job: str | None = None  # the page from which the job was started whose event is handled
        self._submitted_at = 0.0  # on the clock of time.monotonic
        engine.finished.connect(self.closed)

    # ---- jobs

    def submit(
        self,
        task: Work,
        handler: Handler,
        *,
        background: bool = False,
        asked: bool = True,
        title: str = "",
        stop: Stop | None = None,
        sketch: bool = False,
        remedies: Remedies | None = None,
    ) -> Job:
        """Run a task; `handler` gets its events, at last `JobEnded`. `remedies` are offered if it fails.

        Work that was not asked for is done after all else. A job with a title is listed in `queue`; `stop` stops it, if
        cancelling it is not enough.
        """
        self._submitted_at = time.monotonic()
        job = Job(task, background, asked, title)
        self._jobs[job] = stop
        usual = REMEDIES if background else EXPORT_REMEDIES
        offered = usual if remedies is None else remedies
        self.engine.submit(job, partial(self._on_event, job, self._page, handler, offered), sketch=sketch)
        self._tell_queue(job)
        return job

    def _on_event(self, job: Job, page: str, handler: Handler, remedies: Remedies, event: object) -> None:
        if isinstance(event, JobEnded):
            del self._jobs[job]
            self._tell_queue(job)
        before, self._of_job = self._of_job, page
        try:
            handler(event)
            if isinstance(event, Failed):
                self.report(event, remedies)
        finally:
            self._of_job = before

    def use_page(self, page: str) -> None:
        """A page has come to the front; the event that brought it there speaks for this page."""
        self.page = page
        if self._of_job is not None:
            self._of_job = page

    @property
    def _page(self) -> str:
        """The page from which the job was started whose event is handled; otherwise the page in front."""
        return self.page if self._of_job is None else self._of_job

    @property
    def queue(self) -> list[Job]:
        """The jobs with a title that run or wait, in the order of their turns, without those that were cancelled."""
        listed = [job for job in self._jobs if job.title and not job.control.cancelled]
        return sorted(listed, key=lambda job: (not job.asked, job.background))

    def stop(self, job: Job) -> None:
        """Stop a job of the queue."""
        if stop := self._jobs.get(job):
            stop()
        else:
            job.control.cancel()
        self.engine.wake()
        self._tell_queue(job)

    def _tell_queue(self, job: Job) -> None:
        if job.title:
            self.queue_changed.emit()

    @property
    def at_rest(self) -> bool:
        """Whether nothing runs but training."""
        return all(job.background for job in self._jobs)

    @property
    def is_quiet(self) -> bool:
        """Whether it is at rest, with no job submitted for a while."""
        return self.at_rest and time.monotonic() - self._submitted_at > QUIET_S

    def close(self) -> None:
        """Stop all work, saving what it has; `closed` follows."""
        if not self.closing:
            self.closing = True
            self.status_changed.emit()
            self.engine.finish()

    # ---- notifications

    def notify(self, message: Message) -> None:
        """Show a message over its page: by default that from which its job was started, or else the one in front."""
        message = replace(message, page=message.page or self._page)
        self.messages.add(message)
        self.message.emit(message)

    def notify_saved(self, path: Path) -> None:
        """Notify where a file was saved."""
        folder = (f"show:{path.parent}", "Show folder")
        self.notify(Message("success", f"Saved {path.name}", f"in {path.parent}", (folder,)))

    def notify_failed(self, error: Exception) -> None:
        """Report an error that was raised outside of a job."""
        self.report(failure(error))

    def report(self, failed: Failed, remedies: Remedies = REMEDIES) -> None:
        """Report a failure, with the remedies for its kind."""
        details = failed.traceback if failed.kind == "bug" else ""
        self.notify(Message("error", failed.message, failed.what_to_do, remedies.get(failed.kind, ()), details))

    # ---- models and data

    def refresh(self) -> None:
        """Look for the device, the models and the runs; `ready` follows."""
        self.submit(partial(startup.warm_up, tuple(self.external_runs)), self._on_found)

    def _on_found(self, event: object) -> None:
        self.status = event.what if isinstance(event, Progress) else ""
        if isinstance(event, Ready):
            self.device, self.on_gpu, self.models = event.device, event.on_gpu, event.models
            self.past_models = event.past
            self._judged.clear()
            self.found.emit(event)
            self.ready.emit()
        self.status_changed.emit()

    def card(self, name: str) -> "ModelCard | None":
        """The card of a model by its name; None until the models are known."""
        return next((card for card in self.models if card.name == name), None)

    def model_choices(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Models as a list shows them: (name, title)."""
        return [(name, self.model_title(name)) for name in names]

    def model_lines(self) -> dict[str, str]:
        """What each model is, in one sentence by its name."""
        return {card.name: model_line(card) for card in self.models}

    def model_title(self, name: str) -> str:
        """The display name of a model: a name, a path, or RUN@STEP."""
        run, at, step = name.rpartition("@")
        if at and step.isdecimal():
            return f"{self.model_title(run)}, step {int(step):,}"
        card = self.card(name)
        return model_title(card) if card else run_title(format_value("model", name))

    def value_title(self, field: str, value: Value) -> str:
        """The display name of a setting's value."""
        return self.model_title(str(value)) if field == "model" else format_value(field, value)

    def subject(self, name: str) -> Subject:
        """What a model draws, in words."""
        return subject_of(self.card(name))

    def can_judge(self, name: str) -> bool:
        """Whether there is a judge of what a model draws; so it is taken to be until the models are known."""
        card = self.card(name)
        if card is None:
            return True
        if name not in self._judged:
            judge = judges.find(card.header)
            self._judged[name] = judge is not None and bool(judges.classes_of(judge.header))
        return self._judged[name]

    def takes_drawings(self, name: str) -> bool:
        """Whether a drawing can be an input of a model: it draws grey pixels of a drawing's size."""
        card = self.card(name)
        if card is None:
            return True
        config = card.header.model
        return (config.channels, config.image_size) == (1, DRAWING_SIDE) and config.codec is None

    @property
    def drawing_models(self) -> "list[ModelCard]":
        """The diffusion models."""
        return [card for card in self.models if card.header.model.network in DRAWING]

    def use_data_root(self, folder: Path | None) -> None:
        """Read data sets from that folder from now on; None: where downloads are kept."""
        self.data_root = folder
        self.data_root_changed.emit()
