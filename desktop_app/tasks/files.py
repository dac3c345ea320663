"""File jobs for the compute thread: export, restore, verify."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from desktop_app.tasks.draw import open_image
from ml.config import SampleRequest
from ml.control import RunControl
from ml.events import Pixels, Progress, Sampled
from ml.experiments import comparison_figure
from ml.experiments.cells import Cell
from ml.export import files, plot_metadata, verify
from ml.export.formats import FORMATS
from ml.export.metadata import Stamp, Unstamped, Watch
from ml.export.plot_metadata import PlotMetadata
from ml.imaging.safe_open import OTHER_FILE

JPEG = (".jpg", ".jpeg")  # which other image programs write
POLL_S = 0.05  # between two reports of progress


@dataclass(frozen=True, slots=True)
class ReadFile:
    """The metadata and the pixels of a file that Noiseloom wrote."""

    path: Path
    stamp: Stamp
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class ReadPlot:
    """The metadata of a plot that Noiseloom wrote, and whether the file is unchanged."""

    path: Path
    metadata: PlotMetadata
    proof: verify.Proof


@dataclass(frozen=True, slots=True)
class Exported:
    path: Path


def export(path: Path, write: Callable[[Watch], object], control: RunControl) -> Iterator[object]:
    """Write a file or folder by calling `write`, and yield its progress; a cancelled export leaves nothing behind.

    Encoders do not yield, so `write` runs in a second thread.
    """
    progress = Progress(f"Writing {path.name}", 0, 0)

    def watch(done: int, total: int) -> None:
        nonlocal progress
        progress = Progress(f"Writing {path.name}", done, total)
        if control.cancelled:
            raise _Cancelled

    yield progress
    with ThreadPoolExecutor(1, "export") as thread, suppress(_Cancelled):
        writing = thread.submit(write, watch)
        while not wait([writing], POLL_S).done:
            yield progress
        writing.result()
        yield Exported(path)


class _Cancelled(BaseException):
    """The export was cancelled."""


def read_file(path: Path, as_drawing: bool, control: RunControl) -> Iterator[object]:
    """Read a file that Noiseloom wrote; with `as_drawing`, any other image as a drawing."""
    yield Progress(f"Reading {path.name}", 0, 0)
    try:
        if metadata := plot_metadata.read(path):
            yield ReadPlot(path, metadata, plot_metadata.prove(path, metadata))
            return
        if path.suffix.lower() not in (*FORMATS, *JPEG):
            raise Unstamped(f"{path.name} wasn't written by Noiseloom.", OTHER_FILE)
        yield ReadFile(path, files.read_stamp(path), files.read_pixels(path))
    except Unstamped:
        if not as_drawing:
            raise
        yield from open_image(path, control)


def verify_figure(read: ReadFile, cells: Sequence[Cell], control: RunControl) -> Iterator[object]:
    """Compare a figure with cells that were drawn again; missing cells are drawn now."""
    from ml.generation import pipeline

    drawn = {cell.request: cell.images for cell in cells}

    def draw(request: SampleRequest) -> Pixels:
        if request in drawn:
            return drawn[request]
        again = pipeline.sample(request, control=control, frames=False)
        return next(event.images for event in again if isinstance(event, Sampled))

    with suppress(StopIteration):  # cancelled
        yield comparison_figure.prove(read.stamp, read.pixels, draw)


def verify_images(read: ReadFile, images: Pixels, control: RunControl) -> Iterator[object]:
    """Compare a file with images that were drawn again from its request."""
    from ml.generation import pipeline

    def draw(request: SampleRequest) -> Pixels:
        if request == read.stamp.request:
            return images
        drawn = pipeline.sample(request, control=control, frames=False)
        return next((event.images for event in drawn if isinstance(event, Sampled)), images)

    yield verify.prove(read.path.suffix.lower(), read.stamp, read.pixels, draw)
