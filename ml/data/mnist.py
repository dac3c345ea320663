"""MNIST and the sets in the same files: from a local folder, or downloaded."""

import gzip
import math
import os
import re
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import torch
from torch import Tensor

from ml.data.dataset import Dataset, Form, Loading, Split, damaged, shaped, unreadable, usual_roots
from ml.errors import DataUnavailable
from ml.events import Progress
from ml.specs import DATASETS
from ml.system import download, paths

MAX_BYTES = 2**26  # of one file in memory; MNIST's largest has 47 MB
PIECE = 2**20  # bytes read at a time: what a header claims is not made room for before it is there


@dataclass(frozen=True, slots=True, eq=False)
class IdxSet:
    """A data set in MNIST's IDX files, laid out as torchvision does: <root>/<folder>/raw/<split>-images-idx3-ubyte."""

    name: str
    folder: str  # also the name of torchvision's class, which knows mirrors and checksums
    spellings: tuple[str, ...]  # of folders, as `_plain` has them
    begins: Mapping[Split, bytes]  # the first labels, by which its files are recognised
    mirrors: tuple[str, ...] = ()  # further ones, for the sets whose mirrors torchvision has without https
    side: int = 28

    @property
    def title(self) -> str:
        return DATASETS[self.name].title

    @property
    def classes(self) -> tuple[str, ...]:
        return DATASETS[self.name].classes

    def load(self, root: Path | None, split: Split, form: Form) -> Loading:
        """Read one split from `root`, or else from the usual places."""
        files = _files(split)
        roots = [root.expanduser()] if root else usual_roots()
        folder = self._find(roots, split)
        if folder is None and root:
            lacks = f"{roots[0] / self.folder / 'raw'} lacks {' or '.join(files)} (or .gz)"
            raise DataUnavailable(f"{self.title} is not there: {lacks}.{_others(roots, split)}", download.ANOTHER_WAY)
        if folder is None:
            folder = yield from self._download()
        yield Progress(f"Reading {self.title}", 0, 2)
        image_path, label_path = (_present(folder, name) or folder / name for name in files)
        images = read_idx(image_path, 3)
        yield Progress(f"Reading {self.title}", 1, 2)
        labels = read_idx(label_path, 1)
        self._check(images, labels, image_path, label_path)
        yield Progress(f"Reading {self.title}", 2, 2)
        return (yield from shaped(Dataset(self.name, images.unsqueeze(1), labels.long(), self.classes), form))

    def is_downloaded(self, root: Path | None, split: Split = "test") -> bool:
        """Whether that split is on this machine, in `root` or in one of the usual places."""
        return self._find([root.expanduser()] if root else usual_roots(), split) is not None

    def _find(self, roots: Sequence[Path], split: Split) -> Path | None:
        """The first folder with the files of that split; a root may also be the data set's folder or its raw folder."""
        folders = (folder for root in roots for folder in self._folders(root))
        with_files = (folder for folder in folders if all(_present(folder, name) for name in _files(split)))
        return next((folder for folder in with_files if self._is_in(folder, split)), None)

    def _folders(self, root: Path) -> Iterator[Path]:
        """Where the files may be in a root, or beside it in folders with a usual spelling of the set's name."""
        yield root / self.folder / "raw"
        yield from (root / "raw", root)
        try:
            names = sorted(os.listdir(root))
        except OSError:
            return
        for name in names:
            if _plain(name) in self.spellings:
                yield from (root / name / "raw", root / name)

    def _is_in(self, folder: Path, split: Split) -> bool:
        """Whether the files there are this set's, by their first labels; of unknown ones the folder's name tells."""
        begins = _first_labels(folder, split)
        known = next((idx_set.name for idx_set in IDX_SETS if begins[:10] == idx_set.begins.get(split)), None)
        if known:
            return known == self.name
        plain = {_plain(folder.name), _plain(folder.parent.name)}
        named = {idx_set.name for idx_set in IDX_SETS if plain & {*idx_set.spellings}}
        return self.name in named or (not named and self.name == "mnist")

    def _download(self) -> Generator[Progress, None, Path]:
        """Fetch what is missing of both splits into the person's folder, as torchvision lays it out."""
        folder = paths.user_datasets() / self.folder / "raw"
        mirrors, files = torchvision_source(self.folder)
        for name, md5 in files:
            if not _present(folder, name.removesuffix(".gz")):
                yield from download.fetch(
                    [mirror + name for mirror in (*mirrors, *self.mirrors)], folder / name, checksum=md5
                )
        return folder

    def _check(self, images: Tensor, labels: Tensor, image_path: Path, label_path: Path) -> None:
        height, width = images.shape[1:]
        if (height, width) != (self.side, self.side):
            raise damaged(image_path, f"{self.side} x {self.side} pixels per image expected, {height} x {width} found")
        if len(images) != len(labels):
            raise damaged(
                label_path, f"{len(images)} labels expected, one per image of {image_path.name}, {len(labels)} found"
            )
        if int(labels.max()) >= len(self.classes):
            raise damaged(label_path, f"labels from 0 to {len(self.classes) - 1} expected, {int(labels.max())} found")


IDX_SETS = (
    IdxSet(
        "mnist",
        "MNIST",
        ("mnist", "mnistdigits"),
        {"train": bytes((5, 0, 4, 1, 9, 2, 1, 3, 1, 4)), "test": bytes((7, 2, 1, 0, 4, 1, 4, 9, 5, 9))},
    ),
    IdxSet(
        "fashion-mnist",
        "FashionMNIST",
        ("fashionmnist", "fashion"),
        {"train": bytes((9, 0, 0, 3, 0, 2, 7, 2, 5, 5)), "test": bytes((9, 2, 1, 1, 6, 1, 4, 6, 5, 7))},
        (
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
    ),
    IdxSet(
        "kmnist",
        "KMNIST",
        ("kmnist", "kuzushijimnist", "kuzushiji"),
        {},
        ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    ),
)


def _files(split: Split) -> tuple[str, str]:
    """The files of that split's images and labels."""
    stem = {"train": "train", "test": "t10k"}[split]
    return f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte"


def _plain(name: str) -> str:
    """A folder's name in small letters alone."""
    return re.sub(r"[^a-z]", "", name.lower())


def _first_labels(folder: Path, split: Split) -> bytes:
    """The first labels there; none where they cannot be read."""
    path = _present(folder, _files(split)[1])
    try:
        with gzip.open(path) if path and path.suffix == ".gz" else open(path or folder, "rb") as file:
            return cast(IO[bytes], file).read(18)[8:]
    except (OSError, EOFError, zlib.error):
        return b""


def _others(roots: Sequence[Path], split: Split) -> str:
    """What is there of other sets, in words."""
    found = {idx_set: idx_set._find(roots, split) for idx_set in IDX_SETS}
    said = [f"{folder} holds {idx_set.title}: use {idx_set.name}" for idx_set, folder in found.items() if folder]
    return f" {'; '.join(said)}." if said else ""


def torchvision_source(dataset: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Where torchvision's class of that name downloads from: https mirrors, and (file, MD5) pairs."""
    try:
        from ml.system.torchvision_compat import torchvision  # takes seconds, and only a download needs it
    except (ImportError, RuntimeError, OSError) as error:
        message = f"torchvision, which knows where to download {dataset} from, cannot be loaded ({error})."
        raise DataUnavailable(message, download.ANOTHER_WAY) from error
    known = getattr(torchvision.datasets, dataset)
    return [mirror for mirror in known.mirrors if mirror.startswith("https://")], known.resources


def read_idx(path: Path, dimensions: int) -> Tensor:
    """A uint8 IDX file, raw or .gz, as a tensor with that many dimensions; raises BadFile.

    The sizes in the header are checked before anything of that size is read.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            return _parse_idx(cast(IO[bytes], file), path, dimensions)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged(path, f"a whole gzip file expected, but: {error}") from error
    except OSError as error:
        raise unreadable(path, error) from error


def _parse_idx(file: IO[bytes], path: Path, dimensions: int) -> Tensor:
    magic, length = bytes((0, 0, 8, dimensions)), 4 * (1 + dimensions)  # 8: unsigned bytes
    header = file.read(length)
    if header[:4] != magic:
        raise damaged(
            path, f"an IDX file starting with {magic.hex(' ')} expected, {header[:4].hex(' ') or 'nothing'} found"
        )
    if len(header) < length:
        raise damaged(path, f"a header of {length} bytes expected, {len(header)} found")
    shape = [int(n) for n in np.frombuffer(header, ">u4", offset=4)]
    size = math.prod(shape)
    if not 0 < size <= MAX_BYTES:
        raise damaged(path, f"between 1 and {MAX_BYTES} bytes of data expected, {size} announced")
    data = bytearray()
    while len(data) <= size and (part := file.read(min(PIECE, size + 1 - len(data)))):
        data += part
    if len(data) != size:
        found = f"{len(data)} found" if len(data) < size else "more found"
        raise damaged(path, f"{size} bytes after the header expected, {found}")
    return torch.frombuffer(data, dtype=torch.uint8).view(shape)


def _present(folder: Path, name: str) -> Path | None:
    dotted = name.replace("-idx", ".idx")  # as some archives have it
    candidates = [folder / f"{spelling}{suffix}" for spelling in (name, dotted) for suffix in ("", ".gz")]
    # os.path: unlike Path.is_file it answers False, not PermissionError, inside a closed folder.
    return next((path for path in candidates if os.path.isfile(path)), None)
