"""Archives of images as if they were folders: an index of their files, whose contents are read one at a time.

Nothing is unpacked under a name of the archive's. The images of a compressed tar, in which nothing can be found without
reading all before it, are kept one after the other in a nameless temporary file.
"""

import bz2
import gzip
import io
import lzma
import os
import posixpath
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from ml.errors import BadFile
from ml.events import Progress
from ml.system import paths
from ml.system.files import make_folder, write_error

UNPACKERS: Mapping[str, Callable[..., Any]] = {
    ".tar": nullcontext, ".tar.gz": gzip.open, ".tgz": gzip.open, ".tar.bz2": bz2.open, ".tar.xz": lzma.open,
}  # fmt: skip
SUFFIXES = (".zip", *UNPACKERS)
MAX_WORDS = 2**16  # bytes of a long name or a comment, which are read into memory whole
MAX_FILE = 2**27  # bytes of an image's file
MAX_UNPACKED = 2**32  # bytes that a compressed tar unpacks to
MAX_FILES = 2_000_000  # of an archive, folders and links included
EVERY = 1000  # files per Progress
DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError, NotImplementedError,
    RuntimeError, ValueError, OverflowError,
)  # fmt: skip

Source = Path | Callable[[], bytes]  # of an image: a file, or what reads it out of an archive

LINKS, OUTSIDE, ENCRYPTED = "links in an archive", "names that lead out of the archive", "encrypted files"
LARGE = f"files of more than {MAX_FILE // 2**20} MB"


class Header(tarfile.TarInfo):
    """An entry of a tar; long names and comments, which are read into memory whole, stay short."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        entry = super().frombuf(buf, encoding, errors)
        if entry.size > MAX_WORDS and entry.type not in tarfile.REGULAR_TYPES:
            raise tarfile.ReadError(f"an entry with {entry.size} bytes beside its content")
        return entry


class Limited(io.RawIOBase):
    """An unpacked file of which only so many bytes are read, however many it announces."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile, most: int) -> None:
        super().__init__()
        self._file, self._left, self._most = file, most, most

    def read(self, size: int = -1, /) -> bytes:
        content = self._file.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise tarfile.ReadError(f"it unpacks to more than {self._most} bytes")
        return content


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A file in an archive."""

    name: str  # its path in the archive, with slashes
    size: int
    read: Callable[[], bytes]  # raises Exception where the archive is damaged there


@dataclass(frozen=True, slots=True)
class Index:
    """The files of an archive that are wanted, the names of its others, and what is left out: reasons and names."""

    members: tuple[Member, ...]
    others: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def is_archive(path: Path | str) -> bool:
    """Whether a path has the name of an archive that can be read."""
    return str(path).lower().endswith(SUFFIXES)


def stem(path: Path) -> str:
    """The name of an archive without its suffix."""
    return path.name[: -max(len(suffix) for suffix in SUFFIXES if path.name.lower().endswith(suffix))]


_indexed: dict[tuple[Path, int, int], Index] = {}  # the latest archive, by path, size and time
_one_at_a_time = threading.Lock()


def index_of(path: Path, is_wanted: Callable[[str], bool]) -> Generator[Progress, None, Index]:
    """The files of an archive whose names are wanted; those of the last one are remembered while it does not change.

    Raises BadFile, CannotWrite.
    """
    try:
        status = path.stat()
        key = path, status.st_size, status.st_mtime_ns
        known = _indexed.get(key)
        if known is None:
            reading = _of_zip(path, is_wanted) if path.name.lower().endswith(".zip") else _of_tar(path, is_wanted)
            known = yield from reading
            with _one_at_a_time:
                _indexed.clear()
                _indexed[key] = known
        return known
    except DAMAGED as error:
        raise BadFile(f"{path} is damaged or no archive: {error}.", "Pack it again, or unpack it yourself.") from error
    except OSError as error:
        raise BadFile(
            f"Cannot read {path}: {error.strerror or error}.", "Check the file, or choose another."
        ) from error


class _Names:
    """Sorts out names: each file once, the last of several, and none that leads out."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.others: list[str] = []
        self.left_out: list[tuple[str, str]] = []
        self._count = 0

    def counted(self) -> int:
        """The number of entries so far; raises ValueError for too many."""
        self._count += 1
        if self._count > MAX_FILES:
            raise ValueError(f"it holds more than {MAX_FILES:,} files")
        return self._count

    def checked(self, name: str, size: int, *, link: bool, encrypted: bool = False) -> str:
        """The name as a path in the archive; "" for one that is left out."""
        plain = posixpath.normpath(name.replace("\\", "/"))
        leads_out = plain.startswith(("/", "../")) or plain in ("..", ".") or plain[1:2] == ":" or "\0" in plain
        reasons = {OUTSIDE: leads_out, LINKS: link, ENCRYPTED: encrypted, LARGE: size > MAX_FILE}
        reason = next((reason for reason, holds in reasons.items() if holds), "")
        if reason:
            self.left_out.append((reason, name))
        return "" if reason else plain

    def index(self) -> Index:
        return Index(tuple(self.members.values()), tuple(self.others), tuple(self.left_out))


def _of_zip(path: Path, is_wanted: Callable[[str], bool]) -> Generator[Progress, None, Index]:
    opened, names = _Zip(path), _Names()
    archive = opened.archive
    for entry in archive.infolist():
        done = names.counted()
        if done % EVERY == 0:
            yield Progress(f"Looking for images in {path.name}", done, len(archive.filelist))
        if entry.is_dir():
            continue
        is_link = (entry.external_attr >> 16) & 0o170000 == 0o120000
        name = names.checked(entry.filename, entry.file_size, link=is_link, encrypted=bool(entry.flag_bits & 1))
        if name and is_wanted(name):
            names.members[name] = Member(name, entry.file_size, opened.reader(entry))
        elif name:
            names.others.append(name)
    return names.index()


class _Zip:
    """An open zip, which is closed after its last reader."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)
        weakref.finalize(self, self.archive.close)

    def reader(self, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
        def read() -> bytes:
            with self.archive.open(entry) as file:  # zipfile shares the file among threads
                return file.read(MAX_FILE)  # and checks it, whatever size it announces

        return read


def _of_tar(path: Path, is_wanted: Callable[[str], bool]) -> Generator[Progress, None, Index]:
    suffix = next(suffix for suffix in UNPACKERS if path.name.lower().endswith(suffix))
    names, total, is_plain = _Names(), path.stat().st_size, suffix == ".tar"
    kept = _Kept(path if is_plain else None)
    with path.open("rb") as packed, UNPACKERS[suffix](packed) as unpacked, _tar(unpacked, plain=is_plain) as archive:
        for entry in archive:
            if names.counted() % EVERY == 0:
                yield Progress(f"Looking for images in {path.name}", min(packed.tell(), total), total)
            archive.members = []  # type: ignore[attr-defined]  # or else each would stay in memory
            if entry.isdir():
                continue
            name = names.checked(entry.name, entry.size, link=not entry.isreg() or entry.issparse())
            if name and is_wanted(name):
                content = None if is_plain else archive.extractfile(entry)
                place = entry.offset_data if content is None else kept.add(content)
                names.members[name] = Member(name, entry.size, kept.reader(place, entry.size))
            elif name:
                names.others.append(name)
    return names.index()


def _tar(file: IO[bytes], *, plain: bool) -> tarfile.TarFile:
    """An open tar, whose files are skipped where it is plain and else read through."""
    if plain:
        return tarfile.open(fileobj=file, mode="r:", tarinfo=Header)
    return tarfile.open(fileobj=Limited(file, MAX_UNPACKED), mode="r|", tarinfo=Header)


class _Kept:
    """The contents of files one after the other, in a plain tar or else in a temporary file.

    That is closed, and so deleted, after its last reader.
    """

    def __init__(self, tar: Path | None) -> None:
        self._lock = threading.Lock()
        try:
            temporary = tempfile.TemporaryFile  # which is without a name where the system allows it
            self._file: Any = tar.open("rb") if tar else temporary(dir=make_folder(paths.user_cache()))
        except OSError as error:
            raise write_error(f"write in {paths.user_cache()}", error) from error
        weakref.finalize(self, self._file.close)

    def add(self, content: IO[bytes]) -> int:
        """Append a file; returns where it begins. Raises CannotWrite."""
        place = self._file.seek(0, os.SEEK_END)
        data = content.read()
        try:
            self._file.write(data)
        except OSError as error:
            raise write_error(f"write in {paths.user_cache()}", error) from error
        return place

    def reader(self, place: int, size: int) -> Callable[[], bytes]:
        def read() -> bytes:
            with self._lock:
                self._file.seek(place)
                return self._file.read(size)

        return read
