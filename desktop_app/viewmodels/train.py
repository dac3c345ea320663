"""The Train page without its widgets: set-up, the active run, its curve and previews."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal

from desktop_app.settings import TrainSettings
from desktop_app.tasks import training
from desktop_app.tasks.data import DataChoice
from desktop_app.tasks.training import Kept, PreviewHistory
from desktop_app.text.display_names import run_title
from desktop_app.text.subject import Subject
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.nearest_preset import BY_DATA, settings_of
from desktop_app.viewmodels.notification import Message
from desktop_app.viewmodels.training_data import TrainingData
from desktop_app.worker.compute_thread import Job, JobEnded
from ml.config import TrainConfig, validate
from ml.errors import BadRequest, NoiseloomError
from ml.events import (
    BatchSplit,
    CheckpointSaved,
    CheckpointScored,
    Estimate,
    Failed,
    Paused,
    Preview,
    Progress,
    Resumed,
    RunFinished,
    RunStarted,
    SteppedBack,
    TrainStep,
    Validated,
    WriteFailed,
)
from ml.registry import presets
from ml.registry.presets import read_config, recorded_config
from ml.registry.run_layout import CONFIG_FILE
from ml.specs import DRAWING, dataset_spec
from ml.system import paths
from ml.system.files import free_name, read_short
from ml.tracking.loss_trend import find_trend
from ml.tracking.metrics_table import NOISE_COLUMNS, NOISE_FILE, VALIDATION_COLUMNS, VALIDATION_FILE, Table, curve
from ml.tracking.preview_history import MOST
from ml.tracking.score_curve import best
from ml.training.overrides import check_can_begin, get_setting, to_begin_with
from ml.training.overrides import with_overrides as with_settings

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard
    from ml.tracking.run_index import UnfinishedRun

State = Literal["idle", "starting", "running", "pausing", "paused", "stopping", "done", "failed"]
ACTIVE: tuple[State, ...] = ("starting", "running", "pausing", "paused", "stopping")
SLOWER = 0.5  # of the learning rate, after a run that diverged
BLOCKED_REMEDIES = (("write-elsewhere", "Choose another folder…"), ("write-again", "Try again"))
READING = ("model.image_size", "model.channels", "fit", "ground")  # settings of how images are read
TREND_ROWS = 20_000  # latest steps of the curve that the trend is computed from


class Train(QObject):
    """Observable state of training; one run at a time."""

    changed = Signal()  # set-up
    state_changed = Signal()
    begun = Signal(str)  # the name of a run that was started or resumed
    stepped = Signal(object)  # TrainStep
    validated = Signal(object)  # Validated
    scored = Signal()  # the scores of the run that is shown, or which of its checkpoints is the model
    previewed = Signal(object)  # Preview
    moved = Signal()  # the run writes to another folder
    history_loaded = Signal()  # the saved previews and losses by noise of a run
    overlaid = Signal(object)  # folders of runs whose curves are to be shown
    show_map = Signal()  # the losses by noise are to be shown
    renamed = Signal(str, str)  # a run: its old and its new name
    removed = Signal(str)  # a run that was deleted
    saved = Signal()
    draw_with = Signal(str, object)  # a model and its default settings, on the Generate page

    def __init__(self, context: AppContext, settings: TrainSettings) -> None:
        super().__init__(context)
        self._context = context
        names = self.preset_names()
        self.settings = settings if settings.preset in names else settings.with_changes(preset=names[0])
        self.state: State = "idle"
        self.status = ""  # before the first step: what runs
        self.run: RunStarted | None = None
        self.before: NDArray[np.float64] | None = None  # (3, n): step, loss, smoothed, before a resume
        self.before_by_noise: NDArray[np.float64] | None = None  # (1 + NOISE_LEVELS, n): step, loss at each level
        self.last: TrainStep | None = None
        self.finished: RunFinished | None = None
        self.unfinished: tuple[UnfinishedRun, ...] = ()
        self.curves: tuple[Path, ...] = ()  # folders of runs whose curves can be overlaid
        self.write_error = ""  # why the run cannot save; it is paused until it can
        self.contradiction = ""  # why the changed settings cannot be trained
        self.previews: list[Preview] = []  # of the run that is shown
        self.by_noise: NDArray[np.float64] | None = None  # of an earlier run, once it is loaded
        self.history_of = ""  # the run whose previews and losses by noise are shown
        self.scores: list[CheckpointScored] = []  # of that run
        self.scores_folder: Path | None = None
        self.model_step = 0  # of the checkpoint that is the model of that run
        self._estimates: dict[str, Estimate] = {}  # by configuration
        self._job: Job | None = None
        self._draw_when_saved = False
        self._curve: list[tuple[float, float, float]] = []  # step, loss, smoothed
        self._held_out: list[float] = []
        self._started: tuple[TrainConfig, Path] | None = None  # the run that is shown
        self._more = False  # whether it goes on after its end
        self._ended: Path | None = None  # the folder of the run that can be trained longer
        self.data = TrainingData(context, self.data_choice())
        context.found.connect(lambda found: self.set_found(found.unfinished, found.curves))
        context.data_root_changed.connect(self.changed)
        self.changed.connect(lambda: self.data.choose(self.data_choice()))

    # ---- set-up

    @staticmethod
    def preset_names() -> list[str]:
        """The presets of diffusion models, quickest first."""
        configs = [presets.load(name) for name in presets.names()]
        drawing = [config for config in configs if config.model.network in DRAWING]
        return [config.name for config in sorted(drawing, key=lambda config: (config.minutes or 1e9, config.name))]

    def preset(self) -> TrainConfig:
        """The chosen preset, or what comes with the model to begin with; without changes."""
        if self.base:
            with suppress(NoiseloomError):  # it cannot be read any more, and then it is none of the models soon
                return to_begin_with(self.base.name)
        return presets.load(self.settings.preset)

    @property
    def base(self) -> "ModelCard | None":
        """The model to begin with; None without one, and while it is not known."""
        return self._context.card(self.settings.begin_with)

    @property
    def bases(self) -> "list[ModelCard]":
        """The models that a run may begin with: the person's own first. `contradiction` says why one does not fit."""
        return sorted(self._context.drawing_models, key=lambda card: card.bundled)

    def why_not_begin(self, card: "ModelCard") -> str:
        """Why a run on the chosen data can't begin with a model; empty where it can."""
        own = {key: self.settings.own[key] for key in ("mirror", "augment_share") if key in self.settings.own}
        values = {"data": self.settings.data, "begin_with": card.name, "minutes": 1, **own}
        try:
            check_can_begin(validate(TrainConfig, values), card.header)
        except BadRequest as error:
            return str(error)
        return ""

    def config(self) -> TrainConfig:
        """The configuration that Start trains."""
        preset = self.preset()
        changes: dict[str, object] = {"data": self.settings.data, "preview_every_s": 3.0}
        if self.base:
            changes["keep_classes"] = self.settings.keep_classes
        if self.settings.minutes is not None:
            changes |= {"minutes": self.settings.minutes, "steps": None, "epochs": None}
        preset = preset.with_changes(**changes)
        try:
            if self.settings.begin_with and self.base is None:
                raise BadRequest(f"There is no model “{self.settings.begin_with}”.", "Choose another to begin with.")
            config = with_settings(preset, self.settings.own.items())
            if self.base:
                check_can_begin(config, self.base.header)
        except BadRequest as error:
            self.contradiction = str(error)
            return preset
        self.contradiction = ""
        return config

    def data_choice(self) -> DataChoice:
        """The data of the next run, and how they are read."""
        preset, own = self.preset(), self.settings.own
        try:
            config = with_settings(preset, [(key, own[key]) for key in READING if key in own])
        except BadRequest:
            config = preset
        model, given = config.model, config.model.model_fields_set
        side = model.image_size if "image_size" in given else None
        channels = model.channels if "channels" in given else None
        return DataChoice(self.settings.data, self._context.data_root, side, channels, config.fit, config.ground)

    def set_own(self, name: str, value: str | float | int | None) -> None:
        """Replace a setting of the preset, by its dotted name; None: as the preset has it, or the data."""
        own = {key: kept for key, kept in self.settings.own.items() if key != name}
        if value is not None and (name in BY_DATA or value != get_setting(self.preset(), name)):
            own[name] = value
        self.change(own=own)

    def change(self, **changes: object) -> None:
        """Change the set-up of the next run; another preset or model to begin with brings its budget."""
        if ("preset" in changes or "begin_with" in changes) and "minutes" not in changes:
            changes |= {"minutes": None, "own": {}}
        new = self.settings.with_changes(**changes)
        if new != self.settings:
            self.settings = new
            self.changed.emit()

    def measure(self) -> None:
        """Measure the speed of the chosen configuration on this device, unless it is known or a run is active."""
        config = self.config()
        if self.contradiction:
            return
        if self.active or self._context.closing or not self._context.device or self.estimate is not None:
            return
        if config.automatic:  # its network depends on images that are not read yet
            return
        task = partial(training.measure_speed, config)
        self._context.submit(task, partial(self._on_estimate, config), asked=False, title="Measuring the speed")

    def _on_estimate(self, config: TrainConfig, event: object) -> None:
        if isinstance(event, Estimate):
            self._estimates[self._key(config)] = event
            self.changed.emit()

    @property
    def estimate(self) -> Estimate | None:
        """The speed of the chosen configuration on this device; None until it is measured."""
        return self._estimates.get(self._key(self.config()))

    @staticmethod
    def _key(config: TrainConfig) -> str:
        return config.with_changes(minutes=None, epochs=None, steps=1, score=False).model_dump_json()

    def load_history(self, folder: Path) -> None:
        """Load the saved previews of a run, unless another one is active."""
        if not self._context.closing and (not self.active or folder == self.folder):
            self._context.submit(partial(training.load_preview_history, folder), self._on_history)

    def _on_history(self, event: object) -> None:
        if isinstance(event, PreviewHistory) and (not self.active or event.folder == self.folder):
            newer = [preview for preview in self.previews if event.folder == self.folder]
            steps = {preview.step for preview in event.previews}
            self.previews = [*event.previews, *(preview for preview in newer if preview.step not in steps)]
            known = event.folder.name == self.history_of and not event.by_noise.size
            self.by_noise = None if self.active or known else event.by_noise
            self.history_of = event.folder.name
            latest = [point for point in self.scores if self.active]
            steps = {point.step for point in event.scores}
            self.scores = [*event.scores, *(point for point in latest if point.step not in steps)]
            self.scores_folder, self.model_step = event.folder, event.model_step
            self.history_loaded.emit()
            self.scored.emit()

    def set_found(self, unfinished: "tuple[UnfinishedRun, ...]", curves: tuple[Path, ...]) -> None:
        """Take over the unfinished runs, and the folders of runs that have a curve."""
        self.unfinished, self.curves = unfinished, curves
        self.changed.emit()

    def rename(self, old: str, new: str) -> None:
        """Follow the new name, and with it the new folder, of a run."""
        if self._started and self.name == old:
            config, folder = self._started
            self._started = config.with_changes(name=new), folder.with_name(new)
        if self._ended and self._ended.name == old:
            self._ended = self._ended.with_name(new)
        if self.scores_folder and self.scores_folder.name == old:
            self.scores_folder = self.scores_folder.with_name(new)
        if self.settings.begin_with == old:
            self.change(begin_with=new, minutes=self.settings.minutes)
        self.renamed.emit(old, new)
        self.state_changed.emit()

    def forget(self, name: str) -> None:
        """Clear a run that was deleted."""
        if self._ended and self._ended.name == name:
            self._ended = None
        if self.name == name and not self.active:
            self._started, self.run, self.last, self.finished, self.previews = None, None, None, None, []
            self.by_noise, self.history_of = None, ""
            self.scores, self.scores_folder = [], None
            self.history_loaded.emit()
            self.scored.emit()
            self._set_state("idle")
        self.removed.emit(name)

    # ---- scores

    @property
    def best_scored(self) -> CheckpointScored | None:
        """The best checkpoint of the run that is shown; None without a score."""
        return best(self.scores)

    @property
    def can_keep(self) -> bool:
        """Whether a checkpoint of the run that is shown can become its model now."""
        return self.scores_folder is not None and not (self.active and self.scores_folder == self.folder)

    def keep_checkpoint(self, step: int) -> None:
        """Take the weights of the run that is shown at a step as its model."""
        if self.can_keep and self.scores_folder:
            self._context.submit(partial(training.keep_snapshot, self.scores_folder, step), self._on_kept)

    def _on_kept(self, event: object) -> None:
        if isinstance(event, Kept):
            if event.folder == self.scores_folder:
                self.model_step = event.step
                self.scored.emit()
            name = run_title(event.folder.name)
            what = "The weights of before are kept as a checkpoint, too. Training longer goes on from the last step."
            self._context.notify(Message("success", f"“{name}” now draws as after step {event.step:,}", what))
            self._context.refresh()

    # ---- actions

    @property
    def active(self) -> bool:
        """Whether a run is in progress or paused."""
        return self.state in ACTIVE

    @property
    def name(self) -> str:
        """The name of the run that is shown; empty before the first."""
        return self._started[1].name if self._started else ""

    @property
    def folder(self) -> Path | None:
        return self._started[1] if self._started else None

    def plot_metadata(self, names: Iterable[str], *, by_noise: bool = False) -> dict[str, object]:
        """The metadata of a plot of these runs: their configurations, that of the current run first."""
        folders = {folder.name: folder for folder in (*self.curves, *([self.folder] if self.folder else []))}
        configs: dict[str, object] = {}
        for name in sorted(names, key=lambda name: name != self.name):
            with suppress(OSError, ValueError, KeyError, RecursionError, NoiseloomError):  # without one, or damaged
                configs[name] = json.loads(read_short(folders[name] / CONFIG_FILE))
        return {"runs": configs, "by_noise": by_noise}

    def restore(self, runs: Mapping[str, TrainConfig], *, by_noise: bool) -> str:
        """Set up the configuration of a plot's first run and overlay the curves that still exist; returns a message."""
        name, config = next(iter(runs.items()))
        settings, unsupported = settings_of(config, self.preset_names())
        self.change(**settings.model_dump())
        known = {folder.name: folder for folder in self.curves}
        found = {other: known.get(other, paths.user_runs() / other) for other in runs}
        here = {other: folder for other, folder in found.items() if runs[other] == _config_of(folder)}
        self.overlaid.emit(list(here.values()))
        if by_noise:
            self.show_map.emit()
        if name in here:
            self.load_history(here[name])
        return _restored(name, unsupported, list(here), [other for other in runs if other not in here])

    def start(self) -> None:
        """Start a new run in a new folder."""
        config = self.config()
        if not self.active and not self.contradiction:
            folder = paths.new_run(config.name)
            self._begin(config.with_changes(name=folder.name), folder, resume=False)

    def start_slower(self) -> None:
        """Restart the run that failed, with a lower learning rate."""
        if self._started and not self.active:
            config, folder = self._started
            folder = free_name(folder)
            self._begin(config.with_changes(lr=config.lr * SLOWER, name=folder.name), folder, resume=False)

    def resume_run(self, run: "UnfinishedRun") -> None:
        """Resume an unfinished run, up to its budget."""
        if not self.active:
            self._begin(run.config, run.folder, resume=True)

    @property
    def ended(self) -> Path | None:
        """The folder of the run that can be trained longer; None without one and during a run."""
        return None if self.active else self._ended

    def offer_longer(self, folder: Path) -> None:
        """Offer to train the run in a folder longer."""
        self._ended = folder
        self.state_changed.emit()

    def train_longer(self, minutes: float) -> None:
        """Add that many minutes to the run that has ended."""
        folder = self.ended
        if folder is None:
            return
        try:
            config = recorded_config(folder).with_changes(minutes=minutes, steps=None, epochs=None)
        except NoiseloomError as error:
            self._context.notify_failed(error)
        else:
            self._begin(config, folder, resume=True, more=True)

    def resume_changed(self) -> None:
        """Resume the run that stopped since its folder of images has changed, with the images as they are now."""
        if self._started and not self.active:
            self._begin(*self._started, resume=True, more=self._more, changed_data=True)

    def pause(self) -> None:
        """Save everything and pause at the next step."""
        if self._job and self.state == "running":
            self._job.control.pause()
            self._set_state("pausing")

    def resume(self) -> None:
        """Resume a paused run."""
        if self._job and self.state in ("pausing", "paused"):
            self.write_error = ""
            self._job.control.resume()
            self._context.engine.wake()
            self._set_state("running")

    def write_to(self, folder: Path) -> None:
        """Resume a run that cannot save, in a subfolder of that folder."""
        if self._job and self.write_error:
            self._job.control.write_to(free_name(folder / self.name))
            self.resume()

    def stop(self) -> None:
        """End the run at the next step and keep its model; it does not count as interrupted."""
        if self._job and self.active:
            self._job.control.end()
            self._context.engine.wake()
            self._set_state("stopping")

    def save_now(self) -> None:
        """Write a checkpoint at the next step."""
        if self._job and self.state == "running":
            self._job.control.post("save")

    @property
    def subject(self) -> Subject:
        """What the run draws, in words; without names of classes until its model is in the list."""
        known = dataset_spec(self.run.config.data) if self.run else None
        if known:
            return Subject("digit" if known.digits else "image", known.classes)
        return self._context.subject(self.name) if self._context.card(self.name) else Subject("image", ())

    @property
    def can_draw(self) -> bool:
        """Whether the run has a model, or will have at the next step."""
        return self.state in ("running", "paused") or (self.state == "done" and self.finished is not None)

    def draw(self) -> None:
        """Draw with the newest weights of the run, on the Generate page."""
        if self.state == "running" and self._job:
            self._draw_when_saved = True
            self._job.control.post("save")
        elif self.can_draw:
            self._use_for_drawing()

    def _use_for_drawing(self) -> None:
        if self._started:
            config, folder = self._started
            name = self.name if folder.parent == paths.user_runs() else str(folder)
            draw = partial(self.draw_with.emit, name, config.defaults)
            if self._context.card(name):
                draw()
            else:  # once it is known what the model draws
                self._context.ready.connect(draw, Qt.ConnectionType.SingleShotConnection)
            self._context.refresh()

    # ---- events

    def _read_curves(self, run: RunStarted) -> None:
        """Read the curves of a resumed run up to its step.

        Its tables may have later rows by now, whose reports are still to come, and lack the latest of those reported.
        """
        seen, self._curve, self._held_out = self._curve, [], []
        self.before, self.before_by_noise = None, None
        if not run.step:
            return
        before = _up_to(run.step, curve(run.run_dir))
        last = before[0, -1] if before.shape[1] else 0
        self._curve = [*zip(*before.tolist(), strict=True), *(point for point in seen if last < point[0] <= run.step)]
        if self._curve:
            self.before = np.array(self._curve).T
        self.before_by_noise = _up_to(run.step, Table(run.run_dir / NOISE_FILE, NOISE_COLUMNS).read())
        self._held_out = _up_to(run.step, Table(run.run_dir / VALIDATION_FILE, VALIDATION_COLUMNS).read())[1].tolist()

    def _begin(
        self, config: TrainConfig, folder: Path, *, resume: bool, more: bool = False, changed_data: bool = False
    ) -> None:
        self.data.stop()  # the run reads them itself
        self._started, self._more = (config, folder), more
        self.run, self.last, self.finished = None, None, None
        self.status, self._draw_when_saved = "Starting", False
        self._curve, self._held_out, self.previews, self.write_error = [], [], [], ""
        self.by_noise, self.history_of = None, folder.name
        self.scores, self.scores_folder, self.model_step = [], folder, 0
        how = {"more": more, "changed_data": changed_data}
        task = partial(training.train, config, folder, self._context.data_root, resume, **how)
        title = f"Training “{run_title(folder.name)}”"
        self._job = self._context.submit(task, self._on_event, background=True, title=title, stop=self.stop)
        self._set_state("starting")

    def _on_event(self, event: object) -> None:
        match event:
            case Progress():
                done = f" {event.done / event.total:.0%}" if event.total else ""
                self.status = f"{event.what}{done}"
                self.state_changed.emit()
            case RunStarted():
                self.run, self.status = event, ""
                self._read_curves(event)
                self.begun.emit(self.name)
                if event.step:
                    self.load_history(event.run_dir)
                if self.state == "starting":
                    self._set_state("running")
            case TrainStep():
                self.last, self.status = event, ""
                self._curve.append((event.step, event.loss, event.smooth_loss))
                self.stepped.emit(event)
            case Validated():
                self._held_out.append(event.loss)
                self.validated.emit(event)
            case CheckpointScored():
                self.status = ""
                self.scores = [*(point for point in self.scores if point.step != event.step), event]
                self.scored.emit()
                self.state_changed.emit()
            case Preview():
                self._add_preview(event)
            case CheckpointSaved():
                self._on_saved()
            case Paused() if self.state == "pausing":
                self._set_state("paused")
            case Resumed():
                self._on_resumed(event)
            case WriteFailed():
                self.write_error = event.message
                self._set_state("paused")
                self.notify_write_error()
            case SteppedBack():
                self._on_stepped_back(event)
            case BatchSplit():
                what = f"From now on each batch is computed in {event.parts} parts; the result is the same."
                self._context.notify(Message("info", "A batch didn't fit into memory", what))
            case RunFinished():
                self.finished, self.model_step = event, event.step
                self.scored.emit()
            case Failed():
                self._set_state("failed")
            case JobEnded():
                self._on_ended()

    def _add_preview(self, preview: Preview) -> None:
        """Add a preview; of too many, every other one is dropped, as on disk."""
        self.previews.append(preview)
        self.previewed.emit(preview)
        if len(self.previews) > MOST:
            del self.previews[1:-1:2]
            self.history_loaded.emit()

    def notify_write_error(self) -> None:
        """Notify that the run cannot save, and offer another folder."""
        if self.write_error:
            what = f"{self.write_error} Nothing is lost: the run resumes once it can save, there or in another folder."
            title = "Training is paused because it can't save"
            self._context.notify(Message("error", title, what, BLOCKED_REMEDIES))

    def _on_resumed(self, event: Resumed) -> None:
        if self._started and event.run_dir != self.folder:
            self._started, self.scores_folder = (self._started[0], event.run_dir), event.run_dir
            self._context.external_runs.append(event.run_dir)
            self.moved.emit()
        if self.state == "paused":
            self._set_state("running")

    def _on_stepped_back(self, event: SteppedBack) -> None:
        if self.run:
            self._read_curves(replace(self.run, step=event.step))
            self.begun.emit(self.name)
        what = f"It was set back to step {event.step:,} and continues with a learning rate of at most {event.lr:g}."
        self._context.notify(Message("warning", event.message, what))

    def _on_saved(self) -> None:
        self.saved.emit()
        if self._draw_when_saved:
            self._draw_when_saved = False
            self._use_for_drawing()

    def _on_ended(self) -> None:
        self._job = None
        if self.finished:
            self._ended = self.folder
        if self.state != "failed":
            self._set_state("done" if self.finished else "idle")
        self._context.refresh()

    def _set_state(self, state: State) -> None:
        self.state = state
        self.state_changed.emit()
        self._context.status_changed.emit()

    # ---- what is shown

    @property
    def progress(self) -> float | None:
        """The share of the budget that is used; None before the first step."""
        if self.last is None:
            return None
        whole = self.last.elapsed_s + self.last.remaining_s
        return min(self.last.elapsed_s / whole, 1.0) if whole > 0 else None

    @property
    def images_seen(self) -> int:
        """How many images the run that is shown has seen, with repetitions."""
        step = self.finished.step if self.finished else self.last.step if self.last else 0
        return step * self.run.config.batch_size if self.run else 0

    @property
    def missing_minutes(self) -> float | None:
        """About how many more minutes of training the digits need until they can be read; 0 if they have had them.

        None where that is unknown: of other images, of most presets, and before the first step.
        """
        if self.run is None or self.last is None:
            return None
        needed, data = self.run.config.readable_after, dataset_spec(self.run.config.data)
        if needed is None or data is None or not data.digits or not self.last.images_per_s:
            return None
        return max(0, needed - self.images_seen) / self.last.images_per_s / 60

    def trend(self) -> str:
        """The trend of the losses, in words."""
        if not self._curve:
            return ""
        steps, losses, _ = np.array(self._curve[-TREND_ROWS:]).T
        return find_trend(steps, losses, np.array(self._held_out)).words


def _up_to(step: int, table: NDArray[np.float64]) -> NDArray[np.float64]:
    """The columns of a table, (n, steps), that are not after a step."""
    return table[:, table[0] <= step]


def _config_of(folder: Path) -> TrainConfig | None:
    """The configuration of the run in a folder; None if it cannot be read."""
    try:
        return read_config(folder / CONFIG_FILE)
    except NoiseloomError:
        return None


def _restored(name: str, unsupported: Sequence[str], here: Sequence[str], gone: Sequence[str]) -> str:
    """What was restored from a plot, in words."""
    parts = [f"The next run is set up like {run_title(name)}."]
    parts += [f"Not available here: {', '.join(unsupported)}."] if unsupported else []
    parts += [f"Shown: the curves of {', '.join(map(run_title, here))}."] if here else []
    parts += [f"Without a curve, since the run was deleted: {', '.join(map(run_title, gone))}."] if gone else []
    return " ".join(parts)
