"""One image file as a small square: opened safely, reduced while decoding, cut to 8 bits, put on a ground, fitted."""

import hashlib
import io
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, features

from ml.data.archive import Source
from ml.errors import BadFile
from ml.events import Pixels
from ml.specs import FitName

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # and none of Pillow's rarer, less careful readers
if features.check("avif"):
    FORMATS += ("AVIF",)
MAX_DECODED = 50_000_000  # pixels of what is decoded: 200 MB while it is read; a JPEG is decoded at a fraction
LARGE = 4_000_000  # pixels: only one such image is decoded at a time
FAINT = 32  # of 255: the mean contrast below which a drawing is lost on its ground
DEPTHS = (4095, 65535)  # the largest value of 12 bits and of 16
BITS, WHITE_IS_ZERO, LEAST, MOST, LEAST_FLOAT, MOST_FLOAT = 258, 262, 280, 281, 340, 341  # tags of TIFF

_one_large_at_a_time = threading.Lock()


class Unreadable(Exception):
    """Why an image cannot be used, as a reason in a list."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadImage:
    """An image as a square, (side, side) or (side, side, 3), and what its file is like."""

    pixels: Pixels
    width: int  # of the file
    height: int
    transparent: bool
    brightness: float | None  # mean of what is visible, 0 to 255; None where nothing is
    edge: float  # mean brightness along the edge


def read(source: Source, side: int, mode: str, fit: FitName = "crop", ground: str = "auto") -> ReadImage:
    """An image in mode "L" or "RGB"; the ground "auto" is white, or black where white would hide it.

    16 bits and floating point are scaled by the range that the file states, else by the one that it has.
    Raises Unreadable.
    """
    try:
        with Image.open(_opened(source), formats=FORMATS) as image:
            width, height = image.size
            image.draft(None, (2 * side, 2 * side))  # a JPEG is decoded at a fraction of its size, and so quickly
            pixels = image.width * image.height
            if pixels > MAX_DECODED:
                raise Unreadable(f"images of more than {MAX_DECODED // 10**6} million pixels")
            if pixels <= LARGE:
                small = _upright(image, 8 * side)
            else:
                with _one_large_at_a_time:
                    small = _upright(image, 8 * side)
        transparent, brightness = _visible(small)
        if ground == "auto":
            ground = ground_for([brightness] if transparent else [])
        square = FITTERS[fit](_flat(small, mode, ground), side, ground)
        return ReadImage(np.asarray(square), width, height, transparent, brightness, _edge(small))
    except Unreadable:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable(f"images of more than {MAX_DECODED // 10**6} million pixels") from error
    except Exception as error:  # on a damaged file Pillow raises almost anything; it must not cost all the others
        raise Unreadable("images that cannot be read (damaged, or not what their names say)") from error


def _opened(source: Source) -> Path | io.BytesIO:
    return source if isinstance(source, Path) else io.BytesIO(source())


def size_of(source: Source) -> tuple[int, int] | None:
    """Width and height of an image whose pixels are not read; None for one that cannot be opened."""
    try:
        with Image.open(_opened(source), formats=FORMATS) as image:
            return image.size
    except Exception:  # see `read`
        return None


def content_hash(source: Source) -> str:
    """A hash of a file's bytes; raises OSError."""
    if not isinstance(source, Path):
        return hashlib.sha256(source()).hexdigest()
    with open(source, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ground_for(brightness: Sequence[float | None]) -> str:
    """White or black behind transparent images, by the mean brightness of what each shows.

    White, unless more than one image in twenty is lost on it and fewer are lost on black.
    """
    seen = [value for value in brightness if value is not None]
    on_white, on_black = sum(value > 255 - FAINT for value in seen), sum(value < FAINT for value in seen)
    return "black" if on_white > max(on_black, len(seen) // 20) else "white"


def read_grey(path: Path, side: int) -> Pixels:
    """The middle of one image file, grey, (side, side); raises BadFile."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small flaws, and of sizes that `read` limits itself
        try:
            return read(path, side, "L").pixels.copy()  # Pillow's own memory cannot be written to
        except Unreadable as error:
            large = f", since it is one of the {error}" if "million" in str(error) else ""
            raise BadFile(
                f"{path} can't be opened as an image{large}.", "Choose a PNG, JPEG, GIF, BMP or WebP file."
            ) from error


def as_drawing(path: Path, side: int) -> Pixels:
    """A picture file as a drawing: bright strokes on black, turned around where the paper is white; raises BadFile."""
    image = read_grey(path, side)
    return 255 - image if image.mean() > 127 else image


def _upright(image: Image.Image, least: int) -> Image.Image:
    """An image in 8 bits, as it was held, and if it is large at a fraction of its size: no side below `least`."""
    if image.mode[0] in "IF":
        return _coarse(_eight_bits(ImageOps.exif_transpose(image), _stated_range(image)), least)
    if any(";16B" in str(tile[3]) for tile in getattr(image, "tile", ())):  # of a file
        image = _of_twelve_bits(image)
    return ImageOps.exif_transpose(_coarse(image, least))


def _coarse(image: Image.Image, least: int) -> Image.Image:
    """A large image at a fraction of its size: later steps copy it often."""
    factor = min(image.size) // least
    if factor < 2:
        return image
    if image.has_transparency_data:
        return image.convert("RGBA").convert("RGBa").reduce(factor).convert("RGBA")
    return (image if image.mode in ("L", "RGB") else image.convert("RGB")).reduce(factor)


def _stated_range(image: Image.Image) -> tuple[float, float] | None:
    """The values of black and white that a TIFF states, by its tags or its number of bits."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return None
    tags = image.tag_v2
    for least, most in ((LEAST_FLOAT, MOST_FLOAT), (LEAST, MOST)):
        if most in tags:
            low, high = (float(np.ravel(tags.get(tag, 0))[0]) for tag in (least, most))
            if low < high:
                return (high, low) if tags.get(WHITE_IS_ZERO) == 0 else (low, high)
    bits = int(np.ravel(tags.get(BITS, 1))[0])
    if image.mode.startswith("I;16") and 8 < bits < 16:
        return 0, 2**bits - 1
    return None


def _eight_bits(image: Image.Image, stated: tuple[float, float] | None) -> Image.Image:
    """A grey image of 16 bits, 32 bits or floating point, scaled to 8 bits."""
    values = np.array(image, np.float32)
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    black, white = stated or _own_range(values, is_float=image.mode == "F")
    values -= black
    values *= 255
    values /= white - black
    return Image.fromarray(np.clip(values, 0, 255, out=values).astype(np.uint8))


def _own_range(values: np.ndarray, is_float: bool) -> tuple[float, float]:
    """The range of values that state none: of 12 or 16 bits, from 0 to 1, from 0 to 255, or from least to most."""
    least, most = float(values.min()), float(values.max())
    usual: tuple[float, ...] = DEPTHS
    if is_float:
        usual = (1,) if most <= 1 else (255,) if 128 <= most <= 255 else ()
    within = [white for white in usual if least >= 0 and most <= white]
    if within:
        return 0, within[0]
    return least, most if most > least else least + 1


def _of_twelve_bits(image: Image.Image) -> Image.Image:
    """A colour image of 16 bits, scaled to 8 where it uses 12 of them; Pillow has kept the upper 8 of the 16."""
    if image.mode not in ("RGB", "RGBA") or np.asarray(image)[..., :3].max() > 15:
        return image
    colours, alpha = image.split()[:3], image.split()[3:]
    bright = [band.point([min(17 * value, 255) for value in range(256)]) for band in colours]
    return Image.merge(image.mode, [*bright, *alpha])


def _visible(image: Image.Image) -> tuple[bool, float | None]:
    """Whether an image has transparent pixels, and the mean brightness of what it shows."""
    if not image.has_transparency_data:
        return False, None
    grey, alpha = (np.asarray(part, np.float32) for part in image.convert("RGBA").convert("LA").split())
    weight = float(alpha.sum())
    return bool(alpha.min() < 255), float((grey * alpha).sum()) / weight if weight else None


def _edge(image: Image.Image) -> float:
    grey = np.asarray(image.convert("L"))
    return float(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).mean())


def _flat(image: Image.Image, mode: str, ground: str) -> Image.Image:
    """An image in mode "L" or "RGB", its transparency on the ground."""
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, ground), image.convert("RGBA"))
    return image.convert(mode)


def _crop(image: Image.Image, side: int, _ground: str) -> Image.Image:
    return ImageOps.fit(image, (side, side), Image.Resampling.BICUBIC)


def _whole(image: Image.Image, side: int, ground: str) -> Image.Image:
    return ImageOps.pad(image, (side, side), Image.Resampling.BICUBIC, color=ground)


def _stretch(image: Image.Image, side: int, _ground: str) -> Image.Image:
    return image.resize((side, side), Image.Resampling.BICUBIC)


FITTERS: Mapping[FitName, Callable[[Image.Image, int, str], Image.Image]] = {
    "crop": _crop,
    "whole": _whole,
    "stretch": _stretch,
}
