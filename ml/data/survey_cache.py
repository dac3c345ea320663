"""Surveys of folders that have not changed since, kept in the person's folder."""

import hashlib
from contextlib import suppress
from pathlib import Path

from ml.config import parse
from ml.data.dataset import Form
from ml.data.folder_scan import FoundFiles
from ml.data.survey import Survey
from ml.errors import NoiseloomError
from ml.system import paths
from ml.system.files import atomic, make_folder, modified, read_short

VERSION = "1"  # of the descriptions; after a change of it every folder is read again
MOST = 20  # surveys that are kept
MAX_BYTES = 4_500_000  # of one: 60 thumbnails of 128 x 128 in colour take 4 MB


def key_of(found: FoundFiles, form: Form) -> str:
    """A hash of the folder's path, the names, sizes and times of its files, what is left out, and the form."""
    key = hashlib.sha256(repr((VERSION, str(found.folder), form)).encode("utf-8", "surrogatepass"))
    for image in found.images:
        line = f"{image.relative}\0{image.size}\0{image.modified}\0"
        key.update(line.encode("utf-8", "surrogatepass"))
    key.update(repr((found.left_out.listed(), found.warnings)).encode("utf-8", "surrogatepass"))
    return key.hexdigest()


def key_of_archive(path: Path, form: Form) -> str:
    """A hash of an archive's path, size and time, and the form; raises OSError."""
    status = path.stat()
    key = repr((VERSION, str(path), status.st_size, status.st_mtime_ns, form))
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def find(key: str) -> Survey | None:
    """The survey that was kept under that key; None for none, or for a file that cannot be read."""
    path = _folder() / f"{key}.json"
    try:
        survey = parse(Survey, read_short(path, MAX_BYTES), path.name)
        _ = survey.thumbnails  # proves that they can be shown
    except Exception:  # whatever is wrong with it, the folder is looked at again
        return None
    with suppress(OSError):
        path.touch()
    return survey


def keep(key: str, survey: Survey) -> None:
    """Keep a survey, and remove the oldest beyond MOST. What cannot be written is not kept."""
    with suppress(NoiseloomError, OSError, ValueError):  # ValueError: a name that is no Unicode
        folder = make_folder(_folder())
        with atomic(folder / f"{key}.json") as temporary:
            temporary.write_text(survey.model_dump_json(), encoding="utf-8")
        for path in sorted(folder.glob("*.json"), key=modified)[:-MOST]:
            path.unlink(missing_ok=True)


def _folder() -> Path:
    return paths.user_cache() / "surveys"
