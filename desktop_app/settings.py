"""What the app remembers between two starts: one validated JSON file in the person's folder."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ml.config import (
    NO_LABEL,
    Corner,
    Description,
    Mixing,
    Name,
    Route,
    SampleRequest,
    SamplerName,
    SampleSettings,
    parse,
)
from ml.errors import BadFile, CannotWrite
from ml.system import paths
from ml.system.files import atomic, free_name, make_folder, move, read_short

MAX_ROWS = 10
MAX_COLUMNS = 10
MAX_STOPS = 12
DEFAULT_MODEL = "digits"
Share = Annotated[float, Field(ge=0, le=1)]
PageName = Literal["generate", "train", "interpolate", "draw", "compare", "explore", "models"]


class GenerateSettings(SampleSettings):
    """The Generate page: a sampler's settings, and what to draw with them."""

    prompt: str = Field(default="0-9", max_length=500)
    seed: int = Field(default=2026, ge=0, lt=2**53)
    rows: int = Field(default=3, ge=1, le=MAX_ROWS)
    model: Name = DEFAULT_MODEL
    route: Route = "class"

    def request(self, labels: tuple[int, ...]) -> SampleRequest:
        """What these settings ask for, once it is known which labels the prompt means."""
        return SampleRequest(**self.model_dump(exclude={"rows"}), labels=labels)


class TrainSettings(Description):
    """The Train page."""

    preset: Name = "1-minute"
    data: Name = "mnist"
    minutes: float | None = Field(default=None, gt=0, le=60 * 24, description="None: the preset's own budget")
    own: dict[str, str | float | int] = Field(default_factory=dict, description="settings that replace the preset's")


class ExploreSettings(Description):
    """The Explore page: the image that noise is put on, and how."""

    digit: int = Field(default=7, ge=0, le=9)
    example: int = Field(default=3, ge=0, lt=10_000, description="tells the examples of a digit apart")
    picture: Path | None = None
    timesteps: int = Field(default=1000, ge=10, le=4000)
    tab: Literal["forward", "schedules", "questions"] = "forward"


class InterpolateSettings(Description):
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
    shares: tuple[Share, ...] = Field(default=(0, 0, 0, 1, 0, 0, 0, 0, 1, 0), min_length=10, max_length=10)


class DrawSettings(Description):
    """The Draw page."""

    task: Literal["vary", "complete", "rebuild"] = "vary"
    label: int = Field(default=NO_LABEL, ge=NO_LABEL, le=9, description="which digit it shall become; -1: as it comes")
    vary_from: float = Field(default=1.0, gt=0, le=40, description="sigma/alpha the drawing is noised to")
    pen: float = Field(default=1.3, ge=0.5, le=4, description="radius in pixels")


class LaneSettings(Description):
    """A lane of the race."""

    model: Name = DEFAULT_MODEL
    sampler: SamplerName = "dpm++"
    steps: int = Field(default=10, ge=1, le=1000)
    guidance: float = Field(default=1.5, ge=0, le=15)


class CompareSettings(Description):
    """The Compare page: two axes with their values as they are typed, and the lanes of the race."""

    mode: Literal["grid", "race"] = "grid"
    model: Name = DEFAULT_MODEL
    digits: str = Field(default="0-9", max_length=200)
    each: int = Field(default=4, ge=1, le=20, description="images of a cell whose digit is on an axis")
    seed: int = Field(default=2026, ge=0, lt=2**53)
    rows: Name = "steps"
    columns: Name = Field(default="guidance", description="empty: there is one column")
    values: dict[Name, Name] = Field(
        default_factory=dict, max_length=100, description="by setting, where a person gave some"
    )
    lanes: tuple[LaneSettings, ...] = Field(
        default=(LaneSettings(), LaneSettings(sampler="ddpm", steps=50),
                 LaneSettings(model="student", sampler="student", steps=2, guidance=1.0)),
        min_length=2, max_length=4,
    )  # fmt: skip


class ModelsSettings(Description):
    """The Models page."""

    chosen: Name = DEFAULT_MODEL
    count: Literal[100, 300, 1000] = Field(default=1000, description="how many digits a model is scored on")


class AppSettings(Description):
    """All that is remembered."""

    version: Literal[1] = 1
    generate: GenerateSettings = GenerateSettings()
    train: TrainSettings = TrainSettings()
    explore: ExploreSettings = ExploreSettings()
    interpolate: InterpolateSettings = InterpolateSettings()
    draw: DrawSettings = DrawSettings()
    compare: CompareSettings = CompareSettings()
    models: ModelsSettings = ModelsSettings()
    page: PageName = "generate"
    theme: Literal["system", "light", "dark"] = "system"
    reduced_motion: bool = False
    data_root: Path | None = None
    downloads: Path | None = Field(default=None, description="None: where they go by themselves")
    export_folder: Path | None = None
    export_scale: Literal[1, 2, 4, 8] = 4
    interrupted: str = Field(
        default="",
        description="the run that was going on when the window was closed; its folder if that is elsewhere",
    )
    trouble: str = Field(default="", exclude=True, description="why the settings of before are not these")
    geometry: str = Field(default="", description="the window's place, as Qt saves it, in base64")


def settings_file() -> Path:
    """Where the settings are."""
    return paths.user_data() / "settings.json"


def load_settings() -> AppSettings:
    """The settings of the last start; the defaults where there are none.

    A file that cannot be read must not keep the window from opening, nor be written over: it is put aside.
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
        return AppSettings(trouble=f"{error.message} It is kept as {aside}; these are the settings of a first start.")


def save_settings(settings: AppSettings) -> None:
    """Remember the settings; a place that cannot be written to costs only the memory."""
    path = settings_file()
    try:
        make_folder(path.parent)
        with atomic(path) as temporary:
            temporary.write_text(settings.model_dump_json(indent=1), encoding="utf-8")
    except CannotWrite:
        return
