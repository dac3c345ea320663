"""Models and training states as safetensors files whose header carries their validated description."""

import hashlib
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator
from safetensors import SafetensorError, safe_open

from ml.config import ClassName, Description, Ground, ModelConfig, Name, SampleSettings, TrainConfig, parse
from ml.errors import BadFile
from ml.specs import FitName, dataset_spec
from ml.system.files import MAX_TEXT, atomic
from ml.system.paths import COMMAND

if TYPE_CHECKING:
    from torch import Tensor

KEY = "noiseloom"


class ModelHeader(Description):
    """The description in a model file."""

    version: Literal[1] = 1
    name: Name = "model"
    model: ModelConfig
    defaults: SampleSettings = SampleSettings()
    data: Name = ""
    fit: FitName = "crop"
    ground: Ground = "auto"
    classes: tuple[ClassName, ...] = Field(default=(), max_length=1000, description="the names of labels 0, 1, ...")
    teacher: Name = Field(default="", description="the model that a few-step student was distilled from")
    begun_with: Name = Field(default="", description="the model whose weights its training began with")
    device: Name = ""
    steps: int = Field(default=0, ge=0, lt=2**53)
    images: int = Field(default=0, ge=0, lt=2**53)
    seconds: float = Field(default=0.0, ge=0)

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name for each of the model's classes: as saved, else of the data set, else "class 0", "class 1", ..."""
        known = dataset_spec(self.data)
        names = (self.classes or (known.classes if known else ()))[: self.model.num_classes]
        return (*names, *(f"class {k}" for k in range(len(names), self.model.num_classes)))


class DataRecord(Description):
    """The training images of a run that are in a folder, which can change."""

    classes: tuple[ClassName, ...] = Field(description="the names of labels 0, 1, ...")
    counts: tuple[int, ...] = Field(description="images of each class")
    digest: str = Field(max_length=64, description="of the names and contents of the files")

    @model_validator(mode="after")
    def _one_count_each(self) -> Self:
        if len(self.counts) != len(self.classes):
            raise ValueError(f"{len(self.classes)} classes have as many counts, not {len(self.counts)}")
        return self


class StateHeader(Description):
    """The counters and settings of a training run in its checkpoint."""

    version: Literal[1] = 1
    config: TrainConfig
    step: int = Field(ge=0, lt=2**53)
    images: int = Field(ge=0, lt=2**53)
    elapsed_s: float = Field(ge=0)
    smooth_loss: float | None = None
    scale: float | None = Field(default=None, description="loss of the first step, at least 1, to detect divergence")
    since_row: tuple[float, ...] = Field(default=(), description="losses since the last row of the run's table")
    slowed: int = Field(
        default=0, ge=0, le=100, description="times that it diverged and went on with a lower learning rate"
    )
    parts: int = Field(default=1, ge=1, le=8192, description="of a batch, to fit into memory")
    progress: float = Field(default=0.0, ge=0, description="share of the budget that is used up; 1 and more: all of it")
    data: DataRecord | None = Field(default=None, description="what it is trained on, where that can change")
    stopped: bool = Field(default=False, description="ended on purpose before its budget was used up")
    budget_step: int = Field(default=0, ge=0, lt=2**53, description="the step at which the budget began ...")
    budget_s: float = Field(default=0.0, ge=0, description="... and the time; above 0 where it was trained longer")

    @property
    def ended(self) -> bool:
        """Whether the run used up its budget or was ended on purpose, rather than interrupted."""
        return self.stopped or self.progress >= 1


def save(path: Path, tensors: "dict[str, Tensor]", header: Description) -> None:
    """Write tensors and their description atomically. Raises CannotWrite."""
    from safetensors.torch import save_file  # imports torch, which reading a header does not need

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic(path) as temporary:
        try:
            save_file(plain, temporary, metadata={KEY: header.model_dump_json()})
        except SafetensorError as error:  # it wraps the system's own error in its text
            raise OSError(_errno_of(error), str(error)) from error


def load_model(path: Path) -> "tuple[ModelHeader, dict[str, Tensor]]":
    """A model file's header and the weights of the network it describes; raises BadFile."""
    from ml.models.weights import check_weights, expected  # imports torch

    text, tensors = _read(path)
    header = parse(ModelHeader, text, str(path))
    check_weights(expected(header.model, str(path)), tensors, str(path))
    return header, tensors


def load_header(path: Path) -> ModelHeader:
    """A model file's header alone, without reading its weights; raises BadFile."""
    return parse(ModelHeader, _read(path, weights=False)[0], str(path))


def load_state(path: Path) -> "tuple[StateHeader, dict[str, Tensor]]":
    """A training state's header and tensors; raises BadFile."""
    text, tensors = _read(path)
    return parse(StateHeader, text, str(path)), tensors


def load_state_header(path: Path) -> StateHeader:
    """A training state's header alone, without reading its tensors; raises BadFile."""
    return parse(StateHeader, _read(path, weights=False)[0], str(path))


def file_hash(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describes_itself(path: Path) -> bool:
    """Whether a safetensors file has Noiseloom's description; raises BadFile for any other file."""
    with _opened(path) as file:
        return KEY in (file.metadata() or {})


def count_parameters(path: Path) -> int:
    """The number of parameters in a safetensors file, from its header alone; raises BadFile."""
    with _opened(path) as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


def _read(path: Path, weights: bool = True) -> "tuple[str, dict[str, Tensor]]":
    with _opened(path) as file:
        text = (file.metadata() or {}).get(KEY)
        if text is None:
            raise BadFile(f"{path} was not written by Noiseloom: it has no description.", "Use a model from Noiseloom.")
        if len(text) > MAX_TEXT:
            raise BadFile(f"{path} describes itself in {len(text)} bytes; that is too much.", "Use another model.")
        return text, {name: file.get_tensor(name) for name in file.keys()} if weights else {}  # noqa: SIM118


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    if not os.path.isfile(path):  # False for any path; pathlib raises for one that is too long or closed to us
        raise BadFile(f"There is no file {path}.", f"Check the path, or see `{COMMAND} models`.")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError, ValueError) as error:
        raise BadFile(
            f"{path} is damaged or not a model file.", "Choose a .safetensors file of a model, or train again."
        ) from error


def _errno_of(error: SafetensorError) -> int:
    """The system's error number that safetensors prints as '(os error 28)', or 0."""
    _, _, tail = str(error).partition("os error ")
    digits = tail.split(")")[0].strip()
    return int(digits) if digits.isdigit() else 0
