"""Exported files: images, films and arrays, each with the request that made it.

Every file holds a `Stamp` as JSON: in PNG and APNG as a text chunk `noiseloom`, in GIF and MP4 as the comment, in WebP
as the EXIF image description, in SVG as the metadata, in NPZ as the array `noiseloom`. So an image can be made again,
and `ml.export.verify` can prove it.
"""

from collections.abc import Sequence
from pathlib import Path

from ml.config import SampleRequest
from ml.errors import BadRequest
from ml.events import Pixels
from ml.export.base import Export, Format
from ml.export.formats import FORMATS, format_of
from ml.export.metadata import Layout, Stamp, Watch, parsed, unwatched
from ml.imaging.safe_open import reading
from ml.system.files import atomic, atomic_folder


def save(
    path: Path | str,
    images: Pixels,
    request: SampleRequest,
    layout: Layout,
    film: Sequence[Pixels] = (),
    watch: Watch = unwatched,
) -> None:
    """Write images (N, H, W[, 3]) in the format that the path's suffix names.

    `film` has the frames of a film, one (N, H, W[, 3]) each, and is an NPZ's `trajectory`. Raises BadRequest,
    CannotWrite, and whatever `watch` does; then there is no file, or the one before.
    """
    file_format = format_of(path)
    if file_format.animated and not film:
        raise BadRequest("There is no denoising to write yet.", "Generate images first, with every step kept.")
    with atomic(path) as temporary:
        file_format.write(temporary, Export(file_format, images, request, layout, film, watch))


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
            save(temporary / names[-1], image[None], alone, layout)
    return [Path(folder) / name for name in names]


def read_request(path: Path | str) -> tuple[SampleRequest, Layout]:
    """The request and layout in a file we wrote; raises BadFile."""
    stamp = read_stamp(path)
    return stamp.request, stamp.layout


def read_stamp(path: Path | str) -> Stamp:
    """The metadata in a file we wrote; raises BadFile. Nothing in the file is executed."""
    path = Path(path)
    with reading(path):
        text = _written_as(path).read_metadata(path)
    return parsed(path, text)


def read_pixels(path: Path | str) -> Pixels:
    """What a file we wrote shows: the picture, a film's last frame, or the images in it; raises BadFile."""
    path = Path(path)
    with reading(path):
        return _written_as(path).read_pixels(path)


def _written_as(path: Path) -> Format:
    """The format of the suffix; an image with any other name is recognised by its content."""
    return FORMATS.get(path.suffix.lower(), FORMATS[".png"])
