"""Images as NumPy arrays (.npz)."""

import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np

from ml.config import NO_LABEL
from ml.errors import BadFile
from ml.events import Pixels
from ml.export.base import Export
from ml.export.metadata import MAX_STAMP_BYTES
from ml.imaging.png import KEY
from ml.imaging.safe_open import MAX_PIXELS, OTHER_FILE, reading


def write(path: Path, export: Export) -> None:
    """Arrays `images`, `labels`, `request` (JSON) and `noiseloom` (the stamp); nothing in it needs pickle.

    With a film also `trajectory` (steps + 1, N, H, W[, 3]).
    """
    images, request, stamp = export.images, export.request, export.stamp(export.images)
    more: dict[str, Any] = {"trajectory": np.stack(export.film)} if export.film else {}
    labels = np.array(request.labels, np.int64)
    text = np.array(request.model_dump_json())
    with path.open("wb") as file:
        np.savez_compressed(file, images=images, labels=labels, request=text, noiseloom=np.array(stamp), **more)


def read_arrays(path: Path | str) -> tuple[Pixels, tuple[int, ...]]:
    """`images` uint8 (N, H, W[, 3]) and `labels` (-1 each where there are none) of anyone's NPZ; raises BadFile."""
    path = Path(path)
    with reading(path):
        images = _npz_array(path, "images", MAX_PIXELS * 8)
        with zipfile.ZipFile(path) as archive:
            labelled = "labels.npy" in archive.namelist()
        labels = _npz_array(path, "labels", MAX_PIXELS) if labelled else np.full(len(images), NO_LABEL)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or labels.dtype.kind not in "iu":
        found = f"{images.dtype} images of shape {images.shape} and {labels.dtype} labels"
        raise BadFile(f"{path.name} holds {found}.", "Save `images` as uint8 (N, H, W) and `labels` as integers (N,).")
    if labels.shape != (len(images),):
        raise BadFile(f"{path.name} has {len(images)} images and labels of shape {labels.shape}.", OTHER_FILE)
    return images, tuple(labels.tolist())


def read_pixels(path: Path) -> Pixels:
    """The array `images`, uint8 (N, H, W[, 3])."""
    images = _npz_array(path, "images", MAX_PIXELS * 8)
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise ValueError(f"{images.dtype} {images.shape}")
    return images


def read_metadata(path: Path) -> str:
    """The stamp in the array `noiseloom`, "" where there is none."""
    with zipfile.ZipFile(path) as archive:
        if f"{KEY}.npy" not in archive.namelist():
            return ""
    text = _npz_array(path, KEY, 4 * MAX_STAMP_BYTES + 1000)
    return cast(str, text.item()) if text.shape == () and text.dtype.kind == "U" else ""


def _npz_array(path: Path, name: str, most_bytes: int) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo(f"{name}.npy").file_size > most_bytes:
            raise MemoryError(name)
    with np.load(path, allow_pickle=False) as arrays:
        return arrays[name]
