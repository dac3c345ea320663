"""What every test stands on: an offscreen screen, a home of its own, the real data, and no leaks left behind."""

import os
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from launch import cores
from tests import progress
from tests.patience import PATIENCE, WAIT_MS, WAIT_S

if TYPE_CHECKING:
    from tests.support.warm_fork import Lives

# Before Qt is imported, which reads it once.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

REPO = Path(__file__).resolve().parent.parent
CORES = 2  # of which tests share images
KEPT = "drawing on core"  # threads of these names stay as long as the process, as many as there are cores
TEST_S = 5 * WAIT_S  # a test waits for several things

home_key = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Runs, models and settings of the tests go to a folder that is theirs, and away with it."""
    progress.register(config)
    set_threads(bool(config.getoption("numprocesses", None)) or cores() == 1)
    if config.option.timeout is None:
        config.option.timeout = TEST_S
    home = tempfile.mkdtemp(prefix="noiseloom-tests-")
    config.stash[home_key] = home
    os.environ["NOISELOOM_HOME"] = home


def set_threads(crowded: bool) -> None:
    """Those that torch computes on, before it is imported: it looks once. What is set already stays.

    Threads wait for each other within each of many small operations. Where they do not have a core each, since others
    want it too, that takes several times as long as one thread.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1" if crowded else "2")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # others would wait for a processor that waits


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[home_key], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a test may take by a mark of its own is stretched like all that is waited for."""
    for item in items:
        mark = item.get_closest_marker("timeout")
        if mark and PATIENCE != 1:
            item.add_marker(pytest.mark.timeout(PATIENCE * mark.args[0], *mark.args[1:], **mark.kwargs), append=False)


def pytest_runtest_setup() -> None:
    """What shares images among the cores has two of them to do so, on however many threads torch computes."""
    shared: Any = sys.modules.get("ml.system.cores")
    if shared:
        shared.CORES = CORES


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """The folder that holds MNIST/raw (torchvision's layout); skips where there is none. Never downloads."""
    given = os.environ.get("NOISELOOM_DATA")
    root = Path(given) if given else REPO.parent / "shared" / "data"
    if not (root / "MNIST" / "raw").is_dir():
        pytest.skip(f"no MNIST/raw in {root}: set NOISELOOM_DATA to the folder that holds it")
    return root


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of a tiny model."""
    from tests.support.tiny_model import train_tiny

    return train_tiny(tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="session")
def tiny_unconditional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of a tiny model without classes."""
    from tests.support.tiny_model import TINY, train_tiny

    return train_tiny(tmp_path_factory.mktemp("runs") / "plain", model=TINY.model_dump() | {"num_classes": 0})


@pytest.fixture(scope="session")
def lives() -> "Iterator[Lives]":
    """A warm process that carries out commands in processes of their own."""
    from tests.support.warm_fork import warm

    with warm() as lives:
        yield lives


class Started:
    """Remembers, without keeping them alive, the objects of a Qt class whose `start` is called."""

    def __init__(self, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.objects: weakref.WeakSet[Any] = weakref.WeakSet()
        original = kind.start

        def start(this: Any, *arguments: Any, **named: Any) -> Any:
            self.objects.add(this)
            return original(this, *arguments, **named)

        monkeypatch.setattr(kind, "start", start)

    def still(self, busy: Callable[[Any], bool]) -> list[str]:
        from shiboken6 import isValid

        return [repr(this) for this in list(self.objects) if isValid(this) and busy(this)]


@pytest.fixture(autouse=True)
def no_leaks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test ends with every thread it started stopped and every timer quiet."""
    before = set(threading.enumerate())
    qt: Any = sys.modules.get("PySide6.QtCore")
    with monkeypatch.context() as patch:
        threads, timers = (Started(qt.QThread, patch), Started(qt.QTimer, patch)) if qt else (None, None)
        yield
    new = [t for t in set(threading.enumerate()) - before if not t.daemon and not t.name.startswith(KEPT)]
    for thread in new:
        thread.join(WAIT_S)
    leaked = [repr(thread) for thread in new if thread.is_alive()]
    if threads and timers:
        # Objects that were told to `deleteLater` are gone once an event loop runs; here none does.
        qt.QCoreApplication.sendPostedEvents(None, qt.QEvent.Type.DeferredDelete.value)
        leaked += threads.still(lambda thread: not thread.wait(WAIT_MS))
        leaked += timers.still(lambda timer: timer.isActive())
    assert not leaked, f"left running by this test: {', '.join(leaked)}"
