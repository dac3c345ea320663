"""The settings kept between two starts: one validated JSON file in the user's folder."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ml.config import NO_LABEL, Corner, Description, Name, SampleRequest, SampleSettings, parse
from ml.errors import BadFile, CannotWrite
from ml.specs import Mixing, Route, SamplerName
from ml.system import paths
from ml.system.files import atomic, free_name, make_folder, move, read_short

MAX_ROWS = 10
MAX_COLUMNS = 10
MAX_STOPS = 12
MAX_CLASSES = 1000  # of a model
DEFAULT_MODEL = "digits"
Share = Annotated[float, Field(ge=0, le=1)]


class PageSettings(Description):
    """The settings of a page: a field of `AppSettings`, whose name is the page's key."""

    @property
    def model_names(self) -> set[str]:
        """The models that the page draws with."""
        return set()


def page_settings() -> dict[str, type[PageSettings]]:
    """The kind of settings of every page, by the page's key."""
    kinds = {name: field.annotation for name, field in AppSettings.model_fields.items()}
    return {name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, PageSettings)}


def _known(page: str) -> str:
    if page not in page_settings():
        raise ValueError(f"there is no page {page!r}")
    return page


PageName = Annotated[str, AfterValidator(_known)]


class GenerateSettings(SampleSettings, PageSettings):
    """The Generate page: a sampler's settings, the prompt and the layout."""

    prompt: str = Field(default="0-9", max_length=10_000)  # a request holds fewer; what is typed is not cut
    seed: int = Field(default=2026, ge=0, lt=2**53)
    rows: int = Field(default=3, ge=1, le=MAX_ROWS)
    model: Name = DEFAULT_MODEL
    route: Route = "class"

    @property
    def model_names(self) -> set[str]:
        return {self.model}

    def request(self, labels: tuple[int, ...]) -> SampleRequest:
        """The request of these settings, for the labels that the prompt means."""
        return SampleRequest(**self.model_dump(exclude={"rows"}), labels=labels)


class TrainSettings(PageSettings):
    """The Train page."""

    preset: Name = "1-minute"
    begin_with: Name = Field(default="", description="the model to begin with; it takes the place of the preset")
    keep_classes: bool = False
    data: Name = "mnist"
    minutes: float | None = Field(default=None, gt=0, le=60 * 24, description="None: the preset's own budget")
    own: dict[str, str | float | int] = Field(default_factory=dict, description="settings that replace the preset's")


class ExploreSettings(PageSettings):
    """The Explore page: the image that is noised, and how."""

    digit: int = Field(default=7, ge=0, le=9)
    example: int = Field(default=3, ge=0, lt=10_000, description="index among the examples of a digit")
    picture: Path | None = None
    timesteps: int = Field(default=1000, ge=10, le=4000)
    tab: Literal["forward", "schedules", "questions"] = "forward"


class InterpolateSettings(PageSettings):
    """The Interpolate page: corners and the place between them, the stops of a path, or a mixture of classes."""

    model: Name = DEFAULT_MODEL
    mode: Literal["pad", "path", "classes"] = "pad"
    corners: tuple[Corner, ...] = Field(
        default=tuple(Corner(seed=seed, label=label) for seed, label in ((11, 3), (12, 8), (13, 0), (14, 6))),
        min_length=4, max_length=4,
    )  # fmt: skip
    stops: tuple[Corner, ...] = Field(
        default=tuple(Corner(seed=seed, label=label) for seed, label in ((21, 1), (22, 4), (23, 9), (24, 7), (25, 2))),
        min_length=2, max_length=MAX_STOPS,
    )  # fmt: skip
    closed: bool = Field(default=True, description="the path leads back to its first stop")
    place: tuple[Share, Share] = (0.5, 0.5)
    mixing: Mixing = "slerp"
    seed: int = Field(default=7, ge=0, lt=2**53, description="of a mixture of classes")
    shares: tuple[Share, ...] = Field(default=(0, 0, 0, 1, 0, 0, 0, 0, 1, 0), min_length=10, max_length=MAX_CLASSES)

    @property
    def model_names(self) -> set[str]:
        return {self.model}


class DrawSettings(PageSettings):
    """The Draw page."""

    task: Literal["vary", "complete", "rebuild"] = "vary"
    model: Name = DEFAULT_MODEL
    label: int = Field(
        default=NO_LABEL, ge=NO_LABEL, lt=MAX_CLASSES, description="the class to turn the drawing into; -1: any"
    )
    vary_from: float = Field(default=1.0, gt=0, le=40, description="sigma/alpha the drawing is noised to")
    pen: float = Field(default=1.3, ge=0.5, le=4, description="radius in pixels")

    @property
    def model_names(self) -> set[str]:
        return {self.model}


class LaneSettings(Description):
    """One lane of the race."""

    model: Name = DEFAULT_MODEL
    sampler: SamplerName = "dpm++"
    steps: int = Field(default=10, ge=1, le=1000)
    guidance: float = Field(default=1.5, ge=0, le=15)


class CompareSettings(PageSettings):
    """The Compare page: two axes with their values as they are typed, and the lanes of the race."""

    mode: Literal["grid", "race"] = "grid"
    model: Name = DEFAULT_MODEL
    digits: str = Field(default="0-9", max_length=500, description="the prompt of every cell or lane")
    each: int = Field(default=4, ge=1, le=20, description="images of a cell whose class is on an axis")
    seed: int = Field(default=2026, ge=0, lt=2**53)
    rows: Name = "steps"
    columns: Name = Field(default="guidance", description="empty: there is one column")
    values: dict[Name, Name] = Field(
        default_factory=dict, max_length=100, description="by setting, where a person gave some"
    )
    wide: bool = Field(default=False, description="guidance acts at all noise levels, not in the model's own interval")
    lanes: tuple[LaneSettings, ...] = Field(
        default=(LaneSettings(), LaneSettings(sampler="ddpm", steps=50),
                 LaneSettings(model="student", sampler="student", steps=2, guidance=1.0)),
        min_length=2, max_length=4,
    )  # fmt: skip

    @property
    def model_names(self) -> set[str]:
        return {self.model} if self.mode == "grid" else {lane.model for lane in self.lanes}


class ModelsSettings(PageSettings):
    """The Models page."""

    chosen: Name = DEFAULT_MODEL
    count: Literal[100, 300, 1000] = Field(default=1000, description="how many images a model is scored on")


class LessonProgress(Description):
    """How far a person is in a lesson."""

    step: int = Field(default=0, ge=0)
    steps: int = Field(default=1, ge=1, description="of the lesson")
    replies: dict[int, str] = Field(default_factory=dict, description="by step, where the answer was shown")
    finished: bool = Field(default=False, description="once all answers were shown, also after a new start")


class AppSettings(Description):
    """All settings."""

    version: Literal[1] = 1
    generate: GenerateSettings = GenerateSettings()
    train: TrainSettings = TrainSettings()
    explore: ExploreSettings = ExploreSettings()
    interpolate: InterpolateSettings = InterpolateSettings()
    draw: DrawSettings = DrawSettings()
    compare: CompareSettings = CompareSettings()
    models: ModelsSettings = ModelsSettings()
    lesson_progress: dict[str, LessonProgress] = Field(default_factory=dict, description="by a lesson's key")
    page: PageName = "generate"
    theme: Literal["system", "light", "dark"] = "system"
    reduced_motion: bool = False
    data_root: Path | None = None
    downloads: Path | None = Field(default=None, description="None: the usual folder")
    export_folder: Path | None = None
    export_scale: Literal[1, 2, 4, 8] = 4
    update_notice: bool = Field(default=False, description="ask once a week whether there is a newer version")
    updates_asked_at: float = Field(default=0.0, ge=0, description="when that was asked last, in seconds since 1970")
    interrupted: str = Field(
        default="",
        description="the run that was active when the window was closed; its folder if it is elsewhere",
    )
    trouble: str = Field(default="", exclude=True, description="why the previous settings could not be read")
    geometry: str = Field(default="", description="the window's place, as Qt saves it, in base64")


def settings_file() -> Path:
    """The path of the settings file."""
    return paths.user_data() / "settings.json"


def load_settings() -> AppSettings:
    """The saved settings, or the defaults.

    A file that cannot be read is moved aside, so that the window opens and the file is not overwritten.
    """
    path = settings_file()
    try:
        return parse(AppSettings, read_short(path), path.name)
    except OSError:
        return AppSettings()
    except BadFile as error:
        aside = free_name(path.with_stem("settings-unread"))
        with suppress(CannotWrite):
            move(path, aside)
        return AppSettings(trouble=f"{error.message} The file is kept as {aside}. Noiseloom uses the default settings.")


def save_settings(settings: AppSettings) -> None:
    """Save the settings; where the file cannot be written, do nothing."""
    path = settings_file()
    try:
        make_folder(path.parent)
        with atomic(path) as temporary:
            temporary.write_text(settings.model_dump_json(indent=1), encoding="utf-8")
    except CannotWrite:
        return
