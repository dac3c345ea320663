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
from desktop_app.text.subject import DIGIT, Subject, subject_of
from desktop_app.viewmodels import guidance
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.cost import is_dear
from desktop_app.viewmodels.history import Result
from desktop_app.viewmodels.live_preview import LivePreview
from desktop_app.viewmodels.prompt_memory import PromptMemory, labels_in
from desktop_app.viewmodels.trajectory import Trajectory, View
from desktop_app.worker.compute_thread import Job, JobEnded
from ml.config import DRAWING_SIDE, MAX_BRANCHES, NO_LABEL, SampleRequest, SampleSettings, for_route
from ml.errors import BadRequest
from ml.events import Failed, Frame, Pixels, Progress, Sampled
from ml.export import files
from ml.export.contact_sheet import readings
from ml.export.formats import FORMATS
from ml.export.metadata import Layout
from ml.generation import branching
from ml.imaging.pixels import Shown, cut, film
from ml.specs import CLIP_MODEL, ROUTES, Route
from ml.text import prompt_parser
from ml.text.prompt_parser import ParsedPrompt

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard

LIVE_DELAY_MS = 200
SKETCH_S = 0.3  # a sketch may take at most this long
INTERPRET_DELAY_MS = 400
WORDS_EXAMPLE = "a bold seven"
GRADIENT, LARGE_GRADIENT = 3, 300  # network calls that one call with a CLIP's gradient is worth
UNDO_STEPS, TOGETHER_S = 100, 0.6
FULL_ROW = 10
MAX_LINE = 20  # digits of a number that stays in one line
MAX_IMAGES = MAX_ROWS * MAX_COLUMNS  # one part of a request, so that a frame has them all


class Generate(QObject):
    """Observable state of the page. A new request replaces the running one.

    What is shown changes with `begun`; a request that ends without a step leaves the previous result.
    """

    changed = Signal()  # settings, or how the prompt is understood
    sketched = Signal(object)  # Sampled: a draft of what is drawn after the last change
    returned = Signal()  # the settings are back at what is drawn
    begun = Signal()  # a new trajectory, empty so far
    stepped = Signal(int)  # its steps up to this one are there
    finished = Signal()  # the images are there
    judged = Signal()
    compared = Signal()  # the nearest training image of a digit is known, or its guidance probe
    busy_changed = Signal()
    exported = Signal(object)  # Path
    open_in_interpolate = Signal(int, object, object)  # corner, SampleRequest, image
    open_in_draw = Signal(object, str)  # image, and the model that drew it

    def __init__(self, context: AppContext, settings: GenerateSettings) -> None:
        super().__init__(context)
        self._context = context
        self.settings = settings
        self.understood: ParsedPrompt | None = None
        self.misunderstood = ""
        self.trajectory = Trajectory()
        self._before: Trajectory | None = None  # shown until the one that replaces it has its first step
        self._job: Job | None = None
        self._past: deque[GenerateSettings] = deque(maxlen=UNDO_STEPS)
        self._left_with: dict[Route, str] = {}  # the model of each route, since one was chosen
        self.fetching: Progress | None = None  # what has to be downloaded before the drawing begins
        self._changed_at = 0.0  # on the clock of time.monotonic
        self._soon = QTimer(self, singleShot=True, interval=LIVE_DELAY_MS)
        self._soon.timeout.connect(self._draw_if_new)
        self._live_preview = LivePreview(context, self)
        self._live_preview.drawn.connect(self.sketched)
        self._pace: dict[str, float] = {}  # seconds for one image's step, by model
        self._about_digits: dict[str, bool] = {}  # by prompt
        self._prompts = PromptMemory()
        self._interpret_soon = QTimer(self, singleShot=True, interval=INTERPRET_DELAY_MS)
        self._interpret_soon.timeout.connect(self._interpret)
        self._understand()

    # ---- settings

    def change(self, *, live: bool = True, **changes: object) -> None:
        """Change settings; with `live`, draw at once if that is quick."""
        new = self.settings.with_changes(**changes)
        if new == self.settings:
            return
        now = time.monotonic()
        if now - self._changed_at > TOGETHER_S:
            self._past.append(self.settings)
        self._changed_at = now
        self._set(new, live=live)

    def undo(self) -> None:
        """Restore the settings before the last change; changes in quick succession, as by a slider, are one."""
        if self._past:
            self._changed_at = 0.0
            self._set(self._past.pop(), live=True)

    def put(self, settings: GenerateSettings) -> None:
        """Replace all settings, without undo, and draw unless that is dear or shown already."""
        self._past.clear()
        self._set(settings, live=False)
        if self.sampled is None or self.requested() != self.request:
            self._draw_unless_dear()

    def _set(self, new: GenerateSettings, *, live: bool) -> None:
        self.settings = new
        self._understand()
        requested = self.requested()
        quick = live and requested is not None and not self._is_dear(requested)
        if quick:
            self._soon.start()  # first, so that nothing seems to wait for a click
        self.changed.emit()
        if quick and requested:
            self._sketch(requested)

    def _is_dear(self, request: SampleRequest) -> bool:
        """Whether images take so long that they wait for a click: with CLIP, by a large model, or very many."""
        card = self._context.card(request.model)
        return request.route == "clip" or is_dear(self._calls(request), card, on_gpu=self._context.on_gpu)

    @property
    def waits(self) -> bool:
        """Whether the settings wait for a click: drawing them is dear, or was stopped, or another drawing is shown."""
        requested = self.requested()
        if self.busy or self._soon.isActive() or requested is None or requested == self.request:
            return False
        of_others = self.sampled is not None and self.trajectory.settings != self.settings
        return of_others or self._is_dear(requested)

    def _draw_unless_dear(self, *, live: bool = False, asked: bool = True) -> None:
        """Draw the settings at once, or if that is dear, leave it to the person."""
        requested = self.requested()
        if requested is None or not self._is_dear(requested):
            self.draw(live=live, asked=asked)
            return
        self.stop()
        self.changed.emit()  # it waits now

    def _sketch(self, requested: SampleRequest) -> None:
        """Draw a draft while a control is dragged."""
        quick = self._quickly(requested)
        if quick is not None:
            self._stop_job()
            self._live_preview.request(quick)

    def _quickly(self, requested: SampleRequest) -> SampleRequest | None:
        """A request quick enough for a draft with the same noise: by the model, or by its student for many images."""
        pace = self._pace.get(requested.model, SKETCH_S)
        ways = (requested, self._live_preview.by_student(requested)) if requested.route != "clip" else ()
        return next((way for way in ways if way and self._calls(way) * pace <= SKETCH_S), None)

    @staticmethod
    def _calls(request: SampleRequest) -> int:
        """About how many network calls the images take, with a CLIP's gradient counted in such calls."""
        each = request.steps * (1 + request.repeats)
        steered = GRADIENT if request.clip == CLIP_MODEL else LARGE_GRADIENT
        return len(request.labels) * each * (steered if request.route == "clip" else 1)

    def replace_model(self, old: str, new: str) -> None:
        """Use another model if the old one is chosen, without drawing."""
        if self.settings.model == old:
            self.change(live=False, model=new)

    def draw_with(self, name: str, defaults: SampleSettings | None = None) -> None:
        """Draw with another model, though that takes long; with CLIP only at a further click."""
        self.use_model(name, defaults)
        if self.waits and self.settings.route != "clip":
            self.draw()

    def use_model(
        self,
        name: str,
        defaults: SampleSettings | None = None,
        *,
        route: Route | None = None,
        live: bool = False,
        asked: bool = True,
    ) -> None:
        """Draw with another model at its default settings, unless that is dear.

        `defaults` are those of a model that is not in the list yet; `route` is the model's own where it is not given.
        """
        card = self._context.card(name)
        defaults = card.header.defaults if card else defaults
        route = route or self._route_of(card)
        self._left_with = {}
        own = for_route(defaults, route).model_dump() if defaults else {}
        subject = subject_of(card)
        example = WORDS_EXAMPLE if route != "class" and subject.is_digits else ""
        prompt = self._prompts.exchange(self.settings.prompt, self.subject, subject, example)
        self.change(live=False, model=name, route=route, prompt=prompt, **own)
        self._draw_unless_dear(live=live, asked=asked)

    def _route_of(self, card: "ModelCard | None") -> Route:
        """The route on which a model takes prompts: CLIP's where that was chosen, or the model is the one for it."""
        if card and self._takes(card, "text"):
            return "text"
        wanted = card and (self.settings.route == "clip" or card.name == ROUTES["clip"].model)
        return "clip" if card and wanted and self._takes(card, "clip") else "class"

    def _takes(self, card: "ModelCard", route: Route) -> bool:
        """Whether a model takes prompts on that route."""
        model = card.header.model
        if route == "clip":
            return not model.num_classes and not model.reader and subject_of(card).is_digits and self._has("clip")
        return (model.reader is not None) == (route == "text")

    def open(self, request: SampleRequest) -> None:
        """Draw a grid with the settings and the labels of a request."""
        labels = tuple(dict.fromkeys(request.labels))
        prompt = request.prompt if request.route != "class" else self._written(labels, request.model)
        self._settle(request, prompt)
        self.draw()

    def restore(self, request: SampleRequest, columns: int) -> SampleRequest:
        """Draw exactly this request, in a grid of that many columns, and take over its settings where there are such.

        Returns the request that is drawn: the first MAX_IMAGES images.
        """
        count = min(len(request.labels), MAX_IMAGES)
        drawn = request if count == len(request.labels) else request.some(range(count))
        rows = min(MAX_ROWS, -(-count // columns))
        if self._context.card(drawn.model) or os.path.exists(drawn.model):  # False for any text
            self._settle(drawn, self._prompt_for(drawn, columns), rows=rows)
        self.draw(request=drawn, columns=min(columns, count))
        return drawn

    def _prompt_for(self, request: SampleRequest, columns: int) -> str:
        """The prompt for the labels of a request: as it was typed, or else the classes of a row."""
        row = request.labels[:columns]
        if request.route != "class":
            return request.prompt
        typed = labels_in(request.prompt, self._context.subject(request.model))
        if typed and (typed * FULL_ROW if len(typed) == 1 else typed) in (row, request.labels):
            return request.prompt
        return self._written(row[:1] if len(row) == FULL_ROW and len(set(row)) == 1 else row, request.model)

    def _written(self, labels: tuple[int, ...], model: str) -> str:
        """Labels as a prompt; the present one where there are none."""
        named = labels and NO_LABEL not in labels
        return self._context.subject(model).prompt(labels) if named else self.settings.prompt

    def _settle(self, request: SampleRequest, prompt: str, **more: object) -> None:
        known = {name: getattr(request, name) for name in SampleSettings.model_fields} | more
        self.change(live=False, prompt=prompt, seed=request.seed, model=request.model, route=request.route, **known)

    def use_clip(self, name: str) -> None:
        """Steer by another CLIP model, a name or a file of weights, from the next drawing on."""
        self.change(live=False, clip=name)

    def use_route(self, route: Route) -> None:
        """Choose what the prompt is: labels, words for a text model, or words for CLIP.

        The model that was left for another route comes back; else one that was chosen stays where it takes such
        prompts. A prompt without meaning on the new route is replaced by an example.
        """
        if route == self.settings.route:
            return
        digits = labels_in(self.settings.prompt, DIGIT)
        if route != "class" and len(digits) != 1 and not (route == "text" and digits):
            self.change(live=False, prompt=WORDS_EXAMPLE)
        if route == "class" and not digits:
            self.change(live=False, prompt=GenerateSettings().prompt)
        card = self._context.card(self.settings.model)
        left_with: dict[Route, str] = {**self._left_with, self.settings.route: self.settings.model}
        if self._context.card(left_with.get(route, "")):
            name = left_with[route]
        elif card and card.name != ROUTES[self.settings.route].model and self._takes(card, route):
            name = card.name
        else:
            name = ROUTES[route].model
        self.use_model(name, route=route)
        self._left_with = left_with

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes that the available models offer; their words are about digits alone."""
        return (
            tuple(route for route in ROUTES if self._has(route)) if self.subject.is_digits else (self.settings.route,)
        )

    def _has(self, route: Route) -> bool:
        """Whether the bundled models of a route are here."""
        needed = (ROUTES[route].model, CLIP_MODEL) if route != "class" else (ROUTES[route].model,)
        return all(self._context.card(name) for name in needed)

    def reset(self) -> None:
        """Return to the model's default settings."""
        self.change(**self._defaults())

    @property
    def at_defaults(self) -> bool:
        """Whether `reset` would change nothing."""
        return self.settings == self.settings.with_changes(**self._defaults())

    def _defaults(self) -> dict[str, Any]:
        card = self._context.card(self.settings.model)
        return for_route(card.header.defaults if card else SampleSettings(), self.settings.route).model_dump()

    @property
    def subject(self) -> Subject:
        """What the model draws, in words."""
        return self._context.subject(self.settings.model)

    @property
    def classes(self) -> int:
        """How many classes the model knows; 0 where it takes none."""
        return len(self.subject.classes)

    @property
    def acting_steps(self) -> int | None:
        """In how many of the steps guidance acts; None where nothing is guided, and until the models are known."""
        card = self._context.card(self.settings.model)
        guided = card and self._context.device and (self.classes or card.header.model.reader)
        if card is None or not guided or self.settings.route == "clip" or self.settings.guidance == 1:
            return None
        return guidance.acting_steps(card, self.settings)

    def refresh(self) -> None:
        """Interpret the prompt again, after models have become known."""
        self._understand()
        self.changed.emit()

    def _understand(self) -> None:
        self.misunderstood, self.understood = "", None
        try:
            prompt_parser.check_length(self.settings.prompt)
            self.understood = self._interpreted()
        except BadRequest as error:
            self.misunderstood = str(error)

    def _interpreted(self) -> ParsedPrompt:
        """Raises BadRequest."""
        if self.settings.route != "class":
            return self._described()
        subject = self.subject
        if not subject.classes:
            return ParsedPrompt((NO_LABEL,) * FULL_ROW, FULL_ROW, f"any {subject.noun}s: this model takes no prompt")
        understood = prompt_parser.parse_prompt(self.settings.prompt, subject.classes)
        if len(understood.labels) > MAX_IMAGES:
            number = subject.counted(len(understood.labels))
            raise BadRequest(f"{number} are too many.", f"The grid holds {MAX_IMAGES}.")
        return understood

    def _described(self) -> ParsedPrompt:
        """Interpret a prompt in words; CLIP checks after the last key whether one for digits is about them."""
        prompt, noun = self.settings.prompt.strip(), self.subject.noun
        if not prompt:
            return ParsedPrompt((NO_LABEL,) * FULL_ROW, FULL_ROW, f"any {noun}s: the prompt is empty")
        if not self.subject.is_digits:
            prompt_parser.check_words(prompt, digits=False)
            return ParsedPrompt((NO_LABEL,), 1, f"“{prompt}”, read by the model")
        if self.settings.route == "text" and (understood := prompt_parser.parse_text_prompt(prompt)).labels != (
            NO_LABEL,
        ):
            return understood  # plain digits
        if self.settings.route == "clip":
            prompt_parser.check_words(prompt)
        if prompt_parser.has_meaning(prompt) and prompt not in self._about_digits:
            self._interpret_soon.start()
        if self.doubtful:
            reading = f"“{prompt}” isn't a digit, and this model only knows digits"
            return ParsedPrompt((NO_LABEL,) * FULL_ROW, FULL_ROW, reading, prompt_parser.unknown_words(prompt))
        if self.settings.route == "text":
            return prompt_parser.parse_text_prompt(prompt)
        reading = f"“{prompt}”, steered by CLIP"
        return ParsedPrompt((NO_LABEL,) * FULL_ROW, FULL_ROW, reading, prompt_parser.unknown_words(prompt))

    @property
    def doubtful(self) -> bool:
        """Whether the prompt is about something else than digits."""
        prompt = self.settings.prompt.strip()
        if self.settings.route == "class" or not self.subject.is_digits or not prompt:
            return False
        return not self._about_digits.get(prompt, not self._is_meaningless(prompt))

    def _is_meaningless(self, prompt: str) -> bool:
        """Whether a prompt has words that the model cannot know, and none about digits."""
        return bool(prompt_parser.unknown_words(prompt)) and not prompt_parser.has_meaning(prompt)

    @property
    def marks(self) -> tuple[tuple[int, int], ...]:
        """Where the words of the prompt that affect the images begin, and their lengths."""
        if self.understood is None or not (self.classes or self.settings.route != "class"):
            return ()
        return prompt_parser.marks(self.settings.prompt, self.understood.left_over)

    def _interpret(self) -> None:
        prompt = self.settings.prompt.strip()
        if self.settings.route != "class" and prompt and not self._context.closing:
            self._context.submit(partial(sampling.interpret_prompt, prompt), self._on_understanding)

    def _on_understanding(self, event: object) -> None:
        if isinstance(event, Understanding):
            self._about_digits[event.prompt] = event.about_digits
            self.refresh()

    def row(self) -> tuple[int, ...]:
        """The labels of one row of the grid; a single one is repeated ten times."""
        labels = self.understood.labels if self.understood else ()
        return labels * FULL_ROW if len(labels) == 1 else labels

    def across(self) -> int:
        """The columns of the grid: one line for one number, of a phone for example."""
        row, groups = self.row(), prompt_parser.number_groups(self.settings.prompt)
        return len(row) if sum(groups) == len(row) <= MAX_LINE else min(len(row), MAX_COLUMNS)

    def labels(self) -> tuple[int, ...]:
        """The labels of the whole grid, row by row; a long prompt fills several rows."""
        row = self.row()
        return row * self.settings.rows if len(row) <= MAX_COLUMNS else row

    def requested(self) -> SampleRequest | None:
        """The request that the settings make; None if the prompt is not understood."""
        return self.settings.request(self.labels()) if self.understood else None

    # ---- drawing

    @property
    def busy(self) -> bool:
        return self._job is not None

    @property
    def doing(self) -> tuple[str, float | None]:
        """What is being drawn or downloaded, and the share that is done."""
        if self.fetching:
            return self.fetching.what, self.fetching.done / self.fetching.total if self.fetching.total else None
        count = len(self.request.labels) if self.request else 0
        share = (len(self.frames) - 1) / self.trajectory.steps if self.frames else None
        return f"Drawing {self.shown_subject.counted(count)}", share

    def draw(
        self, *, live: bool = False, request: SampleRequest | None = None, columns: int = 0, asked: bool = True
    ) -> None:
        """Draw the request of the settings, or `request` in a grid of so many columns, in place of the running request.

        `live` marks a drawing that was not started by a button; it is not `asked` for before the first change.
        """
        self._soon.stop()
        self._live_preview.pause() if live else self._live_preview.discard()
        columns = columns or self.across()
        request = request or self.requested()
        if request is None or self._context.closing:
            return
        self._stop_job()
        if self.trajectory.frames:
            self._before = self.trajectory
        self.trajectory = Trajectory(request, columns, live, settings=self.settings)
        task = partial(sampling.sample_and_judge, request)
        title = f"Drawing {self.shown_subject.counted(len(request.labels))}"
        self._job = self._context.submit(task, partial(self._on_event, self.trajectory), asked=asked, title=title)
        self.begun.emit()
        self.busy_changed.emit()

    def draw_first(self) -> None:
        """Draw the first grid unless that is dear; by default on the first start, or if the last model is gone."""
        self.change(live=False, clip=CLIP_MODEL)  # a start downloads nothing
        if self.settings == GenerateSettings() or self._context.card(self.settings.model) is None:
            self.use_model(DEFAULT_MODEL, asked=False)
            self._past.clear()  # the person has changed nothing yet
        else:
            self._draw_unless_dear(asked=False)

    def stop(self) -> None:
        """Stop drawing; the steps so far stay."""
        self._soon.stop()
        self._live_preview.stop()
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
            if quick is not None and not self._context.closing:
                self._live_preview.warm_up(quick, self._live_preview.by_student(drawn))  # for larger grids
        self.busy_changed.emit()

    def _keep(self, trajectory: Trajectory, sampled: Sampled) -> None:
        """Add a finished drawing to the history."""
        trajectory.kept = True
        columns = trajectory.columns

        def write(path: Path, scale: int) -> None:
            files.save(path, sampled.images, sampled.request, Layout(columns=columns, scale=scale))

        is_shown = lambda: self.trajectory is trajectory  # noqa: E731
        self._context.history.add(
            Result("generate", sampled.images, is_shown, partial(self.show_again, trajectory), write)
        )

    def show_kept(self, request: SampleRequest, columns: int, picture: Pixels) -> None:
        """Show a picture of an earlier session with its settings, and unless that is dear, draw its steps again."""
        if not self._is_dear(request) and self._context.card(request.model):
            self.restore(request, columns)
            return
        images = cut(picture, len(request.labels), columns)
        last = Frame(0, 0, 0, 0.0, 1.0, 0.0, images, images)
        self.show_again(Trajectory(request, columns, True, True, [last], Sampled(request, images, 0.0, 0)))

    def show_again(self, trajectory: Trajectory) -> None:
        """Show an earlier drawing, with its settings."""
        if trajectory is self.trajectory or trajectory.request is None:
            return
        self.stop()
        rows = min(MAX_ROWS, -(-len(trajectory.request.labels) // trajectory.columns))
        self._settle(trajectory.request, self._prompt_for(trajectory.request, trajectory.columns), rows=rows)
        self._soon.stop()
        trajectory.settings = self.settings
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
        if self.requested() != self.request or self.sampled is None:
            self.draw(live=True)
        else:
            self._live_preview.discard()
            self.returned.emit()

    def _on_event(self, trajectory: Trajectory, event: object) -> None:
        if trajectory is not self.trajectory or self._job is None:
            return  # an event of a request that was replaced
        self.fetching = event if isinstance(event, Progress) else None
        match event:
            case Progress():
                self.busy_changed.emit()
            case Frame():
                self._live_preview.discard()
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
                self.change(live=False, clip=CLIP_MODEL)  # the message says so
            case JobEnded():
                self._end_job()

    # ---- the drawing shown

    @property
    def request(self) -> SampleRequest | None:
        """Of the trajectory that is shown."""
        return self.trajectory.request

    @property
    def shown_subject(self) -> Subject:
        """What the images that are shown are, in words."""
        return self._context.subject(self.request.model if self.request else self.settings.model)

    @property
    def is_judged(self) -> bool:
        """Whether a judge reads the images that are shown."""
        model = self.request.model if self.request else self.settings.model
        return self.verdict is not None or self._context.can_judge(model)

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
        """The finished images, if there are so many: a menu may still be of a larger grid."""
        return self.sampled if self.sampled and index < len(self.sampled.images) else None

    @property
    def verdict(self) -> JudgeResult | None:
        return self.trajectory.verdict

    def find_nearest(self, index: int) -> None:
        """Find the closest training image of a finished digit, if the data set is at hand."""
        shown, sampled = self.trajectory, self.holding(index)
        if sampled is None or shown.verdict is None or index in shown.nearest:
            return
        shown.nearest[index] = None
        task = partial(sampling.find_nearest, sampled.images[index], sampled.request.model, self._context.data_root)
        self._context.submit(task, partial(self._on_nearest, shown, index))

    def _on_nearest(self, shown: Trajectory, index: int, event: object) -> None:
        if isinstance(event, Nearest):
            shown.nearest[index] = event
            self.compared.emit()
        elif isinstance(event, JobEnded) and shown.nearest[index] is None:
            shown.no_training_images = True
            self.compared.emit()

    def probe_guidance(self, index: int) -> None:
        """Compute the guidance probe of one image: the predictions at every step."""
        shown, sampled = self.trajectory, self.holding(index)
        if sampled and shown.guided and index not in shown.probes:
            shown.probes[index] = None
            task = partial(sampling.probe_guidance, sampled.request.alone(index))
            self._context.submit(task, partial(self._on_probed, shown, index))

    def _on_probed(self, shown: Trajectory, index: int, event: object) -> None:
        if isinstance(event, GuidanceProbeResult):
            shown.probes[index] = event
            self.compared.emit()

    def draw_alone(self, index: int) -> None:
        """Generate only this image: the same pixels."""
        if sampled := self.holding(index):
            self.draw(request=sampled.request.alone(index), columns=1)

    # ---- branches

    def can_branch(self, step: int) -> bool:
        """Whether a branch can begin at a step: the drawing is finished, and the step is not its last."""
        shown = self.trajectory
        return shown.sampled is not None and 0 <= step < shown.steps and self._fits(shown.sampled.request)

    def _fits(self, request: SampleRequest) -> bool:
        return request.branches < MAX_BRANCHES and self._context.card(request.model) is not None

    def branch(self, step: int) -> None:
        """Branch all images at a step, with the present settings and prompt."""
        if self.sampled and self.can_branch(step):
            request = branching.with_settings(self.sampled.request, step, self.settings, self.labels())
            self.draw(request=request, columns=self.columns)

    def branch_into_classes(self, index: int, step: int) -> None:
        """Branch one image at a step into every class."""
        classes = len(self.shown_subject.classes)
        if (sampled := self.holding(index)) and self.can_branch(step) and classes:
            count = min(classes, MAX_IMAGES)
            request = branching.into_every_class(sampled.request, index, step, count)
            self.draw(request=request, columns=min(count, MAX_COLUMNS))

    def branch_into_noises(self, index: int, step: int) -> None:
        """Branch one image at a step into ten new noises."""
        if (sampled := self.holding(index)) and self.can_branch(step):
            request = branching.into_other_noises(sampled.request, index, step, FULL_ROW)
            self.draw(request=request, columns=FULL_ROW)

    # ---- other pages and export

    def use_as_corner(self, index: int, corner: int) -> bool:
        """Use an image as a corner on the Interpolate page; returns whether there is one."""
        sampled = self.holding(index)
        if sampled:
            self.open_in_interpolate.emit(corner, sampled.request.alone(index), sampled.images[index])
        return sampled is not None

    def use_as_drawing(self, index: int) -> bool:
        """Open an image on the Draw page; returns whether there is one of a drawing's size."""
        sampled = self.holding(index)
        if sampled and self.can_draw_on:
            self.open_in_draw.emit(sampled.images[index], sampled.request.model)
        return sampled is not None and self.can_draw_on

    @property
    def can_be_corner(self) -> bool:
        """Whether the images can be corners: by their noise and class, or by their picture."""
        request = self.request
        if request is None or self.can_draw_on:
            return self.can_draw_on
        plain = not (request.parent or request.corners or request.source) and request.route == "class"
        return plain and bool(self.shown_subject.classes)

    @property
    def can_draw_on(self) -> bool:
        """Whether the images have the size of a drawing."""
        return self.sampled is not None and self.sampled.images.shape[1:] == (DRAWING_SIDE, DRAWING_SIDE)

    @property
    def can_export(self) -> bool:
        return self.sampled is not None

    def export(self, path: Path, *, scale: int = 4, view: View = "noisy", labelled: bool = False) -> None:
        """Write the grid as an image, `labelled` or not, the denoising as an animation, or the arrays, by suffix."""
        if self.sampled is None:
            return
        film_of: Shown = "x0_hat" if view == "clean" else "x_t"
        file_format = FORMATS.get(path.suffix.lower())  # a typed name may have another suffix, which the writer refuses
        kind = file_format.kind(labelled=labelled, film=film_of) if file_format else "images"
        layout, names = Layout(columns=self.columns, scale=scale, kind=kind), self.shown_subject.caption_names
        if kind == "sheet":
            layout = layout.with_changes(classes=names)
        if kind == "sheet" and self.verdict:
            read = readings(self.verdict.labels, self.verdict.confidence, names)
            layout = layout.with_changes(readings=read, judge_accuracy=self.verdict.accuracy)
        pictures = film(self.frames, len(self.sampled.images), film_of)
        write = self._context.files.write
        write(path, self.sampled.images, self.sampled.request, layout, pictures, then=self.exported.emit)

    def export_digits(self, folder: Path, *, scale: int = 4) -> None:
        """Write one PNG per digit into a new folder."""
        if self.sampled:
            write = self._context.files.write_digits
            write(folder, self.sampled.images, self.sampled.request, scale, then=self.exported.emit)
