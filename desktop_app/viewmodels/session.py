"""The whole session: the lane with its jobs, the models, messages to the person, and an orderly end."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from desktop_app.settings import AppSettings
from desktop_app.tasks import startup
from desktop_app.tasks.startup import Ready
from desktop_app.viewmodels.compare import Compare
from desktop_app.viewmodels.draw import Draw
from desktop_app.viewmodels.explore import Explore
from desktop_app.viewmodels.file_opener import Files
from desktop_app.viewmodels.generate import Generate
from desktop_app.viewmodels.history import History
from desktop_app.viewmodels.interpolate import Interpolate
from desktop_app.viewmodels.lessons import Lessons
from desktop_app.viewmodels.models import Models
from desktop_app.viewmodels.notification import Message
from desktop_app.viewmodels.race import Race
from desktop_app.viewmodels.train import Train
from desktop_app.viewmodels.undo import Undo
from desktop_app.worker.compute_thread import ComputeThread, Job, JobEnded, Work, failure
from desktop_app.worker.gc_guard import GcGuard
from desktop_app.worker.mailbox import Envelope
from ml.events import Failed, Progress
from ml.specs import DRAWING

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard

FRAME_MS = 8  # from one look into the mailbox to the next: the fastest display's frame
QUIET_S = 1.0  # without anything new to do: a hand that moves asks many times a second
Handler = Callable[[object], None]


Remedies = dict[str, tuple[tuple[str, str], ...]]
REMEDIES: Remedies = {
    "data": (("choose-data", "Choose a folder…"), ("use-synthetic", "Use synthetic digits")),
    "diverged": (("slower", "Start again, slower"),),
}
EXPORT_REMEDIES: Remedies = {"write": (("export", "Export elsewhere…"),)}


class Session(QObject):
    """Observable state and actions; every signal comes in the thread that made the session."""

    ready = Signal()  # device and models are known, or known anew
    message = Signal(object)  # a Message
    status_changed = Signal()
    closed = Signal()  # the lane has ended: the window may go

    def __init__(self, settings: AppSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.lane, self._sketch_lane = ComputeThread(self), ComputeThread(self, "sketch lane", gives_way=False)
        self.device = ""
        self.on_gpu = False
        self.models: tuple[ModelCard, ...] = ()
        self.past_models: tuple[str, ...] = ()  # RUN@STEP: own runs on their way
        cut_short = Path(settings.interrupted)
        self.elsewhere = [cut_short] if cut_short.is_absolute() else []  # folders that runs have moved to
        self.status = ""  # what is being done that belongs to no page
        self.closing = False
        self._ended = False
        self.history = History(self)
        self.generate = Generate(self, settings.generate)
        self.explore = Explore(self, settings.explore)
        self.draw = Draw(self, settings.draw)
        self.interpolate = Interpolate(self, settings.interpolate)
        self.compare = Compare(self, settings.compare)
        self.race = Race(self, self.compare)
        self.train = Train(self, settings.train, settings.data_root)
        self.library = Models(self, settings.models)
        self.files = Files(self)
        self.lessons = Lessons(self)
        pages = {"interpolate": self.interpolate, "explore": self.explore, "compare": self.compare, "train": self.train}
        self.undo = Undo(self, pages)
        for forget in (self.undo.forget, self.draw.forget_past):
            self.lessons.changed.connect(forget)
        self.activities: tuple[Generate | Draw | Compare | Race | Explore | Models | Files, ...] = (
            self.generate,
            self.draw,
            self.compare,
            self.race,
            self.explore,
            self.library,
            self.files,
        )  # stopped in this order
        self._jobs: dict[int, tuple[Job, Handler, Remedies]] = {}
        self._garbage = GcGuard(self)
        self._drain = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._drain.timeout.connect(self._read_mail)
        self._looked_at = self._asked_at = 0.0  # on the clock of time.monotonic
        self.lane.rang.connect(self._rang, Qt.ConnectionType.QueuedConnection)
        self._sketch_lane.rang.connect(self._read_sketches, Qt.ConnectionType.QueuedConnection)
        for lane in (self.lane, self._sketch_lane):
            lane.finished.connect(self._lane_finished, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Start the lanes: one imports torch, and the first grid is drawn as soon as the models are known."""
        self._garbage.begin()
        self.lane.start()
        self._sketch_lane.start()
        self.look_again()

    def look_again(self) -> None:
        """Find out anew what there is: device, models, runs."""
        self.submit(partial(startup.warm_up, tuple(self.elsewhere)), self._on_look)

    def submit(
        self,
        task: Work,
        handler: Handler,
        *,
        background: bool = False,
        sketch: bool = False,
        remedies: Remedies | None = None,
    ) -> Job:
        """Have a lane do something; `handler` gets its events, at last `Ended`. `remedies` for when it fails."""
        self._asked_at = time.monotonic()
        job = Job(task, background)
        usual = REMEDIES if background else EXPORT_REMEDIES
        self._jobs[job.number] = (job, handler, usual if remedies is None else remedies)
        (self._sketch_lane if sketch else self.lane).submit(job)
        return job

    def tell(self, message: Message) -> None:
        """Show a message in the one place for messages."""
        self.message.emit(message)

    def tell_saved(self, path: Path) -> None:
        """Say where a file went."""
        folder = (f"show:{path.parent}", "Show folder")
        self.tell(Message("success", f"Saved {path.name}", f"in {path.parent}", (folder,)))

    def tell_failed(self, error: Exception) -> None:
        """Tell of something that failed outside of the lane."""
        self.report(failure(error))

    def report(self, failed: Failed, remedies: Remedies = REMEDIES) -> None:
        """Tell of a failure, with what can be done about it."""
        details = failed.traceback if failed.kind == "bug" else ""
        self.tell(Message("error", failed.message, failed.what_to_do, remedies.get(failed.kind, ()), details))

    def card(self, name: str) -> "ModelCard | None":
        """The card of a model by its name, once the models are known."""
        return next((card for card in self.models if card.name == name), None)

    @property
    def drawing_models(self) -> "list[ModelCard]":
        """The models that can be drawn with: all but classifiers."""
        return [card for card in self.models if card.header.model.network in DRAWING]

    @property
    def at_rest(self) -> bool:
        """Whether nothing is being done but training."""
        return all(job.background for job, _, _ in self._jobs.values())

    @property
    def is_quiet(self) -> bool:
        """Whether it is at rest, and has been asked for nothing for a while."""
        return self.at_rest and time.monotonic() - self._asked_at > QUIET_S

    def close(self) -> None:
        """Stop all work, saving what it has; `closed` follows."""
        if self.closing:
            return
        self.closing = True
        self.status_changed.emit()
        if self.lane.isRunning():
            self.lane.finish()
            self._sketch_lane.finish()
        else:
            self._lane_finished()

    def _rang(self) -> None:
        if not (self._drain.isActive() or self._ended):  # the last mail was read with the end of both lanes
            since_ms = 1000 * (time.monotonic() - self._looked_at)
            self._drain.start(max(0, FRAME_MS - int(since_ms)))

    def _read_mail(self) -> None:
        self._looked_at = time.monotonic()
        self._deliver(self.lane.mailbox.drain())

    def _read_sketches(self) -> None:
        """At once: they come one at a time."""
        self._deliver(self._sketch_lane.mailbox.drain())

    def _deliver(self, letters: list[Envelope]) -> None:
        for number, event in letters:
            _, handler, remedies = self._jobs[number]
            if isinstance(event, JobEnded):
                del self._jobs[number]
            handler(event)
            if isinstance(event, Failed):
                self.report(event, remedies)

    def _on_look(self, event: object) -> None:
        self.status = event.what if isinstance(event, Progress) else ""
        if isinstance(event, Ready):
            first = not self.device
            self.device, self.on_gpu, self.models = event.device, event.on_gpu, event.models
            self.past_models = event.past
            self.train.set_found(event.unfinished, event.curves)
            self.ready.emit()
            if first:
                self._garbage.settle()
                self.generate.draw_first()
        self.status_changed.emit()

    def _lane_finished(self) -> None:
        if self._ended or self.lane.isRunning() or self._sketch_lane.isRunning():
            return
        self._ended = True
        self._drain.stop()
        self._read_sketches()
        self._read_mail()
        self._garbage.end()
        self.closed.emit()
