"""Atomic writing of files: temporary name, flush, fsync, replace."""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from ml.errors import BadFile, CannotWrite

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than this place allows",
    errno.EROFS: "it is read-only",
    errno.EACCES: "writing there is not permitted",
    errno.EPERM: "writing there is not permitted",
    errno.ENOENT: "the folder does not exist",
    errno.ENOTDIR: "part of that path is a file, not a folder",
    errno.EISDIR: "a folder has that name",
    errno.EEXIST: "a file has that name",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EMFILE: "this program has too many files open",
    errno.ENFILE: "this machine has too many files open",
}
MAX_TEXT = 1_500_000  # bytes of settings, a configuration or a card; validation errors take a hundred times that
_TEMPORARY = re.compile(r"\..+-[0-9a-f]{12}(\.\w+)?")


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix, that replaces `path` when the block ends without an error.

    On any error, `path` stays unchanged and the temporary file is removed. Raises CannotWrite for an OSError.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        _create(temporary)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(f"write {path.name} in {path.parent.absolute()}", error) from error
    finally:
        _remove(temporary)


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """A temporary folder whose files move into the folder `path` when the block ends without an error.

    On any error, `path` stays unchanged. Raises CannotWrite for an OSError.
    """
    path = Path(path)
    new = not os.path.isdir(path)
    temporary = _temporary(path if new else path / "files")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if new:
            os.replace(temporary, path)
        else:
            for file in temporary.iterdir():
                os.replace(file, path / file.name)
    except OSError as error:
        raise write_error(f"write the folder {path.absolute()}", error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_writable(path: Path | str) -> None:
    """Raise CannotWrite if no file can be created beside `path`; for a check before long work."""
    path = Path(path)
    temporary = _temporary(path)
    try:
        _create(temporary)
    except OSError as error:
        raise write_error(f"write {path.name} in {path.parent.absolute()}", error) from error
    finally:
        _remove(temporary)


def make_folder(path: Path | str) -> Path:
    """Create a folder, and its parents, where missing; raises CannotWrite."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(f"make the folder {path.absolute()}", error) from error
    return path


def move(source: Path, target: Path) -> None:
    """Move a file or folder on the same disk; raises CannotWrite, also where the target exists."""
    try:
        if target.exists() and not target.samefile(source):  # the same where only capitals differ
            raise FileExistsError(errno.EEXIST, "")
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
    except OSError as error:
        raise write_error(f"move {source.name} to {target}", error) from error


def copy_into(file: Path, folder: Path) -> None:
    """Copy a file into a folder, if it exists; raises CannotWrite."""
    target = folder / file.name
    if file != target and os.path.isfile(file):
        with atomic(target) as temporary:
            shutil.copyfile(file, temporary)


def check_regular(path: Path) -> None:
    """Raises BadFile for an existing path that is no file: a folder, or a pipe or device, whose reading may not end."""
    if path.exists() and not path.is_file():
        raise BadFile(f"{path} is no file.", "Choose another one.")


def modified(path: Path) -> float:
    """The modification time of a file in seconds; 0 for a missing file or a broken link."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def read_short(path: Path, most: int = MAX_TEXT) -> bytes:
    """The content of a text file; raises OSError, and BadFile for more than `most` bytes, or no regular file."""
    check_regular(path)
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise BadFile(f"{path.name} is larger than any file of its kind.", "Choose another file.")
    return content


def free_name(path: Path | str) -> Path:
    """`path` if it is free, else the first free one of name-2, name-3, ... with its suffix."""
    path = Path(path)
    if not path.exists():
        return path
    numbered = (path.with_stem(f"{path.stem}-{n}") for n in count(2))
    return next(candidate for candidate in numbered if not candidate.exists())


def sweep(folder: Path) -> None:
    """Remove the temporary files that a killed process left in a folder; no other process may be writing in it."""
    for file in folder.glob(".*-*"):
        if _TEMPORARY.fullmatch(file.name):
            _remove(file)


def write_error(attempt: str, error: OSError) -> CannotWrite:
    """The error for a failed write; `attempt` continues "Cannot"."""
    reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
    return CannotWrite(f"Cannot {attempt}: {reason}.", "Choose another folder; nothing is lost.")


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.stem[:40]}-{secrets.token_hex(6)}{path.suffix}")


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # its permissions follow the umask


def _remove(path: Path) -> None:
    with suppress(OSError):  # its folder is a file, or is missing
        path.unlink(missing_ok=True)
