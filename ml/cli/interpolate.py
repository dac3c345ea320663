"""`ml interpolate`: walk from one image to another."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from ml.cli.options import Device, Model, parse_label
from ml.cli.rendering import draw_request, layout_that_fits, save_images
from ml.config import NO_LABEL, SampleRequest, validate
from ml.errors import BadRequest
from ml.export.formats import FORMATS, format_of
from ml.generation.requests import DDIM_INVERSION
from ml.imaging.embedded_png import to_text
from ml.imaging.pixels import walk
from ml.specs import ROUTES, Mixing, SamplerName
from ml.system.files import check_writable


def interpolate(
    first: Annotated[str, typer.Option("--from", help="Seed of the first image, or a picture file.")],
    last: Annotated[str, typer.Option("--to", help="Seed of the last image, or a picture file.")],
    out: Annotated[Path, typer.Option(help=f"What to write: {', '.join(FORMATS)}; animations show the walk.")],
    frames: Annotated[int, typer.Option(min=2, max=10_000, help="Number of images, including both ends.")] = 20,
    label: Annotated[str | None, typer.Option(help="Class of the first image ...")] = None,
    to_label: Annotated[str | None, typer.Option(help="... and the class it turns into.")] = None,
    via: Annotated[list[str] | None, typer.Option(help="A seed or a picture on the way; repeatable.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Return to the first image at the end.")] = False,
    mixing: Annotated[
        Mixing, typer.Option(help="slerp mixes noise along the sphere it lies on, lerp in a straight line.")
    ] = "slerp",
    model: Model = ROUTES["class"].model,
    sampler: Annotated[SamplerName | None, typer.Option(help="Default: the model's own.")] = None,
    steps: Annotated[int | None, typer.Option(help="Default: the model's own.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Default: the model's own.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise that the sampler adds, if it adds any.")] = 0,
    device: Device = "auto",
) -> int:
    """Walk from one image to another through the noise they begin in."""
    file_format = format_of(out)
    check_writable(out)
    from ml.generation import interpolation_weights
    from ml.registry import model_cards
    from ml.registry.checkpoint import load_header

    header = load_header(model_cards.find(model))
    ways = [_begins(text, header.model.image_size) for text in (first, *(via or []), last)]
    start = NO_LABEL if label is None else parse_label(label, header.class_names)
    end = start if to_label is None else parse_label(to_label, header.class_names)
    labels = [start] * (len(ways) - 1) + [end]
    corners = [way | {"label": kind} for way, kind in zip(ways, labels, strict=True)]
    there_and_back = dict(DDIM_INVERSION) if any("picture" in way for way in ways) else {}
    given = {"sampler": sampler, "steps": steps, "guidance": guidance}
    chosen = {name: value for name, value in given.items() if value is not None}
    settings = header.defaults.model_dump() | there_and_back | chosen
    own = {"model": model, "labels": (NO_LABEL,) * frames, "seed": seed, "corners": corners, "mixing": mixing}
    weights = interpolation_weights.path(range(len(corners)), frames, loop=loop)
    request = validate(SampleRequest, settings | own | {"weights": weights})
    kind = "walk" if file_format.animated else "images"
    shown = 1 if file_format.animated else frames
    layout = layout_that_fits(file_format, shown, header.model.image_size, min(shown, 10), kind)
    layout = layout.with_changes(first_ms=layout.frame_ms, last_ms=layout.frame_ms)
    done, _ = draw_request(request, device, keep=False)
    save_images(out, done.images, done.request, layout, walk(done.images) if file_format.animated else ())
    print(f"{out}: {frames} images from {first} to {last} in {done.seconds:.1f} s")
    return 0


def _begins(text: str, side: int) -> dict[str, Any]:
    """What a corner begins in: a seed, or the noise of a picture."""
    if text.isdecimal():
        return {"seed": int(text)}
    if not os.path.exists(text):
        raise BadRequest(f"{text} is neither a seed nor a picture.", "Give a number, or the path of a picture.")
    from ml.data.image_reader import as_drawing

    return {"picture": to_text(as_drawing(Path(text), side))}
