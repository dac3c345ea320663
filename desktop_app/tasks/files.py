"""File jobs for the compute thread: export, restore, verify."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from desktop_app.tasks.draw import opening
from ml.config import SampleRequest
from ml.control import RunControl
from ml.events import Pixels, Progress, Sampled
from ml.experiments import comparison_figure
from ml.experiments.cells import Cell
from ml.export import files, plot_metadata
from ml.export import verify as proof
from ml.export.formats import FORMATS
from ml.export.metadata import Stamp, Unstamped, Watch
from ml.export.plot_metadata import PlotMetadata
from ml.imaging.safe_open import OTHER_FILE

LOOK_S = 0.05  # between two looks at a file that is being written


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a file of ours says about itself, and what it shows."""

    path: Path
    stamp: Stamp
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class ReadPlot:
    """What the file of a plot says of itself."""

    path: Path
    told: PlotMetadata
    proof: proof.Proof


@dataclass(frozen=True, slots=True)
class Exported:
    path: Path


def exporting(path: Path, write: Callable[[Watch], object], control: RunControl) -> Iterator[object]:
    """Have `write` make a file or folder, telling how far it is; it leaves nothing behind where it is stopped.

    Encoders give no turn away, so they work in a thread of their own while the lane looks after them.
    """
    seen = Progress(f"Writing {path.name}", 0, 0)

    def watch(done: int, total: int) -> None:
        nonlocal seen
        seen = Progress(f"Writing {path.name}", done, total)
        if control.cancelled:
            raise _Stopped

    yield seen
    with ThreadPoolExecutor(1, "export") as thread, suppress(_Stopped):
        writing = thread.submit(write, watch)
        while not wait([writing], LOOK_S).done:
            yield seen
        writing.result()
        yield Exported(path)


class _Stopped(Exception):
    """Somebody pressed Stop."""


def restoring(path: Path, as_drawing: bool, control: RunControl) -> Iterator[object]:
    """Read a file that Noiseloom wrote; with `as_drawing`, any other picture to draw on."""
    yield Progress(f"Reading {path.name}", 0, 0)
    try:
        if told := plot_metadata.read(path):
            yield ReadPlot(path, told, plot_metadata.prove(path, told))
            return
        if path.suffix.lower() not in FORMATS:
            raise Unstamped(f"{path.name} is no file that Noiseloom wrote.", OTHER_FILE)
        yield ReadFile(path, files.read_stamp(path), files.read_pixels(path))
    except Unstamped:
        if not as_drawing:
            raise
        yield from opening(path, control)


def proving_figure(read: ReadFile, cells: Sequence[Cell], control: RunControl) -> Iterator[object]:
    """See whether a figure shows cells that were drawn again; those that are missing are drawn now."""
    from ml.generation import pipeline

    drawn = {cell.request: cell.images for cell in cells}

    def draw(request: SampleRequest) -> Pixels:
        if request in drawn:
            return drawn[request]
        again = pipeline.sample(request, control=control, frames=False)
        return next(event.images for event in again if isinstance(event, Sampled))

    with suppress(StopIteration):  # it was stopped
        yield comparison_figure.prove(read.stamp, read.pixels, draw)


def proving(read: ReadFile, images: Pixels, control: RunControl) -> Iterator[object]:
    """See whether a file shows images that were drawn again from its request."""
    from ml.generation import pipeline

    def draw(request: SampleRequest) -> Pixels:
        if request == read.stamp.request:
            return images
        drawn = pipeline.sample(request, control=control, frames=False)
        return next((event.images for event in drawn if isinstance(event, Sampled)), images)

    yield proof.prove(read.path.suffix.lower(), read.stamp, read.pixels, draw)
