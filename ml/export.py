"""Files a person takes away: PNG, GIF, APNG, WebP and NPZ, each carrying the request that made it.

Every file holds a `Stamp` as JSON: in PNG and APNG as a text chunk `noiseloom`, in GIF as the comment, in WebP as the
EXIF image description, in NPZ as the array `noiseloom`. So an image can be made again, and `verify` can prove it.
"""

import hashlib
import json
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from PIL import Image, PngImagePlugin
from pydantic import Field

from ml.config import NO_LABEL, Description, SampleRequest, parse
from ml.errors import BadFile, BadRequest
from ml.events import Pixels
from ml.files import atomic, make_folder
from ml.images import grid
from ml.versions import versions

KEY = "noiseloom"
FILMS = (".gif", ".webp", ".apng")
SUFFIXES = (".png", ".npz", *FILMS)
MAX_STAMP_BYTES = 1_000_000
MAX_PIXELS = 64_000_000  # of one picture, written or read
_MAX_SIDE = {".gif": 65_535, ".webp": 16_383}  # what the formats can hold
_IMAGE_DESCRIPTION = 0x010E  # the EXIF tag
_OTHER_FILE = "Choose a PNG, GIF, WebP, APNG or NPZ that Noiseloom wrote."


class Layout(Description):
    """How images became a picture or a film."""

    columns: int = Field(default=10, ge=1, le=1000)
    scale: int = Field(default=4, ge=1, le=64, description="pixels per pixel")
    gap: int = Field(default=2, ge=0, le=64, description="pixels between images, before scaling")
    kind: Literal["images", "x_t", "x0_hat", "walk"] = Field(
        default="images",
        description="finished images, which film of the denoising, or a film of one image after another",
    )
    frame_ms: int = Field(default=80, ge=10, le=10_000)
    first_ms: int = Field(default=600, ge=10, le=60_000, description="how long a film rests on the noise ...")
    last_ms: int = Field(default=1800, ge=10, le=60_000, description="... and on the finished images")


class Stamp(Description):
    """What a file says about itself."""

    version: Literal[1] = 1
    request: SampleRequest
    layout: Layout
    versions: dict[str, str] = Field(default_factory=dict)
    pixels: str = Field(
        default="", max_length=64, description="SHA-256 of the picture, of a film's last, or of an NPZ's images"
    )


def save(path: Path | str, images: Pixels, request: SampleRequest, layout: Layout, film: Sequence[Pixels] = ()) -> None:
    """Write the format that the path's suffix names; `film` is what films show and an NPZ's `trajectory`.

    Raises BadRequest, CannotWrite.
    """
    suffix = suffix_of(path)
    if suffix == ".png":
        save_png(path, images, request, layout)
    elif suffix == ".npz":
        save_npz(path, images, request, layout, film)
    else:
        save_film(path, film, request, layout)


def suffix_of(path: Path | str) -> str:
    """The lower-case suffix of a format we write; raises BadRequest naming those there are."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        found = f"as {suffix} files" if suffix else "without a suffix"
        raise BadRequest(f"{Path(path).name}: cannot write {found}.", f"Use one of {', '.join(SUFFIXES)}.")
    return suffix


def check_size(suffix: str, count: int, side: int, layout: Layout) -> None:
    """Raises BadRequest where a grid of `count` images is larger than what we or the format can hold."""
    columns = min(layout.columns, count)
    height, width = ((side + layout.gap) * layout.scale * n for n in (-(-count // columns), columns))
    if suffix != ".npz" and (max(width, height) > _MAX_SIDE.get(suffix, MAX_PIXELS) or width * height > MAX_PIXELS):
        raise BadRequest(
            f"The picture would be {width} x {height} pixels, too large for {suffix}.",
            "Choose a smaller scale, fewer images, or .npz.",
        )


def save_png(path: Path | str, images: Pixels, request: SampleRequest, layout: Layout) -> None:
    """The grid of images (N, H, W[, 3]) as one PNG."""
    picture = _picture(images, layout, ".png")
    with atomic(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG", pnginfo=_text_chunk(_stamp(request, layout, picture)))


def save_digits(folder: Path | str, images: Pixels, request: SampleRequest, scale: int = 1) -> list[Path]:
    """One PNG per image, each with the request that makes it alone; returns the paths."""
    folder = make_folder(folder)
    layout = Layout(columns=1, scale=scale, gap=0)
    paths: list[Path] = []
    for k, image in enumerate(images):
        alone = request.alone(k)
        label = f"-label{alone.labels[0]}" if alone.labels[0] >= 0 else ""
        paths.append(folder / f"{k:05d}{label}-seed{alone.seed}.png")
        save_png(paths[-1], image[None], alone, layout)
    return paths


def save_film(path: Path | str, film: Sequence[Pixels], request: SampleRequest, layout: Layout) -> None:
    """The denoising as an endless GIF, WebP (lossless) or APNG; `film` has one (N, H, W[, 3]) per step."""
    suffix = suffix_of(path)
    if suffix not in FILMS:
        raise BadRequest(f"A denoising cannot be written as {suffix}.", f"Use one of {', '.join(FILMS)}.")
    if not film:
        raise BadRequest("There is no denoising to write yet.", "Generate images first, with every step kept.")
    pictures = [_picture(images, layout, suffix) for images in film]
    stamp = _stamp(request, layout, pictures[-1])
    first, *rest = (Image.fromarray(picture) for picture in pictures)
    times = [layout.frame_ms] * len(pictures)
    times[0], times[-1] = layout.first_ms, layout.last_ms
    with atomic(path) as temporary:
        first.save(temporary, save_all=True, append_images=rest, duration=times, loop=0, **_film_options(suffix, stamp))


def save_npz(
    path: Path | str, images: Pixels, request: SampleRequest, layout: Layout | None = None, film: Sequence[Pixels] = ()
) -> None:
    """Arrays `images`, `labels` and `request` (JSON), and the stamp; nothing in it needs pickle.

    With `film` also `trajectory` (steps + 1, N, H, W[, 3]).
    """
    stamp = _stamp(request, layout or Layout(), images)
    more: dict[str, Any] = {"trajectory": np.stack(film)} if film else {}
    labels = np.array(request.labels, np.int64)
    text = np.array(request.model_dump_json())
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, images=images, labels=labels, request=text, noiseloom=np.array(stamp), **more)


def read_request(path: Path | str) -> tuple[SampleRequest, Layout]:
    """The request and layout in a file we wrote; raises BadFile."""
    stamp = read_stamp(path)
    return stamp.request, stamp.layout


def read_stamp(path: Path | str) -> Stamp:
    """Everything a file we wrote says about itself; raises BadFile. Nothing in the file is executed."""
    path = Path(path)
    with _reading(path):
        text = _npz_text(path) if path.suffix.lower() == ".npz" else _image_text(path)
    if not text:
        raise BadFile(f"{path.name} carries no Noiseloom request.", _OTHER_FILE)
    if len(text) > MAX_STAMP_BYTES:
        raise BadFile(f"{path.name} carries {len(text)} bytes of description; that is too much.", _OTHER_FILE)
    _refuse_newer(path, text)
    return parse(Stamp, text, path.name)


def read_pixels(path: Path | str) -> Pixels:
    """What a file we wrote shows: the picture, a film's last picture, or the images of an NPZ; raises BadFile."""
    path = Path(path)
    with _reading(path):
        if path.suffix.lower() == ".npz":
            return _npz_array(path, "images", MAX_PIXELS * 8)
        with _opened(path) as image:
            image.seek(getattr(image, "n_frames", 1) - 1)
            return np.array(image.convert("RGB" if image.mode in ("RGB", "RGBA", "P") else "L"))


def read_arrays(path: Path | str) -> tuple[Pixels, tuple[int, ...]]:
    """`images` uint8 (N, H, W[, 3]) and `labels` (-1 each where there are none) of anyone's NPZ; raises BadFile."""
    path = Path(path)
    with _reading(path):
        images = _npz_array(path, "images", MAX_PIXELS * 8)
        with zipfile.ZipFile(path) as archive:
            labelled = "labels.npy" in archive.namelist()
        labels = _npz_array(path, "labels", MAX_PIXELS) if labelled else np.full(len(images), NO_LABEL)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or labels.dtype.kind not in "iu":
        found = f"{images.dtype} images of shape {images.shape} and {labels.dtype} labels"
        raise BadFile(f"{path.name} holds {found}.", "Save `images` as uint8 (N, H, W) and `labels` as integers (N,).")
    if labels.shape != (len(images),):
        raise BadFile(f"{path.name} has {len(images)} images and labels of shape {labels.shape}.", _OTHER_FILE)
    return images, tuple(labels.tolist())


def same_pixels(found: Pixels, made: Pixels) -> bool:
    """Whether two pictures show the same, be they stored as grey or as equal red, green and blue."""
    if found.ndim == made.ndim + 1:
        made = np.repeat(made[..., None], 3, axis=-1)
    return np.array_equal(found, made)


def _picture(images: Pixels, layout: Layout, suffix: str) -> Pixels:
    check_size(suffix, len(images), images.shape[1], layout)
    return grid(images, layout.columns, layout.gap, layout.scale)


def _stamp(request: SampleRequest, layout: Layout, pixels: Pixels) -> str:
    """The stamp as ASCII JSON."""
    digest = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
    stamp = Stamp(request=request, layout=layout, versions=versions(), pixels=digest)
    return json.dumps(stamp.model_dump(mode="json"), separators=(",", ":"))


def _text_chunk(stamp: str) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(KEY, stamp)
    return chunks


def _film_options(suffix: str, stamp: str) -> dict[str, Any]:
    """What Pillow needs to know to write a format, losslessly where it can, with the stamp in it."""
    if suffix == ".gif":
        return {"format": "GIF", "comment": stamp.encode(), "optimize": False}
    if suffix == ".apng":
        return {"format": "PNG", "pnginfo": _text_chunk(stamp)}
    exif = Image.Exif()
    exif[_IMAGE_DESCRIPTION] = stamp
    return {"format": "WEBP", "lossless": True, "exif": exif.tobytes()}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever a broken, missing or hostile file sets off becomes a BadFile."""
    try:
        yield
    except FileNotFoundError as error:
        raise BadFile(f"{path} does not exist.", "Check the name.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise BadFile(f"{path.name} claims to be far larger than a picture of ours.", _OTHER_FILE) from error
    except (OSError, EOFError, ValueError, SyntaxError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise BadFile(f"{path.name} cannot be read: it is damaged, or not what its name says.", _OTHER_FILE) from error


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of damaged metadata, which we then refuse or never read
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=("PNG", "GIF", "WEBP")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{image.size}")
            yield image


def _image_text(path: Path) -> str:
    """The stamp in an image, after its pixels proved to be whole."""
    with _opened(path) as image:
        texts: dict[str | None, Callable[[], object]] = {
            "PNG": lambda: image.info.get(KEY, ""),
            "GIF": lambda: image.info.get("comment", b""),
            "WEBP": lambda: image.getexif().get(_IMAGE_DESCRIPTION, ""),
        }
        text = texts[image.format]()
        image.load()
    text = text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)
    return text if text.startswith("{") else ""


def _npz_text(path: Path) -> str:
    text = _npz_array(path, KEY, 4 * MAX_STAMP_BYTES + 1000)
    return cast(str, text.item()) if text.shape == () and text.dtype.kind == "U" else ""


def _npz_array(path: Path, name: str, most_bytes: int) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo(f"{name}.npy").file_size > most_bytes:
            raise MemoryError(name)
    with np.load(path, allow_pickle=False) as arrays:
        return arrays[name]


def _refuse_newer(path: Path, text: str) -> None:
    try:
        version = json.loads(text).get("version")
    except (ValueError, AttributeError, RecursionError):
        return  # `parse` says what is wrong with it
    if isinstance(version, int) and version > 1:
        raise BadFile(f"{path.name} was written by a newer Noiseloom (format {version}).", "Update Noiseloom.")
