"""Whether a file shows what its request gives when it is drawn again, and if not, what is different and why."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ml.company import accompanied
from ml.config import SampleRequest
from ml.events import Pixels
from ml.export import shown
from ml.stamp import Stamp, digest
from ml.versions import versions

BLOCK = 8  # pixels: H.264 and a palette keep the mean of such a square far better than a single pixel
CLOSE = {".mp4": 10, ".gif": 16}  # of 255, between such means
KEEPS = {".mp4": "an MP4 keeps no exact pixels", ".gif": "a GIF keeps no more than 256 colours"}


@dataclass(frozen=True, slots=True)
class Proof:
    """`words` say what was found, in the middle of a sentence; `why` what may have caused a difference."""

    same: bool
    words: str
    why: str = ""


def prove(suffix: str, stamp: Stamp, found: Pixels, draw: Callable[[SampleRequest], Pixels]) -> Proof:
    """Have `draw` draw the request again, and compare.

    A file of a few images, which may come out of a large grid, has a second chance in company.
    """
    request = stamp.request
    proof = compare(suffix, stamp, found, draw(request))
    company = accompanied(request)
    if proof.same or company is request:
        return proof
    second = compare(suffix, stamp, found, draw(company)[: len(request.labels)])
    return second if second.same else proof


def compare(suffix: str, stamp: Stamp, found: Pixels, images: Pixels) -> Proof:
    """Compare what was read from a file of that format with the images of its request, drawn again."""
    made = shown(suffix, images, stamp.request, stamp.layout)
    if suffix == ".mp4" or (suffix == ".gif" and images.ndim == 4):
        return _compare_film(suffix, stamp, found, made)
    if same_pixels(found, made):
        return Proof(True, "the same pixels")
    return Proof(False, difference(found, made), _other_versions(stamp))


def same_pixels(found: Pixels, made: Pixels) -> bool:
    """Whether two pictures show the same, be they stored as grey or as equal red, green and blue."""
    if found.ndim == made.ndim + 1:
        made = np.repeat(made[..., None], 3, axis=-1)
    return np.array_equal(found, made)


def _compare_film(suffix: str, stamp: Stamp, found: Pixels, made: Pixels) -> Proof:
    """These keep no exact pixels: the stamp has their hash, and the last picture must look like them."""
    if digest(made) != stamp.pixels:
        return Proof(False, "other pixels than those it records", _other_versions(stamp))
    height, width = made.shape[:2]
    evened = (height + height % 2, width + width % 2) if suffix == ".mp4" else (height, width)
    if found.shape[:2] != evened:
        return Proof(False, difference(found, made))
    apart = np.abs(_means(found[:height, :width]) - _means(made)).max()
    if apart > CLOSE[suffix]:
        return Proof(False, f"a last picture that is not the recorded one: parts differ by {apart:.0f} of 255")
    return Proof(True, f"the same pixels as it records, and its last picture shows them ({KEEPS[suffix]})")


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
