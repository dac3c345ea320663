"""The Train page without its widgets: set-up, the run that is going on, its curve and previews."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from desktop_app.settings import TrainSettings
from desktop_app.tasks import training
from desktop_app.tasks.training import Remembered
from desktop_app.text.display_names import preset_title
from desktop_app.viewmodels.nearest_preset import settings_of
from desktop_app.viewmodels.notification import Message
from desktop_app.worker.compute_thread import Job, JobEnded
from ml.config import TrainConfig
from ml.errors import BadRequest, NoiseloomError
from ml.events import (
    BatchSplit,
    CheckpointSaved,
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
from ml.registry.presets import read_config
from ml.registry.run_layout import CONFIG_FILE
from ml.specs import DRAWING
from ml.system import paths
from ml.system.files import free_name, read_short
from ml.tracking.loss_trend import verdict
from ml.tracking.metrics_table import NOISE_COLUMNS, NOISE_FILE, VALIDATION_COLUMNS, VALIDATION_FILE, Table, curve
from ml.tracking.preview_history import MOST
from ml.training.overrides import changed as with_settings
from ml.training.overrides import setting

if TYPE_CHECKING:
    from desktop_app.viewmodels.session import Session
    from ml.tracking.run_index import UnfinishedRun

State = Literal["idle", "starting", "running", "pausing", "paused", "stopping", "done", "failed"]
ACTIVE: tuple[State, ...] = ("starting", "running", "pausing", "paused", "stopping")
SLOWER = 0.5  # of the learning rate, after a run that diverged
STUCK_REMEDIES = (("write-elsewhere", "Choose another folder…"), ("write-again", "Try again"))
VERDICT_ROWS = 20_000  # of the curve, at most, that a verdict is given on


class Train(QObject):
    """Observable state of training; one run at a time."""

    changed = Signal()  # set-up
    state_changed = Signal()
    begun = Signal(str)  # a run, by its name, has begun or gone on
    stepped = Signal(object)  # TrainStep
    validated = Signal(object)  # Validated
    previewed = Signal(object)  # Preview
    moved = Signal()  # the run goes on in another folder
    remembered = Signal()  # all that a run has kept of its previews, and of its losses by noise
    overlaid = Signal(object)  # folders of runs whose curves are to be seen
    asked_for_map = Signal()  # the losses by noise are to be seen
    renamed = Signal(str, str)  # a run: its name before, and its name now
    gone = Signal(str)  # a run was thrown away
    saved = Signal()

    def __init__(self, session: "Session", settings: TrainSettings, data_root: Path | None) -> None:
        super().__init__(session)
        self._session = session
        names = self.preset_names()
        self.settings = settings if settings.preset in names else settings.with_changes(preset=names[0])
        self.data_root = data_root
        self.state: State = "idle"
        self.status = ""  # what is being done before the first step
        self.run: RunStarted | None = None
        self.before: NDArray[np.float64] | None = None  # (3, n): step, loss, smoothed, of the part that is gone on with
        self.before_by_noise: NDArray[np.float64] | None = None  # (1 + NOISE_LEVELS, n): step, loss at each level
        self.last: TrainStep | None = None
        self.finished: RunFinished | None = None
        self.unfinished: tuple[UnfinishedRun, ...] = ()
        self.curves: tuple[Path, ...] = ()  # folders of runs whose curves can be shown beside this one's
        self.stuck = ""  # why the run cannot write, which it waits for to change
        self.contradiction = ""  # why the settings of one's own cannot be trained
        self.previews: list[Preview] = []  # of the run that is shown
        self.by_noise: NDArray[np.float64] | None = None  # of a run of before, once it is looked back at
        self.looked_at = ""  # whose previews and losses by noise are shown
        self._estimates: dict[str, Estimate] = {}  # by recipe
        self._job: Job | None = None
        self._draw_when_saved = False
        self._curve: list[tuple[float, float]] = []  # step and loss
        self._held_out: list[float] = []
        self._asked: tuple[TrainConfig, Path] | None = None

    # ---- set-up

    @staticmethod
    def preset_names() -> list[str]:
        """The presets of models that draw, quickest first."""
        configs = [presets.load(name) for name in presets.names()]
        drawing = [config for config in configs if config.model.network in DRAWING]
        return [config.name for config in sorted(drawing, key=lambda config: (config.minutes or 1e9, config.name))]

    def preset(self) -> TrainConfig:
        """The chosen preset, as it is in its file."""
        return presets.load(self.settings.preset)

    def config(self) -> TrainConfig:
        """What Start would train."""
        preset = self.preset()
        changes: dict[str, object] = {"data": self.settings.data, "preview_every_s": 3.0}
        if self.settings.minutes is not None:
            changes |= {"minutes": self.settings.minutes, "steps": None, "epochs": None}
        preset = preset.with_changes(**changes)
        try:
            config = with_settings(preset, self.settings.own.items())
        except BadRequest as error:
            self.contradiction = str(error)
            return preset
        self.contradiction = ""
        return config

    def set_own(self, name: str, value: str | float | int) -> None:
        """Replace a setting of the preset, by its dotted name."""
        own = {key: kept for key, kept in self.settings.own.items() if key != name}
        if value != setting(self.preset(), name):
            own[name] = value
        self.change(own=own)

    def change(self, **changes: object) -> None:
        """Change the set-up of the next run; another preset brings its own budget."""
        if "preset" in changes and "minutes" not in changes:
            changes |= {"minutes": None, "own": {}}
        new = self.settings.with_changes(**changes)
        if new != self.settings:
            self.settings = new
            self.changed.emit()

    def measure(self) -> None:
        """Measure how long the chosen recipe takes on this device, unless that is known or it is busy training."""
        config = self.config()
        if self.active or self._session.closing or not self._session.device or self.estimate is not None:
            return
        self._session.submit(partial(training.estimating, config), partial(self._on_estimate, config))

    def _on_estimate(self, config: TrainConfig, event: object) -> None:
        if isinstance(event, Estimate):
            self._estimates[self._recipe(config)] = event
            self.changed.emit()

    @property
    def estimate(self) -> Estimate | None:
        """How quickly this device trains the chosen recipe, once that is measured."""
        return self._estimates.get(self._recipe(self.config()))

    @staticmethod
    def _recipe(config: TrainConfig) -> str:
        return config.with_changes(minutes=None, epochs=None, steps=1).model_dump_json()

    def look_back(self, folder: Path) -> None:
        """Show the previews that a run has kept, unless another one is being trained."""
        if not self._session.closing and (not self.active or folder == self.folder):
            self._session.submit(partial(training.looking_back, folder), self._on_remembered)

    def _on_remembered(self, event: object) -> None:
        if isinstance(event, Remembered) and (not self.active or event.folder == self.folder):
            newer = [preview for preview in self.previews if event.folder == self.folder]
            steps = {preview.step for preview in event.previews}
            self.previews = [*event.previews, *(preview for preview in newer if preview.step not in steps)]
            known = event.folder.name == self.looked_at and not event.by_noise.size
            self.by_noise = None if self.active or known else event.by_noise
            self.looked_at = event.folder.name
            self.remembered.emit()

    def use_data_root(self, folder: Path | None) -> None:
        """Look for data sets in that folder from now on; None: where downloads are kept."""
        self.data_root = folder
        self.changed.emit()

    def set_found(self, unfinished: "tuple[UnfinishedRun, ...]", curves: tuple[Path, ...]) -> None:
        """The runs that could be gone on with, and those that have a curve."""
        self.unfinished, self.curves = unfinished, curves
        self.changed.emit()

    def rename(self, old: str, new: str) -> None:
        """A run has another name and, with it, another folder."""
        if self._asked and self.name == old:
            config, folder = self._asked
            self._asked = config.with_changes(name=new), folder.with_name(new)
        self.renamed.emit(old, new)
        self.state_changed.emit()

    def forget(self, name: str) -> None:
        """A run was thrown away."""
        if self.name == name and not self.active:
            self._asked, self.run, self.last, self.finished, self.previews = None, None, None, None, []
            self.by_noise, self.looked_at = None, ""
            self.remembered.emit()
            self._set_state("idle")
        self.gone.emit(name)

    # ---- actions

    @property
    def active(self) -> bool:
        """Whether a run is going on, be it paused."""
        return self.state in ACTIVE

    @property
    def name(self) -> str:
        """The name of the run that is shown, empty before the first."""
        return self._asked[1].name if self._asked else ""

    @property
    def folder(self) -> Path | None:
        return self._asked[1] if self._asked else None

    def told(self, names: Iterable[str], *, by_noise: bool = False) -> dict[str, object]:
        """What a plot of these runs says of itself: their configurations, that of the run in hand first."""
        folders = {folder.name: folder for folder in (*self.curves, *([self.folder] if self.folder else []))}
        configs: dict[str, object] = {}
        for name in sorted(names, key=lambda name: name != self.name):
            with suppress(OSError, ValueError, KeyError, RecursionError, NoiseloomError):  # without one, or damaged
                configs[name] = json.loads(read_short(folders[name] / CONFIG_FILE))
        return {"runs": configs, "by_noise": by_noise}

    def take_up(self, runs: Mapping[str, TrainConfig], *, by_noise: bool) -> str:
        """Set up what a plot's first run was trained with, and show the curves that are still here; in words."""
        name, config = next(iter(runs.items()))
        settings, unsaid = settings_of(config, self.preset_names())
        self.change(**settings.model_dump())
        known = {folder.name: folder for folder in self.curves}
        found = {other: known.get(other, paths.user_runs() / other) for other in runs}
        here = {other: folder for other, folder in found.items() if runs[other] == _config_of(folder)}
        self.overlaid.emit(list(here.values()))
        if by_noise:
            self.asked_for_map.emit()
        if name in here:
            self.look_back(here[name])
        return _said_of(name, unsaid, list(here), [other for other in runs if other not in here])

    def start(self) -> None:
        """Start a new run in a folder of its own."""
        config = self.config()
        if not self.active and not self.contradiction:
            folder = paths.new_run(config.name)
            self._begin(config.with_changes(name=folder.name), folder, resume=False)

    def start_slower(self) -> None:
        """Start the run that failed again, with a lower learning rate."""
        if self._asked and not self.active:
            config, folder = self._asked
            folder = free_name(folder)
            self._begin(config.with_changes(lr=config.lr * SLOWER, name=folder.name), folder, resume=False)

    def go_on(self, run: "UnfinishedRun") -> None:
        """Go on with a run that was cut short, up to its own budget."""
        if not self.active:
            self._begin(run.config, run.folder, resume=True)

    def pause(self) -> None:
        """Hold at the next step, everything saved."""
        if self._job and self.state == "running":
            self._job.control.pause()
            self._set_state("pausing")

    def resume(self) -> None:
        """Let a paused run go on."""
        if self._job and self.state in ("pausing", "paused"):
            self.stuck = ""
            self._job.control.resume()
            self._session.lane.wake()
            self._set_state("running")

    def write_to(self, folder: Path) -> None:
        """Let a run that cannot write go on in that folder, in one of its own name."""
        if self._job and self.stuck:
            self._job.control.write_to(free_name(folder / self.name))
            self.resume()

    def stop(self) -> None:
        """End the run at the next step, keeping its model."""
        if self._job and self.active:
            self._job.control.cancel()
            self._session.lane.wake()
            self._set_state("stopping")

    def save_now(self) -> None:
        """Write a checkpoint at the next step."""
        if self._job and self.state == "running":
            self._job.control.post("save")

    @property
    def can_draw(self) -> bool:
        """Whether the run has a model to draw with, or will have at the next step."""
        return self.state in ("running", "paused") or (self.state == "done" and self.finished is not None)

    def draw(self) -> None:
        """Draw with the run's own newest weights on the Generate page."""
        if self.state == "running" and self._job:
            self._draw_when_saved = True
            self._job.control.post("save")
        elif self.can_draw:
            self._use_for_drawing()

    def _use_for_drawing(self) -> None:
        if self._asked:
            config, folder = self._asked
            self._session.look_again()
            name = self.name if folder.parent == paths.user_runs() else str(folder)
            self._session.generate.use_model(name, config.defaults)

    # ---- events

    def _look_back(self, run: RunStarted) -> None:
        """What the tables of a run that is gone on with hold, which the run itself does not need."""
        self.before, self.before_by_noise = None, None
        if not run.step:
            return
        before = curve(run.run_dir)
        if before.shape[1]:
            self.before = before
            self._curve = [(step, loss) for step, loss in before[:2].T.tolist()]
        self.before_by_noise = Table(run.run_dir / NOISE_FILE, NOISE_COLUMNS).read()
        self._held_out = Table(run.run_dir / VALIDATION_FILE, VALIDATION_COLUMNS).read()[1].tolist()

    def _begin(self, config: TrainConfig, folder: Path, *, resume: bool) -> None:
        self._asked = (config, folder)
        self.run, self.last, self.finished = None, None, None
        self.status, self._draw_when_saved = "Starting", False
        self._curve, self._held_out, self.previews, self.stuck = [], [], [], ""
        self.by_noise, self.looked_at = None, folder.name
        task = partial(training.training, config, folder, self.data_root, resume)
        self._job = self._session.submit(task, self._on_event, background=True)
        self._set_state("starting")

    def _on_event(self, event: object) -> None:
        match event:
            case Progress():
                done = f" {event.done / event.total:.0%}" if event.total else ""
                self.status = f"{event.what}{done}"
                self.state_changed.emit()
            case RunStarted():
                self.run, self.status = event, ""
                self._look_back(event)
                self.begun.emit(self.name)
                if event.step:
                    self.look_back(event.run_dir)
                if self.state == "starting":
                    self._set_state("running")
            case TrainStep():
                self.last = event
                self._curve.append((event.step, event.loss))
                self.stepped.emit(event)
            case Validated():
                self._held_out.append(event.loss)
                self.validated.emit(event)
            case Preview():
                self._add_preview(event)
            case CheckpointSaved():
                self._on_saved()
            case Paused() if self.state == "pausing":
                self._set_state("paused")
            case Resumed():
                self._on_resumed(event)
            case WriteFailed():
                self.stuck = event.message
                self._set_state("paused")
                self.tell_stuck()
            case SteppedBack():
                self._on_stepped_back(event)
            case BatchSplit():
                what = f"Batches are worked through in {event.parts} parts from now on; the result is the same."
                self._session.tell(Message("info", "A batch did not fit into memory.", what))
            case RunFinished():
                self.finished = event
            case Failed():
                self._set_state("failed")
            case JobEnded():
                self._on_ended()

    def _add_preview(self, preview: Preview) -> None:
        """One more; of very many every other one goes, as on the disk."""
        self.previews.append(preview)
        self.previewed.emit(preview)
        if len(self.previews) > MOST:
            del self.previews[1:-1:2]
            self.remembered.emit()

    def tell_stuck(self) -> None:
        """Tell the person that the run cannot write, and ask where it shall."""
        if self.stuck:
            what = f"{self.stuck} Nothing is lost: the run waits until it can write again, there or elsewhere."
            title = "The run waits, for it cannot save what it learns"
            self._session.tell(Message("error", title, what, STUCK_REMEDIES))

    def _on_resumed(self, event: Resumed) -> None:
        if self._asked and event.run_dir != self.folder:
            self._asked = (self._asked[0], event.run_dir)
            self._session.elsewhere.append(event.run_dir)
            self.moved.emit()
        if self.state == "paused":
            self._set_state("running")

    def _on_stepped_back(self, event: SteppedBack) -> None:
        self._curve, self._held_out = [], []
        if self.run:
            self._look_back(replace(self.run, step=event.step))
            self.begun.emit(self.name)
        what = f"It is back at step {event.step:,} and goes on with a learning rate of {event.lr:g} at most."
        self._session.tell(Message("warning", event.message, what))

    def _on_saved(self) -> None:
        self.saved.emit()
        if self._draw_when_saved:
            self._draw_when_saved = False
            self._use_for_drawing()

    def _on_ended(self) -> None:
        self._job = None
        if self.state != "failed":
            self._set_state("done" if self.finished else "idle")
        self._session.look_again()

    def _set_state(self, state: State) -> None:
        self.state = state
        self.state_changed.emit()
        self._session.status_changed.emit()

    # ---- what is shown

    @property
    def progress(self) -> float | None:
        """The share of the budget that is used up; None before the first step."""
        if self.last is None:
            return None
        whole = self.last.elapsed_s + self.last.remaining_s
        return min(self.last.elapsed_s / whole, 1.0) if whole > 0 else None

    def verdict(self) -> str:
        """The curve in plain words."""
        if not self._curve:
            return ""
        steps, losses = np.array(self._curve[-VERDICT_ROWS:]).T
        return verdict(steps, losses, np.array(self._held_out)).words


def _config_of(folder: Path) -> TrainConfig | None:
    """With what the run in a folder was trained; None where that cannot be read."""
    try:
        return read_config(folder / CONFIG_FILE)
    except NoiseloomError:
        return None


def _said_of(name: str, unsaid: Sequence[str], here: Sequence[str], gone: Sequence[str]) -> str:
    """What a plot brought back."""
    said = [f"The next run is set up as {preset_title(name)} was."]
    said += [f"Only its {' and '.join(unsaid)} cannot be set here."] if unsaid else []
    said += [f"Shown: what is kept of {', '.join(map(preset_title, here))}."] if here else []
    said += [f"Its curve cannot be shown, for the run is gone: {', '.join(map(preset_title, gone))}."] if gone else []
    return " ".join(said)
