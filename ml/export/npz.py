"""Images as NumPy arrays (.npz)."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from ml.config import NO_LABEL, SampleRequest
from ml.errors import BadFile
from ml.events import Pixels
from ml.export.metadata import MAX_STAMP_BYTES, Layout, seal
from ml.imaging.png import KEY
from ml.imaging.safe_open import MAX_PIXELS, OTHER_FILE, reading
from ml.system.files import atomic


def save_npz(
    path: Path | str, images: Pixels, request: SampleRequest, layout: Layout | None = None, film: Sequence[Pixels] = ()
) -> None:
    """Arrays `images`, `labels` and `request` (JSON), and the stamp; nothing in it needs pickle.

    With `film` also `trajectory` (steps + 1, N, H, W[, 3]).
    """
    stamp = seal(request, layout or Layout(), images)
    more: dict[str, Any] = {"trajectory": np.stack(film)} if film else {}
    labels = np.array(request.labels, np.int64)
    text = np.array(request.model_dump_json())
    with atomic(path) as temporary, temporary.open("wb") as file:
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


def npz_bytes(path: Path) -> Pixels:
    images = _npz_array(path, "images", MAX_PIXELS * 8)
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise ValueError(f"{images.dtype} {images.shape}")
    return images


def npz_text(path: Path) -> str:
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
