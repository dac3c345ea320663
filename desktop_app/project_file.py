"""Project files: chosen results, models and settings in one zip of PNG, safetensors and JSON."""

import re
import shutil
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model

from desktop_app.history_file import MAX_ABOUT, MAX_NAME
from desktop_app.lesson_file import is_portable
from desktop_app.settings import PageName, PageSettings, page_settings
from ml.config import Description, parse
from ml.errors import BadFile, NoiseloomError
from ml.export.metadata import Watch
from ml.system.files import MAX_TEXT, atomic, check_regular

SUFFIX = ".noiseloom-project"
CONTENT = "project.json"
MAX_RESULTS, MAX_MODELS, MAX_TITLE = 500, 50, 100
MAX_PICTURE, MAX_MODEL, MAX_BYTES = 30_000_000, 2_000_000_000, 4_000_000_000  # bytes: of one each, and of the file
MAX_DIRECTORY = 300_000  # bytes of the list of files in the zip
END = struct.Struct("<4s4H2LH")  # of a zip: its sign, ..., size and place of the list, length of the comment after it
OTHER_FILE = "Choose a project that Noiseloom saved, or ask for a new copy."
_NAME = re.compile(r"results/\d{1,4}\.png|models/\d{1,4}\.(safetensors|json)")


def _in_project(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!r} is no file of a project")
    return name


FileName = Annotated[str, AfterValidator(_in_project)]


class ProjectResult(Description):
    """A result: the picture with its request, and what is said of it."""

    file: FileName
    page: PageName
    made: float = Field(ge=0, le=1e11, description="when, as `time.time` counts it")
    about: str = Field(default="", max_length=MAX_ABOUT)
    name: str = Field(default="", max_length=MAX_NAME)
    starred: bool = False


class ProjectModel(Description):
    """A model, and its card if it has one."""

    name: str = Field(min_length=1, max_length=100)
    file: FileName
    card: FileName | None = None


_pages: dict[str, Any] = {page: (kind | None, None) for page, kind in page_settings().items()}
_Settings = create_model("_Settings", __base__=Description, **_pages)


class _Content(Description):
    version: Literal[1] = 1
    title: str = Field(default="", max_length=MAX_TITLE)
    results: tuple[ProjectResult, ...] = Field(default=(), max_length=MAX_RESULTS)
    models: tuple[ProjectModel, ...] = Field(default=(), max_length=MAX_MODELS)


class Project(create_model("_Content", __base__=_Content, settings=(_Settings, _Settings()))):
    """What is in a project."""

    @property
    def pages(self) -> dict[str, PageSettings]:
        """The settings by page, without those that name what is only on one computer."""
        found = {page: getattr(getattr(self, "settings"), page) for page in page_settings()}  # noqa: B009
        return {page: settings for page, settings in found.items() if settings and is_portable(settings)}


def write(path: Path, project: Project, files: Sequence[tuple[str, Path]], watch: Watch) -> None:
    """Write a project and its files, as (name in it, path); raises CannotWrite, and whatever `watch` does."""
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(CONTENT, project.model_dump_json(indent=1), zipfile.ZIP_DEFLATED)
        for number, (name, source) in enumerate(files):
            watch(number, len(files))
            archive.write(source, name)  # as it is: both kinds are compressed, or cannot be


@contextmanager
def opened(path: Path) -> Iterator[tuple[Project, zipfile.ZipFile]]:
    """What is in a project, and its archive for `extract`; raises BadFile. Nothing in the file is executed."""
    with _reading(path):
        check_regular(path)
        _check_directory(path)
        archive = zipfile.ZipFile(path)
        stored = [entry for entry in archive.infolist() if entry.filename != CONTENT]
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in stored):
            raise ValueError("compressed")  # which `write` does not do
        if sum(entry.file_size for entry in stored) > path.stat().st_size:
            raise MemoryError("files that overlap")
    with archive:
        with _reading(path):
            text = _read(archive, CONTENT, MAX_TEXT)
        project = parse(Project, text, path.name)
        yield project, archive


def extract(archive: zipfile.ZipFile, name: str, target: Path, most: int) -> None:
    """Write a file of a project to `target`, unless it has more than `most` bytes; raises BadFile, CannotWrite."""
    with atomic(target) as temporary, _reading(Path(archive.filename or "")):
        if archive.getinfo(name).file_size > most:
            raise MemoryError(name)
        with archive.open(name) as source, temporary.open("wb") as file:
            shutil.copyfileobj(source, file)  # no more than it says: zipfile stops there


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise MemoryError(name)
    return content


def _check_directory(path: Path) -> None:
    """Raise MemoryError for a zip whose list of files is far longer than a project's, before it is read."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - END.size - 2**16))
        tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < END.size:
        raise ValueError("no zip")
    directory = END.unpack_from(tail, at)[5]
    if size > MAX_BYTES or directory > MAX_DIRECTORY:
        raise MemoryError(f"{size} {directory}")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn every failure to read a damaged, missing or hostile file into a BadFile."""
    try:
        yield
    except NoiseloomError:
        raise
    except FileNotFoundError as error:
        raise BadFile(f"{path} does not exist.", "Check the name.") from error
    except MemoryError as error:
        raise BadFile(f"{path.name} claims to be far larger than a project.", OTHER_FILE) from error
    except Exception as error:  # a damaged zip can fail anywhere
        raise BadFile(f"{path.name} is not a project, or it is damaged.", OTHER_FILE) from error
