"""Bundled models, the user's models and training runs by name, and their cards."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import Field

from ml.config import Description, parse
from ml.errors import BadFile, BadRequest
from ml.registry.checkpoint import ModelHeader, count_parameters, load_header
from ml.registry.run_layout import MODEL_FILE, SNAPSHOTS
from ml.system import paths
from ml.system.files import modified, read_short


class Scores(Description):
    """A card's sidecar, NAME.json: title, description and scores."""

    title: str = Field(default="", max_length=200)
    about: str = Field(default="", max_length=10_000)
    scores: dict[str, Any] = Field(default_factory=dict, max_length=200)
    temperature: float = Field(default=1.0, ge=0.01, le=100, description="of a judge: calibrates its confidence")


class ModelCard(Description):
    """The description of a model: its header, size, title and scores."""

    name: str
    path: Path
    bundled: bool
    header: ModelHeader
    parameters: int
    size: int = Field(description="of the file, in bytes")
    title: str = ""
    about: str = ""
    scores: dict[str, Any] = Field(default_factory=dict)
    temperature: float = 1.0


def python_lines(card: ModelCard) -> str:
    """Five lines of Python that draw with a diffusion model."""
    return (
        "from ml import load, sample, save\n"
        f"model = load({json.dumps(card.name)})\n"
        "drawn = sample(model, seed=7)\n"
        "print(drawn.images.shape)\n"
        'save("drawn.png", drawn)'
    )


def bundled_folder() -> Path:
    """The folder of the bundled models."""
    return paths.resources() / "models"


def find(name: str) -> Path:
    """The .safetensors file of a model by name, run name, run folder or path; raises BadRequest.

    RUN@STEP is the model of a run at that step; see `snapshots`.
    """
    run, at, step = name.rpartition("@")
    if at and step.isdecimal():
        for path in snapshots(run):
            if int(path.stem) == int(step):
                return path
    given = Path(os.path.expanduser(name))  # keeps ~ of an unknown user, where pathlib raises
    candidates = (
        lambda: given,
        lambda: given / MODEL_FILE,
        lambda: bundled_folder() / f"{name}.safetensors",
        lambda: paths.user_models() / f"{name}.safetensors",
        lambda: paths.user_runs() / name / MODEL_FILE,
    )
    for candidate in candidates:
        if os.path.isfile(path := candidate()):  # False for any text; pathlib raises for one that is too long
            return path
    known = ", ".join(card.name for card in cards())
    raise BadRequest(f"There is no model {name[:100]!r}.", f"Use one of: {known}; or the path of a .safetensors file.")


def snapshots(run: str) -> list[Path]:
    """The models of a run at doubling steps, by its name or folder, earliest first."""
    for folder in (paths.user_runs() / run, Path(os.path.expanduser(run))):
        with suppress(OSError, ValueError):  # the name of no folder
            if found := sorted(path for path in (folder / SNAPSHOTS).glob("*.safetensors") if path.stem.isdecimal()):
                return found
    return []


def cards() -> list[ModelCard]:
    """The cards of all readable models: bundled ones first, then the user's models and runs, newest first."""
    own = [*paths.user_models().glob("*.safetensors"), *paths.user_runs().glob(f"*/{MODEL_FILE}")]
    own.sort(key=modified, reverse=True)
    found = [card(path) for path in [*sorted(bundled_folder().glob("*.safetensors")), *own]]
    return [entry for entry in found if entry is not None]


def card(path: Path) -> ModelCard | None:
    """The card of one model file; None where it cannot be read (a half-copied file must not hide the others)."""
    name = path.parent.name if path.name == MODEL_FILE else path.stem
    sidecar = path.with_suffix(".json")
    try:
        header = load_header(path)
        parameters, size = count_parameters(path), path.stat().st_size
        extra = parse(Scores, read_short(sidecar), str(sidecar)) if sidecar.is_file() else Scores()
    except (BadFile, OSError):
        return None
    bundled = path.parent == bundled_folder()
    seen = {"name": name, "path": path, "bundled": bundled, "parameters": parameters, "size": size}
    return ModelCard.model_validate({**seen, "header": header, **extra.model_dump()})
