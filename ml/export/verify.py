"""Whether a file shows what its request gives when it is drawn again, and if not, what is different and why."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ml.config import SampleRequest
from ml.events import Pixels
from ml.export.base import Export, Loss
from ml.export.formats import FORMATS
from ml.export.metadata import Stamp, digest
from ml.system.versions import same_processor, versions

BLOCK = 8  # pixels: H.264 and a palette keep the mean of such a square far better than a single pixel
ROUNDED = 1  # of 255, between what two processors make of one request


@dataclass(frozen=True, slots=True)
class Proof:
    """`words` say what was found, in the middle of a sentence; `why` what may have caused a difference."""

    same: bool
    words: str
    why: str = ""


def prove(suffix: str, stamp: Stamp, found: Pixels, draw: Callable[[SampleRequest], Pixels]) -> Proof:
    """Have `draw` draw the request again, and compare."""
    return compare(suffix, stamp, found, draw(stamp.request))


def compare(suffix: str, stamp: Stamp, found: Pixels, images: Pixels) -> Proof:
    """Compare what was read from a file of that format with the images of its request, drawn again."""
    file_format = FORMATS[suffix]
    made = Export(file_format, images, stamp.request, stamp.layout).shown()
    if file_format.loss is None or (images.ndim == 3 and file_format.loss.keeps_grey):
        return compare_exactly(stamp, found, made)
    return _compare_lossy(file_format.loss, stamp, found, made)


def compare_exactly(stamp: Stamp, found: Pixels, made: Pixels, words: str = "the same pixels") -> Proof:
    """Whether two pictures show the same, be they stored as grey or as equal red, green and blue.

    One processor draws the same pixels each time; another may round some by 1 of 255.
    """
    if found.ndim == made.ndim + 1:
        made = np.repeat(made[..., None], 3, axis=-1)
    if np.array_equal(found, made):
        return Proof(True, words)
    close = found.shape == made.shape and np.abs(found.astype(int) - made.astype(int)).max() <= ROUNDED
    if close and not same_processor(stamp.versions):
        return Proof(True, f"{words}, rounded by another processor: {difference(found, made)}")
    return Proof(False, difference(found, made), _other_versions(stamp))


def _compare_lossy(loss: Loss, stamp: Stamp, found: Pixels, made: Pixels) -> Proof:
    """The stamp has the hash of the exact pixels, and the last picture must look like them."""
    same = digest(made) == stamp.pixels
    if not same and same_processor(stamp.versions):
        return Proof(False, "other pixels than those it records", _other_versions(stamp))
    height, width = made.shape[:2]
    stored = (height + height % 2, width + width % 2) if loss.even_sides else (height, width)
    if found.shape[:2] != stored:
        return Proof(False, difference(found, made))
    apart = np.abs(_means(found[:height, :width]) - _means(made)).max()
    if apart > loss.tolerance:
        return Proof(False, f"a last picture that is not the recorded one: parts differ by {apart:.0f} of 255")
    if not same:
        return Proof(True, f"a last picture that shows them, as far as can be told ({loss.reason}; another processor "
                           "recorded them, which rounds in its own way)")  # fmt: skip
    return Proof(True, f"the same pixels as it records, and its last picture shows them ({loss.reason})")


def _means(picture: Pixels) -> np.ndarray:
    """Brightness of every whole square of BLOCK x BLOCK pixels."""
    grey = picture.mean(axis=-1) if picture.ndim == 3 else picture.astype(float)
    rows, columns = (side // BLOCK * BLOCK for side in grey.shape)
    squares = grey[:rows, :columns].reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
    return squares.mean(axis=(1, 3)) if squares.size else grey.mean(keepdims=True)


def difference(found: Pixels, made: Pixels) -> str:
    """How two pictures differ, in words."""
    sizes = [shape[:-1] if shape[-1] == 3 else shape for shape in (found.shape, made.shape)]
    if sizes[0] != sizes[1]:
        return f"other sizes, {sizes[0]} in the file and {sizes[1]} made again"
    if found.ndim != made.ndim:
        found, made = (picture if picture.shape[-1] == 3 else picture[..., None] for picture in (found, made))
    apart = np.abs(found.astype(int) - made.astype(int))
    return f"{np.count_nonzero(apart)} values differ, by at most {apart.max()} of 255"


def _other_versions(stamp: Stamp) -> str:
    then, now = stamp.versions, versions()
    other = [f"{name} {then[name]} (here {now[name]})" for name in now if then.get(name, now[name]) != now[name]]
    return f"It was made with {', '.join(other)}." if other else ""
