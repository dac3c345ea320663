"""What an export format is, and what is exported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ml.config import SampleRequest
from ml.errors import BadRequest
from ml.events import Pixels
from ml.export.contact_sheet import sheet, size_of
from ml.export.metadata import Kind, Layout, Watch, seal, unwatched
from ml.imaging.pixels import grid
from ml.imaging.safe_open import MAX_PIXELS

# One image of all (a grid or a labelled sheet), a labelled sheet whose images are separate, a film, or plain arrays.
Content = Literal["picture", "sheet", "film", "arrays"]


@dataclass(frozen=True, slots=True)
class Loss:
    """How far the pixels in a lossy file may be from those that were written, as `ml.export.verify` allows."""

    tolerance: int  # of 255, between the means of squares
    reason: str
    keeps_grey: bool = False  # grey images are stored without loss
    even_sides: bool = False  # odd sides get a black row or column more


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file. The readers raise anything for a damaged file; `ml.export.files` makes it a BadFile."""

    suffix: str  # lower case, with its dot
    title: str
    content: Content
    write: Callable[[Path, "Export"], None]
    read_metadata: Callable[[Path], str]  # the stamp, "" where there is none; checks that the file is whole
    read_pixels: Callable[[Path], Pixels]  # the picture, a film's last frame, or the images (N, H, W[, 3])
    max_side: int = MAX_PIXELS  # of a picture or a frame
    loss: Loss | None = None

    @property
    def animated(self) -> bool:
        """Whether the file shows a film."""
        return self.content == "film"

    def kind(self, *, labelled: bool = False, film: Kind = "x_t") -> Kind:
        """The kind of layout that the file has; `film` where it shows a film."""
        if self.animated:
            return film
        return "sheet" if self.content == "sheet" or (labelled and self.content == "picture") else "images"

    def check_size(self, count: int, side: int, layout: Layout) -> None:
        """Raises BadRequest where a grid of `count` images is larger than what we or the format can hold."""
        if self.content == "arrays":
            return
        columns = min(layout.columns, count)
        height, width = ((side + layout.gap) * layout.scale * n for n in (-(-count // columns), columns))
        if layout.kind == "sheet":
            width, height = size_of(count, side, layout)
        if max(width, height) > self.max_side or width * height > MAX_PIXELS:
            raise BadRequest(
                f"The picture would be {width} x {height} pixels, too large for {self.suffix}.",
                "Choose a smaller scale, fewer images, or .npz.",
            )


@dataclass(frozen=True, slots=True)
class Export:
    """Images (N, H, W[, 3]) of a request on their way into a file; `film` has one such array per frame."""

    format: Format
    images: Pixels
    request: SampleRequest
    layout: Layout
    film: Sequence[Pixels] = ()
    watch: Watch = unwatched

    def shown(self) -> Pixels:
        """The finished images as the file shows them: a grid or a sheet, a film's last frame, or all of them."""
        if self.format.content in ("sheet", "arrays"):
            return self.images
        if self.layout.kind == "sheet":
            return sheet(self.images, self.request, self.layout)
        return self._grid(self.images[-1:] if self.layout.kind == "walk" else self.images)

    def frame(self, step: int) -> Pixels:
        """A frame of the film, (H', W'[, 3]); made when it is needed, since a long film does not fit into memory."""
        return self._grid(self.film[step])

    @property
    def times(self) -> list[int]:
        """How long each frame is shown, in milliseconds."""
        times = [self.layout.frame_ms] * len(self.film)
        times[0], times[-1] = self.layout.first_ms, self.layout.last_ms
        return times

    def stamp(self, pixels: Pixels) -> str:
        """The metadata of a file that shows these pixels, as ASCII JSON."""
        return seal(self.request, self.layout, pixels)

    def _grid(self, images: Pixels) -> Pixels:
        self.format.check_size(len(images), images.shape[1], self.layout)
        return grid(images, self.layout.columns, self.layout.gap, self.layout.scale)
