"""Training presets: committed configurations by name."""

from functools import lru_cache
from pathlib import Path

from ml.config import TrainConfig, parse
from ml.errors import BadFile, BadRequest
from ml.registry.run_layout import CONFIG_FILE
from ml.system import paths
from ml.system.files import read_short


def folder() -> Path:
    """The folder of the presets, one JSON file each."""
    return paths.resources() / "presets"


def names() -> list[str]:
    """The names of all presets, alphabetically."""
    return sorted(path.stem for path in folder().glob("*.json"))


def load(name: str) -> TrainConfig:
    """The preset of that name; raises BadRequest."""
    if name not in names():
        raise BadRequest(f"There is no preset {name!r}.", f"Use one of: {', '.join(names())}.")
    path = folder() / f"{name}.json"
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: Path, _modified: int) -> TrainConfig:
    return parse(TrainConfig, path.read_bytes(), str(path))


def read_config(path: Path) -> TrainConfig:
    """A training configuration from a JSON file; raises BadFile."""
    try:
        return parse(TrainConfig, read_short(path), str(path))
    except OSError as error:
        raise BadFile(f"Cannot read {path}: {error.strerror or error}.", "Check the path.") from error


def recorded_config(run_dir: Path) -> TrainConfig:
    """The configuration that the run in a folder was started with; raises BadFile."""
    return read_config(run_dir / CONFIG_FILE)
