"""Comparisons on one noise: a grid of settings by settings, each cell sampled, timed and judged."""

from collections.abc import Iterator, Sequence
from itertools import product

from ml.config import NO_LABEL, SampleRequest
from ml.control import RunControl
from ml.diffusion.schedules import grid_of, schedule_of
from ml.errors import BadRequest
from ml.evaluation.judge import judge_for
from ml.events import Progress, Sampled
from ml.experiments.axes import Axis, Value
from ml.experiments.cells import Cell
from ml.export.metadata import MAX_CELLS
from ml.generation import pipeline
from ml.generation.plan import check
from ml.generation.requests import check_used, with_model_defaults
from ml.imaging.pixels import sharpness
from ml.registry.checkpoint import load_header
from ml.registry.model_cards import find
from ml.specs import DRAWING, SAMPLERS, DeviceName


def requests(base: SampleRequest, rows: Axis | None, columns: Axis | None) -> list[list[SampleRequest]]:
    """The request of every cell, `[row][column]`, all from the seed of `base`.

    A setting that neither `base` nor an axis gives has the default of the cell's model. A model without classes gets no
    labels. Raises BadRequest for settings that cannot be combined.
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
    """The values of every cell, in the order of the given axes."""
    down, along = ([(value,) for value in axis.values] if axis else [()] for axis in (rows, columns))
    return [[(*first, *second) for second in along] for first in down]


def _suited(base: SampleRequest, fields: Sequence[str]) -> SampleRequest:
    """The request with a sampler that uses the settings on the axes: the first such one, unless the request has one."""
    if "sampler" in fields:
        return base
    for field in fields:
        samplers = [name for name, spec in SAMPLERS.items() if field in spec.uses]
        if samplers and "sampler" not in base.model_fields_set:
            base = base.with_changes(sampler=samplers[0])
        else:
            check_used(field, base.sampler)
    return base


def _request(base: SampleRequest, given: Sequence[Axis], values: Sequence[Value]) -> SampleRequest:
    changes: dict[str, object] = {axis.field: value for axis, value in zip(given, values, strict=True)}
    if "label" in changes:
        changes["labels"] = (changes.pop("label"),) * len(base.labels)
    request = base.with_changes(**changes, model_hash="")
    header = load_header(find(request.model))
    if header.model.network not in DRAWING:
        raise BadRequest(f"{request.model!r} is not a diffusion model.", "Choose models that draw.")
    if not header.model.num_classes and "labels" not in changes:
        request = request.with_changes(labels=(NO_LABEL,) * len(base.labels))
    request = with_model_defaults(request)
    check(request, header.model, header.class_names)
    grid_of(schedule_of(header.model), request)  # raises for steps that the model does not have
    return request


def compare(
    base: SampleRequest,
    rows: Axis | None,
    columns: Axis | None,
    device: DeviceName = "auto",
    control: RunControl | None = None,
) -> Iterator[Progress | Cell]:
    """Sample every cell, row by row: `Progress`, then its `Cell`. Stops without an error when cancelled.

    Raises BadRequest before the first cell; BadFile, NoDevice.
    """
    control = control or RunControl()
    grid = requests(base, rows, columns)
    _warm_up({request.model for line in grid for request in line}, device)
    places = list(product(range(len(grid)), range(len(grid[0]))))
    for done, (row, column) in enumerate(places):
        yield Progress("Comparing", done, len(places))
        for event in pipeline.sample(grid[row][column], device=device, control=control, frames=False):
            if isinstance(event, Sampled):
                yield judge_cell(row, column, event, device)
            elif isinstance(event, Progress):
                yield event
        if control.cancelled:
            return


def _warm_up(models: set[str], device: DeviceName) -> None:
    """Call each network once: the first call is slower than the rest, which would distort the time of a cell."""
    for model in models:
        for _ in pipeline.sample(SampleRequest(model=model, steps=1), device=device, frames=False):
            pass


def judge_cell(row: int, column: int, sampled: Sampled, device: DeviceName = "auto") -> Cell:
    """The cell of a sampled request, with scores where the judge can read its images."""
    request, images = sampled.request, sampled.images
    judge = judge_for(load_header(find(request.model)), device)
    measured = {"evaluations": sampled.evaluations or None, "sharpness": sharpness(images)}
    if judge is None:
        return Cell(row, column, request, images, sampled.seconds, **measured)
    predicted = judge.judge(images)
    labelled = NO_LABEL not in request.labels
    right = float((predicted.labels == request.labels).mean()) if labelled else None
    sure = float(predicted.confidence.mean())
    return Cell(row, column, request, images, sampled.seconds, right, sure, judge.accuracy, **measured)
