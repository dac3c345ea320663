"""The race without its widgets: lanes that denoise the same noise in lockstep."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Signal

from desktop_app.settings import LaneSettings
from desktop_app.tasks.compare import run_race
from desktop_app.text.formatting import count
from desktop_app.text.subject import Subject
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.history import Result
from desktop_app.viewmodels.job_runner import JobRunner
from desktop_app.viewmodels.undo import SettingsOwner
from ml.config import NO_LABEL, SampleRequest
from ml.errors import BadRequest
from ml.events import Frame, Pixels, Sampled
from ml.experiments.cells import Cell, format_scores, format_seconds, format_sharpness, judge_note, shared_settings
from ml.experiments.comparison_figure import save_race
from ml.imaging.figure import Head, Panel, across, figure
from ml.text import prompt_parser

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image


LEAST, MOST = 2, 4  # lanes
MAX_EACH = 100  # images of a cell or a lane
UNLABELLED = 10  # images of models without classes


class Race(JobRunner):
    """Observable state of the race; `compare` holds its settings, a `CompareSettings`."""

    begun = Signal()  # a new race, without a step so far
    moved = Signal(int)  # every lane has reached this position, of `length`
    finished = Signal(int)  # a lane

    def __init__(self, context: AppContext, compare: SettingsOwner) -> None:
        super().__init__(context)
        self._compare = compare
        self.requests: tuple[SampleRequest, ...] = ()  # of the race that is shown
        self.frames: list[list[Frame]] = []  # by lane
        self.sampled: list[Sampled | None] = []
        self.cells: list[Cell | None] = []  # with the judge's readings
        self._lanes = compare.settings.lanes
        self._raced = compare.settings  # of the race that is shown
        compare.changed.connect(self._on_changed)

    # ---- settings

    def set_lane(self, lane: int, **changes: object) -> None:
        """Change a lane; another model brings its default settings."""
        card = self._context.card(str(changes.get("model", "")))
        own = card.header.defaults.model_dump(include={"sampler", "steps", "guidance"}) if card else {}
        lanes = list(self._compare.settings.lanes)
        lanes[lane] = lanes[lane].with_changes(**own | changes)
        self._compare.change(lanes=[each.model_dump() for each in lanes])

    def add_lane(self) -> None:
        """Add a lane like the last."""
        lanes = [lane.model_dump() for lane in self._compare.settings.lanes]
        if len(lanes) < MOST:
            self._compare.change(lanes=[*lanes, lanes[-1]])

    def remove_lane(self, lane: int) -> None:
        lanes = [each.model_dump() for each in self._compare.settings.lanes]
        if len(lanes) > LEAST:
            self._compare.change(lanes=lanes[:lane] + lanes[lane + 1 :])

    def _on_changed(self) -> None:
        """Clear the race when the lanes have changed."""
        if self._lanes != self._compare.settings.lanes:
            self._lanes = self._compare.settings.lanes
            self.stop()
            self.clear()

    def clear(self) -> None:
        """Take the race off the page."""
        self.requests, self.frames, self.sampled, self.cells = (), [], [], []
        self.begun.emit()

    def restore(self, requests: Sequence[SampleRequest]) -> None:
        """Repeat the race of a figure."""
        lanes = [request.model_dump(include=set(LaneSettings.model_fields)) for request in requests]
        subject, labels = self._context.subject(requests[0].model), requests[0].labels
        digits = ", ".join(subject.names(labels)) if NO_LABEL not in labels else self._compare.settings.digits
        lanes = (lanes * LEAST)[: max(LEAST, len(lanes))]
        self._compare.change(mode="race", lanes=lanes, seed=requests[0].seed, digits=digits)
        self.start()

    # ---- racing

    @property
    def outdated(self) -> bool:
        """Whether the race that is shown, or runs, is of other settings."""
        raced, now = self._raced, self._compare.settings
        return bool(self.requests) and (raced.lanes, raced.digits, raced.seed) != (now.lanes, now.digits, now.seed)

    @property
    def doing(self) -> tuple[str, float | None]:
        """What runs, and the share that is done."""
        return "Racing", max(0, self.reached) / self.length if self.length else None

    def start(self) -> None:
        """Start a race, in place of the running one."""
        settings = self._compare.settings
        subjects = [self._context.subject(lane.model) for lane in settings.lanes]
        try:
            labels = labels_of(settings.digits, subjects)
        except BadRequest:
            return  # the page shows why
        if self._context.closing:
            return
        self.stop()
        self._raced = settings
        none = (NO_LABEL,) * len(labels)
        self.requests = tuple(
            SampleRequest(labels=labels if subject.classes else none, seed=settings.seed, **lane.model_dump())
            for lane, subject in zip(settings.lanes, subjects, strict=True)
        )
        self.frames = [[] for _ in self.requests]
        self.sampled, self.cells = [None for _ in self.requests], [None for _ in self.requests]
        self._run(partial(run_race, self.requests))
        self.begun.emit()
        self.busy_changed.emit()

    def _on_result(self, event: object) -> None:
        if isinstance(event, Cell):
            self.cells[event.column] = event
            self.finished.emit(event.column)
        elif isinstance(event, tuple):
            self._on_lap(*event)

    def _on_lap(self, lane: int, event: object) -> None:
        before = self.reached
        if isinstance(event, Frame):
            self.frames[lane].append(event)
            if self.reached > before:
                self.moved.emit(self.reached)
                self.busy_changed.emit()  # `doing` has changed
        elif isinstance(event, Sampled):
            self.sampled[lane] = event
            self.finished.emit(lane)

    def _end(self) -> None:
        if self.sampled and all(self.sampled):
            self._keep()
        super()._end()

    def _keep(self) -> None:
        """Add a finished race to the history."""
        settings, requests = self._raced, self.requests
        frames, sampled, cells = self.frames, self.sampled, self.cells
        draw = self.figure(self.length, clean=False)  # drawn later

        def restore() -> None:
            self.stop()
            self._compare.change(**settings.model_dump() | {"mode": "race"})
            self.requests, self.frames, self.sampled, self.cells = requests, frames, sampled, cells
            self._raced = settings
            self.begun.emit()
            self.moved.emit(self.reached)

        def write(path: Path, scale: int) -> None:
            save_race(path, np.asarray(draw(scale)), requests, scale)

        found = [done.images[0] for done in sampled if done]
        same_size = [image for image in found if image.shape == found[0].shape]
        is_shown = lambda: self.frames is frames and self._compare.settings.mode == "race"  # noqa: E731
        self._context.history.add(Result("compare", np.stack(same_size), is_shown, restore, write))

    # ---- the race shown

    @property
    def length(self) -> int:
        """Positions of the race: the steps of the lane with the most."""
        return max((request.steps for request in self.requests), default=0)

    def step(self, lane: int, position: int) -> int:
        """The step of a lane at a position; each step stays until the next one is due."""
        return position * self.requests[lane].steps // self.length

    @property
    def reached(self) -> int:
        """The last position for which every lane has its step; -1 before the first."""
        furthest = self.length
        for request, frames in zip(self.requests, self.frames, strict=True):
            if len(frames) <= request.steps:
                furthest = min(furthest, -(-len(frames) * self.length // request.steps) - 1)
        return furthest

    def shown(self, lane: int, position: int, *, clean: bool) -> Pixels | None:
        """The images of a lane at a position: noisy, or the model's clean guess."""
        if not self.frames[lane]:
            return None
        frame = self.frames[lane][min(self.step(lane, position), len(self.frames[lane]) - 1)]
        return frame.x0_hat if clean else frame.x_t

    def noise(self, position: int) -> float:
        """The share of the noise left at a position, in the lane with the most steps."""
        lane = max(range(len(self.requests)), key=lambda k: self.requests[k].steps)
        frames = self.frames[lane]
        return frames[min(self.step(lane, position), len(frames) - 1)].sigma / max(frames[0].sigma, 1e-9)

    @property
    def count(self) -> int:
        """The number of lanes."""
        return len(self._compare.settings.lanes)

    def name(self, lane: int) -> tuple[str, str]:
        """The name of a lane: its sampler, then its other settings."""
        request = self._compare.settings.lanes[lane]
        return (
            self._context.value_title("sampler", request.sampler),
            ", ".join(
                self._context.value_title(field, getattr(request, field)) for field in ("steps", "model", "guidance")
            ),
        )

    @property
    def fastest(self) -> int | None:
        """The fastest lane; None until all have finished."""
        done = [sampled for sampled in self.sampled if sampled]
        complete = done and len(done) == len(self.requests)
        return min(range(len(done)), key=lambda lane: done[lane].seconds) if complete else None

    def standing(self, lane: int, position: int) -> tuple[str, str]:
        """The step of a lane at a position; at its end, its time and what the judge reads."""
        done, cell, request = self.sampled[lane], self.cells[lane], self.requests[lane]
        if done is None or position < self.length:
            return f"step {self.step(lane, position)} of {request.steps}", ""
        first = " · fastest" if self.fastest == lane else ""
        cost = count(done.evaluations or done.network_calls, "evaluation")
        if done.evaluations > done.network_calls:
            cost += f" in {count(done.network_calls, 'call')}"
        read = [part for part in (format_sharpness([cell]), format_scores([cell])) if part] if cell else []
        return f"{cost} · {format_seconds(done.seconds)}{first}", " · ".join(read)

    def figure(self, position: int, *, clean: bool) -> "Callable[[int], Image]":
        """A function that draws the lanes at a position as an image at a scale, in any thread."""
        lanes = range(len(self.requests))
        shown = [self.shown(lane, position, clean=clean) for lane in lanes]
        words = [" · ".join(part for part in self.standing(lane, position) if part) for lane in lanes]
        heads = [Head(", ".join(self.name(lane)), text) for lane, text in zip(lanes, words, strict=True)]
        panels = [Panel(images, across(len(images))) if images is not None else None for images in shown]
        title = "A race from one noise"
        common = " · ".join(filter(None, [shared_settings(self.requests), judge_note(self.cells)]))
        return lambda scale: figure(title, [Head("")], heads, [panels], common, scale)


def labels_of(prompt: str, subjects: Sequence[Subject]) -> tuple[int, ...]:
    """The labels that are compared, by models of these subjects; NO_LABEL where none has classes. Raises BadRequest."""
    named = dict.fromkeys(subject.classes for subject in subjects if subject.classes)
    if not named:
        return (NO_LABEL,) * UNLABELLED
    try:
        found = {prompt_parser.parse_prompt(prompt, classes).labels for classes in named}
    except BadRequest:
        if len(named) == 1:
            raise
        found = set[tuple[int, ...]]()
    if len(found) != 1:
        raise BadRequest(f"The models have other classes, so “{prompt}” is not the same to all.", "Choose others.")
    (labels,) = found
    if len(labels) > MAX_EACH:
        raise BadRequest(f"{subjects[0].counted(len(labels))} are too many.", f"Compare {MAX_EACH} at most.")
    return labels
