"""Pictures by models, in files: those of bundled models ship with the program, others are kept by the model's hash."""

import io
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ml.errors import CannotWrite, NoiseloomError
from ml.events import Pixels
from ml.imaging.pixels import grid
from ml.imaging.png import KEY, write_png
from ml.imaging.safe_open import opened
from ml.registry.checkpoint import file_hash
from ml.system import paths
from ml.system.files import atomic, make_folder, read_short

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard

MOST, MAX_SIDE, MAX_BYTES = 20, 128, 1_000_000  # images of a file, their side, and bytes


def path_of(card: "ModelCard") -> Path:
    """The file of a model's pictures, whether it is there or not. Raises OSError for a model that is gone."""
    if card.bundled:
        return paths.resources() / "previews" / f"{card.name}.png"
    return paths.user_cache() / "previews" / f"{file_hash(card.path)}.png"


def find(card: "ModelCard") -> Pixels | None:
    """The pictures of a model, (N, H, W[, 3]); None where there are none, or they cannot be read."""
    with suppress(OSError, NoiseloomError):
        return read(path_of(card))[0]
    return None


def keep(card: "ModelCard", images: Pixels) -> None:
    """Keep the pictures of a model of one's own, where they can be written."""
    if not card.bundled:
        with suppress(OSError, CannotWrite):
            write(path_of(card), images, "")


def write(path: Path, images: Pixels, model_hash: str) -> None:
    """Write images side by side, with the hash of the model that drew them. Raises CannotWrite."""
    make_folder(path.parent)
    with atomic(path) as temporary:
        write_png(temporary, grid(images, len(images), gap=0), model_hash, optimize=True)


def read(path: Path) -> tuple[Pixels, str]:
    """The images of a file and the hash of their model; raises OSError, also for anything else in it."""
    try:
        content = io.BytesIO(read_short(path, MAX_BYTES))
        with opened(content, ("PNG",)) as image:
            width, height = image.size
            if width % height or height > MAX_SIDE or width // height > MOST or image.mode not in ("L", "RGB"):
                raise ValueError(f"{image.size} {image.mode}")
            pixels = np.array(image)
            model_hash = str(image.info.get(KEY, ""))
    except (ValueError, SyntaxError, MemoryError, NoiseloomError) as error:
        raise OSError(f"{path} holds no pictures of a model") from error
    return np.stack(np.split(pixels, width // height, axis=1)), model_hash
