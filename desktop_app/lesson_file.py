"""Lesson files: the state of a page with a question, a small JSON file that a teacher saves and a student opens."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, StrictInt, ValidationError, model_validator

from desktop_app.settings import (
    CompareSettings,
    DrawSettings,
    ExploreSettings,
    GenerateSettings,
    InterpolateSettings,
    ModelsSettings,
    PageName,
    TrainSettings,
)
from desktop_app.text.display_names import IMAGES
from ml.config import Description, parse
from ml.control import RunControl
from ml.errors import BadFile
from ml.experiments.axes import PATHLIKE
from ml.registry import presets
from ml.system import paths
from ml.system.files import atomic, regular

SUFFIX = ".noiseloom-lesson"
VERSION = 1
MAX_BYTES = 1_000_000
MAX_LINES = 8  # of a question or an answer, so that the page below keeps its room
FREE_TEXTS = ("prompt", "digits", "picture")  # settings with slashes that name no file; the pictures are in base64


def _short(text: str) -> str:
    text = text.strip()
    if len(text.splitlines()) > MAX_LINES:
        raise ValueError(f"more than {MAX_LINES} lines")
    return text


Line = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]
Text = Annotated[str, AfterValidator(_short)]


class Lesson(Description):
    """A page as a student finds it. Only the settings of `page` count; `hidden` names controls or groups of them."""

    version: Literal[1] = VERSION
    title: Annotated[Line, Field(min_length=1, max_length=100)]
    question: Annotated[Text, Field(min_length=1, max_length=700)]
    answer: Text = Field(default="", max_length=1000)
    page: PageName
    hidden: tuple[Annotated[str, Field(max_length=100)], ...] = Field(default=(), max_length=200)
    generate: GenerateSettings | None = None
    train: TrainSettings | None = None
    interpolate: InterpolateSettings | None = None
    draw: DrawSettings | None = None
    compare: CompareSettings | None = None
    explore: ExploreSettings | None = None
    models: ModelsSettings | None = None

    @model_validator(mode="after")
    def _whole_and_at_home(self) -> Self:
        if getattr(self, self.page) is None:
            raise ValueError(f"the settings of the page {self.page!r} are missing")
        if self.explore and self.explore.picture:
            raise ValueError("a lesson cannot show a picture from somebody's disk; choose a digit")
        if self.train and self.train.preset not in presets.names():
            raise ValueError(f"there is no preset {self.train.preset!r}")
        if self.interpolate and any(
            corner.label >= len(self.interpolate.shares)
            for corner in (*self.interpolate.corners, *self.interpolate.stops)
        ):
            raise ValueError("a corner has a class that there is not")
        if named := next(_places(self.settings.model_dump(mode="json")), ""):
            raise ValueError(f"a lesson cannot name a file or folder of somebody's disk: {named[:60]!r}")
        return self

    @property
    def settings(self) -> Description:
        """Of its page."""
        return getattr(self, self.page)

    @property
    def model_names(self) -> set[str]:
        """The models that the page draws with."""
        match self.page:
            case "generate" | "interpolate":
                return {getattr(self.settings, "model")}  # noqa: B009
            case "compare" if self.compare:
                grid = self.compare.mode == "grid"
                return {self.compare.model} if grid else {lane.model for lane in self.compare.lanes}
        return set()


class _Version(BaseModel):
    """What every lesson file has, of whatever version."""

    version: StrictInt


def _places(value: object, key: str = "") -> Iterator[str]:
    """The texts in settings that look like places on a disk or in a network."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _places(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _places(inner, key)
    elif isinstance(value, str) and key not in FREE_TEXTS and (PATHLIKE.search(value) or value.startswith(IMAGES)):
        yield value


def read(path: Path) -> Lesson:
    """The lesson in a file; raises BadFile. Nothing in the file is executed, nothing else is opened."""
    try:
        regular(path)
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadFile(f"Cannot read {path.name}: {error.strerror or error}.", "Check the path.") from error
    if len(text) > MAX_BYTES:
        raise BadFile(f"{path.name} is too large for a lesson.", "Use a lesson that Noiseloom saved.")
    try:
        version = _Version.model_validate_json(text).version
    except ValidationError as error:
        raise BadFile(f"{path.name} is no lesson, or it is damaged.", "Ask for the file again.") from error
    if version > VERSION:
        raise BadFile(f"{path.name} is a lesson of a newer Noiseloom.", "Update Noiseloom to open it.")
    return parse(Lesson, text, path.name)


def write(path: Path, lesson: Lesson) -> None:
    """Save a lesson; raises CannotWrite, leaving nothing behind."""
    used = {"version", "title", "question", "answer", "page", "hidden", lesson.page}
    text = lesson.model_dump_json(include=used, indent=1)
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def reading(path: Path, control: RunControl) -> Iterator[Lesson]:
    """Read a lesson on the lane."""
    yield read(path)


def bundled() -> list[Path]:
    """The lessons that ship with the program, in the order in which they are taught."""
    return sorted((paths.resources() / "lessons").glob(f"*{SUFFIX}"))
