"""Stop, and closing, at any moment of whatever the window is at: soon over, nothing half-written, nothing left behind.

A moment is so many letters from the lane after the beginning, a random number of them; a failure names the seed, the
number and the place of the one that it was.
"""

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.settings import AppSettings, TrainSettings, load_settings
from desktop_app.viewmodels.notification import Message
from desktop_app.window.main_window import MainWindow
from desktop_app.worker.mailbox import Envelope
from ml.config import NO_LABEL, SampleRequest, for_route
from ml.export.files import read_stamp
from ml.generation.requests import with_model_defaults
from ml.registry.checkpoint import load_model, load_state, load_state_header
from ml.registry.run_layout import CONFIG_FILE, MODEL_FILE, STATE_FILE
from ml.specs import ROUTES
from ml.tracking.metrics_table import LOSS_COLUMNS, LOSS_FILE, NOISE_FILE, VALIDATION_FILE, Table
from tests.app.conftest import Opener, leave, thread_engine
from tests.patience import WAIT_MS, WAIT_S
from tests.support.tiny_model import few_digits

REPO = Path(__file__).resolve().parents[3]
AT_WORK = """
import sys
from desktop_app.worker import compute_thread
from desktop_app.app import make_application, open_window, run
from desktop_app.settings import load_settings

compute_thread.NICENESS = 0  # at a lower priority it would starve on a busy machine
app = make_application(["noiseloom"])
window = open_window(load_settings())
window.session.context.ready.connect(window.session.train.start)
window.session.generate.judged.connect(window.session.generate.draw)
sys.exit(run(app, window))
"""
SEED = 2026
FEW, MANY = 3, 50
FURTHER = 8  # times as far into the work, where there is time
SOON_S = 1.0  # how long a stop may take on an idle machine
TENS = tuple(range(10)) * 10
RECIPES = ("1-minute", "digits", "standard", "v-cosine", "autoencoder", "judge", "latent")
OF_A_RUN = {CONFIG_FILE, LOSS_FILE, NOISE_FILE, VALIDATION_FILE, MODEL_FILE, STATE_FILE}


class Activity:
    """Something that takes long, begun at the same place every time."""

    span = 4  # letters, among which the moments lie

    def __init__(self, window: MainWindow, folder: Path, qtbot: QtBot, rng: random.Random) -> None:
        self.window, self.session, self.folder, self.qtbot, self.rng = window, window.session, folder, qtbot, rng
        self._letters = 0
        engine = thread_engine(window)
        deliver = engine._deliver

        def counting(letters: list[Envelope]) -> None:
            self._letters += len(letters)
            deliver(letters)

        engine._deliver = counting  # type: ignore[method-assign]

    def begin_until(self, moment: int) -> None:
        """Let it go on for so many letters, or to its end if that comes first."""
        self._letters = 0
        self.begin()
        self.until(lambda: self._letters >= moment or resting(self.window))

    def begin(self) -> None:
        raise NotImplementedError

    def check(self) -> None:
        """What has to be true once it was stopped."""

    def draw(self, request: SampleRequest) -> None:
        self.session.generate.draw(request=request, columns=10)

    def until(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)


class Sampling(Activity):
    """A large grid in many steps, by any sampler."""

    def begin(self) -> None:
        sampler = self.rng.choice(("ddim", "heun", "ddpm", "dpm++"))
        settings = {"model": "digits", "labels": TENS, "sampler": sampler, "steps": 50, "repeats": 3}
        self.draw(with_model_defaults(SampleRequest.model_validate(settings)))


class Guiding(Activity):
    """A large grid that CLIP steers."""

    def begin(self) -> None:
        name = ROUTES["clip"].model
        card = self.session.context.card(name)
        assert card
        own = for_route(card.header.defaults, "clip").model_dump()
        self.draw(SampleRequest(**own, model=name, route="clip", prompt="a bold seven", labels=(NO_LABEL,) * 100))


class Training(Activity):
    """A run of any kind, from before it reads its data to after its first previews."""

    span = 10

    def begin(self) -> None:
        train = self.session.train
        train.change(preset=self.rng.choice([name for name in RECIPES if name in train.preset_names()]))
        train.set_own("save_every_s", 0.3)
        train.set_own("preview_every_s", 0.5)
        train.start()

    def check(self) -> None:
        train = self.session.train
        assert train.state in ("done", "idle") and train.folder
        if train.state == "idle":
            assert not train.folder.exists() or not list(train.folder.glob("*.safetensors"))
            return
        step = load_state_header(train.folder / STATE_FILE).step
        load_state(train.folder / STATE_FILE)
        assert load_model(train.folder / MODEL_FILE)[0].steps == step
        assert list(Table(train.folder / LOSS_FILE, LOSS_COLUMNS).read()[0]) == list(range(1, step + 1))
        left = {path.name for path in train.folder.iterdir() if path.is_file()} - OF_A_RUN - {".lock"}
        assert all(name.startswith("events.") for name in left), left


class Exporting(Activity):
    """A film or a picture, large."""

    span = 6

    def __init__(self, window: MainWindow, folder: Path, qtbot: QtBot, rng: random.Random) -> None:
        super().__init__(window, folder, qtbot, rng)
        self.draw(with_model_defaults(SampleRequest.model_validate({"model": "tiny", "labels": TENS, "steps": 30})))
        self.until(lambda: resting(window))
        self.hundred = window.session.generate.trajectory
        self.path = folder / "none"

    def begin(self) -> None:
        self.session.generate.show_again(self.hundred)
        kind = self.rng.choice(("png", "gif", "mp4", "webp", "apng", "npz", "svg", "digits"))
        self.path = self.folder / f"{self.rng.getrandbits(32):08x}.{kind}"
        if kind == "digits":
            self.session.generate.export_digits(self.path.with_suffix(""), scale=8)
        else:
            self.session.generate.export(self.path, scale=8, labelled=self.rng.random() < 0.5)

    def check(self) -> None:
        found = list(self.folder.iterdir())
        if self.path.suffix == ".digits":
            assert not found or (found == [self.path.with_suffix("")] and len(list(found[0].iterdir())) == len(TENS))
        elif found:
            assert found == [self.path] and read_stamp(self.path).request.labels == TENS
        for path in found:
            path.rename(self.folder.parent / path.name)


class Loading(Activity):
    """The first grid of a model, whose weights are read for it."""

    span = 4

    def begin(self) -> None:
        from ml.evaluation import judge
        from ml.generation import clip_matcher, loaded_model

        for remembered in (loaded_model._load, judge._load, clip_matcher._load):
            remembered.cache_clear()
        card = self.rng.choice(self.session.context.drawing_models)
        own = card.header.defaults.with_changes(steps=2).model_dump()
        labels = (0,) * 10 if card.header.model.num_classes else (NO_LABEL,) * 10
        self.draw(SampleRequest(**own, model=card.name, labels=labels))


class Comparing(Activity):
    """A table of cells."""

    def begin(self) -> None:
        self.session.compare.change(mode="grid", values={"steps": "5, 20, 50", "guidance": "1, 3"}, digits="0-9")
        self.session.compare.compare()


class Asking(Activity):
    """One of the classic questions."""

    def begin(self) -> None:
        self.session.explore.ask(self.rng.choice(("steps", "eta", "guidance", "samplers")))


ACTIVITIES = (Sampling, Guiding, Training, Exporting, Loading, Comparing, Asking)


@pytest.fixture
def settings(tmp_path: Path) -> AppSettings:
    """A run on a few digits, which are read at once."""
    return AppSettings(train=TrainSettings(data="mnist"), data_root=few_digits(tmp_path / "data"), reduced_motion=True)


@pytest.fixture
def threads() -> Iterator[None]:
    """No thread stays, of those that a stopped job had begun."""
    yield
    left = [thread for thread in threading.enumerate() if thread.name.startswith("export")]
    for thread in left:
        thread.join(WAIT_S)
    assert not any(thread.is_alive() for thread in left)


def resting(window: MainWindow) -> bool:
    """Nothing is being done, and nothing waits to be."""
    return not window.session.context._jobs


def stopped(window: MainWindow) -> bool:
    """The compute thread has no job; the sketch thread may still compile variants."""
    thread = thread_engine(window).compute_thread
    return not (thread._foreground or thread._background)


def stop(activity: Activity, moment: int) -> float:
    """Stop it at a moment, and wait until that has taken effect: how many seconds that took."""
    activity.begin_until(moment)
    began = time.monotonic()
    activity.window.stop()
    activity.until(lambda: stopped(activity.window))
    took = time.monotonic() - began
    activity.until(lambda: resting(activity.window))
    return took


def draw_one(activity: Activity) -> None:
    """The program can draw as before."""
    activity.draw(with_model_defaults(SampleRequest.model_validate({"model": "tiny", "labels": (3,), "steps": 1})))
    activity.until(lambda: activity.session.generate.verdict is not None and not activity.session.generate.busy)


def stop_often(
    kind: type[Activity], count: int, window: MainWindow, folder: Path, qtbot: QtBot, further: int = 1
) -> list[float]:
    """Stop it at so many moments, and see each time that nothing is left of it; how many seconds each stop took."""
    told: list[Message] = []
    window.session.context.message.connect(told.append)
    rng = random.Random(f"{SEED} {kind.__name__}")
    folder.mkdir()
    activity = kind(window, folder, qtbot, rng)
    activity.until(lambda: resting(window))
    took: list[float] = []
    for number in range(count):
        moment = rng.randrange(further * activity.span)
        where = f"{kind.__name__}, seed {SEED}, number {number}, after {moment} letters"
        took.append(stop(activity, moment))
        activity.check()
        assert not [message for message in told if message.tone == "error"], where
        draw_one(activity)
        activity.until(lambda: resting(window))
    print(f"{kind.__name__}: {count} stops, at most {max(took):.2f} s, median {sorted(took)[count // 2]:.2f} s")
    return took


def opened_and_known(opened: Opener, settings: AppSettings, qtbot: QtBot) -> MainWindow:
    window = opened(settings)
    qtbot.waitUntil(lambda: bool(window.session.context.device) and resting(window), timeout=WAIT_MS)
    return window


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("kind", ACTIVITIES)
def test_a_stop_at_any_moment_leaves_nothing_behind(
    kind: type[Activity], opened: Opener, settings: AppSettings, qtbot: QtBot, tmp_path: Path
) -> None:
    stop_often(kind, FEW, opened_and_known(opened, settings, qtbot), tmp_path / "out", qtbot)


@pytest.mark.bench
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("kind", ACTIVITIES)
def test_fifty_stops_take_effect_within_a_second(
    kind: type[Activity], opened: Opener, settings: AppSettings, qtbot: QtBot, tmp_path: Path
) -> None:
    took = stop_often(kind, MANY, opened_and_known(opened, settings, qtbot), tmp_path / "out", qtbot, FURTHER)
    assert max(took) <= SOON_S


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("kind", [Guiding, Training, Exporting, Asking])
def test_a_window_closed_at_any_moment_ends_and_saves(
    kind: type[Activity], opened: Opener, settings: AppSettings, qtbot: QtBot, tmp_path: Path
) -> None:
    window = opened_and_known(opened, settings, qtbot)
    (tmp_path / "out").mkdir()
    rng = random.Random(f"{SEED} closing {kind.__name__}")
    activity = kind(window, tmp_path / "out", qtbot, rng)
    told: list[Message] = []
    window.session.context.message.connect(told.append)
    activity.begin_until(rng.randrange(activity.span))
    leave(window, qtbot)
    assert not window.isVisible() and thread_engine(window).compute_thread.isFinished()
    assert not [message for message in told if message.tone == "error"]
    activity.check()


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal as Unix does")
def test_a_program_told_to_end_while_it_trains_and_draws_saves_and_is_gone(
    home: Path, settings: AppSettings, tmp_path: Path
) -> None:
    (home / "settings.json").write_text(settings.model_dump_json(), encoding="utf-8")
    log, folder = tmp_path / "log.txt", home / "runs" / "1-minute"
    environment = os.environ | {"NOISELOOM_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    with log.open("wb") as file:
        program = psutil.Popen([sys.executable, "-c", AT_WORK], cwd=REPO, env=environment, stdout=file, stderr=file)
    began = time.monotonic()
    with program, ExitStack() as stack:
        stack.callback(lambda: program.poll() is None and program.kill())  # or leaving would wait for ever
        while not (folder / LOSS_FILE).exists():
            assert program.poll() is None and time.monotonic() < began + WAIT_S, log.read_text()
            time.sleep(0.02)
        children = program.children(recursive=True)
        program.terminate()
        assert program.wait(WAIT_S) == 0, log.read_text()
    assert not [child for child in children if child.is_running()]
    step = load_state_header(folder / STATE_FILE).step
    assert load_model(folder / MODEL_FILE)[0].steps == step > 0
    assert load_settings().interrupted == folder.name
