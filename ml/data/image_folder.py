"""Any folder of images as a data set: one class per sub-folder, cropped to their middle and resized."""

import hashlib
import os
import warnings
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from ml.data.dataset import Dataset, Form, Loading, Split, check_memory
from ml.errors import BadFile, BadRequest, DataUnavailable
from ml.events import Pixels, Progress
from ml.specs import IMAGE_FOLDER

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # and none of Pillow's rarer, less careful readers
SIDES = (16, 128)  # that images of a folder may have of their own
SIDE = 32  # of images that have no side of their own in common
LOOKED_AT = 100  # images, to find out whether they have
MAX_PIXELS = 2**25  # of one image: a photograph, which is decoded at a fraction of its size
MAX_DECODED = 12_500_000  # of what is decoded: 50 to 150 MB while it is read
EVERY = 50  # images per Progress
HELD_OUT = 10  # one image of so many is for testing


@dataclass(frozen=True, slots=True)
class _Picture:
    path: Path
    relative: str  # to the folder, with slashes on every system
    label: int


def load(name: str, split: Split, form: Form) -> Loading:
    """Read one split of the folder `name`; a tenth of the files, chosen by their names, is held out for "test".

    Without `form` the images keep the side they have in common (of 16 to 128 pixels, in steps of 4), else get 32
    pixels, and are grey if all of them are. What cannot be read is left out and counted in the Progress.
    Raises BadRequest, DataUnavailable.
    """
    if not name.strip():
        raise BadRequest(
            "The folder of images is not named.", f"Write {IMAGE_FOLDER}DIR, for example {IMAGE_FOLDER}photos."
        )
    folder = Path(name).expanduser().absolute()
    classes, pictures = yield from _look(folder)
    pictures = [picture for picture in pictures if _held_out(picture) == (split == "test")] or pictures
    side = form.side or _own_side(pictures)
    check_memory(len(pictures), side, form.channels or 3)
    images, kept = yield from _read(folder, pictures, side, "L" if form.channels == 1 else "RGB")
    if form.channels is None and bool((images == images[..., :1]).all()):
        images = images[..., :1]
    planes = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor([picture.label for picture in kept], dtype=torch.int64)
    return Dataset(f"{IMAGE_FOLDER}{folder}", planes, labels, classes)


def _look(folder: Path) -> Generator[Progress, None, tuple[tuple[str, ...], list[_Picture]]]:
    """The classes and the image files, both sorted; links to folders, and links out of the folder, are not followed."""
    if not os.path.isdir(folder):
        raise DataUnavailable(f"There is no folder {folder}.", "Choose a folder of images.")
    inside = folder.resolve()
    found: dict[str, list[str]] = {}  # class, "" for the folder itself, to paths relative to it
    count = 0
    for place, below, files in os.walk(folder):
        below[:] = [name for name in below if not name.startswith(".")]
        relative = Path(place).relative_to(folder)
        here = found.setdefault(relative.parts[0] if relative.parts else "", [])
        here += [(relative / name).as_posix() for name in files if _is_ours(Path(place, name), inside)]
        count += len(files)
        yield Progress(f"Looking for images in {folder.name}", count, 0)
    classes = sorted(name for name, files in found.items() if name and files)
    if not classes and not found[""]:
        raise DataUnavailable(
            f"{folder} holds no images ({', '.join(SUFFIXES)}).",
            "Choose a folder with images in it, or in one sub-folder per class.",
        )
    pictures = [
        _Picture(folder / relative, relative, label)
        for label, name in enumerate(classes or [""])
        for relative in sorted(found[name])
    ]
    return tuple(classes or [folder.name]), pictures


def _is_ours(path: Path, inside: Path) -> bool:
    if not path.name.lower().endswith(SUFFIXES) or path.name.startswith("."):
        return False
    return not path.is_symlink() or path.resolve().is_relative_to(inside)


def _held_out(picture: _Picture) -> bool:
    """Decided by the name alone, so that images that are added later leave the others where they are."""
    digest = hashlib.sha256(picture.relative.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) % HELD_OUT == 0


def _own_side(pictures: Sequence[_Picture]) -> int:
    """The side that some of the images, spread over all, have in common, in steps of 4 so that any patch fits it."""
    sizes: set[tuple[int, int]] = set()
    for picture in pictures[:: len(pictures) // LOOKED_AT + 1]:
        try:
            with _opened(picture.path) as image:
                sizes.add(image.size)
        except Exception:  # see _pixels
            continue
    width, height = sizes.pop() if len(sizes) == 1 else (0, 0)
    return width - width % 4 if width == height and SIDES[0] <= width <= SIDES[1] else SIDE


def _read(
    folder: Path, pictures: Sequence[_Picture], side: int, mode: str
) -> Generator[Progress, None, tuple[Pixels, list[_Picture]]]:
    """Images (N, side, side, C) and which they are, without those that cannot be read."""
    images = np.empty((len(pictures), side, side, 3 if mode == "RGB" else 1), np.uint8)
    kept: list[_Picture] = []
    for done, picture in enumerate(pictures):
        if done % EVERY == 0:
            yield Progress(_reading(folder, done - len(kept)), done, len(pictures))
        pixels = _pixels(picture.path, side, mode)
        if pixels is not None:
            images[len(kept)] = pixels.reshape(side, side, -1)
            kept.append(picture)
    yield Progress(_reading(folder, len(pictures) - len(kept)), len(pictures), len(pictures))
    if not kept:
        raise DataUnavailable(
            f"None of the {len(pictures)} images in {folder} can be read.",
            "Check that they open in a viewer, or choose another folder.",
        )
    return images[: len(kept)], kept


def _reading(folder: Path, unreadable: int) -> str:
    left_out = f" ({unreadable} cannot be read and are left out)" if unreadable else ""
    return f"Reading {folder.name}{left_out}"


def _pixels(path: Path, side: int, mode: str) -> Pixels | None:
    """The middle of an image, (side, side) or (side, side, 3); None for one that is damaged or too large."""
    try:
        with _opened(path) as image:
            image.draft(None, (2 * side, 2 * side))  # a JPEG is decoded at a fraction of its size, and so quickly
            if image.width * image.height > MAX_DECODED:
                return None
            image = _coarse(image, 8 * side)
            upright = ImageOps.exif_transpose(image)
            return np.asarray(ImageOps.fit(_flat(upright, mode), (side, side), Image.Resampling.BICUBIC))
    except Exception:  # on a damaged file Pillow raises almost anything; one bad file must not cost all the others
        return None


def read_grey(path: Path, side: int) -> Pixels:
    """The middle of one image file, grey, (side, side); raises BadFile."""
    pixels = _pixels(path, side, "L")
    if pixels is None:
        raise BadFile(f"{path} can't be opened as an image.", "Choose a PNG, JPEG, GIF, BMP or WebP file.")
    return pixels.copy()  # Pillow's own memory cannot be written to


def _opened(path: Path) -> Image.Image:
    """An image whose pixels are not read yet; raises for one that unpacks to more than memory should hold."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small flaws, which do not matter here
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = Image.open(path, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise Image.DecompressionBombError(f"{image.size}")
    return image


def _cut(values: np.ndarray) -> Pixels:
    """Of 16 bits the upper eight, without a copy of a large image for each step."""
    np.clip(values, 0, 65535, out=values)
    values //= 257
    return values.astype(np.uint8)


def _coarse(image: Image.Image, least: int) -> Image.Image:
    """A large image at a fraction of its size, no side shorter than `least`: later steps copy it often."""
    factor = min(image.size) // least
    if factor < 2 or image.mode.startswith("I"):
        return image
    if image.has_transparency_data:
        return image.convert("RGBA").convert("RGBa").reduce(factor).convert("RGBA")
    return image.convert("RGB").reduce(factor)


def _flat(image: Image.Image, mode: str) -> Image.Image:
    """An image in mode "L" or "RGB": 16 bits cut to 8, what is transparent on white."""
    if image.mode.startswith("I"):
        image = Image.fromarray(_cut(np.array(image)))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image.convert(mode)


def as_drawing(path: Path, side: int) -> Pixels:
    """A picture file as a drawing: bright strokes on black, turned around where the paper is white; raises BadFile."""
    image = read_grey(path, side)
    return 255 - image if image.mean() > 127 else image
