"""Sampling a request under a progress line, and writing its images."""

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from ml.cli.console import INTERRUPTED, Line, interruptible, progress_in_words
from ml.config import SampleRequest
from ml.errors import BadRequest
from ml.events import Frame, Pixels, Progress, Sampled
from ml.export import files as exports
from ml.export import mp4
from ml.export.base import Format
from ml.export.metadata import Kind, Layout
from ml.specs import DeviceName

SCALES = (4, 2, 1)


MAX_COLUMNS = 20


def layout_that_fits(file_format: Format, count: int, side: int, columns: int, kind: Kind) -> Layout:
    """The grid at the largest scale that its format can hold; raises BadRequest where none fits."""
    for scale in SCALES:
        layout = Layout(columns=columns, scale=scale, kind=kind)
        try:
            file_format.check_size(count, side, layout)
            return layout
        except BadRequest:
            if scale == SCALES[-1]:
                raise
    raise AssertionError("the last scale returns or raises")


def draw_request(request: SampleRequest, device: DeviceName, keep: bool) -> tuple[Sampled, list[Frame]]:
    """Sample a request under a progress line, keeping its frames if asked to; of several processes, rank 0 returns."""
    from ml.generation import distributed_sampling

    frames: list[Frame] = []
    count = len(request.labels)
    with interruptible() as control, Line() as line:
        for event in distributed_sampling.sample(request, device=device, control=control, keep_frames=keep):
            if isinstance(event, Sampled):
                return event, frames
            if isinstance(event, Progress):
                line.show(progress_in_words(event))
                continue
            done = event.first + len(event.x_t) * event.step // event.steps
            line.show(f"{done} of {count} images")
            if keep:
                frames.append(event)
    print("Interrupted; nothing was written.", file=sys.stderr)  # in rank 0 only: the others are silent, and done
    raise typer.Exit(INTERRUPTED)


def save_images(path: Path, images: Pixels, request: SampleRequest, layout: Layout, pictures: Sequence[Pixels]) -> None:
    """Write a file, and say where it is not all that its name promises."""
    exports.save(path, images, request, layout, pictures)
    if path.suffix.lower() == ".mp4" and (reason := mp4.encoder()[1]):
        print(reason, file=sys.stderr)
