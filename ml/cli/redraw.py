"""The commands that begin with a picture of one's own: `redraw` and `recognise`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ml.cli.console import Line, interrupted, interruptible
from ml.cli.options import Device, parse_label
from ml.config import NO_LABEL
from ml.events import Frame, Sampled
from ml.export import files as exports
from ml.export.formats import FORMATS, format_of
from ml.export.metadata import Layout
from ml.generation import requests
from ml.imaging.pixels import film
from ml.specs import ROUTES
from ml.system.files import check_writable
from ml.text.class_names import label_text

Picture = Annotated[Path, typer.Argument(help="A picture: PNG, JPEG, GIF, BMP or WebP.")]
Model = Annotated[str, typer.Option(help="Name, run folder or file of a model that draws by class.")]
COLUMNS = 10


def redraw(
    picture: Picture,
    out: Annotated[Path, typer.Option(help=f"What to write: {', '.join(FORMATS)}.")],
    vary_from: Annotated[
        float,
        typer.Option(min=0.05, help="Noise level sigma/alpha added to the picture; more noise gives freer variations."),
    ] = 1,
    complete: Annotated[
        Path | None, typer.Option(help="Complete the picture instead: the white part of this mask is redrawn.")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Invert the picture to noise, then regenerate it as each class.")
    ] = False,
    label: Annotated[str, typer.Option(help="The class to turn it into; -1: any.")] = str(NO_LABEL),
    count: Annotated[int, typer.Option(min=1, max=1000, help="Number of results.")] = 9,
    seed: Annotated[int, typer.Option(min=0)] = 2026,
    model: Model = ROUTES["class"].model,
    device: Device = "auto",
) -> int:
    """Vary a picture (SDEdit), complete it (RePaint), or rebuild it as every class (DDIM inversion)."""
    file_format = format_of(out)
    check_writable(out)
    from ml.data.image_reader import as_drawing, read_grey
    from ml.generation import pipeline
    from ml.registry import model_cards
    from ml.registry.checkpoint import load_header

    header = load_header(model_cards.find(model))
    side = header.model.image_size
    drawing = as_drawing(picture, side)
    if rebuild:
        request = requests.rebuilt(model, header.defaults, drawing, header.model.num_classes)
    else:
        mask = read_grey(complete, side) if complete else None
        labels = (parse_label(label, header.class_names),) * count
        request = requests.redrawn(model, header.defaults, drawing, labels, mask, vary_from)
        request = request.with_changes(seed=seed)
    frames: list[Frame] = []
    with interruptible() as control, Line() as line:
        for event in pipeline.sample(request, device=device, control=control):
            if isinstance(event, Frame):
                frames.append(event)
                line.show(f"step {event.step}/{event.steps}")
            elif isinstance(event, Sampled):
                layout = Layout(columns=COLUMNS, kind="x_t" if file_format.animated else "images")
                pictures = film(frames, len(event.images)) if file_format.animated else ()
                exports.save(out, event.images, event.request, layout, pictures)
                print(f"{out}: {len(event.images)} images in {event.seconds:.1f} s, seed {request.seed}")
                return 0
    return interrupted()


def recognise(
    picture: Picture,
    model: Model = ROUTES["class"].model,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> int:
    """Have a diffusion model say which of its classes a picture shows: the one whose denoiser explains it best."""
    import torch

    from ml.data.image_reader import as_drawing
    from ml.evaluation.diffusion_classifier import classify as recognising
    from ml.events import Progress
    from ml.generation import loaded_model

    loaded = loaded_model.load(model, device)
    drawing = as_drawing(picture, loaded.config.image_size)
    x0 = torch.from_numpy(drawing)[None, None].float() / 127.5 - 1
    with interruptible() as control, Line() as line:
        for event in recognising(loaded, x0, control=control):
            if isinstance(event, Progress):
                line.show(f"{event.what} {event.done}/{event.total}")
                continue
            names = loaded.header.class_names
            shares = {label_text(label, names): round(share, 4) for label, share in enumerate(event[0].tolist())}
            if as_json:
                print(json.dumps(shares))
            else:
                ranked = sorted(shares.items(), key=lambda entry: -entry[1])
                print("\n".join(f"{name}  {share:.1%}" for name, share in ranked))
            return 0
    return interrupted()
