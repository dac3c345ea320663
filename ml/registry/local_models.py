"""Managing the user's models: rename, import, export, delete, and store scores."""

import re
import shutil
from pathlib import Path
from typing import Any

from torch import Tensor

from ml.config import Description
from ml.errors import BadRequest
from ml.registry import diffusers_folder, import_weights, model_cards
from ml.registry.checkpoint import ModelHeader, describes_itself, load_model, save
from ml.registry.import_weights import Kind
from ml.registry.model_cards import ModelCard, Scores
from ml.registry.run_layout import MODEL_FILE
from ml.specs import PIPELINE_INDEX
from ml.system import paths, trash
from ml.system.files import atomic, free_name, make_folder, move
from ml.system.folder_lock import is_locked
from ml.system.trash import Trashed

LONGEST = 50  # characters of a name
_NAME = re.compile(rf"\w[\w .()+-]{{0,{LONGEST - 1}}}")
_STEM = Path(MODEL_FILE).stem  # the model of a file with that name is named after its folder


class Choices(Description):
    """The names of the networks that imported weights fit, which differ in how their output is interpreted."""

    kinds: tuple[str, ...]


def check_name(name: str) -> str:
    """A valid model name, without surrounding blanks; raises BadRequest for an invalid one."""
    name = name.strip()
    if not _NAME.fullmatch(name) or ".." in name or name.endswith("."):
        raise BadRequest(
            f"{name[:LONGEST]!r} can't be used as a model name.",
            f"Use up to {LONGEST} letters, digits, blanks and . ( ) + - _, beginning with a letter or digit.",
        )
    if paths.is_bundled(name) or name.casefold() == _STEM:
        raise BadRequest(f"The name {name!r} is reserved.", "Choose another name.")
    return name


def check_rename(card: ModelCard, name: str) -> str:
    """A name that one of the user's models can have, without surrounding blanks.

    Raises BadRequest for a bundled model and for a name that cannot be used.
    """
    _check_changeable(card)
    name = check_name(name)
    if name.casefold() != card.name.casefold() and paths.is_taken(name):
        raise BadRequest(f"There is already a model called {name!r}.", "Choose another name.")
    return name


def rename(card: ModelCard, name: str) -> str:
    """Rename one of the user's models, a run with its whole folder; returns the name.

    Raises BadRequest as `check_rename` does, CannotWrite.
    """
    name = check_rename(card, name)
    if name == card.name:
        return name
    for thing in _things(card):
        move(thing, thing.with_name(name + ("" if thing.is_dir() else thing.suffix)))
    return name


def export_model(card: ModelCard, path: Path) -> Path:
    """Copy a model to `path`, with its card as a .json beside it: both or neither. Returns the path.

    Raises BadRequest, CannotWrite.
    """
    if path.suffix != ".safetensors":  # the file dialog did not ask before replacing a file of the whole name
        path = free_name(path.with_name(f"{path.name}.safetensors"))
    beside = path.with_suffix(".json")
    if beside.exists() and not path.exists():
        raise BadRequest(f"{beside.name} is in that folder already, where the model's card goes.", "Use another name.")
    if path.exists() and path.samefile(card.path):
        raise BadRequest("That is the model's own file.", "Choose another folder or name.")
    with atomic(path) as model, atomic(beside) as text:
        shutil.copyfile(card.path, model)
        text.write_text(_scores_of(card).model_dump_json(indent=1), encoding="utf-8")
    return path


def import_model(path: Path, kind: str = "") -> str | Choices:
    """Copy a model file to the user's models, or the folder of a diffusers pipeline; returns its name.

    Weights without a description have to fit a known network. If they fit several, these are returned as `Choices`, of
    which `kind` names one. Raises BadFile, BadRequest, CannotWrite.
    """
    name = paths.free_model_name(_name_from(path))
    target = make_folder(paths.user_models()) / f"{name}.safetensors"
    if diffusers_folder.is_pipeline(path):
        _write_pipeline(target, path)
        return name
    if path.suffix.lower() not in import_weights.PICKLES and describes_itself(path):
        load_model(path)  # raises unless the file is complete and fits its description
        with atomic(target) as temporary:
            shutil.copyfile(path, temporary)
        if found := model_cards.card(path):  # with the card beside it, if there is one
            _write_card(target, _scores_of(found))
        return name
    tensors = import_weights.plain_tensors(path)
    kinds = import_weights.matching_kinds(tensors, path.name)
    chosen = next((one for one in kinds if one.name == kind), kinds[0] if len(kinds) == 1 else None)
    if chosen is None:
        return Choices(kinds=tuple(one.name for one in kinds))
    _write_imported(target, tensors, chosen, path.name)
    return name


def delete(card: ModelCard) -> Trashed:
    """Move one of the user's models to the trash, a run with its whole folder. Raises BadRequest, CannotWrite."""
    _check_changeable(card)
    trash.empty(trash.KEPT_DAYS * trash.DAY_S)
    return trash.move_to_trash(card.name, _things(card))


def keep_snapshot(card: ModelCard, step: int) -> None:
    """Take the weights of a run at a step as its model, with their scores. The model of before becomes a snapshot.

    The run itself, which can be trained longer, stays as it is. Raises BadRequest, BadFile, CannotWrite.
    """
    _check_changeable(card)
    taken = {int(path.stem): path for path in model_cards.snapshots(str(card.path.parent))} if is_run(card) else {}
    if step not in taken:
        known = f"Use one of: {', '.join(map(str, taken))}." if taken else "Choose a run that has checkpoints."
        raise BadRequest(f"{card.name!r} has no checkpoint of step {step}.", known)
    if step == card.header.steps:
        return
    load_model(taken[step])  # raises unless the file is whole
    before = taken[step].with_name(f"{card.header.steps:08d}.safetensors")
    for source, target in ((card.path, before), (card.path.with_suffix(".json"), before.with_suffix(".json"))):
        if source.is_file() and not target.exists():
            with atomic(target) as temporary:
                shutil.copyfile(source, temporary)
    found = model_cards.card(taken[step])
    _write_card(card.path, _scores_of(card).with_changes(scores=found.scores if found else {}))
    with atomic(card.path) as temporary:
        shutil.copyfile(taken[step], temporary)


def keep_scores(card: ModelCard, scores: dict[str, Any]) -> None:
    """Add scores to the card of one of the user's models. Raises CannotWrite."""
    now = model_cards.card(card.path) or card
    # Scores of another number of images are not comparable.
    before = now.scores if now.scores.get("images") == scores["images"] else {}
    _write_card(card.path, _scores_of(now).with_changes(scores=before | scores))


def is_run(card: ModelCard) -> bool:
    """Whether a model is in the folder of the run that trained it."""
    return card.path.name == MODEL_FILE


def _check_changeable(card: ModelCard) -> None:
    if is_run(card) and is_locked(card.path.parent):
        raise BadRequest(f"{card.name} is being trained.", "Stop the training first, or wait until it has ended.")
    if card.bundled:
        raise BadRequest(
            f"{card.name!r} is bundled with Noiseloom and can't be changed.",
            "Export it, and import the copy, which you can change.",
        )


def _things(card: ModelCard) -> list[Path]:
    """The files and folders that are moved with a model."""
    if is_run(card):
        return [card.path.parent]
    sidecar = card.path.with_suffix(".json")
    return [card.path, sidecar] if sidecar.is_file() else [card.path]


def _name_from(path: Path) -> str:
    """A valid model name, close to that of the file or of its run."""
    named_after_folder = path.name in (MODEL_FILE, PIPELINE_INDEX)
    return name_like(path.parent.name if named_after_folder else path.name if path.is_dir() else path.stem)


def name_like(stem: str) -> str:
    """A valid model name, close to a text."""
    name = re.sub(r"\.\.+|[^\w .()+-]", "-", stem).strip(" .()+-")[: LONGEST - 5].strip(" .")
    return name if _NAME.fullmatch(name) and name.casefold() != _STEM else "imported"


def _scores_of(card: ModelCard) -> Scores:
    return Scores(title=card.title, about=card.about, scores=card.scores, temperature=card.temperature)


def _write_card(model: Path, scores: Scores) -> None:
    with atomic(model.with_suffix(".json")) as temporary:
        temporary.write_text(scores.model_dump_json(indent=1), encoding="utf-8")


def _write_pipeline(target: Path, path: Path) -> None:
    found = diffusers_folder.read(path)
    save(target, found.weights, ModelHeader(name=target.stem, model=found.model, defaults=found.defaults))
    _write_card(target, Scores(about=f"Imported from diffusers: a UNet2DModel with a {found.scheduler}."))


def _write_imported(target: Path, tensors: dict[str, Tensor], kind: Kind, source: str) -> None:
    about = f"Plain weights from {source}, used with the network and settings of {kind.name}."
    save(target, tensors, ModelHeader(name=target.stem, model=kind.model, defaults=kind.defaults))
    _write_card(target, Scores(about=about))
