"""What the lane does: generators of events around the engine. torch is imported inside them, never by the screen."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.config import SampleRequest, TrainConfig
from ml.control import RunControl, import_here
from ml.events import Frame, Pixels, Preview, Progress, Sampled
from ml.experiments import comparison_figure
from ml.experiments.axes import Axis
from ml.experiments.cells import Cell
from ml.export import files, plot_metadata
from ml.export import verify as proof
from ml.export.metadata import OTHER_FILE, Stamp, Unstamped, Watch
from ml.export.plot_metadata import Told
from ml.imaging.embedded_png import SIDE, as_drawing
from ml.system.preload import load_libraries

if TYPE_CHECKING:
    from torch import Tensor

    from desktop_app.settings import ExploreSettings
    from ml.evaluation.forward_process import Noising
    from ml.evaluation.guidance_probe import Xray
    from ml.experiments.questions import Answer
    from ml.registry.model_cards import ModelCard
    from ml.tracking.run_index import UnfinishedRun
LOOK_S = 0.05  # between two looks at a file that is being written


@dataclass(frozen=True, slots=True)
class Ready:
    """What this machine computes with, which models there are, and which runs were cut short."""

    device: str
    on_gpu: bool
    models: "tuple[ModelCard, ...]"
    unfinished: "tuple[UnfinishedRun, ...]"
    curves: tuple[Path, ...] = ()  # folders of runs whose curves can be shown
    past: tuple[str, ...] = ()  # RUN@STEP: models of own runs on their way


@dataclass(frozen=True, slots=True)
class Judged:
    """What the judge reads in the images just drawn."""

    labels: NDArray[np.int64]
    confidence: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Decided:
    """What the judge reads in the clean guess of every step: probabilities (steps + 1, N, classes)."""

    probabilities: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rayed:
    """The look inside the guidance of one image, step by step; see `ml.evaluation.guidance_probe`."""

    steps: "tuple[Xray, ...]"


@dataclass(frozen=True, slots=True)
class Understanding:
    """Whether a prompt is about digits at all."""

    prompt: str
    about_digits: bool


@dataclass(frozen=True, slots=True)
class Noised:
    """An image on its way into noise by every schedule, and what it is."""

    noisings: "tuple[Noising, ...]"
    what: str


@dataclass(frozen=True, slots=True)
class Recognised:
    """How probable a diffusion model finds each class."""

    probabilities: NDArray[np.float32]  # (classes,)


@dataclass(frozen=True, slots=True)
class Nearest:
    """The training image that is most like an image, how far it is, in [0, 1], and whether the image copies it."""

    image: Pixels
    distance: float
    copied: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture to draw on or to begin from, (28, 28), and the digit that the judge reads in it."""

    image: Pixels
    label: int


@dataclass(frozen=True, slots=True)
class Remembered:
    """The previews that a run has kept, oldest first, and its losses by noise, (1 + levels, n) with the steps."""

    folder: Path
    previews: tuple[Preview, ...]
    by_noise: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answered:
    """A question's answer, and the figure of it (H, W, 3)."""

    answer: "Answer"
    figure: Pixels


@dataclass(frozen=True, slots=True)
class Read:
    """What a file of ours says about itself, and what it shows."""

    path: Path
    stamp: Stamp
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Plotted:
    """What the file of a plot says of itself."""

    path: Path
    told: Told
    proof: proof.Proof


@dataclass(frozen=True, slots=True)
class Exported:
    path: Path


def warm_up(elsewhere: Sequence[Path], _control: RunControl) -> Iterator[object]:
    """Import torch, and what pictures of the history need; look at the device and the models."""
    yield Progress("Loading PyTorch", 0, 0)
    load_libraries("torch")
    import_here("PIL.Image")
    from ml.registry import model_cards
    from ml.system.device import pick
    from ml.tracking import run_index

    device = pick()
    on_gpu = device.torch_device.type != "cpu"
    curves = tuple(run_index.with_curves())
    cards = model_cards.cards()
    past = tuple(f"{card.name}@{int(path.stem)}" for card in cards for path in model_cards.snapshots(card.name))
    yield Ready(device.reason, on_gpu, tuple(cards), tuple(run_index.unfinished(elsewhere)), curves, past)


def drawing(request: SampleRequest, control: RunControl) -> Iterator[object]:
    """Sample a request: every `Frame`, `Sampled`, then `Judged` and `Decided` where the judge can read such images."""
    from ml.evaluation.judge import Judge, reads
    from ml.generation import pipeline

    data = pipeline.load(request.model).header.data
    guesses: list[Pixels] = []
    for event in pipeline.sample(request, control=control):
        yield event
        if isinstance(event, Frame):
            guesses.append(event.x0_hat)
        if isinstance(event, Sampled) and reads(data, event.images):
            verdict = Judge.bundled().judge(event.images)
            yield Judged(verdict.labels, verdict.confidence)
            found = [Judge.bundled().judge(guess).probabilities for guess in guesses if not control.cancelled]
            if len(found) == len(guesses):
                yield Decided(np.stack(found))


def looking_into(request: SampleRequest, control: RunControl) -> Iterator[object]:
    """Look inside the guidance of a request's first image."""
    from ml.evaluation.guidance_probe import xray
    from ml.generation import pipeline

    yield Rayed(tuple(xray(pipeline.load(request.model), request, control)))


def sketching(
    request: SampleRequest, control: RunControl, frames: bool = False, quick: bool = False
) -> Iterator[object]:
    """Sample a request, its steps only if asked for; `quick` while a hand moves."""
    from ml.generation import pipeline

    yield from pipeline.sample(request, control=control, frames=frames, quick=quick)


def understanding(prompt: str, _control: RunControl) -> Iterator[object]:
    """Ask CLIP what a prompt is about."""
    yield Progress("Reading the prompt", 0, 0)
    import_here("ml.system.torchvision_compat")
    from ml.generation import clip_matcher

    yield Understanding(prompt, clip_matcher.is_about_digits(prompt))


def training(
    config: TrainConfig, folder: Path, data_root: Path | None, resume: bool, control: RunControl
) -> Iterator[object]:
    """Train, or go on with a run."""
    from ml.training.trainer import train

    for event in train(config, folder, data_root=data_root, resume=resume, control=control):
        yield event
        if control.cancelled and isinstance(event, Progress):
            return  # nothing was begun, so there is nothing to save


def looking_back(folder: Path, _control: RunControl) -> Iterator[object]:
    """Read the previews and the losses by noise that a run has kept."""
    from ml.tracking import preview_history
    from ml.tracking.metrics_table import NOISE_COLUMNS, NOISE_FILE, Table
    from ml.training.overrides import read_config
    from ml.training.run import CONFIG_FILE, preview_labels

    model = read_config(folder / CONFIG_FILE).model
    previews = tuple(preview_history.remembered(folder, preview_labels(model), model.image_size))
    yield Remembered(folder, previews, Table(folder / NOISE_FILE, NOISE_COLUMNS).read())


def noising(settings: "ExploreSettings", data_root: Path | None, _control: RunControl) -> Iterator[object]:
    """Put noise on an image, by every schedule."""
    yield Progress("Adding noise", 0, 0)
    from ml.evaluation import forward_process

    image, what = forward_process.example(settings.digit, settings.example, data_root, settings.picture)
    yield Noised(forward_process.noisings(image, settings.timesteps, settings.example), what)


def looking_for_nearest(image: Pixels, data_root: Path | None, _control: RunControl) -> Iterator[object]:
    """Find the training image of MNIST that is most like an image, where MNIST is at hand."""
    from ml import data
    from ml.evaluation import metrics

    if data.at_hand("mnist", data_root, "train"):
        training = _training_images(data_root)
        index, distance, copied = metrics.nearest(image, training)
        yield Nearest(training[index, 0].numpy().copy(), distance, copied)


@lru_cache(maxsize=1)
def _training_images(data_root: Path | None) -> "Tensor":
    from ml import data

    return data.load("mnist", data_root).images


def recognising(image: Pixels, model: str, control: RunControl) -> Iterator[object]:
    """Have a diffusion model say which of its classes an image (H, W) is."""
    import torch

    from ml.evaluation.diffusion_classifier import recognise
    from ml.generation import pipeline

    x0 = torch.from_numpy(image.copy())[None, None].float() / 127.5 - 1
    for event in recognise(pipeline.load(model), x0, control=control):
        yield event if isinstance(event, Progress) else Recognised(event[0].numpy())


def opening(path: Path, _control: RunControl) -> Iterator[object]:
    """Read a picture as a drawing: bright strokes on black, turned around where the paper is white."""
    yield Progress("Opening the picture", 0, 0)
    yield from looking_at(as_drawing(path, SIDE), _control)


def example(digit: int, number: int, data_root: Path | None, _control: RunControl) -> Iterator[object]:
    """A digit to begin with."""
    yield Progress("Looking for a digit", 0, 0)
    from ml.evaluation import forward_process

    yield Opened(forward_process.example(digit, number, data_root)[0], digit)


def looking_at(image: Pixels, _control: RunControl) -> Iterator[object]:
    """Have the judge say which digit a picture (28, 28) is."""
    from ml.evaluation.judge import Judge

    yield Opened(image, int(Judge.bundled().judge(image[None]).labels[0]))


def experimenting(name: str, control: RunControl) -> Iterator[object]:
    """Answer a classic question."""
    from ml.experiments import questions

    for event in questions.answer(name, control=control):
        found = isinstance(event, questions.Answer)
        yield Answered(event, np.asarray(questions.figure(event))) if found else event


def writing_answer(path: Path, answer: "Answer", scale: int, _watch: Watch) -> None:
    """Write an answer as a figure, a PNG."""
    from ml.experiments import questions

    questions.save(path, answer, scale)


def proving_answer(read: Read, control: RunControl) -> Iterator[object]:
    """Answer the question of a figure anew, and see whether it is the same."""
    from ml.experiments import questions

    found = questions.prove(read.stamp, read.pixels, control=control)
    if found:
        yield found


def comparing(base: SampleRequest, rows: Axis | None, columns: Axis | None, control: RunControl) -> Iterator[object]:
    """Draw a comparison cell by cell."""
    from ml.experiments.comparison import compare

    yield from compare(base, rows, columns, control=control)


def racing(requests: Sequence[SampleRequest], control: RunControl) -> Iterator[object]:
    """Let requests race, each by its model's own settings where nothing else is set; each `Sampled` is judged."""
    from ml.experiments.comparison import judged
    from ml.experiments.race import race
    from ml.registry.model_cards import filled_in

    for lap in race([filled_in(request) for request in requests], control=control):
        yield lap
        if isinstance(lap.event, Sampled):
            yield judged(0, lap.lane, lap.event)


def estimating(config: TrainConfig, _control: RunControl) -> Iterator[object]:
    """Measure how quickly this device would train."""
    yield Progress("Measuring the speed of this device", 0, 0)
    from ml.training.throughput import estimate

    yield estimate(config)


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
            yield Plotted(path, told, plot_metadata.prove(path, told))
            return
        if path.suffix.lower() not in files.SUFFIXES:
            raise Unstamped(f"{path.name} is no file that Noiseloom wrote.", OTHER_FILE)
        yield Read(path, files.read_stamp(path), files.read_pixels(path))
    except Unstamped:
        if not as_drawing:
            raise
        yield from opening(path, control)


def proving_figure(read: Read, cells: Sequence[Cell], control: RunControl) -> Iterator[object]:
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


def proving(read: Read, images: Pixels, control: RunControl) -> Iterator[object]:
    """See whether a file shows images that were drawn again from its request."""
    from ml.generation import pipeline

    def draw(request: SampleRequest) -> Pixels:
        if request == read.stamp.request:
            return images
        drawn = pipeline.sample(request, control=control, frames=False)
        return next((event.images for event in drawn if isinstance(event, Sampled)), images)

    yield proof.prove(read.path.suffix.lower(), read.stamp, read.pixels, draw)
