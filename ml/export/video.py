"""Films: the time of each frame, and the encoder that fits the file."""

from collections.abc import Sequence
from pathlib import Path

from ml.export.formats import PictureOf
from ml.export.metadata import Watch
from ml.export.mp4 import write_mp4


def times_of(count: int, first_ms: int, frame_ms: int, last_ms: int) -> list[int]:
    """How long each of `count` pictures is shown, in milliseconds."""
    times = [frame_ms] * count
    times[0], times[-1] = first_ms, last_ms
    return times


def write_film(path: Path, suffix: str, picture: PictureOf, times: Sequence[int], stamp: str, watch: Watch) -> None:
    """Write a picture for each of `times` (ms), in the format that `suffix` names. Raises OSError."""
    if suffix == ".mp4":
        write_mp4(path, picture, times, stamp, watch)
    else:
        from ml.export import animation  # not at the start of a window, which needs no Pillow

        animation.write(path, suffix, picture, times, stamp, watch)
