"""The race without its widgets: lanes that denoise one noise in lockstep."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Signal

from desktop_app.settings import LaneSettings
from desktop_app.tasks.compare import racing
from desktop_app.text.formatting import count
from desktop_app.viewmodels.compare import Compare
from desktop_app.viewmodels.history import Result
from desktop_app.viewmodels.job_runner import Activity
from ml.config import NO_LABEL, SampleRequest
from ml.errors import BadRequest
from ml.events import Frame, Pixels, Sampled
from ml.experiments.axes import said
from ml.experiments.cells import Cell, in_common, took, verdict
from ml.experiments.comparison_figure import save_race
from ml.imaging.figure import Head, Panel, across, figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

    from desktop_app.viewmodels.session import Session

LEAST, MOST = 2, 4  # lanes


class Race(Activity):
    """Observable state of the race; its settings are those of `Compare`."""

    begun = Signal()  # a new race, nobody has moved yet
    moved = Signal(int)  # all have come to this position, of `length`
    finished = Signal(int)  # a lane

    def __init__(self, session: "Session", compare: Compare) -> None:
        super().__init__(session)
        self._compare = compare
        self.requests: tuple[SampleRequest, ...] = ()  # of the race that is shown
        self.frames: list[list[Frame]] = []  # by lane
        self.sampled: list[Sampled | None] = []
        self.cells: list[Cell | None] = []  # what the judge made of it
        self._lanes = compare.settings.lanes
        self._asked = compare.settings  # by which they run
        compare.changed.connect(self._follow)

    # ---- settings

    def set_lane(self, lane: int, **changes: object) -> None:
        """Change a lane; with another model it is as that one likes it."""
        card = self._session.card(str(changes.get("model", "")))
        own = card.header.defaults.model_dump(include={"sampler", "steps", "guidance"}) if card else {}
        lanes = list(self._compare.settings.lanes)
        lanes[lane] = lanes[lane].with_changes(**own | changes)
        self._compare.change(lanes=[each.model_dump() for each in lanes])

    def add_lane(self) -> None:
        """One more lane, like the last."""
        lanes = [lane.model_dump() for lane in self._compare.settings.lanes]
        if len(lanes) < MOST:
            self._compare.change(lanes=[*lanes, lanes[-1]])

    def remove_lane(self, lane: int) -> None:
        lanes = [each.model_dump() for each in self._compare.settings.lanes]
        if len(lanes) > LEAST:
            self._compare.change(lanes=lanes[:lane] + lanes[lane + 1 :])

    def _follow(self) -> None:
        """What ran by other settings is not shown beside these."""
        if self._lanes != self._compare.settings.lanes:
            self._lanes = self._compare.settings.lanes
            self.stop()
            self.requests, self.frames, self.sampled, self.cells = (), [], [], []
            self.begun.emit()

    def take_up(self, requests: Sequence[SampleRequest]) -> None:
        """Race again as a figure says."""
        lanes = [request.model_dump(include=set(LaneSettings.model_fields)) for request in requests]
        digits = ", ".join(map(str, requests[0].labels)) if NO_LABEL not in requests[0].labels else "0-9"
        lanes = (lanes * LEAST)[: max(LEAST, len(lanes))]
        self._compare.change(mode="race", lanes=lanes, seed=requests[0].seed, digits=digits)
        self.start()

    # ---- racing

    @property
    def doing(self) -> tuple[str, float | None]:
        """How far the race is."""
        return "Racing", max(0, self.reached) / self.length if self.length else None

    def start(self) -> None:
        """Let the lanes race, in place of a race that is going on."""
        settings = self._compare.settings
        try:
            labels = self._compare.digits()
        except BadRequest:
            return  # the page says why
        if self._session.closing:
            return
        self.stop()
        self._asked = settings
        self.requests = tuple(
            SampleRequest(labels=labels, seed=settings.seed, **lane.model_dump()) for lane in settings.lanes
        )
        self.frames = [[] for _ in self.requests]
        self.sampled, self.cells = [None for _ in self.requests], [None for _ in self.requests]
        self._ask(partial(racing, self.requests))
        self.begun.emit()
        self.busy_changed.emit()

    def _hear(self, event: object) -> None:
        if isinstance(event, Cell):
            self.cells[event.column] = event
            self.finished.emit(event.column)
        elif isinstance(event, tuple):
            self._take(*event)

    def _take(self, lane: int, event: object) -> None:
        before = self.reached
        if isinstance(event, Frame):
            self.frames[lane].append(event)
            if self.reached > before:
                self.moved.emit(self.reached)
                self.busy_changed.emit()  # for the sake of `doing`
        elif isinstance(event, Sampled):
            self.sampled[lane] = event
            self.finished.emit(lane)

    def _end(self) -> None:
        if self.sampled and all(self.sampled):
            self._keep()
        super()._end()

    def _keep(self) -> None:
        """Add a race that was run to its end to the history."""
        settings, requests = self._asked, self.requests
        frames, sampled, cells = self.frames, self.sampled, self.cells
        draw = self.figure(self.length, clean=False)  # not yet drawn, but with all that it takes

        def back() -> None:
            self.stop()
            self._compare.change(**settings.model_dump() | {"mode": "race"})
            self.requests, self.frames, self.sampled, self.cells = requests, frames, sampled, cells
            self.begun.emit()
            self.moved.emit(self.reached)

        def lend(scale: int) -> Path:
            write = lambda path: save_race(path, np.asarray(draw(scale)), requests, scale)  # noqa: E731
            return self._session.files.lend_by("race", write)

        found = [done.images[0] for done in sampled if done]
        alike = [image for image in found if image.shape == found[0].shape]
        shown = lambda: self.frames is frames and self._compare.settings.mode == "race"  # noqa: E731
        self._session.history.add(Result("compare", np.stack(alike), shown, back, lend))

    # ---- what is there

    @property
    def length(self) -> int:
        """Positions of the whole way: the steps of the lane that takes most."""
        return max((request.steps for request in self.requests), default=0)

    def step(self, lane: int, position: int) -> int:
        """Where a lane stands at a position: it shows a step until its next one is due."""
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
        """The images of a lane at a position: noisy as they are, or clean as the model sees them."""
        if not self.frames[lane]:
            return None
        frame = self.frames[lane][min(self.step(lane, position), len(self.frames[lane]) - 1)]
        return frame.x0_hat if clean else frame.x_t

    def noise(self, position: int) -> float:
        """How much noise is left at a position, of 1, in the lane that takes most steps."""
        lane = max(range(len(self.requests)), key=lambda k: self.requests[k].steps)
        frames = self.frames[lane]
        return frames[min(self.step(lane, position), len(frames) - 1)].sigma / max(frames[0].sigma, 1e-9)

    @property
    def count(self) -> int:
        """How many lanes there are."""
        return len(self._compare.settings.lanes)

    def name(self, lane: int) -> tuple[str, str]:
        """A lane in words: its sampler, then the rest."""
        request = self._compare.settings.lanes[lane]
        return (
            said("sampler", request.sampler),
            ", ".join(said(field, getattr(request, field)) for field in ("steps", "model", "guidance")),
        )

    @property
    def fastest(self) -> int | None:
        """The lane that took least time, once all have finished."""
        done = [sampled for sampled in self.sampled if sampled]
        complete = done and len(done) == len(self.requests)
        return min(range(len(done)), key=lambda lane: done[lane].seconds) if complete else None

    def standing(self, lane: int, position: int) -> tuple[str, str]:
        """Where a lane stands at a position; at its end, how long it took and what the judge makes of it."""
        done, cell, request = self.sampled[lane], self.cells[lane], self.requests[lane]
        if done is None or position < self.length:
            return f"step {self.step(lane, position)} of {request.steps}", ""
        first = " · fastest" if self.fastest == lane else ""
        read = f" · {verdict([cell])}" if cell and verdict([cell]) else ""
        return f"{took(done.seconds)}{first}", f"{count(done.network_calls, 'network call')}{read}"

    def figure(self, position: int, *, clean: bool) -> "Callable[[int], Image]":
        """Draws the lanes at a position as a picture for a report, at a scale, in any thread."""
        lanes = range(len(self.requests))
        shown = [self.shown(lane, position, clean=clean) for lane in lanes]
        words = [" · ".join(part for part in self.standing(lane, position) if part) for lane in lanes]
        heads = [Head(", ".join(self.name(lane)), text) for lane, text in zip(lanes, words, strict=True)]
        panels = [Panel(images, across(len(images))) if images is not None else None for images in shown]
        title, common = "A race from one noise", in_common(self.requests)
        return lambda scale: figure(title, [Head("")], heads, [panels], common, scale)
