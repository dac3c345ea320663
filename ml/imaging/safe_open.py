"""Opening images that may be damaged or hostile."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ml.errors import BadFile, NoiseloomError
from ml.system.files import check_regular

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 16_000_000  # of one picture, written or read: at most 200 MB in memory
MAX_FILM_PIXELS = 4_000_000_000  # of all frames of a film, read: some seconds of decoding
OTHER_FILE = "Choose an image, a film or arrays that Noiseloom exported."


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn every failure to read a damaged, missing or hostile file into a BadFile."""
    try:
        check_regular(path)
        yield
    except NoiseloomError:
        raise
    except FileNotFoundError as error:
        raise BadFile(f"{path} does not exist.", "Check the name.") from error
    except MemoryError as error:
        raise BadFile(f"{path.name} claims to be far larger than a picture of ours.", OTHER_FILE) from error
    except Exception as error:  # a damaged file can fail anywhere in its decoder
        raise BadFile(f"{path.name} cannot be read: it is damaged, or not what its name says.", OTHER_FILE) from error


@contextmanager
def opened(source: Path | BinaryIO, formats: tuple[str, ...]) -> "Iterator[Image.Image]":
    """A picture of one of the formats, not decoded yet; raises what `reading` catches, MemoryError for a bomb."""
    from PIL import Image  # not at the start of a window, which needs none

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of damaged metadata, which we then refuse or never read
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(source, formats=formats) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise MemoryError(f"{image.size}")
                yield image
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise MemoryError(str(error)) from error
