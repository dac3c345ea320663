"""The folders of the program and of the user."""

import os
import sys
from functools import lru_cache
from itertools import chain, count
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

PACKAGED = bool(getattr(sys, "frozen", False))  # a packaged program comes without a Python interpreter
COMMAND = "noiseloom ml" if PACKAGED else "python -m ml"
HOME_VARIABLE = "NOISELOOM_HOME"  # overrides the user's folder, for tests and portable installations

DOWNLOADS_VARIABLE = "NOISELOOM_DOWNLOADS"  # overrides the folder of downloads
_downloads: list[Path] = []  # the folder that `use_downloads` chose, if any


@lru_cache(maxsize=1)
def resources() -> Path:
    """The folder of bundled models, presets and icons: in a checkout, `resources/` beside `ml/`."""
    return Path(__file__).resolve().parents[2] / "resources"


def documents() -> Path:
    """The folder of the documents that the program shows, beside `resources()`."""
    return resources().parent / "docs"


def changelog() -> Path:
    """The file that says what each version brings."""
    return resources().parent / "CHANGELOG.md"


def user_data() -> Path:
    """The user's folder; it need not exist yet."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser().absolute() if home else user_data_path("noiseloom", appauthor=False)


def user_runs() -> Path:
    """Training runs, one folder each."""
    return user_data() / "runs"


def user_models() -> Path:
    """The user's models, as .safetensors files."""
    return user_data() / "models"


def user_drawings() -> Path:
    """The user's own sets of drawings, one folder each."""
    return user_data() / "drawings"


def user_judges() -> Path:
    """The judges of data sets, as .safetensors files."""
    return user_data() / "judges"


def use_downloads(folder: Path | None) -> None:
    """Keep downloads of this process in `folder`, which overrides the environment; None: in the usual folder."""
    _downloads[:] = [folder] if folder else []


def chosen_downloads() -> Path | None:
    """The folder that `use_downloads` chose."""
    return _downloads[0] if _downloads else None


def downloads() -> Path:
    """The folder of downloaded weights, which are large and can be downloaded again."""
    return chosen_downloads() or usual_downloads()


def usual_downloads() -> Path:
    """The folder of downloads where `use_downloads` chose none."""
    chosen = os.environ.get(DOWNLOADS_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else user_data() / "downloads"


def user_history() -> Path:
    """The results of earlier sessions of the window."""
    return user_data() / "history"


def user_datasets() -> Path:
    """Downloaded data sets."""
    return user_data() / "datasets"


def user_cache() -> Path:
    """What can be computed again."""
    return user_data() / "cache" if os.environ.get(HOME_VARIABLE) else user_cache_path("noiseloom", appauthor=False)


def trash() -> Path:
    """Deleted models, which can be restored."""
    return user_data() / "trash"


def new_run(name: str) -> Path:
    """A folder for a run of that name, or of name-2, name-3, ..., a name that no model has."""
    return user_runs() / free_model_name(name)


def is_bundled(name: str) -> bool:
    """Whether a model that ships with the program has that name."""
    return name.casefold() in {path.stem for path in (resources() / "models").glob("*.safetensors")}


def is_taken(name: str) -> bool:
    """Whether a model or run has that name."""
    own = (user_models() / f"{name}.safetensors", user_runs() / name)
    return is_bundled(name) or any(path.exists() for path in own)


def free_model_name(name: str) -> str:
    """That name, or the first of name-2, name-3, ... that no model or run has."""
    names = chain([name], (f"{name}-{n}" for n in count(2)))
    return next(one for one in names if not is_taken(one))
