"""The previews of a run, kept in its folder as pictures that show the denoising of one noise.

`previews/00001200.png` has a row for each step of the denoising and a column for each image.
"""

from pathlib import Path

import numpy as np

from ml.events import Preview
from ml.imaging.png import write_png
from ml.imaging.safe_open import opened
from ml.system.files import atomic, make_folder

FOLDER = "previews"
MOST = 128  # pictures of a run; beyond it every other one is removed
MAX_PIXELS = 16_000_000


def save_preview(run: Path, preview: Preview) -> None:
    """Write a preview, and remove every other one where there are more than MOST; raises CannotWrite."""
    folder = make_folder(run / FOLDER)
    steps, count, height, width = preview.film.shape[:4]
    rows = preview.film.swapaxes(1, 2).reshape(steps * height, count * width, *preview.film.shape[4:])
    with atomic(folder / f"{preview.step:08d}.png") as temporary:
        write_png(temporary, rows)
    kept = _files(run)
    if len(kept) > MOST:
        for file in kept[1:-1:2]:
            file.unlink(missing_ok=True)


def load_previews(run: Path, labels: tuple[int, ...], side: int) -> list[Preview]:
    """The previews of a run, oldest first; unreadable ones are left out."""
    found: list[Preview] = []
    for file in _files(run):
        try:
            with opened(file, ("PNG",)) as image:
                width, height = image.size
                if width * height > MAX_PIXELS or width != side * len(labels) or height % side:
                    continue
                rows = np.array(image.convert("L" if image.mode == "L" else "RGB"))
        except (OSError, ValueError, SyntaxError, MemoryError):
            continue
        film = rows.reshape(-1, side, len(labels), side, *rows.shape[2:]).swapaxes(1, 2)
        found.append(Preview(int(file.stem), film[-1].copy(), labels, film))
    return found


def remove_after(run: Path, step: int) -> None:
    """Remove the previews after a step."""
    for file in _files(run):
        if int(file.stem) > step:
            file.unlink(missing_ok=True)


def _files(run: Path) -> list[Path]:
    return sorted(file for file in (run / FOLDER).glob("*.png") if file.stem.isdecimal())
