"""`ml export` and `ml verify`: render an image again from the request stored in it."""

from pathlib import Path
from typing import Annotated

import typer

from ml.cli.options import Device
from ml.cli.rendering import draw_request, save_images
from ml.config import SampleRequest
from ml.errors import BadRequest
from ml.events import Pixels
from ml.experiments.comparison_figure import prove as prove_figure
from ml.experiments.comparison_figure import prove_race
from ml.export import files as exports
from ml.export import plot_metadata
from ml.export.formats import format_of
from ml.export.verify import Proof, prove
from ml.imaging.pixels import film, walk
from ml.system.files import check_writable, free_name


def export(
    from_image: Annotated[Path, typer.Option(help="A file that Noiseloom wrote.")],
    out: Annotated[Path | None, typer.Option(help="File to write; default: a new name beside the image.")] = None,
    device: Device = "auto",
) -> int:
    """Render an image again from the request stored in it."""
    stamp = exports.read_stamp(from_image)
    if stamp.race:
        raise BadRequest(f"{from_image.name} shows a race, not the images of one request.", "Drop it on the window.")
    if stamp.comparison or stamp.experiment:
        what, command = ("a comparison", "compare") if stamp.comparison else ("an experiment", "experiment")
        raise BadRequest(f"{from_image.name} shows {what}, not the images of one request.", f"Use {command}.")
    request, layout = stamp.request, stamp.layout
    out = out or free_name(from_image.with_stem(f"{from_image.stem}-again"))
    file_format = format_of(out)
    check_writable(out)
    film_kind = layout.kind if layout.kind in ("x0_hat", "walk") else "x_t"
    kind = file_format.kind(labelled=layout.kind == "sheet", film=film_kind)
    done, frames = draw_request(request, device, keep=file_format.animated and kind != "walk")
    pictures = (
        walk(done.images) if kind == "walk" else film(frames, len(done.images), "x0_hat" if kind == "x0_hat" else "x_t")
    )
    save_images(out, done.images, done.request, layout.with_changes(kind=kind), pictures)
    print(out)
    return 0


def verify(file: Annotated[Path, typer.Argument(help="A file that Noiseloom wrote.")]) -> int:
    """Render an image again on the CPU: exit 0 if the pixels are the same, 1 if not."""
    if plot := plot_metadata.read(file):
        return _proved(file, plot_metadata.prove(file, plot))
    stamp = exports.read_stamp(file)
    found = exports.read_pixels(file)

    def draw(request: SampleRequest) -> Pixels:
        return draw_request(request, "cpu", keep=False)[0].images

    if stamp.comparison:
        proof = prove_figure(stamp, found, draw)
    elif stamp.race:
        proof = prove_race(stamp, found)
    elif stamp.experiment:
        from ml.experiments import questions

        proof = questions.prove(stamp, found, "cpu")
        assert proof  # nothing stops it
    else:
        proof = prove(file.suffix.lower(), stamp, found, draw)
    return _proved(file, proof)


def _proved(file: Path, proof: Proof) -> int:
    print(f"{file}: {proof.words}")
    if proof.why:
        print(proof.why)
    return 0 if proof.same else 1
