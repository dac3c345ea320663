"""The Models page without its widgets: the list of models, their previews, scores and files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from desktop_app.settings import DEFAULT_MODEL, ModelsSettings
from desktop_app.tasks import models
from desktop_app.tasks.models import Copied, Deleted, MatchingNetworks, Named, Previewed, Scored
from desktop_app.text.formatting import count
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.cost import is_dear
from desktop_app.viewmodels.notification import Message
from desktop_app.worker.compute_thread import Job, JobEnded, Work
from ml.events import Failed, Pixels, Progress, Sampled
from ml.registry.run_layout import MODEL_FILE
from ml.specs import DRAWING
from ml.system import trash
from ml.system.trash import Trashed

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard

PREVIEWED = 10  # images


@dataclass(frozen=True, slots=True)
class ExportSpec:
    """A form in which a model is written: how it is called, what it is in a sentence, and what writes it."""

    title: str
    about: str
    suffix: str
    filter: str  # of the file dialog
    task: Callable[..., Iterator[object]]


COPY, ONNX, DIFFUSERS = "copy", "onnx", "diffusers"
EXPORTS = {
    COPY: ExportSpec(
        "Noiseloom model",
        "A copy of the model's file with its card, which another Noiseloom imports.",
        ".safetensors",
        "Models (*.safetensors)",
        models.export_model,
    ),
    ONNX: ExportSpec(
        "ONNX",
        "The network as a graph for ONNX Runtime and other programs, with a short Python file that draws with it.",
        ".onnx",
        "ONNX (*.onnx)",
        models.export_onnx,
    ),
    DIFFUSERS: ExportSpec(
        "diffusers folder",
        "A new folder that Hugging Face's diffusers opens as a pipeline; for models that came from there.",
        "-diffusers",
        "A new folder (*)",
        models.export_diffusers,
    ),
}
DATA_REMEDY = {"data": (("models:data", "Choose a folder…"),)}
Preview = tuple[Path, int]  # of a model at a training step


class Models(QObject):
    """Observable state of the page. Nothing is drawn before the page is first shown."""

    changed = Signal()  # the list, the chosen model, or its scores
    previewed = Signal(str)  # the model
    busy_changed = Signal()
    kind_needed = Signal(object)  # MatchingNetworks, one of which has to be chosen
    data_needed = Signal()  # the folder of MNIST has to be chosen
    draw_with = Signal(str)  # a model, on the Generate page
    renamed = Signal(str, str)  # a model: its old and its new name
    removed = Signal(str)  # a model that was moved to the trash
    train_longer = Signal(Path)  # the run in a folder, on the Train page

    def __init__(self, context: AppContext, settings: ModelsSettings) -> None:
        super().__init__(context)
        self._context = context
        self.settings = settings
        self.progress: Progress | None = None
        self._measured: dict[Path, dict[str, Any]] = {}  # scores of bundled models, for as long as the session lasts
        self._previews: dict[Preview, Pixels] = {}
        self._tried: set[Preview] = set()
        self._drawing = False
        self._visible = False
        self._job: Job | None = None  # that scores
        self._scored: ModelCard | None = None  # what is being scored
        self._trains_judge = False  # or else scores
        self._submitted = 0  # scoring jobs so far
        self._training: Path | None = None  # folder of the active run
        self._deleted: list[Trashed] = []  # in this session, the last one last
        context.ready.connect(self._on_ready)

    # ---- the list

    @property
    def cards(self) -> "tuple[ModelCard, ...]":
        """The person's own, the latest first, then the bundled diffusion models, then the other bundled ones."""

        def order(card: "ModelCard") -> tuple[bool, ...]:
            return card.bundled, card.bundled and not self.draws(card), card.name != DEFAULT_MODEL

        return tuple(sorted(self._context.models, key=order))

    @property
    def card(self) -> "ModelCard | None":
        """The chosen model."""
        return self._context.card(self.settings.chosen)

    def change(self, **changes: object) -> None:
        """Choose a model, or how many digits to score."""
        new = self.settings.with_changes(**changes)
        if new != self.settings:
            self.settings = new
            self.changed.emit()

    def look(self) -> None:
        """Draw the missing previews, when the page is shown."""
        if not self._visible:
            self._visible = True
            self._context.submit(partial(models.empty_trash, trash.KEPT_DAYS * trash.DAY_S), lambda _event: None)
        self._preview_next()

    def _on_ready(self) -> None:
        if self.cards and self.card is None:
            self.settings = self.settings.with_changes(chosen=DEFAULT_MODEL)
        self.changed.emit()
        if self._visible:
            self._preview_next()

    # ---- previews

    def preview(self, card: "ModelCard") -> Pixels | None:
        """Images by a model; None until they are drawn."""
        return self._previews.get((card.path, card.header.steps))

    @staticmethod
    def draws(card: "ModelCard") -> bool:
        """Whether it is a diffusion model."""
        return card.header.model.network in DRAWING

    def _preview_next(self) -> None:
        """One model at a time, so that other jobs need not wait for all of them."""
        if self._drawing or self._context.closing:
            return
        for card in self._context.drawing_models:
            key = card.path, card.header.steps
            if key not in self._tried:
                self._tried.add(key)
                self._drawing = True
                task = partial(models.preview, card, PREVIEWED, not self.is_dear(card))
                handler = partial(self._on_preview, card.name, key)
                self._context.submit(task, handler, asked=False, title=f"Pictures of {card.name}", remedies={})
                return

    def is_dear(self, card: "ModelCard") -> bool:
        """Whether the pictures of a model take so long that they wait until a person draws with it."""
        return is_dear(PREVIEWED * card.header.defaults.steps, card, on_gpu=self._context.on_gpu)

    def take_drawn(self, sampled: Sampled | None) -> None:
        """Keep a few images that a person drew with a model that has no pictures yet."""
        card = self._context.card(sampled.request.model) if sampled else None
        key = (card.path, card.header.steps) if card else None
        if sampled and card and key in self._tried and self.preview(card) is None and len(sampled.images) >= PREVIEWED:
            task = partial(models.keep_preview, card, sampled.images[:PREVIEWED])
            self._context.submit(task, partial(self._on_preview, card.name, key), asked=False, remedies={})

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
            self.draw_with.emit(self.card.name)

    @staticmethod
    def is_run(card: "ModelCard") -> bool:
        """Whether a model is in the folder of the run that trained it, which can be trained longer."""
        return card.path.name == MODEL_FILE

    def train_on(self) -> None:
        """Offer on the Train page to train the run of the chosen model longer."""
        if self.card and self.is_run(self.card) and not self._in_training(self.card):
            self.train_longer.emit(self.card.path.parent)

    @staticmethod
    def can_score(card: "ModelCard") -> bool:
        """Whether there are real images that a model's can be compared with."""
        from ml.registry import judges

        return Models.draws(card) and bool(judges.data_of(card.header))

    @staticmethod
    def judge(card: "ModelCard") -> "ModelCard | None":
        """The judge of what a model draws; None where none is trained yet."""
        from ml.registry import judges

        return judges.find(card.header) if Models.can_score(card) else None

    def measured(self, card: "ModelCard") -> dict[str, Any]:
        """The scores of a bundled model in this session; those of the person's own models are in their cards."""
        return self._measured.get(card.path, {})

    @property
    def busy(self) -> bool:
        """Whether a model is being scored."""
        return self._job is not None

    @property
    def doing(self) -> tuple[str, float | None]:
        """What is being scored, and the share that is done."""
        name = self._scored.name if self._scored else ""
        what = "Training a judge for" if self._trains_judge else "Scoring"
        known = self.progress and self.progress.total
        return f"{what} {name}", self.progress.done / self.progress.total if self.progress and known else None

    def is_scoring(self, card: "ModelCard") -> bool:
        """Whether this model is being scored."""
        return self.busy and self._scored is not None and self._scored.path == card.path

    def evaluate(self) -> None:
        """Score the chosen model with its judge, which is trained first if there is none yet."""
        if self.card:
            self._begin(partial(models.evaluate, self.card, self.settings.count, self._context.data_root))

    def train_judge(self) -> None:
        """Train the judge of the chosen model's data."""
        if self.card:
            self._begin(partial(models.train_judge, self.card, self._context.data_root), trains_judge=True)

    def _begin(self, task: Work, *, trains_judge: bool = False) -> None:
        card = self.card
        if card is None or self.busy or self._context.closing or not self.can_score(card):
            return
        self._scored, self._trains_judge, self.progress = card, trains_judge, None
        self._submitted += 1
        handler, title = partial(self._on_score, self._submitted, card), self.doing[0]
        self._job = self._context.submit(task, handler, title=title, stop=self.stop, remedies=DATA_REMEDY)
        self.busy_changed.emit()

    def stop(self) -> None:
        """Stop scoring."""
        if self._job:
            self._job.control.cancel()
            self._end()

    def _on_score(self, number: int, card: "ModelCard", event: object) -> None:
        if number != self._submitted or self._job is None:
            return  # an event of a job that was stopped
        if isinstance(event, Progress):
            self.progress = event
            self.busy_changed.emit()
        elif isinstance(event, Scored) and card.bundled:
            self._measured[card.path] = event.scores
            self.changed.emit()
        elif isinstance(event, Scored):
            self._context.refresh()  # the scores are in the model's card now
        elif isinstance(event, JobEnded):
            self._end()

    def _end(self) -> None:
        self._job, self._scored, self.progress, self._trains_judge = None, None, None, False
        self.changed.emit()  # there may be a judge now
        self.busy_changed.emit()

    # ---- files

    def set_training(self, folder: Path | None) -> None:
        """The folder of the active run, whose model stays as it is; None without one."""
        self._training = folder

    @property
    def trash(self) -> list[Trashed]:
        """The deleted models, the latest first."""
        return trash.items()

    def rename(self, name: str) -> None:
        """Rename the chosen model."""
        if self.card and not self._in_training(self.card):
            self._file(partial(models.rename_model, self.card, name), partial(self._on_renamed, self.card.name))

    def import_file(self, path: Path, kind: str = "") -> None:
        """Import a model from a file; `kind` names the network if several fit."""
        self._file(partial(models.import_model, path, kind), self._on_imported)

    def export(self, path: Path, kind: str = COPY) -> None:
        """Write the chosen model to a file, or to a folder of diffusers."""
        if self.card:
            self._file(partial(EXPORTS[kind].task, self.card, path), self._on_exported)

    def why_not_exported(self, kind: str) -> str:
        """Why the chosen model can't be written as that; empty where it can."""
        if self.card is None:
            return "No model is chosen."
        if kind == ONNX and not self.draws(self.card):
            return "Only a diffusion model can be written as ONNX, and this one generates no images."
        if kind == DIFFUSERS and self.card.header.model.unet2d is None:
            return "This network isn't a UNet2DModel, so diffusers can't open it. Export it as ONNX."
        return ""

    def delete(self) -> None:
        """Move the chosen model to the trash."""
        if self.card and not self._in_training(self.card):
            self._file(partial(models.delete_model, self.card), partial(self._on_deleted, self.card.name))

    def restore(self, trashed: Trashed) -> None:
        """Restore a model from the trash."""
        self._deleted = [item for item in self._deleted if item.folder != trashed.folder]
        self._file(partial(models.restore_model, trashed), self._choose_new)

    def undo(self) -> None:
        """Restore the model that was deleted last, unless it was restored or deleted for good since."""
        if self._deleted:
            self.restore(self._deleted[-1])

    def check_name(self, name: str) -> None:
        """Raise BadRequest for a name that the chosen model cannot have."""
        from ml.registry import local_models

        if self.card:
            local_models.check_rename(self.card, name)

    def ask_to_empty_trash(self) -> None:
        """Ask whether to empty the trash."""
        names = [item.name for item in self.trash]
        if names:
            what = f"{', '.join(names)}: this can't be undone."
            actions = (("models:empty", "Delete permanently"), ("models:keep", "Keep"))
            self._context.notify(Message("warning", f"Permanently delete {count(len(names), 'model')}?", what, actions))

    def empty_trash(self) -> None:
        """Permanently delete the models in the trash."""
        self._deleted.clear()
        self._file(partial(models.empty_trash, 0.0), lambda _event: None)

    def remedy(self, key: str) -> None:
        """Carry out the button of one of this page's messages."""
        if key == "undo":
            self.undo()
        elif key == "empty":
            self.empty_trash()
        elif key == "data":
            self.data_needed.emit()

    def _in_training(self, card: "ModelCard") -> bool:
        """Whether the model belongs to the active run; if so, notify."""
        busy = self._training == card.path.parent
        if busy:
            what = "Stop the training first, or wait until it has finished."
            self._context.notify(Message("warning", f"“{card.name}” is being trained", what, ()))
        return busy

    def _file(self, task: Work, done: Callable[[object], None]) -> None:
        if not self._context.closing:
            self._context.submit(task, partial(self._on_file, done), remedies={})

    def _on_file(self, done: Callable[[object], None], event: object) -> None:
        if isinstance(event, Progress):
            self._context.status = event.what
            self._context.status_changed.emit()
        elif isinstance(event, JobEnded):
            self._context.refresh()
        elif not isinstance(event, Failed):
            done(event)

    def _choose_new(self, event: object) -> None:
        """Choose a model that the next `refresh` adds to the list."""
        if isinstance(event, Named):
            self.settings = self.settings.with_changes(chosen=event.name)

    def _on_renamed(self, old: str, event: object) -> None:
        if isinstance(event, Named):
            self._choose_new(event)
            self.renamed.emit(old, event.name)

    def _on_imported(self, event: object) -> None:
        if isinstance(event, MatchingNetworks):
            self.kind_needed.emit(event)
        elif isinstance(event, Named):
            self._choose_new(event)
            self._context.notify(Message("success", f"Imported “{event.name}”", "", ()))

    def _on_exported(self, event: object) -> None:
        if isinstance(event, Copied):
            actions = ((f"show:{event.path.parent}", "Show folder"),)
            what = "" if event.what_to_do else " with its card"
            self._context.notify(Message("success", f"Saved {event.path.name}{what}", event.what_to_do, actions))

    def _on_deleted(self, name: str, event: object) -> None:
        if isinstance(event, Deleted):
            self._deleted.append(event.trashed)
            self.removed.emit(name)
            what = f"You can restore it for {trash.KEPT_DAYS} days."
            self._context.notify(Message("success", f"Moved “{name}” to the trash", what, (("models:undo", "Undo"),)))
