"""A film as one Pillow image of many frames, each made when a writer seeks to it."""

from collections.abc import Callable
from io import UnsupportedOperation
from pathlib import Path
from typing import IO, Any

from PIL import Image

from ml.export.base import Export


def save(path: Path, export: Export, **options: Any) -> None:
    """Write the film of an export, endless, with what Pillow needs to know about the format. Raises OSError."""
    film = _Film(export)
    times = export.times
    with path.open("wb") as file:  # which Pillow would leave open where `watch` stops it
        watched: Any = _WatchedFile(file, lambda: export.watch(len(times), len(times)))
        film.save(watched, save_all=True, duration=times, loop=0, **options)


class _WatchedFile:
    """A file that calls `watch` before it writes: some writers go through all frames before they encode the first."""

    def __init__(self, file: IO[bytes], watch: Callable[[], None]) -> None:
        self._file, self._watch = file, watch

    def write(self, data: bytes) -> int:
        self._watch()
        return self._file.write(data)

    def fileno(self) -> int:
        raise UnsupportedOperation("an encoder would write past `write`")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Film(Image.Image):
    """The frames of an export, which Pillow's writers go through one after another."""

    def __init__(self, export: Export) -> None:
        super().__init__()
        self._export, self._at = export, 0
        self.n_frames = len(export.film)
        self.seek(0)

    def seek(self, frame: int) -> None:
        if not 0 <= frame < self.n_frames:
            raise EOFError("no more pictures")
        self._export.watch(frame, self.n_frames)
        shown = Image.fromarray(self._export.frame(frame))
        self._im, self._mode, self._size, self._at = shown.im, shown.mode, shown.size, frame

    def tell(self) -> int:
        return self._at
