"""Jobs of the Models page: previews, scores, and the files of models."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desktop_app import model_preview
from ml.config import SampleRequest
from ml.control import RunControl
from ml.errors import DataUnavailable
from ml.events import Pixels, Progress, Sampled
from ml.specs import DATASETS

if TYPE_CHECKING:
    from ml.registry.checkpoint import ModelHeader
    from ml.registry.model_cards import ModelCard
    from ml.system.trash import Trashed


@dataclass(frozen=True, slots=True)
class Previewed:
    """Images by a model."""

    images: Pixels


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of a model, as a card holds them."""

    scores: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Named:
    """A model was imported, restored or renamed."""

    name: str


@dataclass(frozen=True, slots=True)
class MatchingNetworks:
    """Weights without metadata, and the names of the networks that they fit."""

    path: Path
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deleted:
    """A model was moved to the trash."""

    trashed: "Trashed"


@dataclass(frozen=True, slots=True)
class Copied:
    """A model was written to a file or a folder."""

    path: Path
    what_to_do: str = ""  # to use it


def preview(card: "ModelCard", count: int, draw: bool, control: RunControl) -> Iterator[object]:
    """The pictures of a model that are kept, or if `draw`, new ones; nothing if its file is gone."""
    if not card.path.is_file():
        return
    images = model_preview.find(card)
    if images is not None:
        yield Previewed(images)
        return
    for event in draw_preview(card, count, control) if draw else ():
        if isinstance(event, Sampled):
            model_preview.keep(card, event.images)
            yield Previewed(event.images)


def keep_preview(card: "ModelCard", images: Pixels, _control: RunControl) -> Iterator[object]:
    """Keep images as the pictures of a model."""
    model_preview.keep(card, images)
    yield Previewed(images)


def draw_preview(card: "ModelCard", count: int, control: RunControl) -> Iterator[object]:
    """Draw a few images with a model at its default settings, with its steps, between which it can be cancelled."""
    from ml.evaluation.metrics import balanced_labels
    from ml.generation import pipeline

    labels = balanced_labels(card.header.model, count)
    request = SampleRequest(**card.header.defaults.model_dump(), model=str(card.path), labels=labels)
    yield from pipeline.sample(request, control=control)


def evaluate(card: "ModelCard", count: int, data_root: Path | None, control: RunControl) -> Iterator[object]:
    """Score a model with the judge of its data, and write the scores of the person's own models into their cards."""
    yield Progress("Reading the data", 0, 0)
    from ml.evaluation import metrics
    from ml.evaluation.metrics import Report
    from ml.registry import local_models
    from ml.training import judges

    header = card.header
    _check_data(header, data_root)
    reference = yield from judges.reference_for(header, root=data_root)
    labels = metrics.labels_to_score(header, reference.test.classes, count)
    request = SampleRequest(**header.defaults.model_dump(), model=str(card.path), labels=labels)
    for event in metrics.evaluate_model(request, reference, control=control):
        if control.cancelled:
            return
        if isinstance(event, Report):
            if not card.bundled:
                local_models.keep_scores(card, metrics.scores_of(event, request.seed))
            yield Scored(metrics.scores_of(event, request.seed))
        else:
            yield event


def train_judge(card: "ModelCard", data_root: Path | None, _control: RunControl) -> Iterator[object]:
    """Train the judge of a model's data, unless there is one already."""
    yield Progress("Reading the data", 0, 0)
    from ml.training import judges

    _check_data(card.header, data_root)
    yield from judges.reference_for(card.header, root=data_root)


def _check_data(header: "ModelHeader", data_root: Path | None) -> None:
    """Raises DataUnavailable for a data set that would have to be downloaded first."""
    from ml.data import datasets
    from ml.registry import judges

    name = judges.data_of(header)
    spec = DATASETS.get(name)
    if spec and spec.size and not all(datasets.is_downloaded(name, data_root, split) for split in ("train", "test")):
        raise DataUnavailable(
            f"Scoring a model needs {spec.title}, which isn't on this computer.",
            f"Choose the folder that holds it, or train on {spec.title} once, which downloads it ({spec.size}).",
        )


def import_model(path: Path, kind: str, _control: RunControl) -> Iterator[object]:
    """Import a model file."""
    yield Progress(f"Reading {path.name}", 0, 0)
    from ml.registry import local_models

    taken = local_models.import_model(path, kind)
    yield Named(taken) if isinstance(taken, str) else MatchingNetworks(path, taken.kinds)


def export_model(card: "ModelCard", path: Path, _control: RunControl) -> Iterator[object]:
    """Copy a model to a file."""
    yield Progress(f"Writing {path.name}", 0, 0)
    from ml.registry import local_models

    yield Copied(local_models.export_model(card, path))


def export_onnx(card: "ModelCard", path: Path, _control: RunControl) -> Iterator[object]:
    """Write a model as ONNX, with a Python file that draws with it."""
    yield Progress(f"Writing {path.name}", 0, 0)
    from ml.export import onnx_file
    from ml.generation.loaded_model import load

    inputs = onnx_file.write(load(str(card.path), "cpu"), path)
    script = path.with_suffix(".py").name
    yield Copied(path, f"{script} beside it draws with it and needs numpy and onnxruntime. Inputs: {inputs}")


def export_diffusers(card: "ModelCard", folder: Path, _control: RunControl) -> Iterator[object]:
    """Write a model as a folder that diffusers opens."""
    yield Progress(f"Writing {folder.name}", 0, 0)
    from ml.registry import diffusers_folder
    from ml.registry.checkpoint import load_model

    diffusers_folder.write(folder, *load_model(card.path))
    yield Copied(folder, f"Open it with DDPMPipeline.from_pretrained({folder.name!r}).")


def rename_model(card: "ModelCard", name: str, _control: RunControl) -> Iterator[object]:
    """Rename a model."""
    from ml.registry import local_models

    yield Named(local_models.rename(card, name))


def delete_model(card: "ModelCard", _control: RunControl) -> Iterator[object]:
    """Move a model to the trash."""
    from ml.registry import local_models

    yield Deleted(local_models.delete(card))


def restore_model(trashed: "Trashed", _control: RunControl) -> Iterator[object]:
    """Restore a model from the trash."""
    from ml.system import trash

    yield Named(trash.restore(trashed))


def empty_trash(older_than_s: float, _control: RunControl) -> Iterator[object]:
    """Permanently delete models that have been in the trash for that long."""
    from ml.system import trash

    trash.empty(older_than_s)
    yield from ()
