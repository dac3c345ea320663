"""Training presets: committed configurations by name."""

from functools import lru_cache
from pathlib import Path

from ml.config import TrainConfig, parse
from ml.errors import BadRequest
from ml.system import paths


def folder() -> Path:
    """Where the presets are, one JSON file each."""
    return paths.resources() / "presets"


def names() -> list[str]:
    """All presets, alphabetically."""
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
