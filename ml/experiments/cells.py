"""The cells of a comparison, in words and as a figure. Nothing here imports torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ml.config import SampleRequest
from ml.events import Pixels
from ml.experiments import axes
from ml.experiments.axes import Axis
from ml.imaging.figure import SCALE, Head, Panel, across, drawable, figure

if TYPE_CHECKING:
    from PIL import Image

MAX_SHOWN = 100  # images of a cell in a figure


@dataclass(frozen=True, slots=True)
class Cell:
    """The images (N, H, W[, 3]) of one combination of settings, and their scores where the judge can read them."""

    row: int
    column: int
    request: SampleRequest  # with the model's hash filled in
    images: Pixels
    seconds: float
    right: float | None = None  # share of the images that are classified as their labels
    confidence: float | None = None  # mean probability of the class that the judge finds
    judge_accuracy: float | None = None  # share of real test images that the judge gets right
    evaluations: int | None = None  # of the network, per image; None in figures of before, which are drawn as then
    sharpness: float | None = None  # see `ml.imaging.pixels.sharpness`


def summary(cells: Sequence[Cell]) -> str:
    """The mean cost and scores of cells: `20 evaluations · 0.42 s · sharpness 0.41 · 39 of 40 right`."""
    if not cells:
        return ""
    parts = (
        format_evaluations(cells),
        format_seconds(sum(cell.seconds for cell in cells) / len(cells)),
        format_sharpness(cells),
        format_scores(cells),
    )
    return " · ".join(part for part in parts if part)


def format_evaluations(cells: Sequence[Cell]) -> str:
    """The mean number of network evaluations per image: `20 evaluations`; empty where they were not counted."""
    counted = [cell.evaluations for cell in cells if cell.evaluations]
    mean = sum(counted) / len(counted) if counted else 0
    return f"{mean:g} evaluation{'s' * (mean != 1)}" if counted else ""


def format_sharpness(cells: Sequence[Cell]) -> str:
    """The mean sharpness: `sharpness 0.41`; empty where it was not measured."""
    measured = [cell.sharpness for cell in cells if cell.sharpness is not None]
    return f"sharpness {sum(measured) / len(measured):.2f}" if measured else ""


def format_seconds(seconds: float) -> str:
    """0.42 s, 13 s."""
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def format_scores(cells: Sequence[Cell]) -> str:
    """The scores of cells: `39 of 40 right`, or `99% sure` without labels; empty where the judge cannot read them.

    Cells of figures of before have `97% right`, a mean.
    """
    right = [cell.right for cell in cells if cell.right is not None]
    sure = [cell.confidence for cell in cells if cell.confidence is not None]
    if right and all(cell.evaluations for cell in cells):
        read = [(cell.right, len(cell.images)) for cell in cells if cell.right is not None]
        return f"{round(sum(share * n for share, n in read)):,} of {sum(n for _, n in read):,} right"
    if right:
        return f"{sum(right) / len(right):.0%} right"
    return f"{sum(sure) / len(sure):.0%} sure" if sure else ""


def judge_note(cells: Iterable[Cell | None]) -> str:
    """How far the judges of cells can be trusted: `judge: 99.2% of real images right`; empty without a judge."""
    known = sorted({f"{cell.judge_accuracy:.1%}" for cell in cells if cell and cell.judge_accuracy is not None})
    return f"judge: {' or '.join(known)} of real images right" if known else ""


def heads(axis: Axis | None, cells: Sequence[Cell], along: str) -> list[Head]:
    """The names along an axis (`along` is "row" or "column"), each with the mean scores of its cells."""
    if axis is None:
        return [Head("")]
    lines = [[cell for cell in cells if getattr(cell, along) == k] for k in range(len(axis.values))]
    notes = [f"mean {summary(line)}" if len(line) > 1 else "" for line in lines]
    return [Head(name, note) for name, note in zip(axis.names, notes, strict=True)]


def title(rows: Axis | None, columns: Axis | None) -> str:
    """What is compared, in a few words: `Steps by guidance w`."""
    return _by([axis.title for axis in (rows, columns) if axis])


def _figure_title(rows: Axis | None, columns: Axis | None) -> str:
    return _by([axis.figure_title for axis in (rows, columns) if axis])


def _by(words: Sequence[str]) -> str:
    return " by ".join([words[0], *(word[:1].lower() + word[1:] for word in words[1:])])


def draw_figure(rows: Axis | None, columns: Axis | None, cells: Sequence[Cell], scale: int = SCALE) -> "Image.Image":
    """A comparison as a figure; cells that are missing are left empty. Raises BadRequest, as `figure` does."""
    rows, columns = (axis and replace(axis, classes=drawable(axis.classes)) for axis in (rows, columns))
    down, along = heads(rows, cells, "row"), heads(columns, cells, "column")
    panels: list[list[Panel | None]] = [[None] * len(along) for _ in down]
    for cell in cells:
        images = cell.images[:MAX_SHOWN]
        panels[cell.row][cell.column] = Panel(images, across(len(images)), summary([cell]))
    common = [shared_settings([cell.request for cell in cells]), judge_note(cells)]
    return figure(_figure_title(rows, columns), down, along, panels, " · ".join(filter(None, common)), scale)


def shared_settings(requests: Sequence[SampleRequest]) -> str:
    """The settings that all requests share: `seed 2026 · digits · DDIM`."""
    shared = []
    for field in ("seed", "model", "sampler", "steps"):
        values = {getattr(request, field) for request in requests}
        shared += [axes.format_value(field, value) for value in values if len(values) == 1]
    return " · ".join(shared)
