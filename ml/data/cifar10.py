"""CIFAR-10 (Krizhevsky 2009) in its binary version: bytes alone, where the other has pickles that could execute."""

import gzip
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ml.data.archive import Header, Limited
from ml.data.dataset import Dataset, Form, Loading, Split, damaged, shaped, unreadable, usual_roots
from ml.errors import DataUnavailable
from ml.events import Progress
from ml.specs import DATASETS
from ml.system import download, paths

NAME = "cifar10"
CLASSES = DATASETS[NAME].classes
FOLDER, ARCHIVE = "cifar-10-batches-bin", "cifar-10-binary.tar.gz"
MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
FILES: dict[Split, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{n}.bin" for n in range(1, 6)),
    "test": ("test_batch.bin",),
}
SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE  # the class, then the red, green and blue pixels
MAX_FILE = 10_000 * RECORD
MAX_UNPACKED = 2**28  # the real archive unpacks to 184 MB


def load(root: Path | None, split: Split, form: Form) -> Loading:
    """Read one split from `root`, or else from the usual places: from the folder of its files, or from the archive."""
    roots, files = [root.expanduser()] if root else usual_roots(), FILES[split]
    place = _find(roots, files)
    if place is None and root:
        lacks = f"{roots[0]} has neither {FOLDER} with {' and '.join(files)} in it nor {ARCHIVE}"
        raise DataUnavailable(f"CIFAR-10 (binary version) is not there: {lacks}.", download.ANOTHER_WAY)
    if place is None:
        place = paths.user_datasets() / ARCHIVE
        yield from download.fetch([mirror + ARCHIVE for mirror in MIRRORS], place, checksum=MD5)
    parts: dict[str, tuple[Tensor, Tensor]] = {}
    yield Progress("Reading CIFAR-10", 0, len(files))
    for name, content in _from_archive(place, files) if place.name == ARCHIVE else _from_folder(place, files):
        parts[name] = _parse(content, place / name)
        yield Progress("Reading CIFAR-10", len(parts), len(files))
    images, labels = (torch.cat([parts[name][k] for name in files]) for k in range(2))
    return (yield from shaped(Dataset(NAME, images, labels, CLASSES), form))


def is_downloaded(root: Path | None, split: Split = "test") -> bool:
    """Whether that split is on this machine, in `root` or in one of the usual places."""
    return _find([root.expanduser()] if root else usual_roots(), FILES[split]) is not None


def _find(roots: Sequence[Path], files: Sequence[str]) -> Path | None:
    """The first folder that has all of `files`, or the first archive; a root may also be the folder itself."""
    for root in roots:
        for folder in (root / FOLDER, root):
            # os.path: unlike Path.is_file it answers False, not PermissionError, inside a closed folder.
            if all(os.path.isfile(folder / name) for name in files):
                return folder
        if os.path.isfile(root / ARCHIVE):
            return root / ARCHIVE
    return None


def _from_folder(folder: Path, files: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name in files:
        try:
            with open(folder / name, "rb") as file:
                yield name, file.read(MAX_FILE + 1)
        except OSError as error:
            raise unreadable(folder / name, error) from error


def _from_archive(path: Path, files: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The files in memory, in the archive's order: it is never extracted, so nothing in it can be written anywhere."""
    wanted = {f"{FOLDER}/{name}": name for name in files}
    try:
        with (
            gzip.open(path) as unpacked,
            tarfile.open(fileobj=Limited(unpacked, MAX_UNPACKED), mode="r|", tarinfo=Header) as archive,
        ):
            for member in archive:
                if member.isreg() and member.name in wanted and member.size <= MAX_FILE:
                    content = archive.extractfile(member)
                    if content is not None:
                        yield wanted.pop(member.name), content.read()
                if not wanted:
                    return
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged(path, f"a whole .tar.gz expected, but: {error}") from error
    except OSError as error:
        raise unreadable(path, error) from error
    raise damaged(path, f"{' and '.join(wanted)} expected in it, of at most {MAX_FILE} bytes, not found")


def _parse(content: bytes, path: Path) -> tuple[Tensor, Tensor]:
    """Images (N, 3, 32, 32) uint8 and labels (N,) int64; raises BadFile."""
    if not 0 < len(content) <= MAX_FILE or len(content) % RECORD:
        raise damaged(path, f"up to 10000 records of {RECORD} bytes expected, {len(content)} bytes found")
    records = torch.frombuffer(bytearray(content), dtype=torch.uint8).view(-1, RECORD)
    labels = records[:, 0].long()
    if int(labels.max()) >= len(CLASSES):
        raise damaged(path, f"labels from 0 to {len(CLASSES) - 1} expected, {int(labels.max())} found")
    return records[:, 1:].reshape(-1, 3, SIDE, SIDE), labels
