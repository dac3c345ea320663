"""Lesson files: pages with questions about them, step by step, in a small JSON file that a student opens."""

import hashlib
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    JsonValue,
    StrictInt,
    ValidationError,
    create_model,
    model_validator,
)

from desktop_app.settings import (
    ExploreSettings,
    PageName,
    PageSettings,
    TrainSettings,
    page_settings,
)
from ml.config import Description, parse
from ml.control import RunControl
from ml.errors import BadFile, BadRequest
from ml.experiments.axes import PATHLIKE
from ml.registry import presets
from ml.specs import IMAGE_FOLDER
from ml.system import paths
from ml.system.files import atomic, check_regular

SUFFIX = ".noiseloom-lesson"
VERSION = 1
MAX_BYTES = 1_000_000
MAX_LINES = 8  # of a question or an answer: the page below needs the rest of the window
MAX_STEPS, MAX_CHOICES, MAX_REPLY = 12, 6, 500
COURSE = (  # the lessons that come with the program, in teaching order
    "forward-noise",
    "4-schedule",
    "one-look",
    "1-steps",
    "samplers",
    "eta",
    "2-guidance",
    "x-ray",
    "3-decision",
    "latent",
    "words",
    "interpolation",
    "memorising",
)
FREE_TEXTS = ("prompt", "digits", "picture")  # settings whose slashes make no path; images are in base64


def _short(text: str) -> str:
    text = text.strip()
    if len(text.splitlines()) > MAX_LINES:
        raise ValueError(f"more than {MAX_LINES} lines")
    return text


Line = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]
Text = Annotated[str, AfterValidator(_short)]


# Old names of controls and groups, which lesson files of version 1 may have in `hidden`, and their present names.
RENAMED = {
    "A picture of mine…": "Open an image…",
    "Add a stop": "Add waypoint",
    "All other noise": "New noise everywhere",
    "Another one": "Another example",
    "Back to defaults": "Reset to defaults",
    "Back to the first stop": "Close the path",
    "Batch": "Batch size",
    "Becomes": "Turn into",
    "Begin at": "Start from",
    "Below": "Lower panel",
    "Between": "Mode",
    "CLIP's pull": "CLIP scale",
    "Compare as": "Mode",
    "Do": "Task",
    "Drawn by": "Sampling",
    "Draws with": "Sampling defaults",
    "First σ": "Maximum σ",
    "Go on with": "Unfinished runs",
    "In common": "Shared settings",
    "Learns": "Predicts",
    "Mix noise by": "Noise mixing",
    "Of each": "Per class",
    "Pen": "Pen radius",
    "Per digit": "Per class",
    "Place": "Position",
    "Previews from one noise": "Previews",
    "Rate": "LR schedule",
    "Retakes": "Repeats per step",
    "Schedule": "Noise schedule",
    "Score it": "Score",
    "Set-up": "Setup",
    "Show": "View",
    "Steered by": "CLIP model",
    "Step size": "Learning rate",
    "Stop 1": "Waypoint 1",
    "Stops": "Waypoints",
    "The prompt is": "Prompt mode",
    "Weighting": "Loss weighting",
    "What becomes of it": "Result",
    "What is compared": "Axes",
    "What it is": "Recognition",
    "What it is made of": "Architecture and training",
    "Where it is": "Source",
}


def _present_names(hidden: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(RENAMED.get(name, name) for name in hidden)


Names = Annotated[tuple[Annotated[str, Field(max_length=100)], ...], AfterValidator(_present_names)]


class Question(Description):
    """A question, the reply that it asks for, and the answer that is shown after the reply.

    The reply is one of `choices`, or a number if `between` is given, or the student's own words if `written`; without
    any of them the student only looks. `reveals` are settings of the page that change when the answer is shown.
    """

    question: Annotated[Text, Field(min_length=1, max_length=700)]
    answer: Text = Field(default="", max_length=1000)
    choices: tuple[Annotated[Line, Field(min_length=1, max_length=100)], ...] = Field(
        default=(), max_length=MAX_CHOICES
    )
    right: int | None = Field(default=None, ge=0, description="index of the right choice; None: no choice is wrong")
    between: tuple[float, float] | None = Field(default=None, description="the least and the largest right number")
    written: bool = False
    reveals: dict[str, JsonValue] = Field(default_factory=dict, max_length=100)

    @model_validator(mode="after")
    def _check_reply(self) -> Self:
        if len(self.choices) == 1:
            raise ValueError("a question has at least two choices")
        if self.right is not None and self.right >= len(self.choices):
            raise ValueError("the right choice is not among the choices")
        if self.between and self.between[0] > self.between[1]:
            raise ValueError("the least right number is above the largest")
        if sum(map(bool, (self.choices, self.between, self.written))) > 1:
            raise ValueError("a question asks for a choice, a number or words, and not for two of them")
        return self

    @property
    def asks(self) -> bool:
        """Whether it asks for a reply."""
        return bool(self.choices or self.between or self.written)

    @property
    def checks(self) -> bool:
        """Whether a reply can be wrong."""
        return self.right is not None or self.between is not None

    def is_right(self, reply: str) -> bool | None:
        """Whether a reply is right; None if none is wrong. Raises BadRequest for what is no reply to the question."""
        if self.choices and reply not in self.choices:
            raise BadRequest("Choose an answer first.")
        if self.written and not reply.strip():
            raise BadRequest("Write an answer first.")
        if self.between is None:
            return None if self.right is None else reply == self.choices[self.right]
        try:
            number = float(reply.strip().replace(",", "."))
        except ValueError:
            number = float("nan")
        if not isfinite(number):
            raise BadRequest("Type a number first, such as 8.")
        return self.between[0] <= number <= self.between[1]


class Step(Question):
    """A question after the first one. `changes` are settings of the page that change when the step begins."""

    page: PageName | None = Field(default=None, description="None: the page of the step before")
    changes: dict[str, JsonValue] = Field(default_factory=dict, max_length=100)


class _Words(Question):
    """The texts of a lesson, and its page. `hidden` names controls or groups of them."""

    version: Literal[1] = VERSION
    title: Annotated[Line, Field(min_length=1, max_length=100)]
    page: PageName
    hidden: Names = Field(default=(), max_length=200)
    later_steps: tuple[Step, ...] = Field(
        default=(), max_length=MAX_STEPS - 1, description="after the first, which is the lesson's own question"
    )


_settings: dict[str, Any] = {page: (kind | None, None) for page, kind in page_settings().items()}


class Lesson(create_model("_Words", __base__=_Words, **_settings)):
    """A page as a student finds it, with a field for the settings of each page; only those of `page` count."""

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        by_page = {page: getattr(self, page) for page in page_settings()}
        if by_page[self.page] is None:
            raise ValueError(f"the settings of the page {self.page!r} are missing")
        for settings in (*by_page.values(), *self._all_settings()):
            if problem := _problem(settings):
                raise ValueError(problem)
        for settings in self._all_settings():
            if named := next(_places(settings.model_dump(mode="json")), ""):
                raise ValueError(f"a lesson can't name a file or folder on a disk: {named[:60]!r}")
        return self

    @property
    def settings(self) -> PageSettings:
        """The settings of the lesson's page when the lesson begins."""
        return getattr(self, self.page)

    @property
    def steps(self) -> tuple[Question, ...]:
        """All steps: the lesson's own question, and the later ones."""
        return (self, *self.later_steps)

    @property
    def key(self) -> str:
        """The name under which the progress in this lesson is kept: a part of the hash of its content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def model_names(self) -> set[str]:
        """The models that its steps draw with."""
        return {name for settings in self._all_settings() for name in settings.model_names}

    def page_of(self, index: int) -> str:
        """The page of a step."""
        pages = [step.page for step in self.later_steps[:index] if step.page]
        return pages[-1] if pages else self.page

    def settings_of(self, index: int, *, revealed: bool = False) -> PageSettings:
        """The settings of its page with which a step begins, or with `revealed` those with its answer.

        They are those of the steps before, with their answers, and the changes of this step.
        """
        by_page: dict[str, PageSettings] = {self.page: self.settings}
        for number, step in enumerate(self.steps[: index + 1]):
            page = self.page_of(number)
            settings = by_page.get(page) or page_settings()[page]()
            if isinstance(step, Step):
                settings = _changed(settings, step.changes)
            if number < index or revealed:
                settings = _changed(settings, step.reveals)
            by_page[page] = settings
        return by_page[self.page_of(index)]

    def _all_settings(self) -> list[PageSettings]:
        return [self.settings_of(k, revealed=revealed) for k in range(len(self.steps)) for revealed in (False, True)]


def _changed(settings: PageSettings, changes: Mapping[str, object]) -> PageSettings:
    """Settings with some replaced; raises ValueError for a wrong value, in one line."""
    try:
        return settings.with_changes(**changes)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _problem(settings: PageSettings | None) -> str:
    """Why a page's settings can't be in a lesson; empty if they can."""
    match settings:
        case ExploreSettings() if settings.picture:
            return "a lesson can't show an image from a disk; choose a digit"
        case TrainSettings() if settings.preset not in presets.names():
            return f"there is no preset {settings.preset!r}"
    return ""


def is_portable(settings: PageSettings) -> bool:
    """Whether a page's settings name nothing that only this computer has."""
    return not _problem(settings) and not any(_places(settings.model_dump(mode="json")))


class _Version(BaseModel):
    """The part of a lesson file that all versions share."""

    version: StrictInt


def _places(value: object, key: str = "") -> Iterator[str]:
    """The texts in settings that look like paths or network addresses."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _places(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _places(inner, key)
    elif (
        isinstance(value, str) and key not in FREE_TEXTS and (PATHLIKE.search(value) or value.startswith(IMAGE_FOLDER))
    ):
        yield value


def read(path: Path) -> Lesson:
    """The lesson in a file; raises BadFile. Nothing in the file is executed, and no other file is opened."""
    try:
        check_regular(path)
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadFile(f"Cannot read {path.name}: {error.strerror or error}.", "Check the path.") from error
    if len(text) > MAX_BYTES:
        raise BadFile(f"{path.name} is too large for a lesson.", "Use a lesson that Noiseloom saved.")
    try:
        version = _Version.model_validate_json(text).version
    except ValidationError as error:
        raise BadFile(f"{path.name} is not a lesson, or it is damaged.", "Ask its author for a new copy.") from error
    if version > VERSION:
        raise BadFile(f"{path.name} is a lesson of a newer Noiseloom.", "Update Noiseloom to open it.")
    return parse(Lesson, text, path.name)


def write(path: Path, lesson: Lesson) -> None:
    """Save a lesson; raises CannotWrite, without leaving a partial file."""
    text = lesson.model_dump_json(exclude=page_settings().keys() - {lesson.page}, indent=1)
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def file_name(lesson: Lesson) -> str:
    """A name for a file of a lesson, without its ending: the title in letters, digits and hyphens."""
    plain = "".join(letter if letter.isalnum() else "-" for letter in lesson.title.lower())
    return plain.strip("-")[:40] or "lesson"


def reading(path: Path, control: RunControl) -> Iterator[Lesson]:
    """Read a lesson on the compute thread."""
    yield read(path)


def bundled() -> list[Path]:
    """The lessons that come with the program, in teaching order."""
    return [paths.resources() / "lessons" / f"{name}{SUFFIX}" for name in COURSE]
