"""The Generate page without its widgets: settings, the request they make, the trajectory it gave."""

import os
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from desktop_app.settings import DEFAULT_MODEL, MAX_COLUMNS, MAX_ROWS, GenerateSettings
from desktop_app.tasks import sampling
from desktop_app.tasks.sampling import GuidanceProbeResult, JudgeResult, Nearest, StepProbabilities, Understanding
from desktop_app.viewmodels.history import Result
from desktop_app.viewmodels.live_preview import Sketches
from desktop_app.viewmodels.trajectory import Trajectory, View
from desktop_app.worker.compute_thread import Job, JobEnded
from ml.config import MAX_BRANCHES, NO_LABEL, SampleRequest, SampleSettings, for_route
from ml.errors import BadRequest
from ml.events import Failed, Frame, Progress, Sampled
from ml.export.contact_sheet import readings
from ml.export.formats import FORMATS
from ml.export.metadata import Layout
from ml.generation import branching
from ml.imaging.pixels import Shown, film
from ml.specs import CLIP_MODEL, ROUTES, Route
from ml.text import prompt_parser
from ml.text.prompt_parser import Understood

if TYPE_CHECKING:
    from desktop_app.viewmodels.session import Session
    from ml.registry.model_cards import ModelCard

LIVE_DELAY_MS = 200
SKETCH_S = 0.3  # the most that the model's own images may take for sketches of them to follow a hand
ASK_DELAY_MS = 400
WORDS_EXAMPLE = "a bold seven"
LIVE_CALLS = 1500  # network calls of a request small enough to be drawn while a slider moves
GRADIENT, LARGE_GRADIENT = 3, 300  # network calls that one call with a CLIP's gradient is worth
UNDO_STEPS, TOGETHER_S = 100, 0.6
FULL_ROW = 10
MAX_IMAGES = MAX_ROWS * MAX_COLUMNS  # one part of a request, so that a frame has them all


class Generate(QObject):
    """Observable state of drawing. A newer request replaces the one that is being drawn.

    What is shown changes with `begun`; a request that gives not one step leaves what was shown before.
    """

    changed = Signal()  # settings, or how the prompt is understood
    sketched = Signal(object)  # Sampled: about what is drawn as soon as the hand rests
    returned = Signal()  # the hand rests where it began: what was drawn is what is asked for
    begun = Signal()  # a new trajectory, empty so far
    stepped = Signal(int)  # its steps up to this one are there
    finished = Signal()  # the images are there
    judged = Signal()
    compared = Signal()  # the nearest training image of a digit is known
    busy_changed = Signal()
    exported = Signal(object)  # Path

    def __init__(self, session: "Session", settings: GenerateSettings) -> None:
        super().__init__(session)
        self._session = session
        self.settings = settings
        self.understood: Understood | None = None
        self.misunderstood = ""
        self.trajectory = Trajectory()
        self._before: Trajectory | None = None  # shown until the one that replaces it has its first step
        self._job: Job | None = None
        self._past: deque[GenerateSettings] = deque(maxlen=UNDO_STEPS)
        self.fetching: Progress | None = None  # what has to be downloaded before the drawing begins
        self._changed_at = 0.0  # on the clock of time.monotonic
        self._soon = QTimer(self, singleShot=True, interval=LIVE_DELAY_MS)
        self._soon.timeout.connect(self._draw_if_new)
        self._sketches = Sketches(session, self)
        self._sketches.drawn.connect(self.sketched)
        self._pace: dict[str, float] = {}  # seconds for one image's step, by model
        self._about_digits: dict[str, bool] = {}  # by prompt
        self._ask_soon = QTimer(self, singleShot=True, interval=ASK_DELAY_MS)
        self._ask_soon.timeout.connect(self._ask)
        self._understand()

    # ---- settings

    def change(self, *, live: bool = True, **changes: object) -> None:
        """Change settings; with `live`, what is quickly drawn is drawn anew without being asked for."""
        new = self.settings.with_changes(**changes)
        if new == self.settings:
            return
        now = time.monotonic()
        if now - self._changed_at > TOGETHER_S:
            self._past.append(self.settings)
        self._changed_at = now
        self._set(new, live=live)

    def undo(self) -> None:
        """Back to the settings before the last change; changes in quick succession, a slider's, are one."""
        if self._past:
            self._changed_at = 0.0
            self._set(self._past.pop(), live=True)

    def put(self, settings: GenerateSettings) -> None:
        """Take other settings as a whole, which is not undone, and draw by them unless a CLIP has to be fetched."""
        self._past.clear()
        self._set(settings, live=False)
        if settings.route != "clip" or settings.clip == CLIP_MODEL:
            self.draw()

    def _set(self, new: GenerateSettings, *, live: bool) -> None:
        self.settings = new
        self._understand()
        self.changed.emit()
        wanted = self.wanted()
        if live and wanted and self._calls(wanted) <= LIVE_CALLS:
            self._soon.start()
            self._sketch(wanted)

    def _sketch(self, wanted: SampleRequest) -> None:
        """Show about what is coming while the hand moves."""
        quick = self._quickly(wanted)
        if quick is not None:
            self._stop_job()
            self._sketches.ask(quick)

    def _quickly(self, wanted: SampleRequest) -> SampleRequest | None:
        """What is soon enough to follow a hand: the model's own images, or its student's where they are many.

        The noise of a sketch is that of the image, so that it is not another one.
        """
        pace = self._pace.get(wanted.model, SKETCH_S)
        ways = (wanted, self._sketches.by_student(wanted)) if wanted.route != "clip" else ()
        return next((way for way in ways if way and self._calls(way) * pace <= SKETCH_S), None)

    @staticmethod
    def _calls(request: SampleRequest) -> int:
        """About how many network calls the images take; a gradient costs as much as two, and a large CLIP far more."""
        each = request.steps * (1 + request.repeats)
        steered = GRADIENT if request.clip == CLIP_MODEL else LARGE_GRADIENT
        return len(request.labels) * each * (steered if request.route == "clip" else 1)

    def use_model(self, name: str, defaults: SampleSettings | None = None, *, live: bool = False) -> None:
        """Draw with another model, at its own default settings; `defaults` for one that is not in the list yet."""
        card = self._session.card(name)
        defaults = card.header.defaults if card else defaults
        route = self._route_of(card)
        own = for_route(defaults, route).model_dump() if defaults else {}
        self.change(live=False, model=name, route=route, **own)
        self.draw(live=live)

    def _route_of(self, card: "ModelCard | None") -> Route:
        """The way a prompt best reaches a model."""
        if card and card.header.model.reader:
            return "text"
        return "clip" if card and not card.header.model.num_classes and "clip" in self.routes else "class"

    def take_up(self, request: SampleRequest) -> None:
        """Draw with the settings of a request, as a grid of what it asks for."""
        labels = tuple(dict.fromkeys(request.labels))
        prompt = request.prompt if request.route != "class" else "".join(map(str, labels)) or self.settings.prompt
        self._settle(request, prompt)
        self.draw()

    def restore(self, request: SampleRequest, columns: int) -> SampleRequest:
        """Draw exactly a request, in a grid of that many columns; the settings follow as far as they can say it.

        Returns the request that is drawn, which is of the first MAX_IMAGES images.
        """
        count = min(len(request.labels), MAX_IMAGES)
        drawn = request if count == len(request.labels) else request.some(range(count))
        rows = min(MAX_ROWS, -(-count // columns))
        if self._session.card(drawn.model) or os.path.exists(drawn.model):  # False for any text
            self._settle(drawn, self._prompt_for(drawn, columns), rows=rows)
        self.draw(request=drawn, columns=min(columns, count))
        return drawn

    def _prompt_for(self, request: SampleRequest, columns: int) -> str:
        """The prompt that asks for the labels of a request: what was typed, or else the digits of a row."""
        row = request.labels[:columns]
        if request.route != "class":
            return request.prompt
        if NO_LABEL in row:
            return self.settings.prompt
        typed = self._digits_in(request.prompt)
        if typed and (typed * FULL_ROW if len(typed) == 1 else typed) in (row, request.labels):
            return request.prompt
        if len(row) > 2 and row == tuple(range(row[0], row[-1] + 1)) and row[-1] < 10:
            return f"{row[0]}-{row[-1]}"
        return (
            str(row[0])
            if len(row) == FULL_ROW and len(set(row)) == 1
            else ("" if max(row) < 10 else ", ").join(map(str, row))
        )

    def _settle(self, request: SampleRequest, prompt: str, **more: object) -> None:
        known = {name: getattr(request, name) for name in SampleSettings.model_fields} | more
        self.change(live=False, prompt=prompt, seed=request.seed, model=request.model, route=request.route, **known)

    def use_clip(self, name: str) -> None:
        """Have another CLIP steer, by name or by the file of its weights, from the next drawing on."""
        self.change(live=False, clip=name)

    def use_route(self, route: Route) -> None:
        """Let the prompt be labels, words that the model reads, or words that CLIP steers by, with the model for that.

        A prompt that says nothing on the other route gives way to an example.
        """
        if route == self.settings.route:
            return
        digits = self._digits_in(self.settings.prompt)
        if route != "class" and len(digits) != 1 and not (route == "text" and digits):
            self.change(live=False, prompt=WORDS_EXAMPLE)
        if route == "class" and not digits:
            self.change(live=False, prompt=GenerateSettings().prompt)
        self.use_model(ROUTES[route].model)

    @staticmethod
    def _digits_in(prompt: str) -> tuple[int, ...]:
        try:
            return prompt_parser.understand(prompt).labels
        except BadRequest:
            return ()

    @property
    def routes(self) -> tuple[Route, ...]:
        """The ways a prompt can take with the models that are there."""
        needed = {
            route: (spec.model, CLIP_MODEL) if route != "class" else (spec.model,) for route, spec in ROUTES.items()
        }
        known = {route: all(self._session.card(name) for name in models) for route, models in needed.items()}
        return tuple(route for route in ROUTES if known[route])

    def reset(self) -> None:
        """Back to the model's default sampler settings."""
        self.change(**self._defaults())

    @property
    def at_defaults(self) -> bool:
        """Whether `reset` would change nothing."""
        return self.settings == self.settings.with_changes(**self._defaults())

    def _defaults(self) -> dict[str, Any]:
        card = self._session.card(self.settings.model)
        return for_route(card.header.defaults if card else SampleSettings(), self.settings.route).model_dump()

    @property
    def classes(self) -> int:
        """How many classes the model knows; 0 where it takes none."""
        card = self._session.card(self.settings.model)
        return card.header.model.num_classes if card else 10

    def refresh(self) -> None:
        """Read the prompt again, for a model that has only now become known."""
        self._understand()
        self.changed.emit()

    def _understand(self) -> None:
        self.misunderstood, self.understood = "", None
        if self.settings.route != "class":
            self.understood = self._described()
            return
        if not self.classes:
            self.understood = Understood((NO_LABEL,) * FULL_ROW, FULL_ROW, "whatever comes: this model takes no prompt")
            return
        try:
            understood = prompt_parser.understand(self.settings.prompt, self.classes)
            if len(understood.labels) > MAX_IMAGES:
                raise BadRequest(
                    f"{len(understood.labels)} digits are too many to watch.", f"Ask for {MAX_IMAGES} at most."
                )
            self.understood = understood
        except BadRequest as error:
            self.misunderstood = str(error)

    def _described(self) -> Understood:
        """A prompt in words; what it is about is asked once the typing rests."""
        prompt = self.settings.prompt.strip()
        if not prompt:
            return Understood((NO_LABEL,) * FULL_ROW, FULL_ROW, "whatever comes: nothing is asked for")
        if self.settings.route == "text" and (told := prompt_parser.in_words(prompt)).labels != (NO_LABEL,):
            return told  # plain digits, of which there is no doubt
        if prompt not in self._about_digits:
            self._ask_soon.start()
        known = self._about_digits.get(prompt, True)
        if not known:
            reading = f"“{prompt}” is no digit, and digits are all this model knows"
            return Understood((NO_LABEL,) * FULL_ROW, FULL_ROW, reading)
        if self.settings.route == "text":
            return prompt_parser.in_words(prompt)
        return Understood((NO_LABEL,) * FULL_ROW, FULL_ROW, f"“{prompt}”, steered by CLIP")

    @property
    def doubtful(self) -> bool:
        """Whether the prompt asks for something that the model cannot know."""
        return self.settings.route != "class" and not self._about_digits.get(self.settings.prompt.strip(), True)

    def _ask(self) -> None:
        prompt = self.settings.prompt.strip()
        if self.settings.route != "class" and prompt and not self._session.closing:
            self._session.submit(partial(sampling.understanding, prompt), self._on_understanding)

    def _on_understanding(self, event: object) -> None:
        if isinstance(event, Understanding):
            self._about_digits[event.prompt] = event.about_digits
            self.refresh()

    def row(self) -> tuple[int, ...]:
        """The labels of one row of the grid: the prompt's, or one of them ten times over."""
        labels = self.understood.labels if self.understood else ()
        return labels * FULL_ROW if len(labels) == 1 else labels

    def labels(self) -> tuple[int, ...]:
        """The labels of the whole grid, row by row; a long prompt fills its rows by itself."""
        row = self.row()
        return row * self.settings.rows if len(row) <= MAX_COLUMNS else row

    def wanted(self) -> SampleRequest | None:
        """The request that the settings make; None where the prompt is not understood."""
        return self.settings.request(self.labels()) if self.understood else None

    # ---- drawing

    @property
    def busy(self) -> bool:
        return self._job is not None

    @property
    def doing(self) -> tuple[str, float | None]:
        """What is being drawn or fetched, and how far that is."""
        if self.fetching:
            return self.fetching.what, self.fetching.done / self.fetching.total if self.fetching.total else None
        count = len(self.request.labels) if self.request else 0
        share = (len(self.frames) - 1) / self.trajectory.steps if self.frames else None
        return f"Drawing {count} digit{'s' * (count != 1)}", share

    def draw(self, *, live: bool = False, request: SampleRequest | None = None, columns: int = 0) -> None:
        """Draw what the settings ask for, in place of what is being drawn; `live` where nobody pressed a button.

        With `request`, that instead, in a grid of so many columns.
        """
        self._soon.stop()
        self._sketches.rest() if live else self._sketches.forget()
        columns = columns or min(len(self.row()), MAX_COLUMNS)
        request = request or self.wanted()
        if request is None or self._session.closing:
            return
        self._stop_job()
        if self.trajectory.frames:
            self._before = self.trajectory
        self.trajectory = Trajectory(request, columns, live)
        task = partial(sampling.drawing, request)
        self._job = self._session.submit(task, partial(self._on_event, self.trajectory))
        self.begun.emit()
        self.busy_changed.emit()

    def draw_first(self) -> None:
        """Draw the grid of the start; the bundled model's way at the first, or where the last time's model is gone."""
        self.change(live=False, clip=CLIP_MODEL)  # nothing is downloaded before somebody asks for it
        if self.settings == GenerateSettings() or self._session.card(self.settings.model) is None:
            self.use_model(DEFAULT_MODEL)
            self._past.clear()  # nobody has changed anything yet
        else:
            self.draw()

    def stop(self) -> None:
        """Stop drawing; what was computed stays."""
        self._soon.stop()
        self._sketches.stop()
        if self._job:
            self._stop_job()
            self._end_job()

    def _stop_job(self) -> None:
        if self._job:
            self._job.control.cancel()

    def _end_job(self) -> None:
        self._job = None
        if not self.trajectory.frames and self._before:
            self._show(self._before)
        elif self.trajectory.sampled and not self.trajectory.kept:
            self._keep(self.trajectory, self.trajectory.sampled)
            drawn = self.trajectory.sampled.request
            quick = self._quickly(drawn)
            if quick is not None and not self._session.closing:
                self._sketches.warm_up(quick, self._sketches.by_student(drawn))  # for when there are more steps
        self.busy_changed.emit()

    def _keep(self, trajectory: Trajectory, sampled: Sampled) -> None:
        """Add what was drawn to its end to the history."""
        trajectory.kept = True
        columns, files = trajectory.columns, self._session.files

        def lend(scale: int) -> Path:
            return files.lend(sampled.images, sampled.request, Layout(columns=columns, scale=scale))

        shown = lambda: self.trajectory is trajectory  # noqa: E731
        self._session.history.add(Result("generate", sampled.images, shown, partial(self.go_back, trajectory), lend))

    def go_back(self, trajectory: Trajectory) -> None:
        """Show again what was drawn before, with the settings it was drawn with."""
        if trajectory is self.trajectory or trajectory.request is None:
            return
        self.stop()
        rows = min(MAX_ROWS, -(-len(trajectory.request.labels) // trajectory.columns))
        self._settle(trajectory.request, self._prompt_for(trajectory.request, trajectory.columns), rows=rows)
        self._soon.stop()
        self._show(trajectory)

    def _show(self, trajectory: Trajectory) -> None:
        self._before, self.trajectory, trajectory.live = None, trajectory, True
        self.begun.emit()
        self.stepped.emit(len(trajectory.frames) - 1)
        self.finished.emit()
        if trajectory.verdict:
            self.judged.emit()
        self.busy_changed.emit()

    def _draw_if_new(self) -> None:
        if self.wanted() != self.request or self.sampled is None:
            self.draw(live=True)
        else:
            self._sketches.forget()
            self.returned.emit()

    def _on_event(self, trajectory: Trajectory, event: object) -> None:
        if trajectory is not self.trajectory or self._job is None:
            return  # the answer to a question that is no longer asked
        self.fetching = event if isinstance(event, Progress) else None
        match event:
            case Progress():
                self.busy_changed.emit()
            case Frame():
                self._sketches.forget()
                self._before = None
                trajectory.frames.append(event)
                self.stepped.emit(event.step)
            case Sampled():
                self._pace[event.request.model] = event.seconds / self._calls(event.request)
                trajectory.sampled = event
                self.finished.emit()
            case JudgeResult():
                trajectory.verdict = event
                self.judged.emit()
            case StepProbabilities():
                trajectory.decision = event.probabilities
                self.compared.emit()
            case Failed() if trajectory.request and trajectory.request.clip != CLIP_MODEL:
                self.change(live=False, clip=CLIP_MODEL)  # with which it goes on, as the message says
            case JobEnded():
                self._end_job()

    # ---- what is shown

    @property
    def request(self) -> SampleRequest | None:
        """Of the trajectory that is shown."""
        return self.trajectory.request

    @property
    def columns(self) -> int:
        return self.trajectory.columns

    @property
    def frames(self) -> list[Frame]:
        return self.trajectory.frames

    @property
    def sampled(self) -> Sampled | None:
        return self.trajectory.sampled

    def holding(self, index: int) -> Sampled | None:
        """The finished images, if one has this number: a menu or a view may be of a larger grid before."""
        return self.sampled if self.sampled and index < len(self.sampled.images) else None

    @property
    def verdict(self) -> JudgeResult | None:
        return self.trajectory.verdict

    def look_for_nearest(self, index: int) -> None:
        """Find the training image that is most like a finished digit, where the data are at hand."""
        shown, sampled = self.trajectory, self.holding(index)
        if sampled is None or shown.verdict is None or index in shown.nearest:
            return
        shown.nearest[index] = None
        task = partial(sampling.looking_for_nearest, sampled.images[index], self._session.train.data_root)
        self._session.submit(task, partial(self._on_nearest, shown, index))

    def _on_nearest(self, shown: Trajectory, index: int, event: object) -> None:
        if isinstance(event, Nearest):
            shown.nearest[index] = event
            self.compared.emit()
        elif isinstance(event, JobEnded) and shown.nearest[index] is None:
            shown.unlikened = True
            self.compared.emit()

    def look_into(self, index: int) -> None:
        """Find out what guidance does to one image at every step."""
        shown, sampled = self.trajectory, self.holding(index)
        if sampled and shown.guided and index not in shown.rays:
            shown.rays[index] = None
            task = partial(sampling.looking_into, sampled.request.alone(index))
            self._session.submit(task, partial(self._on_rayed, shown, index))

    def _on_rayed(self, shown: Trajectory, index: int, event: object) -> None:
        if isinstance(event, GuidanceProbeResult):
            shown.rays[index] = event
            self.compared.emit()

    def draw_alone(self, index: int) -> None:
        """One of the images by itself: the same pixels."""
        if sampled := self.holding(index):
            self.draw(request=sampled.request.alone(index), columns=1)

    # ---- branches

    def can_branch(self, step: int) -> bool:
        """Whether something can go on from a step: the way has to be whole, and not at its end."""
        shown = self.trajectory
        return shown.sampled is not None and 0 <= step < shown.steps and self._fits(shown.sampled.request)

    def _fits(self, request: SampleRequest) -> bool:
        return request.branches < MAX_BRANCHES and self._session.card(request.model) is not None

    def branch(self, step: int) -> None:
        """Let all images go on from a step with the settings and the prompt as they stand now."""
        if self.sampled and self.can_branch(step):
            request = branching.with_settings(self.sampled.request, step, self.settings, self.labels())
            self.draw(request=request, columns=self.columns)

    def branch_into_classes(self, index: int, step: int) -> None:
        """Let one image go on from a step as every class."""
        if (sampled := self.holding(index)) and self.can_branch(step) and self.classes:
            count = min(self.classes, MAX_COLUMNS)
            self.draw(request=branching.into_every_class(sampled.request, index, step, count), columns=count)

    def branch_into_noises(self, index: int, step: int) -> None:
        """Let one image go on from a step out of other noise, ten times."""
        if (sampled := self.holding(index)) and self.can_branch(step):
            request = branching.into_other_noises(sampled.request, index, step, FULL_ROW)
            self.draw(request=request, columns=FULL_ROW)

    # ---- taking it away

    @property
    def can_export(self) -> bool:
        return self.sampled is not None

    def export(self, path: Path, *, scale: int = 4, view: View = "noisy", labelled: bool = False) -> None:
        """Write the grid as a picture, `labelled` or not, the denoising as a film, or the arrays, by the ending."""
        if self.sampled is None:
            return
        film_of: Shown = "x0_hat" if view == "clean" else "x_t"
        file_format = FORMATS.get(path.suffix.lower())  # a typed name may have another suffix, which the writer refuses
        kind = file_format.kind(labelled=labelled, film=film_of) if file_format else "images"
        layout = Layout(columns=self.columns, scale=scale, kind=kind)
        if kind == "sheet" and self.verdict:
            layout = layout.with_changes(readings=readings(self.verdict.labels, self.verdict.confidence))
        pictures = film(self.frames, len(self.sampled.images), film_of)
        write = self._session.files.write
        write(path, self.sampled.images, self.sampled.request, layout, pictures, then=self.exported.emit)

    def export_digits(self, folder: Path, *, scale: int = 4) -> None:
        """Write one PNG per digit into a new folder."""
        if self.sampled:
            write = self._session.files.write_digits
            write(folder, self.sampled.images, self.sampled.request, scale, then=self.exported.emit)
