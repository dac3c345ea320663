"""Jobs of projects: what is chosen is written into one file, and what is in a file is added to what is here."""

import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from desktop_app import history_file, project_file
from desktop_app.history_file import Entry
from desktop_app.project_file import MAX_MODEL, MAX_PICTURE, Project, ProjectModel, ProjectResult
from ml.control import RunControl
from ml.errors import BadFile
from ml.events import Pixels, Progress
from ml.export import files
from ml.imaging.embedded_png import to_text
from ml.system import paths
from ml.system.files import MAX_TEXT, atomic, make_folder


@dataclass(frozen=True, slots=True)
class ProjectOpened:
    """What a project has added: results as (key, what is said, thumbnail), and models by their names in it and here."""

    project: Project
    results: tuple[tuple[str, Entry, Pixels], ...]
    models: tuple[tuple[str, str], ...]
    damaged: tuple[str, ...]  # of what is in it


def open_project(path: Path, control: RunControl) -> Iterator[object]:
    """Add the results and models of a project to the history and the models, unless they are there already."""
    yield Progress(f"Reading {path.name}", 0, 0)
    damaged = list[str]()
    results, models = list[tuple[str, Entry, Pixels]](), list[tuple[str, str]]()
    with project_file.opened(path) as (project, archive):
        total = len(project.results) + len(project.models)
        for number, model in enumerate(project.models):
            yield Progress(f"Reading {path.name}", number, total)
            try:
                models.append((model.name, _add_model(archive, model)))
            except BadFile:
                damaged.append(model.name)
        for number, result in enumerate(project.results, len(project.models)):
            yield Progress(f"Reading {path.name}", number, total)
            try:
                results += _add_result(archive, result)
            except BadFile:
                damaged.append(result.name or result.about or result.file)
        yield ProjectOpened(project, tuple(results), tuple(models), tuple(damaged))


@contextmanager
def _temporary(name: str) -> Iterator[Path]:
    """The path of a file that is deleted in the end, with what lies beside it."""
    folder = make_folder(paths.user_cache() / f"project-{secrets.token_hex(6)}")
    try:
        yield folder / name
    finally:
        with suppress(OSError):
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()


def _add_model(archive: zipfile.ZipFile, model: ProjectModel) -> str:
    """Import a model, unless it is here; returns its name here."""
    from ml.registry import local_models, model_cards
    from ml.registry.checkpoint import file_hash

    with _temporary(f"{local_models.name_like(model.name)}.safetensors") as path:
        project_file.extract(archive, model.file, path, MAX_MODEL)
        for card in model_cards.cards():
            if card.size == path.stat().st_size and file_hash(card.path) == file_hash(path):
                return card.name
        if model.card:
            project_file.extract(archive, model.card, path.with_suffix(".json"), MAX_TEXT)
        name = local_models.import_model(path)
    if not isinstance(name, str):
        raise BadFile(f"{model.name} does not say what it is.")
    return name


def _add_result(archive: zipfile.ZipFile, result: ProjectResult) -> list[tuple[str, Entry, Pixels]]:
    """Add a result to the history, unless it is there."""
    with _temporary("result.png") as path:
        project_file.extract(archive, result.file, path, MAX_PICTURE)
        stamp, pixels, content = files.read_stamp(path), files.read_pixels(path), path.read_bytes()
    key, small = history_file.key_of(result.made, content), history_file.thumbnail(pixels[None])
    if history_file.picture(key).exists():
        return []
    entry = Entry(
        page=result.page,
        made=result.made,
        about=history_file.about(stamp),
        name=result.name,
        starred=result.starred,
        thumbnail=to_text(small),
    )
    with atomic(make_folder(paths.user_history()) / f"{key}.png") as target:
        target.write_bytes(content)
    history_file.write(key, entry)
    return [(key, entry, small)]
