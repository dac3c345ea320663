"""From a moved control to the new image painted, in the real window, alone and while a run trains; and its heartbeat.

A move counts from the mouse or slider event until the window has been painted with the image that it asks for. The
heartbeat is the delay of a 10 ms timer in the GUI thread meanwhile.
"""

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from pydantic import Field
from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent

from desktop_app.app import make_application, open_window
from desktop_app.pages.generate import GeneratePage
from desktop_app.pages.interpolate import InterpolatePage
from desktop_app.settings import AppSettings, TrainSettings
from desktop_app.viewmodels.live_preview import STUDENT, STUDENT_STEPS
from desktop_app.viewmodels.session import Session
from desktop_app.widgets.images.image_grid import ImageGrid
from desktop_app.widgets.plots.export import Figure
from desktop_app.window.main_window import MainWindow
from ml.cli.console import Line
from ml.data.dataset import usual_roots
from ml.errors import NoiseloomError
from ml.events import Sampled
from ml.registry import presets
from ml.registry.run_layout import MODEL_FILE
from ml.system.paths import HOME_VARIABLE
from ml.training.trainer import train
from tests.benchmarks import startup
from tests.benchmarks.common import Plan, Table, machine
from tests.benchmarks.heartbeat import Heartbeat, wait

PERCENTILE, SEED = 95, 7
READY_MS = 300_000
SLOWER_WHILE_TRAINING = 3.0
ALONE, TRAINING = "alone", "while training"
BUNDLED, OWN = "digits", "own"  # the model that has a student, and one as a person trains it, which has none


class InteractionPlan(Plan):
    """How many moves, and beside what."""

    moves: int = Field(default=300, ge=1)
    warm_up: int = Field(default=20, ge=0, description="moves that do not count, before the others")
    gap_ms: int = Field(default=10, ge=1, description="from one image to the next move")
    patience_ms: int = Field(default=10_000, ge=100, description="after which a move counts as lost")
    preset: str = "1-minute"
    data: str = "mnist"
    models: tuple[str, ...] = Field(default=(), description="that are loaded for the heartbeat; none: all")
    starts: int = Field(default=5, ge=1, description="starts of the program, beside a bare window")
    beat_s: float = Field(default=10.0, gt=0, description="of training with nothing else, for the heartbeat")


PLAN = InteractionPlan
QUICK: dict[str, Any] = {"moves": 30, "warm_up": 5, "beat_s": 3.0, "starts": 1}


class TooSlow(NoiseloomError):
    """Something that the window should have done did not happen."""

    kind = "benchmark"


def until(condition: Callable[[], bool], what: str, most_ms: int = READY_MS) -> None:
    """Run the event loop until that holds; raises TooSlow."""
    deadline = time.monotonic() + most_ms / 1000
    while not condition():
        if time.monotonic() > deadline:
            raise TooSlow(f"Waited {most_ms / 1000:.0f} s for {what}.", "Try again with less beside it.")
        wait(0.02)


class Watch(QObject):
    """Sees when a grid has been painted with an image it was given."""

    def __init__(self, grid: ImageGrid) -> None:
        super().__init__()
        self._loop = QEventLoop()
        self._patience = QTimer(self, singleShot=True)
        self._patience.timeout.connect(self._loop.quit)
        self._due = False
        self._painted_at: float | None = None
        grid.installEventFilter(self)

    def has_new_image(self) -> None:
        """The grid has it now, and paints it next."""
        self._due = True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self._due and event.type() == QEvent.Type.Paint:
            self._due = False
            QTimer.singleShot(0, self._painted)  # once this round of painting has reached the window's surface
        return False

    def _painted(self) -> None:
        self._painted_at = time.perf_counter()
        self._loop.quit()

    def time(self, move: Callable[[], None], patience_ms: int) -> float | None:
        """Milliseconds from a move to the paint; None where none came."""
        self._due, self._painted_at = False, None
        began = time.perf_counter()
        move()
        if self._painted_at is None:
            self._patience.start(patience_ms)
            self._loop.exec()
            self._patience.stop()
        return None if self._painted_at is None else 1000 * (self._painted_at - began)


@dataclass
class Scene:
    """A way to move something, and the bar that its images have to meet."""

    name: str
    bar_ms: float
    prepare: Callable[[], None]
    move: Callable[[], None]
    watch: Watch
    computing_s: list[float] = field(default_factory=list)  # what drawing took, of each image


class Bench:
    """The window with its two pages on which images follow the hand."""

    def __init__(self, window: MainWindow, plan: InteractionPlan) -> None:
        self.window, self.session, self.plan = window, window.session, plan
        self._rng = random.Random(SEED)
        self._all_models = self.session.context.models
        window.rail.set_page("interpolate")
        self._pad = cast(InterpolatePage, window.page("interpolate"))
        self._generate = cast(GeneratePage, window.page("generate"))
        pad, grid = Watch(self._pad.image), Watch(self._generate.grid)
        self.scenes = [
            Scene(f"one digit, ten steps, guided, {plan.preset}", 25, partial(self._to_pad, OWN), self._drag, pad),
            Scene("one digit, ten steps, guided, digits", 25, partial(self._to_pad, BUNDLED), self._drag, pad),
            Scene(f"one digit, student, {STUDENT_STEPS} steps", 8, partial(self._to_pad, STUDENT), self._drag, pad),
            Scene(f"4 x 4, student, {STUDENT_STEPS} steps", 20, self._to_grid, self._slide, grid),
        ]
        self._scene = self.scenes[0]
        self.session.interpolate.drawn.connect(self._interpolated)
        self.session.generate.sketched.connect(self._sketched)
        self.session.generate.finished.connect(self._drawn)

    def measure(self, scene: Scene) -> tuple[list[float | None], dict[str, float]]:
        """Milliseconds of each move, None where no image came, and the heartbeat meanwhile."""
        self._scene = scene
        scene.prepare()
        for _ in range(self.plan.warm_up):
            self._once(scene)
        scene.computing_s.clear()
        beat = Heartbeat()
        beat.start()
        taken = [self._once(scene) for _ in range(self.plan.moves)]
        return taken, beat.stop()

    def _once(self, scene: Scene) -> float | None:
        wait(self.plan.gap_ms / 1000)
        return scene.watch.time(scene.move, self.plan.patience_ms)

    def _to_pad(self, model: str) -> None:
        """The Interpolate page; without a student in the library the full model draws at every move."""
        self.window.rail.set_page("interpolate")
        self.session.context.models = tuple(
            card for card in self._all_models if model == STUDENT or card.name != STUDENT
        )
        interpolate = self.session.interpolate
        interpolate.change(model=BUNDLED if model == STUDENT else model)
        until(lambda: interpolate.map is not None and interpolate.loop is not None, "the pad to be drawn")
        until(
            lambda: self.session.context.at_rest and not interpolate.quick, "the digit to be drawn"
        )  # once its form is made

    def _drag(self) -> None:
        """The mouse goes on to another place of the pad."""
        pad = self._pad.pad
        area = pad.square()
        across, down = (self._rng.uniform(0.15, 0.85) for _ in range(2))  # never twice in a corner, which is no move
        at = QPointF(area.left() + across * area.width(), area.top() + down * area.height())
        button, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        kind, keys = QEvent.Type.MouseMove, Qt.KeyboardModifier.NoModifier
        QCoreApplication.sendEvent(pad, QMouseEvent(kind, at, pad.mapToGlobal(at), none, button, keys))

    def _interpolated(self) -> None:
        interpolate = self.session.interpolate
        shown, wanted = interpolate.shown, interpolate.here()
        if interpolate.quick and shown:
            self._scene.computing_s.append(shown.seconds)
        if shown and wanted and shown.request.weights == wanted.weights:  # a sketch, or the one drawn at rest
            self._scene.watch.has_new_image()

    def _to_grid(self) -> None:
        """The Generate page, with 16 digits by the student."""
        self.session.context.models = self._all_models
        generate = self.session.generate
        self.window.rail.set_page("generate")
        generate.use_model(STUDENT)
        generate.change(live=False, prompt="0-3", rows=4, steps=STUDENT_STEPS)
        generate.draw()
        until(lambda: generate.verdict is not None and not generate.busy, "sixteen digits")

    def _slide(self) -> None:
        """The slider of the first noise level goes to another place."""
        slider = self._generate.sampling.sigma_max.slider
        low, high, apart = (slider.maximum() // part for part in (8, 3, 40))  # from about 2 to about 10
        slider.setValue(self._rng.choice([at for at in range(low, high) if abs(at - slider.value()) > apart]))

    def _sketched(self, sketch: Sampled) -> None:
        self._scene.computing_s.append(sketch.seconds)
        self._scene.watch.has_new_image()

    def _drawn(self) -> None:
        """Exactly, since the hand rested before there was a sketch: the machine was at something else."""
        self._scene.watch.has_new_image()


def measure(plan: InteractionPlan, data_root: Path | None, line: Line) -> Iterator[dict[str, Any]]:
    """The start, every scene alone and while a run trains; heartbeats of those, of training, loading, exporting."""
    line.show("Starting the program beside a bare window")
    starts = startup.measure(plan.starts)
    moves: list[dict[str, Any]] = []
    beats: dict[str, dict[str, float]] = {}
    with _window(plan, data_root) as window:
        bench = Bench(window, plan)
        for beside in (ALONE, TRAINING):
            if beside == TRAINING:
                line.show("Starting a run")
                _train(window.session)
                beats["training"] = _beat(lambda: wait(plan.beat_s))
            for scene in bench.scenes:
                line.show(f"{scene.name}, {beside}")
                taken, beat = bench.measure(scene)
                moves.append(_figures(scene, beside, taken, plan.patience_ms))
                line.note(f"{scene.name}, {beside}: p95 {moves[-1]['p95_ms']:.1f} ms")
                beats[f"{scene.name}, {beside}"] = beat
        window.session.train.stop()
        until(lambda: not window.session.train.active, "the run to end")
        for what, work in (("model loading", partial(_load_models, plan.models)), ("export", _export)):
            line.show(f"Heartbeat: {what}")
            beats[what] = _beat(partial(work, window.session))
    _compare(moves)
    yield {"machine": machine(plan.device), "startup": starts, "moves": moves, "heartbeat": beats}


@contextmanager
def _window(plan: InteractionPlan, data_root: Path | None) -> Iterator[MainWindow]:
    """The real window, on a home of its own, once its first grid is drawn; seen to its end."""
    root = data_root or next((place for place in usual_roots() if place.is_dir()), None)
    before = os.environ.get(HOME_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="noiseloom-benchmark-", ignore_cleanup_errors=True) as home:
        os.environ[HOME_VARIABLE] = home
        _make_own(plan, root, Path(home))
        app = make_application(["benchmark"])
        app.setQuitOnLastWindowClosed(False)
        run = TrainSettings(data=plan.data, preset=plan.preset, minutes=60)
        window = open_window(AppSettings(train=run, data_root=root))
        try:
            generate = window.session.generate
            until(lambda: generate.verdict is not None and not generate.busy, "the first grid")
            yield window
        finally:
            ended: list[bool] = []
            window.session.context.closed.connect(lambda: ended.append(True))
            window.close()
            until(lambda: bool(ended), "the window to close")
            os.environ.pop(HOME_VARIABLE)
            os.environ.update({HOME_VARIABLE: before} if before is not None else {})


def _make_own(plan: InteractionPlan, root: Path | None, home: Path) -> None:
    """Put a model of the preset into the library, after one step: what it draws takes no less time than a digit."""
    config = presets.load(plan.preset).with_changes(data=plan.data, steps=1, minutes=None)
    for _ in train(config, home / "own", data_root=root):
        pass
    (home / "models").mkdir()
    shutil.copy(home / "own" / MODEL_FILE, home / "models" / f"{OWN}.safetensors")


def _train(session: Session) -> None:
    session.train.start()
    until(lambda: session.train.last is not None or session.train.state == "failed", "the first training step")
    if session.train.last is None:
        raise TooSlow("The run did not start.", "Give --data-root, or --set data=synthetic.")


def _load_models(names: tuple[str, ...], session: Session) -> None:
    """Models of the library one after another, each with a grid drawn by it."""
    for name in names or [card.name for card in session.context.drawing_models]:
        session.generate.use_model(name)
        until(lambda: not session.generate.busy, name)


def _export(session: Session) -> None:
    """The grid as a picture and its film in two formats."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for suffix in (".png", ".gif", ".mp4"):
            path = Path(folder) / f"digits{suffix}"
            session.generate.export(path)
            until(path.exists, f"a {suffix} file")
            until(lambda: session.context.at_rest, "the export to end")


def _beat(work: Callable[[], None]) -> dict[str, float]:
    beat = Heartbeat()
    beat.start()
    work()
    return beat.stop()


def _figures(scene: Scene, beside: str, taken: list[float | None], patience_ms: float) -> dict[str, Any]:
    """What is told of a scene's moves; one that brought no image counts with all that was waited for it."""
    known = np.array([patience_ms if ms is None else ms for ms in taken], np.float64)
    bar = scene.bar_ms * (SLOWER_WHILE_TRAINING if beside == TRAINING else 1)
    p95 = float(np.percentile(known, PERCENTILE))
    return {
        "name": scene.name,
        "beside": beside,
        "moves": len(taken),
        "lost": sum(ms is None for ms in taken),
        "p50_ms": float(np.median(known)),
        "p95_ms": p95,
        "worst_ms": float(known.max()),
        "bar_ms": bar,
        "of_bar": p95 / bar,
        "computing_ms": 1000 * float(np.median(scene.computing_s)) if scene.computing_s else None,
    }


def _compare(moves: list[dict[str, Any]]) -> None:
    """How many times as late each scene is beside training as alone."""
    alone = {row["name"]: row["p95_ms"] for row in moves if row["beside"] == ALONE}
    for row in moves:
        row["times_alone"] = row["p95_ms"] / alone[row["name"]]


def tables(found: dict[str, Any]) -> list[Table]:
    """The moves, and the heartbeat."""
    names = ("name", "beside", "p50_ms", "p95_ms", "worst_ms", "computing_ms", "bar_ms", "of_bar", "times_alone")
    heads = ("", "", "p50 ms", "p95 ms", "worst ms", "of it drawing, ms", "bar ms", "of the bar", "times alone")
    rows = [tuple(row[name] for name in names) for row in found["moves"]]
    note = f"{found['plan']['moves']} moves each; {sum(row['lost'] for row in found['moves'])} brought no image."
    beats = [(name, *(row[key] for key in ("beats", "p50_ms", "p99_ms", "worst_ms"))) for name, row in
             found["heartbeat"].items()]  # fmt: skip
    return [
        Table("From a moved control to the image painted", heads, rows, note),
        startup.table(found["startup"]),
        Table("Delay of a 10 ms timer in the window", ("during", "beats", "p50 ms", "p99 ms", "worst ms"), beats),
    ]


def figures(found: dict[str, Any]) -> list[Figure]:
    """None: these are figures of one size of work."""
    return []
