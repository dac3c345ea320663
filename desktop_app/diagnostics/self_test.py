"""`noiseloom --self-test`: run every part of the program once, offscreen; a line for each check, and an exit code.

It shows that a packaged program is complete. It writes to a temporary folder.
"""

import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QObject, QTimer, Signal, SignalInstance

from desktop_app.viewmodels.notification import Message
from ml.config import SampleRequest
from ml.events import Frame, Pixels, RunFinished, Sampled
from ml.export.files import read_pixels, read_stamp, save
from ml.export.metadata import Layout
from ml.imaging.pixels import film
from ml.specs import DeviceName
from ml.system import paths

REQUEST = SampleRequest(model="digits", labels=tuple(range(10)), guidance_to=100, sigma_lead=1000, sigma_max=12)
LAYOUT = Layout(columns=10)
TRAINING_STEPS = 20
WAIT_MS = 120_000


class Failures(QObject):
    """Collects the errors that the window reports."""

    reported = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []

    def add(self, message: Message) -> None:
        if message.tone == "error":
            self.errors.append(f"{message.title} {message.details or message.what_to_do}")
            self.reported.emit()


class SelfTest:
    """The checks, in the order of `CHECKS`; each returns its finding in a few words, or raises."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images: Pixels | None = None
        self.film: list[Pixels] = []

    def torch(self) -> str:
        import torch

        from ml.system.device import choose_device

        return f"torch {torch.__version__}: {choose_device().reason}"

    def models(self) -> str:
        from ml.registry import model_cards, presets
        from ml.registry.checkpoint import load_model

        bundled = [card for card in model_cards.cards() if card.bundled]
        for card in bundled:
            load_model(card.path)
        recipes = [presets.load(name) for name in presets.names()]
        return f"{_some(bundled)} models and {_some(recipes)} presets"

    def generate(self) -> str:
        done, frames = _drawn("auto")
        self.images, self.film = done.images, film(frames, len(done.images))
        return f"{len(done.images)} digits in {done.seconds:.2f} s"

    def judge(self) -> str:
        from ml.evaluation.judge import Judge

        right = (Judge.bundled().judge(self._images()).labels == REQUEST.labels).sum()
        if right < 8:
            raise AssertionError(f"the judge reads only {right} of {len(REQUEST.labels)} digits as requested")
        return f"{right} of {len(REQUEST.labels)} digits are read as requested"

    def export(self) -> str:
        sizes: list[str] = []
        for name in ("digits.png", "denoising.gif", "denoising.mp4"):
            path = self.folder / name
            save(path, self._images(), REQUEST, LAYOUT, self.film)
            read_pixels(path)  # decodes all frames of an animation
            sizes.append(f"{path.suffix[1:].upper()} {path.stat().st_size / 1000:.0f} kB")
        return ", ".join(sizes)

    def verify(self) -> str:
        """Generated on the CPU, as `prove` does, for identical pixels."""
        from ml.export.verify import prove

        path = self.folder / "proof.png"
        save(path, _drawn("cpu")[0].images, REQUEST, LAYOUT)
        proof = prove(path.suffix, read_stamp(path), read_pixels(path), lambda _request: _drawn("cpu")[0].images)
        if not proof.same:
            raise AssertionError(proof.words)
        return proof.words

    def clip(self) -> str:
        from ml.generation.clip_matcher import matcher

        found = matcher("a bold slanted seven", device="cpu").texts
        return f"{len(found)} texts, {found.shape[1]} values each"

    def train(self) -> str:
        from ml.registry import presets
        from ml.training.overrides import with_overrides
        from ml.training.trainer import train

        config = with_overrides(presets.load("1-minute"), [("data", "synthetic"), ("steps", TRAINING_STEPS)])
        finished = [event for event in train(config, self.folder / "run") if isinstance(event, RunFinished)]
        if [event.step for event in finished] != [TRAINING_STEPS]:
            raise AssertionError("the run did not finish")
        return f"{TRAINING_STEPS} steps in {finished[0].seconds:.1f} s"

    def pages(self) -> str:
        from desktop_app.pages.registry import PAGES

        return ", ".join(page.view_class().__module__.rpartition(".")[2] for page in PAGES)

    def window(self) -> str:
        """Open the window, wait for the first grid, show every page, and close it."""
        from desktop_app.app import ErrorHooks, make_application, open_window
        from desktop_app.pages.registry import PAGE_KEYS
        from desktop_app.settings import AppSettings

        app = make_application(sys.argv[:1])
        window = open_window(AppSettings())
        session, failed = window.session, Failures()
        session.context.message.connect(failed.add)
        hooks = ErrorHooks()
        hooks.install(session.context)
        try:
            _wait(session.generate.judged, failed.reported)
            for key in PAGE_KEYS:
                window.rail.set_page(key)
                app.processEvents()
            size = window.grab().size()
        finally:
            window.close()
            _wait(session.context.closed)
        if failed.errors:
            raise AssertionError("; ".join(failed.errors))
        return f"{size.width()} x {size.height()}, {len(PAGE_KEYS)} pages"

    def _images(self) -> Pixels:
        if self.images is None:
            raise AssertionError("nothing was generated")
        return self.images


CHECKS: tuple[tuple[str, Callable[[SelfTest], str]], ...] = (
    ("load torch", SelfTest.torch),
    ("read bundled models", SelfTest.models),
    ("generate", SelfTest.generate),
    ("judge", SelfTest.judge),
    ("export", SelfTest.export),
    ("verify a PNG", SelfTest.verify),
    ("read a prompt", SelfTest.clip),
    ("train", SelfTest.train),
    ("import every page", SelfTest.pages),
    ("open the window", SelfTest.window),
)


def self_test() -> int:
    """Run all checks; returns 0, or 1 if one failed. All files written are removed."""
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="noiseloom-self-test-", ignore_cleanup_errors=True) as folder:
        # Set before Qt and the engine are first used. torch creates a folder for its compiler in the temporary folder.
        os.environ |= {paths.HOME_VARIABLE: folder, "XDG_CACHE_HOME": folder, "QT_QPA_PLATFORM": "offscreen"}
        tempfile.tempdir = folder
        test = SelfTest(Path(folder))
        for what, check in CHECKS:
            began, why = time.perf_counter(), None
            try:
                found = check(test)
            except Exception as error:
                found, why = f"{type(error).__name__}: {error}", error
                failed.append(what)
            seconds = time.perf_counter() - began
            print(f"{'FAILED' if why else 'ok':<7}{seconds:6.2f} s  {what}: {found}", flush=True)
            if why:
                traceback.print_exception(why)
    print(f"FAILED: {', '.join(failed)}" if failed else f"All {len(CHECKS)} checks passed.")
    return 1 if failed else 0


def _drawn(device: DeviceName) -> tuple[Sampled, list[Frame]]:
    """The finished sample of `REQUEST`, and every step of it."""
    from ml.generation.pipeline import sample

    frames: list[Frame] = []
    for event in sample(REQUEST, device=device):
        if isinstance(event, Sampled):
            return event, frames
        if isinstance(event, Frame):
            frames.append(event)
    raise AssertionError("no image was generated")


def _wait(*signals: SignalInstance) -> None:
    """Run Qt's event loop until one of the signals is emitted; raises TimeoutError."""
    loop = QEventLoop()
    for signal in signals:
        signal.connect(loop.quit)
    QTimer.singleShot(WAIT_MS, loop, lambda: loop.exit(1))
    if loop.exec():
        raise TimeoutError(f"no signal within {WAIT_MS // 1000} s")


def _some(things: list) -> int:
    if not things:
        raise AssertionError("none found")
    return len(things)
