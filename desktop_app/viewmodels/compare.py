"""The Compare page without its widgets: two axes, and the cells between them."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import ValidationError
from PySide6.QtCore import Signal

from desktop_app.settings import CompareSettings
from desktop_app.tasks import compare
from desktop_app.text.subject import Subject
from desktop_app.viewmodels import guidance
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.history import Result
from desktop_app.viewmodels.job_runner import JobRunner
from desktop_app.viewmodels.prompt_memory import PromptMemory, first_classes
from desktop_app.viewmodels.race import Race, labels_of
from ml.config import NO_INTERVAL, NO_LABEL, SampleRequest
from ml.errors import BadRequest
from ml.events import Progress
from ml.experiments.axes import MAX_VALUES, Axis, Value, parse
from ml.experiments.cells import Cell, draw_figure, heads
from ml.experiments.comparison_figure import axes_of, save
from ml.export.metadata import Stamp
from ml.imaging.figure import Head

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image


Side = Literal["rows", "columns"]
VALUES = {  # the settings offered, with default values
    "steps": "1, 2, 4, 10",
    "guidance": "1, 1.5, 3, 7.5",
    "sampler": "dpm++, heun, ddim, ddpm",
    "model": "digits, student",
    "label": "0-4",  # of digits; of other classes, the names of the first
    "seed": "1-4",
    "eta": "0, 0.5, 1",
    "clipping": "none, static, dynamic",
    "spacing": "karras, uniform, trailing",
    "guidance_rescale": "0, 0.5, 1",
    "sigma_max": "3, 12, 40, 80",
}
LABELS = 5  # classes on an axis where a person gave none


class Compare(JobRunner):
    """Observable state of the page. A new comparison replaces the running one."""

    changed = Signal()  # settings
    begun = Signal()  # a new comparison, empty so far
    filled = Signal()  # one more cell is there
    chosen_changed = Signal()
    open_in_generate = Signal(object)  # SampleRequest

    def __init__(self, context: AppContext, settings: CompareSettings) -> None:
        super().__init__(context)
        self.settings = settings
        self.rows: Axis | None = None  # of the comparison that is shown
        self.columns: Axis | None = None
        self.cells: list[Cell] = []
        self._compared = settings  # of the cells
        self._prompts = PromptMemory()
        self.chosen: Cell | None = None
        self.before: Cell | None = None  # chosen before it
        self.progress: Progress | None = None
        self.race = Race(context, self)

    # ---- settings

    def change(self, **changes: object) -> None:
        new = self.settings.with_changes(**changes)
        if "digits" not in changes:
            digits = self._prompts.exchange(new.digits, self.subject, self._subject_of(new))
            new = new.with_changes(digits=digits)
        if new != self.settings:
            self.settings = new
            self.changed.emit()

    def set_field(self, side: Side, field: str) -> None:
        """Put a setting on an axis; if the other one has it, they swap."""
        other: Side = "columns" if side == "rows" else "rows"
        swapped = {other: getattr(self.settings, side)} if field and getattr(self.settings, other) == field else {}
        self.change(**{side: field, **swapped})

    def values(self, field: str) -> str:
        """The values of a setting, as they are typed."""
        if field != "label":
            return self.settings.values.get(field, VALUES.get(field, ""))
        usual = first_classes(self.subject, LABELS)
        typed = self.settings.values.get(field, usual)
        return usual if typed and self.picks_classes and not self._labels_of(typed) else typed

    def _labels_of(self, text: str) -> tuple[int, ...]:
        """The classes on an axis; none if one of them is not the model's."""
        try:
            return tuple(map(int, parse("label", text, self.subject.classes).values))
        except BadRequest:
            return ()

    @property
    def picks_classes(self) -> bool:
        """Whether the classes on an axis are chosen in a list, not typed."""
        return not self.subject.is_digits and len(self.subject.classes) <= MAX_VALUES

    @property
    def picked_classes(self) -> tuple[int, ...]:
        """The classes that are chosen in that list."""
        return self._labels_of(self.values("label"))

    # ---- what is compared

    @property
    def subject(self) -> Subject:
        """What the models draw, in words."""
        return self._subject_of(self.settings)

    def _subject_of(self, settings: CompareSettings) -> Subject:
        """What the first of the models draws that have classes."""
        subjects = self._subjects_of(settings)
        return next((subject for subject in subjects if subject.classes), subjects[0])

    def _subjects_of(self, settings: CompareSettings) -> list[Subject]:
        """What each of the compared models draws."""
        names = [settings.model]
        if settings.mode == "race":
            names = [lane.model for lane in settings.lanes]
        elif "model" in (settings.rows, settings.columns):
            names = settings.values.get("model", VALUES["model"]).split(",")
        return [self._context.subject(name.strip().partition("@")[0]) for name in names]

    def set_values(self, field: str, text: str) -> None:
        self.change(values=self.settings.values | {field: text})

    def replace_model(self, old: str, new: str) -> None:
        """Use another model, at the same steps, wherever the old one is compared."""
        names = [name.strip() for name in self.values("model").split(",")]
        stand_ins = {name: new + name.removeprefix(old) for name in names if name.partition("@")[0] == old}
        if stand_ins:
            kept = dict.fromkeys(stand_ins.get(name, name) for name in names)
            self.set_values("model", ", ".join(kept))
        lanes = [lane.with_changes(model=new if lane.model == old else lane.model) for lane in self.settings.lanes]
        model = new if self.settings.model == old else self.settings.model
        self.change(model=model, lanes=[lane.model_dump() for lane in lanes])

    @property
    def fields(self) -> tuple[str, ...]:
        """The settings that are on an axis."""
        return tuple(field for field in (self.settings.rows, self.settings.columns) if field)

    @property
    def models(self) -> list[str]:
        return [card.name for card in self._context.drawing_models]

    def model_choices(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Models as a list shows them: (name, title)."""
        return self._context.model_choices(names)

    @property
    def model_lines(self) -> dict[str, str]:
        """What each model is, in one sentence by its name."""
        return self._context.model_lines()

    @property
    def comparable_models(self) -> list[str]:
        """The models, and the earlier checkpoints of runs: RUN@STEP."""
        return [*self.models, *self._context.past_models]

    def axis(self, side: Side) -> Axis | None:
        """The axis of the settings; raises BadRequest."""
        field = getattr(self.settings, side)
        if field == "label" and not self.subject.classes:
            raise BadRequest("This model draws without classes.", "Choose another model, or another setting.")
        return parse(field, self.values(field), self.subject.classes) if field else None

    def labels(self) -> tuple[int, ...]:
        """The labels of every cell; raises BadRequest."""
        if "label" in self.fields:
            return (NO_LABEL,) * self.settings.each  # the axis names them
        return self.digits()

    def digits(self) -> tuple[int, ...]:
        """The labels that are compared; raises BadRequest."""
        return labels_of(self.settings.digits, self._subjects_of(self.settings))

    @property
    def guidance_note(self) -> str:
        """In how many steps guidance acts, where it is on an axis; empty if it acts in all, or that is unknown."""
        card = self._context.card(self.settings.model)
        if "guidance" not in self.fields or card is None or not self._context.device or "model" in self.fields:
            return ""
        defaults = card.header.defaults.with_changes(guidance=2.0, **NO_INTERVAL if self.settings.wide else {})
        steps: tuple[Value, ...] = (defaults.steps,)
        try:
            steps = parse("steps", self.values("steps")).values if "steps" in self.fields else steps
        except BadRequest:
            return ""
        found = [(guidance.acting_steps(card, defaults.with_changes(steps=n)), n) for n in steps]
        if all(acting in (None, n) for acting, n in found):
            return ""
        each = [f"{acting} of {n}" for acting, n in found if acting is not None]
        return f"Guidance acts in {', '.join(each)} steps: {guidance.interval(defaults)}."

    def trouble(self, what: Literal["rows", "columns", "digits"]) -> str:
        """Why values are invalid; empty if they are valid."""
        if what == "rows" and not self.fields:
            return "Choose what changes along the rows or the columns."
        try:
            self.labels() if what == "digits" else self.axis(what)
        except BadRequest as error:
            return str(error)
        return ""

    @property
    def ready(self) -> bool:
        """Whether the settings can be compared."""
        return not any(self.trouble(what) for what in ("rows", "columns", "digits"))

    # ---- comparing

    @property
    def outdated(self) -> bool:
        """Whether the cells that are shown, or come, are of other settings."""
        return (self.rows or self.columns) is not None and _asked(self._compared) != _asked(self.settings)

    def put(self, settings: CompareSettings) -> None:
        """Replace all settings; what runs is stopped, and what is of other settings is taken off the page."""
        self.stop()
        self.race.stop()
        self.change(**settings.model_dump())
        if self.outdated:
            self._clear()
        if self.race.outdated:
            self.race.clear()

    def _clear(self) -> None:
        self.rows = self.columns = None
        self.cells = []
        self._choose(None, None)
        self.begun.emit()

    @property
    def doing(self) -> tuple[str, float | None]:
        """What runs, and the share that is done."""
        at = self.progress
        if not at or not at.total:
            return "Comparing", None
        return f"Comparing, cell {at.done + 1} of {at.total}", at.done / at.total

    def compare(self) -> None:
        """Draw every cell, in place of the running comparison."""
        if self._context.closing or not self.ready:
            return
        self.stop()
        self.rows, self.columns = self.axis("rows"), self.axis("columns")
        self.cells, self.progress, self._compared = [], None, self.settings
        own = {"model": self.settings.model, "labels": self.labels(), "seed": self.settings.seed}
        base = SampleRequest.model_validate({**own, **(NO_INTERVAL if self.settings.wide else {})})
        self._run(partial(compare.run_comparison, base, self.rows, self.columns))
        self._choose(None, None)
        self.begun.emit()
        self.busy_changed.emit()

    def _end(self) -> None:
        if not self.cells:
            self.rows = self.columns = None
            self.begun.emit()
        else:
            self._keep()
        super()._end()

    def _keep(self) -> None:
        """Add the comparison, even if it was stopped, to the history."""
        settings, rows, columns, cells = self._compared, self.rows, self.columns, self.cells

        def restore() -> None:
            self.stop()
            self.change(**settings.model_dump() | {"mode": "grid"})
            self.rows, self.columns, self.cells, self._compared = rows, columns, cells, settings
            self._choose(None, None)
            self.begun.emit()

        def write(path: Path, scale: int) -> None:
            save(path, rows, columns, cells, scale)

        same_size = [cell.images[0] for cell in cells if cell.images.shape == cells[0].images.shape]
        is_shown = lambda: self.cells is cells and self.settings.mode == "grid"  # noqa: E731
        self._context.history.add(Result("compare", np.stack(same_size), is_shown, restore, write))

    def _on_result(self, event: object) -> None:
        if isinstance(event, Progress):
            self.progress = event
            self.busy_changed.emit()
        elif isinstance(event, Cell):
            self.cells.append(event)
            self.filled.emit()

    # ---- the comparison shown

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the comparison that is shown."""
        return len(self.rows.values) if self.rows else 1, len(self.columns.values) if self.columns else 1

    def index(self, cell: Cell) -> int:
        """The index of a cell, row by row."""
        return cell.row * self.shape[1] + cell.column

    def cell_at(self, index: int) -> Cell | None:
        """The cell at an index; None until it is drawn."""
        return next((cell for cell in self.cells if self.index(cell) == index), None)

    def name(self, cell: Cell) -> str:
        """The name of a cell, as in `4 steps, w = 3`."""
        axes = ((self.rows, cell.row), (self.columns, cell.column))
        return ", ".join(self.value_names(axis)[k] for axis, k in axes if axis)

    def value_names(self, axis: Axis) -> Sequence[str]:
        """The names of the values of an axis in the window, where models have their titles."""
        return [self._context.model_title(str(value)) for value in axis.values] if axis.field == "model" else axis.names

    def heads(self, axis: Axis | None, along: Literal["row", "column"]) -> list[Head]:
        """The heads along an axis of the comparison that is shown."""
        found = heads(axis, self.cells, along)
        if axis is None:
            return found
        return [Head(name, head.note) for name, head in zip(self.value_names(axis), found, strict=True)]

    def choose(self, index: int) -> None:
        """Show a cell beside the one chosen before it; none if it was chosen already."""
        cell = self.cell_at(index)
        if cell is self.chosen:
            self._choose(None, None)
        elif cell is not None:
            self._choose(cell, self.chosen)

    def _choose(self, chosen: Cell | None, before: Cell | None) -> None:
        self.chosen, self.before = chosen, before
        self.chosen_changed.emit()

    def open_chosen(self) -> None:
        """Open the chosen cell on the Generate page."""
        if self.chosen:
            self.open_in_generate.emit(self.chosen.request)

    def figure(self) -> "Callable[[int], Image]":
        """A function that draws the present comparison as an image at a scale, in any thread."""
        return partial(draw_figure, self.rows, self.columns, tuple(self.cells))

    def export(self, path: Path, scale: int = 4) -> None:
        """Write the comparison as a labelled figure, which can be verified."""
        write = partial(save, path, self.rows, self.columns, tuple(self.cells), scale)
        self._context.files.write_by(path, lambda _: write(), self._context.notify_saved)

    def restore(self, stamp: Stamp) -> bool:
        """Repeat the comparison of a figure; returns whether the page's settings can express it. Raises BadFile."""
        rows, columns = axes_of(stamp.comparison) if stamp.comparison else (None, None)
        axes = [axis for axis in (rows, columns) if axis]
        request = stamp.request
        own: dict[str, object] = {"mode": "grid", "model": request.model, "seed": request.seed}
        card = self._context.card(request.model)
        own["wide"] = (
            card is not None and guidance.has_interval(card.header.defaults) and not guidance.has_interval(request)
        )
        own |= {"rows": rows.field if rows else "", "columns": columns.field if columns else ""}
        own["values"] = self.settings.values | {axis.field: ", ".join(map(str, axis.values)) for axis in axes}
        if any(axis.field == "label" for axis in axes):
            own["each"] = len(request.labels)
        elif NO_LABEL not in request.labels:
            own["digits"] = ", ".join(self._context.subject(request.model).names(request.labels))
        if not axes or any(axis.field not in VALUES for axis in axes):
            return False
        try:
            self.change(**own)
        except ValidationError:
            return False
        if self.ready:
            self.compare()
        return self.busy


def _asked(settings: CompareSettings) -> object:
    """The settings that decide what the cells show."""
    fields = (settings.rows, settings.columns)
    unused = {"mode", "lanes", "values", "digits" if "label" in fields else "each", *fields}
    return settings.model_dump(exclude=unused), fields, [settings.values.get(field) for field in fields]
