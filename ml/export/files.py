"""Files a person takes away: pictures, films, arrays, each carrying the request that made it.

Every file holds a `Stamp` as JSON: in PNG and APNG as a text chunk `noiseloom`, in GIF and MP4 as the comment, in WebP
as the EXIF image description, in SVG as the metadata, in NPZ as the array `noiseloom`. So an image can be made again,
and `ml.export.verify` can prove it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ml.config import SampleRequest
from ml.errors import BadRequest
from ml.events import Pixels
from ml.export.contact_sheet import sheet, size_of
from ml.export.formats import FILMS, MAX_FILM_PIXELS, MAX_SIDE
from ml.export.metadata import IMAGE_DESCRIPTION, Layout, Stamp, Watch, parsed, seal, unwatched
from ml.export.mp4 import last_of_mp4, mp4_text
from ml.export.npz import npz_bytes, npz_text, save_npz
from ml.export.svg import svg, svg_images, svg_text
from ml.export.video import times_of, write_film
from ml.imaging.pixels import grid
from ml.imaging.png import KEY, write_png
from ml.imaging.safe_open import MAX_PIXELS, opened, reading
from ml.system.files import atomic, atomic_folder

SUFFIXES = (".png", ".svg", ".npz", *FILMS)
_PICTURES = ("PNG", "GIF", "WEBP")
ARRAYS = (".npz", ".svg")  # that hold images one by one and not in a grid


def save(
    path: Path | str,
    images: Pixels,
    request: SampleRequest,
    layout: Layout,
    film: Sequence[Pixels] = (),
    watch: Watch = unwatched,
) -> None:
    """Write the format that the path's suffix names; `film` is what films show and an NPZ's `trajectory`.

    Raises BadRequest, CannotWrite, and whatever `watch` does, leaving nothing behind.
    """
    suffix = suffix_of(path)
    if suffix == ".png":
        save_png(path, images, request, layout)
    elif suffix == ".svg":
        save_svg(path, images, request, layout)
    elif suffix == ".npz":
        save_npz(path, images, request, layout, film)
    else:
        save_film(path, film, request, layout, watch)


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
    if layout.kind == "sheet":
        width, height = size_of(count, side, layout)
    if suffix != ".npz" and (max(width, height) > MAX_SIDE.get(suffix, MAX_PIXELS) or width * height > MAX_PIXELS):
        raise BadRequest(
            f"The picture would be {width} x {height} pixels, too large for {suffix}.",
            "Choose a smaller scale, fewer images, or .npz.",
        )


def shown(suffix: str, images: Pixels, request: SampleRequest, layout: Layout) -> Pixels:
    """What a file of that format shows of finished images: a grid or sheet, a film's last picture, or all of them."""
    if suffix in ARRAYS:
        return images
    if layout.kind == "sheet":
        return sheet(images, request, layout)
    return _picture(images[-1:] if layout.kind == "walk" else images, layout, suffix)


def save_png(path: Path | str, images: Pixels, request: SampleRequest, layout: Layout) -> None:
    """The images (N, H, W[, 3]) as one PNG: a grid, or a labelled sheet."""
    picture = shown(".png", images, request, layout)
    with atomic(path) as temporary:
        write_png(temporary, picture, seal(request, layout, picture))


def save_svg(path: Path | str, images: Pixels, request: SampleRequest, layout: Layout) -> None:
    """The images as a labelled sheet whose words are text and whose images keep their pixels."""
    text = svg(images, request, layout, seal(request, layout, images))
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def save_digits(
    folder: Path | str, images: Pixels, request: SampleRequest, scale: int = 1, watch: Watch = unwatched
) -> list[Path]:
    """One PNG per image, each with the request that makes it alone; returns the paths.

    Where that fails, or `watch` raises, the folder is left as it was found.
    """
    layout = Layout(columns=1, scale=scale, gap=0)
    names: list[str] = []
    with atomic_folder(folder) as temporary:
        for k, image in enumerate(images):
            watch(k, len(images))
            alone = request.alone(k)
            label = f"-label{alone.labels[0]}" if alone.labels[0] >= 0 else ""
            names.append(f"{k:05d}{label}-seed{alone.seed}.png")
            save_png(temporary / names[-1], image[None], alone, layout)
    return [Path(folder) / name for name in names]


def save_film(
    path: Path | str, film: Sequence[Pixels], request: SampleRequest, layout: Layout, watch: Watch = unwatched
) -> None:
    """The denoising as an endless GIF, WebP (lossless) or APNG, or as an MP4; `film`: one (N, H, W[, 3]) per step."""
    suffix = suffix_of(path)
    if suffix not in FILMS:
        raise BadRequest(f"A denoising cannot be written as {suffix}.", f"Use one of {', '.join(FILMS)}.")
    if not film:
        raise BadRequest("There is no denoising to write yet.", "Generate images first, with every step kept.")
    stamp = seal(request, layout, _picture(film[-1], layout, suffix))
    times = times_of(len(film), layout.first_ms, layout.frame_ms, layout.last_ms)
    with atomic(path) as temporary:
        write_film(temporary, suffix, lambda step: _picture(film[step], layout, suffix), times, stamp, watch)


def read_request(path: Path | str) -> tuple[SampleRequest, Layout]:
    """The request and layout in a file we wrote; raises BadFile."""
    stamp = read_stamp(path)
    return stamp.request, stamp.layout


def read_stamp(path: Path | str) -> Stamp:
    """Everything a file we wrote says about itself; raises BadFile. Nothing in the file is executed."""
    path = Path(path)
    texts: dict[str, Callable[[Path], str]] = {".npz": npz_text, ".svg": svg_text, ".mp4": mp4_text}
    with reading(path):
        text = texts.get(path.suffix.lower(), _image_text)(path)
    return parsed(path, text)


def read_pixels(path: Path | str) -> Pixels:
    """What a file we wrote shows: the picture, a film's last picture, or the images in it; raises BadFile."""
    path = Path(path)
    with reading(path):
        match path.suffix.lower():
            case ".npz":
                return npz_bytes(path)
            case ".svg":
                return svg_images(path)
            case ".mp4":
                return last_of_mp4(path)
        with opened(path, _PICTURES) as image:
            count = getattr(image, "n_frames", 1)
            if count * image.width * image.height > MAX_FILM_PIXELS:
                raise MemoryError(f"{count} pictures")
            image.seek(count - 1)
            mode = "RGB" if image.mode in ("RGB", "RGBA", "P") else "L"
            return np.array(image if image.mode == mode else image.convert(mode))


def _picture(images: Pixels, layout: Layout, suffix: str) -> Pixels:
    check_size(suffix, len(images), images.shape[1], layout)
    return grid(images, layout.columns, layout.gap, layout.scale)


def _image_text(path: Path) -> str:
    """The stamp in an image, after its pixels proved to be whole."""
    with opened(path, _PICTURES) as image:
        texts: dict[str | None, Callable[[], object]] = {
            "PNG": lambda: image.info.get(KEY, ""),
            "GIF": lambda: image.info.get("comment", b""),
            "WEBP": lambda: image.getexif().get(IMAGE_DESCRIPTION, ""),
        }
        text = texts[image.format]()
        image.load()
    return text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)
