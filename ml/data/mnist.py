"""MNIST and the sets in the same files: from a local folder, or downloaded."""

import gzip
import math
import os
import zlib
from collections.abc import Generator, Sequence
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


@dataclass(frozen=True, slots=True)
class IdxSet:
    """A data set in MNIST's IDX files, laid out as torchvision does: <root>/<folder>/raw/<split>-images-idx3-ubyte."""

    name: str
    folder: str  # also the name of torchvision's class, which knows mirrors and checksums
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
        stem = {"train": "train", "test": "t10k"}[split]
        files = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
        roots = [root.expanduser()] if root else usual_roots()
        folder = self._find(roots, files)
        if folder is None and root:
            lacks = f"{roots[0] / self.folder / 'raw'} lacks {' or '.join(files)} (or .gz)"
            raise DataUnavailable(f"{self.title} is not there: {lacks}.", download.ANOTHER_WAY)
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
        stem = {"train": "train", "test": "t10k"}[split]
        roots = [root.expanduser()] if root else usual_roots()
        return self._find(roots, (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")) is not None

    def _find(self, roots: Sequence[Path], files: tuple[str, ...]) -> Path | None:
        """The first folder with all of `files`; a root may also be the data set's folder or its raw folder."""
        folders = (folder for root in roots for folder in (root / self.folder / "raw", root / "raw", root))
        ours = (folder for folder in folders if self._may_be_in(folder))
        return next((folder for folder in ours if all(_present(folder, name) for name in files)), None)

    def _may_be_in(self, folder: Path) -> bool:
        """Whether files there are this set's: all sets name them alike, so the folder's name tells; else MNIST."""
        named = FOLDERS & {folder.name, folder.parent.name}
        return self.folder in named or (not named and self.name == "mnist")

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
    IdxSet("mnist", "MNIST"),
    IdxSet(
        "fashion-mnist",
        "FashionMNIST",
        (
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
    ),
    IdxSet("kmnist", "KMNIST", ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",)),
)
FOLDERS = {idx_set.folder for idx_set in IDX_SETS}


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
    candidates = (folder / name, folder / f"{name}.gz")
    # os.path: unlike Path.is_file it answers False, not PermissionError, inside a closed folder.
    return next((path for path in candidates if os.path.isfile(path)), None)
