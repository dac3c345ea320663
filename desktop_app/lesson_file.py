"""Lesson files: the state of a page with a question, a small JSON file that a teacher saves and a student opens."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, StrictInt, ValidationError, create_model, model_validator

from desktop_app.settings import (
    ExploreSettings,
    PageName,
    PageSettings,
    TrainSettings,
    page_settings,
)
from ml.config import Description, parse
from ml.control import RunControl
from ml.errors import BadFile
from ml.experiments.axes import PATHLIKE
from ml.registry import presets
from ml.specs import IMAGE_FOLDER
from ml.system import paths
from ml.system.files import atomic, check_regular

SUFFIX = ".noiseloom-lesson"
VERSION = 1
MAX_BYTES = 1_000_000
MAX_LINES = 8  # of a question or an answer: the page below needs the rest of the window
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


class _Words(Description):
    """The texts of a lesson, and its page. `hidden` names controls or groups of them."""

    version: Literal[1] = VERSION
    title: Annotated[Line, Field(min_length=1, max_length=100)]
    question: Annotated[Text, Field(min_length=1, max_length=700)]
    answer: Text = Field(default="", max_length=1000)
    page: PageName
    hidden: Names = Field(default=(), max_length=200)


_settings: dict[str, Any] = {page: (kind | None, None) for page, kind in page_settings().items()}


class Lesson(create_model("_Words", __base__=_Words, **_settings)):
    """A page as a student finds it, with a field for the settings of each page; only those of `page` count."""

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        by_page = {page: getattr(self, page) for page in page_settings()}
        if by_page[self.page] is None:
            raise ValueError(f"the settings of the page {self.page!r} are missing")
        for settings in by_page.values():
            if problem := _problem(settings):
                raise ValueError(problem)
        if named := next(_places(self.settings.model_dump(mode="json")), ""):
            raise ValueError(f"a lesson can't name a file or folder on a disk: {named[:60]!r}")
        return self

    @property
    def settings(self) -> PageSettings:
        """The settings of the lesson's page."""
        return getattr(self, self.page)


def _problem(settings: PageSettings | None) -> str:
    """Why a page's settings can't be in a lesson; empty if they can."""
    match settings:
        case ExploreSettings() if settings.picture:
            return "a lesson can't show an image from a disk; choose a digit"
        case TrainSettings() if settings.preset not in presets.names():
            return f"there is no preset {settings.preset!r}"
    return ""


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
    used = {"version", "title", "question", "answer", "page", "hidden", lesson.page}
    text = lesson.model_dump_json(include=used, indent=1)
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def reading(path: Path, control: RunControl) -> Iterator[Lesson]:
    """Read a lesson on the compute thread."""
    yield read(path)


def bundled() -> list[Path]:
    """The lessons that come with the program, in teaching order."""
    return sorted((paths.resources() / "lessons").glob(f"*{SUFFIX}"))
