"""Films as MP4 (H.264, through PyAV), which every player shows; the stamp is the comment."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ml.events import Pixels
from ml.export.base import Export
from ml.export.metadata import Watch
from ml.imaging.safe_open import MAX_FILM_PIXELS, MAX_PIXELS
from ml.system.preload import load_libraries

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

_DECODERS = ("h264", "mpeg4")  # of ours, and none of the hundreds that FFmpeg has beside
LEAST_MS = 20  # between two pictures of an MP4
_H264 = ("libx264", "libopenh264", "h264_videotoolbox")
_QUALITY = {"libx264": {"crf": "14", "preset": "fast", "profile": "main"}}
_BIT_RATE = 8_000_000  # of encoders that know no quality


@cache
def encoder() -> tuple[str, str]:
    """The encoder for MP4, and why it is not H.264, empty where it is."""
    load_libraries("av")
    import av

    found = next((name for name in _H264 if name in av.codecs_available), "")
    if found:
        return found, ""
    return "mpeg4", "This PyAV has no H.264 encoder: MP4 films are MPEG-4 part 2, which browsers do not play."


def write(path: Path, export: Export) -> None:
    """The film of an export. Raises OSError."""
    encode(path, export.frame, export.times, export.stamp(export.frame(-1)), export.watch)


def encode(path: Path, picture: Callable[[int], Pixels], times: Sequence[int], stamp: str, watch: Watch) -> None:
    """A film that shows `picture(k)` for `times[k]` milliseconds.

    The frame rate is constant, and longer times repeat a picture: players show that better than variable rates.
    """
    codec, _ = encoder()
    import av

    tick = max(gcd(*times), LEAST_MS)
    with _as_os_error(), av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        container.metadata["comment"] = stamp
        stream: Any = container.add_stream(codec, rate=round(1000 / tick), options=_QUALITY.get(codec, {}))
        stream.pix_fmt = "yuv420p"
        if codec not in _QUALITY:
            stream.bit_rate = _BIT_RATE
        stream.height, stream.width = _even(picture(0)).shape[:2]
        for done, shown_ms in enumerate(times):
            even = _even(picture(done))
            for _ in range(max(1, round(shown_ms / tick))):
                watch(done, len(times))
                frame = av.VideoFrame.from_ndarray(even, format="gray" if even.ndim == 2 else "rgb24")
                container.mux(stream.encode(frame))
        for packet in stream.codec_context.encode_lazy(None):  # dozens of pictures wait to be compared with later ones
            watch(len(times), len(times))
            packet.stream = stream
            container.mux(packet)


def _even(picture: Pixels) -> Pixels:
    """With a black row or column more where a side is odd: H.264 has a value of colour for every two."""
    edges = [(0, side % 2) for side in picture.shape[:2]]
    return np.pad(picture, [*edges, (0, 0)][: picture.ndim])


def read_metadata(path: Path) -> str:
    """The comment of an MP4, after its pictures proved to be whole. Raises OSError, MemoryError, ValueError."""
    read_pixels(path)
    with _opened(path) as container:
        return container.metadata.get("comment", "")


def read_pixels(path: Path) -> Pixels:
    """The last picture of an MP4, (H, W, 3), whose sides are even. Raises as `read_metadata` does."""
    last: VideoFrame | None = None
    with _opened(path) as container:
        if not container.streams.video:
            raise ValueError("no pictures in it")
        size = container.streams.video[0]
        if size.width * size.height > MAX_PIXELS:
            raise MemoryError(f"{size.width} x {size.height}")
        if size.codec_context.codec.name not in _DECODERS:
            raise ValueError(f"{size.codec_context.codec.name} in it")
        left = MAX_FILM_PIXELS
        for frame in container.decode(video=0):
            left -= frame.width * frame.height
            if left < 0 or frame.width * frame.height > MAX_PIXELS:
                raise MemoryError("an endless film")
            last = frame
        if last is None:
            raise ValueError("not one picture in it")
        return last.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


@contextmanager
def _opened(path: Path) -> "Iterator[InputContainer]":
    """Opened as a file and as an MP4 only: a name that looks like an address is never fetched."""
    load_libraries("av")
    import av

    with _as_os_error(), path.open("rb") as file, av.open(file, format="mp4") as container:
        yield cast("InputContainer", container)


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Errors of FFmpeg with the reason that the system gave, where it gave one."""
    from av.error import FFmpegError

    try:
        yield
    except FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error
