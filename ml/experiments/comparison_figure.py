"""Figures of comparisons as files, with the metadata from which they are verified. No torch here."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from ml.config import MAX_IMAGES, SampleRequest
from ml.errors import BadFile, BadRequest
from ml.events import Pixels
from ml.experiments import axes
from ml.experiments.axes import Axis
from ml.experiments.cells import Cell, draw_figure
from ml.export.metadata import AxisNote, CellNote, Comparison, Layout, Stamp, digest, seal
from ml.export.verify import Proof, compare_exactly
from ml.imaging.figure import SCALE
from ml.imaging.png import write_png
from ml.system.files import atomic

OTHER_FILE = "Use a figure that Noiseloom wrote."


def save(path: Path | str, rows: Axis | None, columns: Axis | None, cells: Sequence[Cell], scale: int = SCALE) -> None:
    """Write a comparison as a labelled figure, a PNG, with its requests and their scores.

    Raises BadRequest, CannotWrite.
    """
    picture = np.asarray(draw_figure(rows, columns, cells, scale))
    first = cells[0].request
    classes = next((axis.classes for axis in (rows, columns) if axis and axis.classes), ())
    notes = tuple(_note(cell, first) for cell in cells)
    noted = Comparison(rows=_noted(rows), columns=_noted(columns), classes=classes, cells=notes)
    with atomic(path) as temporary:
        write_png(temporary, picture, seal(first, Layout(columns=1, scale=scale), picture, comparison=noted))


def save_race(path: Path | str, picture: Pixels, lanes: Sequence[SampleRequest], scale: int = SCALE) -> None:
    """Write a figure of a race (H, W, 3), a PNG, with its requests; raises CannotWrite."""
    with atomic(path) as temporary:
        write_png(temporary, picture, seal(lanes[0], Layout(columns=1, scale=scale), picture, race=tuple(lanes)))


def prove_race(stamp: Stamp, found: Pixels) -> Proof:
    """Whether a race's figure has the pixels it was written with; its times cannot be measured again."""
    if digest(found) == stamp.pixels:
        return Proof(True, f"the pixels it was written with, of a race of {len(stamp.race)}")
    return Proof(False, "other pixels than it was written with", "Another program has changed the picture.")


def axes_of(comparison: Comparison) -> tuple[Axis | None, Axis | None]:
    """Rows and columns; raises BadFile."""
    try:
        rows, columns = (
            _axis(note, comparison.classes) if note else None for note in (comparison.rows, comparison.columns)
        )
    except BadRequest as error:
        raise BadFile(f"The figure has an invalid axis: {error.message}", OTHER_FILE) from error
    for cell in comparison.cells:
        if cell.row >= (len(rows.values) if rows else 1) or cell.column >= (len(columns.values) if columns else 1):
            raise BadFile("The figure has a cell outside its axes.", OTHER_FILE)
    return rows, columns


def requests_of(stamp: Stamp) -> list[SampleRequest]:
    """The request of every cell; raises BadFile."""
    notes = _comparison(stamp).cells
    if len(stamp.request.labels) * len(notes) > MAX_IMAGES:
        raise BadFile(f"The figure has more than {MAX_IMAGES:,} images.", OTHER_FILE)
    try:
        return [stamp.request.with_changes(**note.changes) for note in notes]
    except ValidationError as error:
        raise BadFile("The figure has a cell that cannot be drawn.", OTHER_FILE) from error


def prove(stamp: Stamp, found: Pixels, draw: Callable[[SampleRequest], Pixels]) -> Proof:
    """Sample every cell with `draw`, draw the figure with the recorded times, and compare. Raises BadFile."""
    noted, requests = _comparison(stamp), requests_of(stamp)
    rows, columns = axes_of(noted)
    cells = [
        Cell(
            note.row,
            note.column,
            request,
            draw(request),
            note.seconds,
            note.right,
            note.confidence,
            note.judge_accuracy,
            note.evaluations,
            note.sharpness,
        )
        for note, request in zip(noted.cells, requests, strict=True)
    ]
    made = np.asarray(draw_figure(rows, columns, cells, stamp.layout.scale))
    return compare_exactly(stamp, found, made, "the same pixels in every cell (the times are as they were measured)")


def _comparison(stamp: Stamp) -> Comparison:
    if stamp.comparison is None:
        raise BadFile("This file shows no comparison.", OTHER_FILE)
    return stamp.comparison


def _axis(note: AxisNote, classes: tuple[str, ...]) -> Axis:
    """The axis of a note, whose labels are numbers; raises BadRequest."""
    axis = axes.parse(note.field, note.values)
    return replace(axis, classes=classes) if note.field == "label" else axis


def _noted(axis: Axis | None) -> AxisNote | None:
    return AxisNote(field=axis.field, values=", ".join(map(str, axis.values))) if axis else None


def _note(cell: Cell, first: SampleRequest) -> CellNote:
    base, own = (request.model_dump(mode="json") for request in (first, cell.request))
    changes = {name: value for name, value in own.items() if value != base[name]}
    return CellNote(row=cell.row, column=cell.column, changes=changes, seconds=cell.seconds, right=cell.right,
                    confidence=cell.confidence, judge_accuracy=cell.judge_accuracy, evaluations=cell.evaluations,
                    sharpness=cell.sharpness)  # fmt: skip
