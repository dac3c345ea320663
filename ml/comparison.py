"""Comparisons on one noise: a grid of settings by settings, each cell drawn, timed and judged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from PIL import Image

from ml import axes, pipeline
from ml.axes import Axis, Value
from ml.checkpoint import load_header
from ml.config import DRAWING, NO_LABEL, DeviceName, SampleRequest
from ml.control import RunControl
from ml.errors import BadRequest
from ml.events import Pixels, Progress, Sampled
from ml.figures import Head, Panel, across, figure
from ml.judge import Judge, reads
from ml.library import filled_in, find
from ml.schedules import grid_of, schedule_of

MAX_CELLS, MAX_SHOWN = 400, 100
SUITED = {  # the samplers that pay heed to a setting, the first of them where nobody names one
    "eta": ("ddim",),
    "variance": ("ddpm", "ddpm-clip"),
    "repeats": ("ddim", "euler", "ddpm", "ddpm-clip"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What one combination gave: its images (N, H, W[, 3]), and what the judge made of them where it can read them."""

    row: int
    column: int
    request: SampleRequest  # with the model's hash filled in
    images: Pixels
    seconds: float
    right: float | None = None  # share of the images that are read as what was asked for
    confidence: float | None = None  # mean probability of what is read


def requests(base: SampleRequest, rows: Axis | None, columns: Axis | None) -> list[list[SampleRequest]]:
    """The request of every cell, `[row][column]`, all from the seed of `base`.

    What nobody set, in `base` or on an axis, is as the cell's model likes it; a model without classes is asked for
    none. Raises BadRequest for what cannot be combined.
    """
    given = [axis for axis in (rows, columns) if axis]
    if not given:
        raise BadRequest("There is nothing to compare.", "Choose what changes along the rows, or along the columns.")
    if rows and columns and rows.field == columns.field:
        raise BadRequest(f"Rows and columns are both of {rows.field}.", "Choose another setting for one of them.")
    if len(rows.values if rows else "1") * len(columns.values if columns else "1") > MAX_CELLS:
        raise BadRequest(f"That is more than {MAX_CELLS} cells.", "Compare fewer values.")
    suited = _suited(base, [axis.field for axis in given])
    return [[_request(suited, given, place) for place in line] for line in _places(rows, columns)]


def _places(rows: Axis | None, columns: Axis | None) -> list[list[tuple[Value, ...]]]:
    """The values of every cell, in the order of the axes that there are."""
    down, along = ([(value,) for value in axis.values] if axis else [()] for axis in (rows, columns))
    return [[(*first, *second) for second in along] for first in down]


def _suited(base: SampleRequest, fields: Sequence[str]) -> SampleRequest:
    """With a sampler that the settings on the axes mean something to."""
    if "sampler" in fields:
        return base
    for field in fields:
        samplers = SUITED.get(field)
        if samplers and "sampler" not in base.model_fields_set:
            base = base.with_changes(sampler=samplers[0])
        elif samplers and base.sampler not in samplers:
            raise BadRequest(
                f"{axes.TITLES[field]} changes nothing with the sampler {base.sampler}.",
                f"Choose {' or '.join(samplers)}.",
            )
    return base


def _request(base: SampleRequest, given: Sequence[Axis], values: Sequence[Value]) -> SampleRequest:
    changes: dict[str, object] = {axis.field: value for axis, value in zip(given, values, strict=True)}
    if "label" in changes:
        changes["labels"] = (changes.pop("label"),) * len(base.labels)
    request = base.with_changes(**changes, model_hash="")
    header = load_header(find(request.model))
    if header.model.network not in DRAWING:
        raise BadRequest(f"{request.model!r} is no diffusion model.", "Choose models that draw.")
    if not header.model.num_classes and "labels" not in changes:
        request = request.with_changes(labels=(NO_LABEL,) * len(base.labels))
    request = filled_in(request)
    pipeline.check_labels(request, header.model)
    grid_of(schedule_of(header.model), request)  # raises for steps that the model does not have
    return request


def compare(
    base: SampleRequest,
    rows: Axis | None,
    columns: Axis | None,
    device: DeviceName = "auto",
    control: RunControl | None = None,
) -> Iterator[Progress | Cell]:
    """Draw every cell, row by row: `Progress`, then its `Cell`; stops quietly when cancelled.

    Raises BadRequest before anything is drawn; BadFile, NoDevice.
    """
    control = control or RunControl()
    wanted = requests(base, rows, columns)
    _warm_up({request.model for line in wanted for request in line}, device)
    places = list(product(range(len(wanted)), range(len(wanted[0]))))
    for done, (row, column) in enumerate(places):
        yield Progress("Comparing", done, len(places))
        for event in pipeline.sample(wanted[row][column], device=device, control=control, frames=False):
            if isinstance(event, Sampled):
                yield _judged(row, column, event, device)
            elif isinstance(event, Progress):
                yield event
        if control.cancelled:
            return


def _warm_up(models: set[str], device: DeviceName) -> None:
    """A first network call takes longer than all that follow, which is not to be held against a cell."""
    for model in models:
        for _ in pipeline.sample(SampleRequest(model=model, steps=1), device=device, frames=False):
            pass


def _judged(row: int, column: int, sampled: Sampled, device: DeviceName) -> Cell:
    request, images = sampled.request, sampled.images
    if not reads(load_header(find(request.model)).data, images):
        return Cell(row, column, request, images, sampled.seconds)
    verdict = Judge.bundled(device).judge(images)
    asked = NO_LABEL not in request.labels
    right = float((verdict.labels == request.labels).mean()) if asked else None
    return Cell(row, column, request, images, sampled.seconds, right, float(verdict.confidence.mean()))


# ---- what is said of it


def result(cells: Sequence[Cell]) -> str:
    """Time and verdict of cells, on average: `0.42 s · 97% right`."""
    if not cells:
        return ""
    parts = [_time(sum(cell.seconds for cell in cells) / len(cells))]
    right = [cell.right for cell in cells if cell.right is not None]
    sure = [cell.confidence for cell in cells if cell.confidence is not None]
    if right:
        parts.append(f"{sum(right) / len(right):.0%} right")
    elif sure:
        parts.append(f"{sum(sure) / len(sure):.0%} sure")
    return " · ".join(parts)


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def heads(axis: Axis | None, cells: Sequence[Cell], along: str) -> list[Head]:
    """The names along an axis (`along` is "row" or "column"), each with what its cells gave on average."""
    if axis is None:
        return [Head("")]
    lines = [[cell for cell in cells if getattr(cell, along) == k] for k in range(len(axis.values))]
    notes = [f"mean {result(line)}" if len(line) > 1 else "" for line in lines]
    return [Head(name, note) for name, note in zip(axis.names, notes, strict=True)]


def title(rows: Axis | None, columns: Axis | None) -> str:
    """What is compared, in a few words: `Steps by guidance w`."""
    words = [axes.TITLES[axis.field] for axis in (rows, columns) if axis]
    return " by ".join([words[0], *(word[:1].lower() + word[1:] for word in words[1:])])


def drawn(rows: Axis | None, columns: Axis | None, cells: Sequence[Cell]) -> Image.Image:
    """A comparison as a picture for a report: what is not there yet is left empty."""
    down, along = heads(rows, cells, "row"), heads(columns, cells, "column")
    panels: list[list[Panel | None]] = [[None] * len(along) for _ in down]
    for cell in cells:
        images = cell.images[:MAX_SHOWN]
        panels[cell.row][cell.column] = Panel(images, across(len(images)), result([cell]))
    return figure(title(rows, columns), down, along, panels, _in_common([cell.request for cell in cells]))


def _in_common(done: Sequence[SampleRequest]) -> str:
    """What all cells share: `one noise, seed 2026 · digits · DDIM`."""
    shared = []
    for field in ("seed", "model", "sampler", "steps"):
        values = {getattr(request, field) for request in done}
        shared += [axes.said(field, value) for value in values if len(values) == 1]
    return " · ".join(shared)
