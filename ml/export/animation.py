"""GIF, lossless WebP and APNG through Pillow, picture by picture."""

from collections.abc import Callable, Sequence
from io import UnsupportedOperation
from pathlib import Path
from typing import IO, Any

from PIL import Image

from ml.export.formats import PictureOf
from ml.export.metadata import IMAGE_DESCRIPTION, Watch
from ml.imaging.png import text_chunk


def write(path: Path, suffix: str, picture: PictureOf, times: Sequence[int], stamp: str, watch: Watch) -> None:
    """Write a picture for each of `times` (ms), in the format that `suffix` names. Raises OSError."""
    film = _Film(picture, len(times), watch)
    with path.open("wb") as file:  # which Pillow would leave open where `watch` stops it
        watched: Any = _WatchedFile(file, lambda: watch(len(times), len(times)))
        film.save(watched, save_all=True, duration=list(times), loop=0, **_options(suffix, stamp))


class _WatchedFile:
    """A file that looks up before it writes: some writers go through all pictures before they encode the first."""

    def __init__(self, file: IO[bytes], look: Callable[[], None]) -> None:
        self._file, self._look = file, look

    def write(self, data: bytes) -> int:
        self._look()
        return self._file.write(data)

    def fileno(self) -> int:
        raise UnsupportedOperation("then an encoder would write by itself")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Film(Image.Image):
    """The pictures as one image of many frames, which Pillow's writers go through one after another."""

    def __init__(self, picture: PictureOf, count: int, watch: Watch) -> None:
        super().__init__()
        self._picture, self._watch, self._at = picture, watch, 0
        self.n_frames = count
        self.seek(0)

    def seek(self, frame: int) -> None:
        if not 0 <= frame < self.n_frames:
            raise EOFError("no more pictures")
        self._watch(frame, self.n_frames)
        shown = Image.fromarray(self._picture(frame))
        self._im, self._mode, self._size, self._at = shown.im, shown.mode, shown.size, frame

    def tell(self) -> int:
        return self._at


def _options(suffix: str, stamp: str) -> dict[str, Any]:
    """What Pillow needs to know to write a format, losslessly where it can, with the stamp in it."""
    if suffix == ".gif":
        return {"format": "GIF", "comment": stamp.encode(), "optimize": False}
    if suffix == ".apng":
        return {"format": "PNG", "pnginfo": text_chunk(stamp)}
    exif = Image.Exif()
    exif[IMAGE_DESCRIPTION] = stamp
    return {"format": "WEBP", "lossless": True, "exif": exif.tobytes()}
