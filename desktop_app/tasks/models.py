"""What the lane does for the Models page: previews, scores, and the files of a person's own models."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.config import SampleRequest
from ml.control import RunControl
from ml.errors import DataUnavailable
from ml.events import Pixels, Progress, Sampled

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard
    from ml.system.trash import Trashed


@dataclass(frozen=True, slots=True)
class Previewed:
    """What a model draws."""

    images: Pixels


@dataclass(frozen=True, slots=True)
class Scored:
    """What the judge makes of a model, as it stands in a card."""

    scores: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Named:
    """A model has come, or is now called that."""

    name: str


@dataclass(frozen=True, slots=True)
class MatchingNetworks:
    """Weights without a description, and the names of the networks that they fit."""

    path: Path
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Thrown:
    """A model lies in the trash."""

    trashed: "Trashed"


@dataclass(frozen=True, slots=True)
class Copied:
    """A model was copied to a file."""

    path: Path


def previewing(card: "ModelCard", count: int, control: RunControl) -> Iterator[object]:
    """Draw a few images with a model, at its own settings; nothing where it was moved away meanwhile."""
    if not card.path.is_file():
        return
    from ml.evaluation.metrics import balanced_labels
    from ml.generation import pipeline

    labels = balanced_labels(card.header.model, count)
    request = SampleRequest(**card.header.defaults.model_dump(), model=str(card.path), labels=labels)
    for event in pipeline.sample(request, control=control):  # with its steps, so that it can be left between two
        if isinstance(event, Sampled):
            yield Previewed(event.images)


def scoring(card: "ModelCard", count: int, data_root: Path | None, control: RunControl) -> Iterator[object]:
    """Have the judge score a model, and keep that beside it if it is the person's own."""
    yield Progress("Reading MNIST", 0, 0)
    from ml.data import datasets
    from ml.evaluation import metrics
    from ml.evaluation.metrics import Report, balanced_labels, evaluate_model
    from ml.registry import local_models

    if not all(datasets.is_downloaded("mnist", data_root, split) for split in ("train", "test")):
        raise DataUnavailable(
            "A model is scored against MNIST's digits, which are not on this machine.",
            "Choose the folder that holds them, or train on MNIST once: then they are downloaded (11 MB).",
        )
    labels = balanced_labels(card.header.model, count)
    request = SampleRequest(**card.header.defaults.model_dump(), model=str(card.path), labels=labels)
    for event in evaluate_model(request, data_root, control=control):
        if control.cancelled:
            return
        if isinstance(event, Report):
            if not card.bundled:
                local_models.keep_scores(card, metrics.scores_of(event, request.seed))
            yield Scored(metrics.scores_of(event, request.seed))
        else:
            yield event


def importing(path: Path, kind: str, _control: RunControl) -> Iterator[object]:
    """Take a model file in among one's own."""
    yield Progress(f"Reading {path.name}", 0, 0)
    from ml.registry import local_models

    taken = local_models.import_model(path, kind)
    yield Named(taken) if isinstance(taken, str) else MatchingNetworks(path, taken.kinds)


def exporting(card: "ModelCard", path: Path, _control: RunControl) -> Iterator[object]:
    """Copy a model to a file."""
    yield Progress(f"Writing {path.name}", 0, 0)
    from ml.registry import local_models

    yield Copied(local_models.export_model(card, path))


def renaming(card: "ModelCard", name: str, _control: RunControl) -> Iterator[object]:
    """Give a model another name."""
    from ml.registry import local_models

    yield Named(local_models.rename(card, name))


def deleting(card: "ModelCard", _control: RunControl) -> Iterator[object]:
    """Move a model to the trash."""
    from ml.registry import local_models

    yield Thrown(local_models.delete(card))


def restoring(trashed: "Trashed", _control: RunControl) -> Iterator[object]:
    """Take a model back out of the trash."""
    from ml.system import trash

    yield Named(trash.restore(trashed))


def emptying(older_than_s: float, _control: RunControl) -> Iterator[object]:
    """Delete for good what has been in the trash for that long."""
    from ml.system import trash

    trash.empty(older_than_s)
    yield from ()
