"""`ml export` and `ml verify`: a model for other programs, and an image again from the request stored in it."""

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
from ml.specs import DeviceName
from ml.system.files import check_writable, free_name


def export(
    model: Annotated[
        str | None, typer.Argument(help="Name of a model, a run folder or a file, to write for other programs ...")
    ] = None,
    onnx: Annotated[
        Path | None, typer.Option(help="... as this ONNX file, with a Python file beside it that draws ...")
    ] = None,
    diffusers: Annotated[
        Path | None, typer.Option(help="... or as this folder, which diffusers opens as a pipeline.")
    ] = None,
    from_image: Annotated[
        Path | None, typer.Option(help="A file that Noiseloom wrote, to render again from its request.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; default: a new name beside the image.")] = None,
    device: Device = "auto",
) -> int:
    """Write a model for other programs, or render an image again from the request stored in it."""
    if (model is None) == (from_image is None):
        raise BadRequest("What to export?", "Name a model, with --onnx or --diffusers, or give --from-image FILE.")
    if from_image is not None:
        return _render_again(from_image, out, device)
    assert model is not None
    if (onnx is None) == (diffusers is None):
        raise BadRequest("Export it as what?", "Give either --onnx FILE.onnx or --diffusers FOLDER.")
    if onnx is not None:
        return _write_onnx(model, onnx)
    assert diffusers is not None
    return _write_diffusers(model, diffusers)


def _write_onnx(name: str, path: Path) -> int:
    from ml.export import onnx_file
    from ml.generation.loaded_model import load

    check_writable(path)
    inputs = onnx_file.write(load(name, "cpu"), path)
    print(f"{path}: {inputs}")
    print(f"{path.with_suffix('.py')} draws with it; it needs numpy and onnxruntime.")
    return 0


def _write_diffusers(name: str, folder: Path) -> int:
    from ml.registry import diffusers_folder, model_cards
    from ml.registry.checkpoint import load_model

    diffusers_folder.write(folder, *load_model(model_cards.find(name)))
    print(folder)
    return 0


def _render_again(from_image: Path, out: Path | None, device: DeviceName) -> int:
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
