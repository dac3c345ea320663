"""The Generate page without its widgets: settings, the request they make, the trajectory it gave."""

import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from desktop_app import work
from desktop_app.jobs import Ended, Job
from desktop_app.settings import DEFAULT_MODEL, MAX_COLUMNS, MAX_ROWS, GenerateSettings
from desktop_app.work import Judged, Nearest, Understanding
from ml import prompts
from ml.config import CLIP_MODEL, MODELS, NO_LABEL, Route, SampleRequest, SampleSettings, for_route
from ml.errors import BadRequest
from ml.events import Failed, Frame, Pixels, Progress, Sampled
from ml.export import Layout
from ml.films import FILMS
from ml.images import Shown, film
from ml.prompts import Understood
from ml.sheets import readings

if TYPE_CHECKING:
    from desktop_app.session.session import Session
    from ml.library import ModelCard

View = Literal["noisy", "clean", "noise", "all"]
THREE = ("noisy xₜ", "clean x₀", "noise ε")  # what is shown of one digit in the view "all"
LIVE_DELAY_MS = 200
ASK_DELAY_MS = 400
WORDS_EXAMPLE = "a bold seven"
LIVE_CALLS = 1500  # network calls of a request small enough to be drawn while a slider moves
GRADIENT, LARGE_GRADIENT = 3, 300  # network calls that one call with a CLIP's gradient is worth
UNDO_STEPS, TOGETHER_S = 100, 0.6
FULL_ROW = 10
MAX_IMAGES = MAX_ROWS * MAX_COLUMNS  # one part of a request, so that a frame has them all


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A trajectory put aside until the one that replaces it has its first step."""

    request: SampleRequest
    columns: int
    frames: list[Frame]
    sampled: Sampled | None
    verdict: Judged | None


class Generate(QObject):
    """Observable state of drawing. A newer request replaces the one that is being drawn.

    What is shown changes with `begun`; a request that gives not one step leaves what was shown before.
    """

    changed = Signal()  # settings, or how the prompt is understood
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
        self.live = False  # what is shown was drawn because a setting moved
        self.request: SampleRequest | None = None  # of the trajectory that is shown
        self.columns = FULL_ROW  # of the grid that is shown
        self.frames: list[Frame] = []
        self.sampled: Sampled | None = None
        self.verdict: Judged | None = None
        self._asked_nearest: set[tuple[SampleRequest, int]] = set()
        self._nearest: dict[tuple[SampleRequest, int], Nearest] = {}
        self._before: _Drawn | None = None
        self._job: Job | None = None
        self._past: deque[GenerateSettings] = deque(maxlen=UNDO_STEPS)
        self.fetching: Progress | None = None  # what has to be downloaded before the drawing begins
        self._changed_at = 0.0  # on the clock of time.monotonic
        self._soon = QTimer(self, singleShot=True, interval=LIVE_DELAY_MS)
        self._soon.timeout.connect(self._draw_if_new)
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

    def _set(self, new: GenerateSettings, *, live: bool) -> None:
        self.settings = new
        self._understand()
        self.changed.emit()
        if live and self.understood and self._calls(new) <= LIVE_CALLS:
            self._soon.start()

    def _calls(self, settings: GenerateSettings) -> int:
        """About how many network calls the images take; a gradient costs as much as two, and a large CLIP far more."""
        each = settings.steps * (1 + settings.repeats)
        steered = GRADIENT if settings.clip == CLIP_MODEL else LARGE_GRADIENT
        return len(self.labels()) * each * (steered if settings.route == "clip" else 1)

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
        if self._session.card(drawn.model) or Path(drawn.model).exists():
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
        self.use_model(MODELS[route])

    @staticmethod
    def _digits_in(prompt: str) -> tuple[int, ...]:
        try:
            return prompts.understand(prompt).labels
        except BadRequest:
            return ()

    @property
    def routes(self) -> tuple[Route, ...]:
        """The ways a prompt can take with the models that are there."""
        needed = {route: (model, CLIP_MODEL) if route != "class" else (model,) for route, model in MODELS.items()}
        known = {route: all(self._session.card(name) for name in models) for route, models in needed.items()}
        return tuple(route for route in MODELS if known[route])

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
            understood = prompts.understand(self.settings.prompt, self.classes)
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
        if self.settings.route == "text" and (told := prompts.in_words(prompt)).labels != (NO_LABEL,):
            return told  # plain digits, of which there is no doubt
        if prompt not in self._about_digits:
            self._ask_soon.start()
        known = self._about_digits.get(prompt, True)
        if not known:
            reading = f"“{prompt}” is no digit, and digits are all this model knows"
            return Understood((NO_LABEL,) * FULL_ROW, FULL_ROW, reading)
        if self.settings.route == "text":
            return prompts.in_words(prompt)
        return Understood((NO_LABEL,) * FULL_ROW, FULL_ROW, f"“{prompt}”, steered by CLIP")

    @property
    def doubtful(self) -> bool:
        """Whether the prompt asks for something that the model cannot know."""
        return self.settings.route != "class" and not self._about_digits.get(self.settings.prompt.strip(), True)

    def _ask(self) -> None:
        prompt = self.settings.prompt.strip()
        if self.settings.route != "class" and prompt and not self._session.closing:
            self._session.submit(partial(work.understanding, prompt), self._on_understanding)

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
        share = (len(self.frames) - 1) / self.steps if self.frames else None
        return f"Drawing {count} digit{'s' * (count != 1)}", share

    def draw(self, *, live: bool = False, request: SampleRequest | None = None, columns: int = 0) -> None:
        """Draw what the settings ask for, in place of what is being drawn; `live` where nobody pressed a button.

        With `request`, that instead, in a grid of so many columns.
        """
        self._soon.stop()
        columns = columns or min(len(self.row()), MAX_COLUMNS)
        request = request or self.wanted()
        if request is None or self._session.closing:
            return
        self._stop_job()
        self._put_aside()
        self.live = live
        self.request, self.columns = request, columns
        self.frames, self.sampled, self.verdict = [], None, None
        self._asked_nearest.clear()
        self._nearest.clear()
        self._job = self._session.submit(partial(work.drawing, request), partial(self._on_event, request))
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
        if self._job:
            self._stop_job()
            self._end_job()

    def _stop_job(self) -> None:
        if self._job:
            self._job.control.cancel()

    def _end_job(self) -> None:
        self._job = None
        if not self.frames:
            self._bring_back()
        self.busy_changed.emit()

    def _put_aside(self) -> None:
        if self.request and self.frames:
            self._before = _Drawn(self.request, self.columns, self.frames, self.sampled, self.verdict)

    def _bring_back(self) -> None:
        """Show again what was there before a request that gave nothing."""
        old, self._before = self._before, None
        if old is None:
            return
        self.request, self.columns, self.frames = old.request, old.columns, old.frames
        self.sampled, self.verdict, self.live = old.sampled, old.verdict, True
        self.begun.emit()
        self.stepped.emit(len(old.frames) - 1)
        if old.verdict:
            self.judged.emit()

    def _draw_if_new(self) -> None:
        if self.wanted() != self.request:
            self.draw(live=True)

    def _on_event(self, request: SampleRequest, event: object) -> None:
        if request is not self.request or self._job is None:
            return  # the answer to a question that is no longer asked
        self.fetching = event if isinstance(event, Progress) else None
        if isinstance(event, Progress):
            self.busy_changed.emit()
        elif isinstance(event, Frame):
            self._before = None
            self.frames.append(event)
            self.stepped.emit(event.step)
        elif isinstance(event, Sampled):
            self.sampled = event
            self.finished.emit()
        elif isinstance(event, Judged):
            self.verdict = event
            self.judged.emit()
        elif isinstance(event, Failed) and request.clip != CLIP_MODEL:
            self.change(live=False, clip=CLIP_MODEL)  # with which it goes on, as the message says
        elif isinstance(event, Ended):
            self._end_job()

    # ---- what is shown

    @property
    def steps(self) -> int:
        """The number of steps of the trajectory that is shown."""
        return self.request.steps if self.request else 0

    def shown(self, step: int, view: View) -> Pixels | None:
        """The images at a step that was computed: as noisy as they are, as the model sees them clean, or the noise.

        Of the noise, that of the step before where a finished image has none any more.
        """
        if not 0 <= step < len(self.frames):
            return None
        if view == "noise":
            known = [frame.eps for frame in self.frames[: step + 1] if frame.eps is not None]
            return known[-1] if known else self.frames[step].x_t
        return self.frames[step].x0_hat if view == "clean" else self.frames[step].x_t

    def three(self, index: int, step: int) -> Pixels | None:
        """One digit at a step as THREE: (3, H, W[, 3])."""
        parts = [self.shown(step, view) for view in ("noisy", "clean", "noise")]
        found = [images[index] for images in parts if images is not None and index < len(images)]
        return np.stack(found) if len(found) == len(THREE) else None

    def look_for_nearest(self, index: int) -> None:
        """Find the training image that is most like a finished digit, where the data are at hand."""
        sampled = self.sampled
        if sampled is None or self.verdict is None or (sampled.request, index) in self._asked_nearest:
            return
        self._asked_nearest.add((sampled.request, index))
        task = partial(work.looking_for_nearest, sampled.images[index], self._session.train.data_root)
        self._session.submit(task, partial(self._on_nearest, (sampled.request, index)))

    def _on_nearest(self, asked: tuple[SampleRequest, int], event: object) -> None:
        if isinstance(event, Nearest):
            self._nearest[asked] = event
            self.compared.emit()

    def nearest(self, index: int) -> Nearest | None:
        """The training image that is most like a finished digit, once that is known."""
        return self._nearest.get((self.sampled.request, index)) if self.sampled else None

    def similarity(self, index: int, step: int) -> float | None:
        """How well CLIP finds that a digit fits the prompt at a step; None where it does not steer."""
        known = self.frames[step].similarity if 0 <= step < len(self.frames) else None
        return None if known is None else float(known[index])

    def strip_steps(self, count: int) -> list[int]:
        """Up to `count` of the steps computed so far, evenly from the first to the last."""
        last = len(self.frames) - 1
        return sorted({round(i * last / max(count - 1, 1)) for i in range(count)}) if self.frames else []

    def strip(self, index: int, view: View, count: int) -> Pixels | None:
        """The way of one digit in pictures from noise to image, one for each of `strip_steps`."""
        shown = [self.shown(step, view) for step in self.strip_steps(count)]
        return np.stack([images[index] for images in shown if images is not None]) if shown else None

    # ---- taking it away

    @property
    def can_export(self) -> bool:
        return self.sampled is not None

    def export(self, path: Path, *, scale: int = 4, view: View = "noisy", labelled: bool = False) -> None:
        """Write the grid as a picture, `labelled` or not, the denoising as a film, or the arrays, by the ending."""
        if self.sampled is None:
            return
        suffix = path.suffix.lower()
        film_of: Shown = "x0_hat" if view == "clean" else "x_t"
        kind = film_of if suffix in FILMS else "sheet" if labelled or suffix == ".svg" else "images"
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
