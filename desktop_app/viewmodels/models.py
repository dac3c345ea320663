"""The Models page without its widgets: the models there are, what each draws, its scores, and what is done with it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from desktop_app.settings import DEFAULT_MODEL, ModelsSettings
from desktop_app.tasks import models
from desktop_app.tasks.models import Copied, MatchingNetworks, Named, Previewed, Scored, Thrown
from desktop_app.text.formatting import count
from desktop_app.worker.compute_thread import Job, JobEnded, Work
from ml.events import Failed, Pixels, Progress
from ml.specs import DIGITS, DRAWING
from ml.system import trash
from ml.system.trash import Trashed

if TYPE_CHECKING:
    from desktop_app.viewmodels.session import Session
    from ml.registry.model_cards import ModelCard

PREVIEWED = 10  # images
READABLE = (1, 28)  # channels and side of the images that the judge reads
DATA_REMEDY = {"data": (("models:data", "Choose a folder…"),)}
Preview = tuple[Path, int]  # of a model at a training step


class Models(QObject):
    """Observable state of the page. Nothing is drawn before the page is first looked at."""

    changed = Signal()  # the list, what is chosen of it, or what is known of that
    previewed = Signal(str)  # by that model
    busy_changed = Signal()
    kind_wanted = Signal(object)  # Fits: which of several networks is meant?
    data_wanted = Signal()  # where is MNIST?
    told = Signal(str, str, str, object)  # a Message: tone, title, what to do, actions

    def __init__(self, session: "Session", settings: ModelsSettings) -> None:
        super().__init__(session)
        self._session = session
        self.settings = settings
        self.progress: Progress | None = None
        self._measured: dict[Path, dict[str, Any]] = {}  # scores of bundled models, for as long as the session lasts
        self._previews: dict[Preview, Pixels] = {}
        self._tried: set[Preview] = set()
        self._drawing = False
        self._looked = False
        self._job: Job | None = None  # that scores
        self._scored: ModelCard | None = None  # what is being scored
        self._asked = 0
        self._thrown: Trashed | None = None  # last
        session.ready.connect(self._on_ready)

    # ---- the list

    @property
    def cards(self) -> "tuple[ModelCard, ...]":
        """The person's own, the latest first, then those that draw, then their helpers."""

        def order(card: "ModelCard") -> tuple[bool, ...]:
            return card.bundled, card.bundled and not self.draws(card), card.name != DEFAULT_MODEL

        return tuple(sorted(self._session.models, key=order))

    @property
    def card(self) -> "ModelCard | None":
        """The chosen model."""
        return self._session.card(self.settings.chosen)

    def change(self, **changes: object) -> None:
        """Choose another model, or how many digits to score."""
        new = self.settings.with_changes(**changes)
        if new != self.settings:
            self.settings = new
            self.changed.emit()

    def look(self) -> None:
        """The page is looked at: draw what is missing on it."""
        if not self._looked:
            self._looked = True
            self._session.submit(partial(models.emptying, trash.KEPT_DAYS * trash.DAY_S), lambda _event: None)
        self._preview_next()

    def _on_ready(self) -> None:
        if self.cards and self.card is None:
            self.settings = self.settings.with_changes(chosen=DEFAULT_MODEL)
        self.changed.emit()
        if self._looked:
            self._preview_next()

    # ---- previews

    def preview(self, card: "ModelCard") -> Pixels | None:
        """What a model draws, once that is drawn."""
        return self._previews.get((card.path, card.header.steps))

    @staticmethod
    def draws(card: "ModelCard") -> bool:
        """Whether it is a diffusion model."""
        return card.header.model.network in DRAWING

    def _preview_next(self) -> None:
        """One model at a time, so that what a person asks for in between does not wait for all of them."""
        if self._drawing or self._session.closing:
            return
        for card in self._session.drawing_models:
            key = card.path, card.header.steps
            if key not in self._tried:
                self._tried.add(key)
                self._drawing = True
                task = partial(models.previewing, card, PREVIEWED)
                self._session.submit(task, partial(self._on_preview, card.name, key), remedies={})
                return

    def _on_preview(self, name: str, key: Preview, event: object) -> None:
        if isinstance(event, Previewed):
            self._previews[key] = event.images
            self.previewed.emit(name)
        elif isinstance(event, JobEnded):
            self._drawing = False
            self._preview_next()

    # ---- drawing and scoring

    def draw(self) -> None:
        """Draw with the chosen model on the Generate page."""
        if self.card and self.draws(self.card):
            self._session.generate.use_model(self.card.name)

    @staticmethod
    def can_score(card: "ModelCard") -> bool:
        """Whether the judge can read what a model draws."""
        config = card.header.model
        is_readable = (config.channels, config.image_size) == READABLE and card.header.data in DIGITS
        return Models.draws(card) and is_readable

    def measured(self, card: "ModelCard") -> dict[str, Any]:
        """The scores that this session gave a bundled model; those of one's own are written into its card."""
        return self._measured.get(card.path, {})

    @property
    def busy(self) -> bool:
        """Whether a model is being scored."""
        return self._job is not None

    @property
    def doing(self) -> tuple[str, float | None]:
        """How far the scoring is."""
        name = self._scored.name if self._scored else ""
        known = self.progress and self.progress.total
        return f"Scoring {name}", self.progress.done / self.progress.total if self.progress and known else None

    def is_scoring(self, card: "ModelCard") -> bool:
        """Whether it is that model which is being scored."""
        return self.busy and self._scored is not None and self._scored.path == card.path

    def evaluate(self) -> None:
        """Have the judge score the chosen model."""
        card = self.card
        if card is None or self.busy or self._session.closing or not self.can_score(card):
            return
        self._scored, self.progress = card, None
        self._asked += 1
        task = partial(models.scoring, card, self.settings.count, self._session.train.data_root)
        handler = partial(self._on_score, self._asked, card)
        self._job = self._session.submit(task, handler, remedies=DATA_REMEDY)
        self.busy_changed.emit()

    def stop(self) -> None:
        """Leave the model unscored."""
        if self._job:
            self._job.control.cancel()
            self._end()

    def _on_score(self, asked: int, card: "ModelCard", event: object) -> None:
        if asked != self._asked or self._job is None:
            return  # the answer to a question that is no longer asked
        if isinstance(event, Progress):
            self.progress = event
            self.busy_changed.emit()
        elif isinstance(event, Scored) and card.bundled:
            self._measured[card.path] = event.scores
            self.changed.emit()
        elif isinstance(event, Scored):
            self._session.look_again()  # it stands in the model's card now
        elif isinstance(event, JobEnded):
            self._end()

    def _end(self) -> None:
        self._job, self._scored, self.progress = None, None, None
        self.busy_changed.emit()

    # ---- files

    @property
    def trash(self) -> list[Trashed]:
        """What was thrown away, the latest first."""
        return trash.items()

    def rename(self, name: str) -> None:
        """Give the chosen model another name."""
        if self.card and not self._in_training(self.card):
            self._file(partial(models.renaming, self.card, name), partial(self._on_renamed, self.card.name))

    def import_file(self, path: Path, kind: str = "") -> None:
        """Take a model from a file; `kind` says which network is meant, where several fit."""
        self._file(partial(models.importing, path, kind), self._on_imported)

    def export(self, path: Path) -> None:
        """Copy the chosen model to a file."""
        if self.card:
            self._file(partial(models.exporting, self.card, path), self._on_exported)

    def delete(self) -> None:
        """Throw the chosen model into the trash."""
        if self.card and not self._in_training(self.card):
            self._file(partial(models.deleting, self.card), partial(self._on_thrown, self.card.name))

    def restore(self, trashed: Trashed) -> None:
        """Take a model back out of the trash."""
        self._file(partial(models.restoring, trashed), self._choose_new)

    def ask_to_empty_trash(self) -> None:
        """Ask whether what is in the trash shall be deleted for good."""
        names = [item.name for item in self.trash]
        if names:
            what = f"{', '.join(names)}: this cannot be taken back."
            actions = (("models:empty", "Delete for good"), ("models:keep", "Keep"))
            self.told.emit("warning", f"Delete {count(len(names), 'model')} from the trash?", what, actions)

    def empty_trash(self) -> None:
        """Delete for good what is in the trash."""
        self._file(partial(models.emptying, 0.0), lambda _event: None)

    def remedy(self, key: str) -> None:
        """What the button of one of this page's messages does."""
        if key == "undo" and self._thrown:
            self.restore(self._thrown)
        elif key == "empty":
            self.empty_trash()
        elif key == "data":
            self.data_wanted.emit()

    def _in_training(self, card: "ModelCard") -> bool:
        """Says so to the person if the model is that of the run that is going on."""
        train = self._session.train
        busy = train.active and train.folder == card.path.parent
        if busy:
            what = "Stop the training first, or wait until it has ended."
            self.told.emit("warning", f"{card.name} is being trained.", what, ())
        return busy

    def _file(self, task: Work, done: Callable[[object], None]) -> None:
        if not self._session.closing:
            self._session.submit(task, partial(self._on_file, done), remedies={})

    def _on_file(self, done: Callable[[object], None], event: object) -> None:
        if isinstance(event, Progress):
            self._session.status = event.what
            self._session.status_changed.emit()
        elif isinstance(event, JobEnded):
            self._session.look_again()
        elif not isinstance(event, Failed):
            done(event)

    def _choose_new(self, event: object) -> None:
        """A model that will be in the list as soon as that is read again."""
        if isinstance(event, Named):
            self.settings = self.settings.with_changes(chosen=event.name)

    def _on_renamed(self, old: str, event: object) -> None:
        if isinstance(event, Named):
            self._choose_new(event)
            self._replace(old, event.name)
            self._session.train.rename(old, event.name)

    def _on_imported(self, event: object) -> None:
        if isinstance(event, MatchingNetworks):
            self.kind_wanted.emit(event)
        elif isinstance(event, Named):
            self._choose_new(event)
            self.told.emit("success", f"{event.name} is among your models.", "", ())

    def _on_exported(self, event: object) -> None:
        if isinstance(event, Copied):
            actions = ((f"show:{event.path.parent}", "Show folder"),)
            self.told.emit("success", f"Saved {event.path.name}, with its card beside it.", "", actions)

    def _on_thrown(self, name: str, event: object) -> None:
        if isinstance(event, Thrown):
            self._thrown = event.trashed
            self._replace(name, DEFAULT_MODEL)
            self._session.train.forget(name)
            what = f"It can be taken back for {trash.KEPT_DAYS} days."
            self.told.emit("success", f"{name} is in the trash.", what, (("models:undo", "Undo"),))

    def _replace(self, old: str, new: str) -> None:
        """Other pages that were set to a model take the one that stands for it."""
        if self._session.generate.settings.model == old:
            self._session.generate.change(live=False, model=new)
        if self._session.interpolate.settings.model == old:
            self._session.interpolate.change(model=new)
        self._session.compare.replace_model(old, new)
