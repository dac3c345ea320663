"""`ml sample`: draw images by labels, words or chance."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ml.cli.options import Device
from ml.cli.rendering import MAX_COLUMNS, draw_request, layout_that_fits, save_images
from ml.config import MAX_IMAGES, NO_LABEL, SampleRequest, for_route, validate
from ml.distributed import torchrun
from ml.errors import BadRequest
from ml.events import Pixels
from ml.export import files as exports
from ml.export.base import Content
from ml.export.contact_sheet import readings
from ml.export.formats import FORMATS, format_of
from ml.generation.requests import check_used
from ml.imaging.pixels import film
from ml.specs import ROUTES, Route, SamplerName
from ml.system.files import check_writable, make_folder
from ml.text.prompt_parser import check_words, parse_labels, parse_prompt, parse_text_prompt

if TYPE_CHECKING:
    from ml.registry.checkpoint import ModelHeader


def sample(
    out: Annotated[str, typer.Option(help=f"What to write: {', '.join(FORMATS)}, or a FOLDER/ for one PNG per image.")],
    model: Annotated[
        str | None, typer.Option(help="Name of a model, a run folder or a file; default: the route's own model.")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="Classes to draw, such as ship,cat or 0-9 ...")] = None,
    prompt: Annotated[
        str | None, typer.Option(help="... or in words, such as two cats and a ship, or 2026 ...")
    ] = None,
    unconditional: Annotated[bool, typer.Option("--unconditional", help="... or images without a label.")] = False,
    count: Annotated[int, typer.Option(min=1, max=MAX_IMAGES, help="Images per label or prompt.")] = 1,
    route: Annotated[
        Route,
        typer.Option(help="How a prompt reaches the model: as labels, as words it reads, or by CLIP's gradient."),
    ] = "class",
    sampler: Annotated[SamplerName | None, typer.Option(help="Default: the model's own.")] = None,
    steps: Annotated[int | None, typer.Option(help="Number of steps; heun calls the network twice a step.")] = None,
    eta: Annotated[float | None, typer.Option(help="Noise eta: 0 is deterministic, 1 is as noisy as DDPM.")] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Guidance scale w: how strongly to follow the label; 1 is off.")
    ] = None,
    clip: Annotated[
        str | None,
        typer.Option(help="The CLIP that steers: digit-clip, ViT-B-32 (downloaded), or a file of its weights."),
    ] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    device: Device = "auto",
    trajectory: Annotated[
        bool, typer.Option("--trajectory", help="Write every step into an .npz; animations have them anyway.")
    ] = False,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="A .png with a title and a caption under each image, like an .svg.")
    ] = False,
) -> int:
    """Draw images: a picture, a labelled sheet, an animation of the denoising, arrays, or one file per image."""
    path = Path(out)
    folder = out.endswith(("/", os.sep)) or path.is_dir()
    file_format = FORMATS[".png"] if folder else format_of(path)
    if trajectory and file_format.content in ("picture", "sheet"):
        raise BadRequest(f"A {file_format.title} shows no trajectory.", f"Use one of {_suffixes('arrays', 'film')}.")
    if sheet and (folder or file_format.content not in ("picture", "sheet")):
        raise BadRequest(
            "A labelled sheet is a picture.", f"Give --out a name that ends in one of {_suffixes('picture', 'sheet')}."
        )
    if torchrun.rank() == 0:
        check_writable(make_folder(path) / "image.png" if folder else path)

    from ml.registry import model_cards
    from ml.registry.checkpoint import load_header

    model = model or ROUTES[route].model
    header = load_header(model_cards.find(model))
    if route == "clip" or (route == "text" and prompt is not None):
        once = _described(prompt, route)
        columns = len(once) if 1 < len(once) <= MAX_COLUMNS else 10
    else:
        once, columns = _what_to_draw(labels, prompt, unconditional, header)
    if len(once) * count > MAX_IMAGES:
        raise BadRequest(f"{len(once)} x {count} images are more than {MAX_IMAGES}.", "Ask for fewer at a time.")
    given = {"sampler": sampler, "steps": steps, "eta": eta, "guidance": guidance, "seed": seed, "prompt": prompt}
    given |= {"route": route, "clip": clip}
    settings = for_route(header.defaults, route).model_dump() | {
        name: value for name, value in given.items() if value is not None
    }
    if eta is not None:
        check_used("eta", settings["sampler"])
    request = validate(SampleRequest, settings | {"model": model, "labels": once * count})
    kind = file_format.kind(labelled=sheet)
    count, side = (1, 1) if folder else (len(request.labels), header.model.image_size)
    layout = layout_that_fits(file_format, count, side, columns, kind)
    done, frames = draw_request(request, device, keep=trajectory or file_format.animated)
    if folder:
        exports.save_digits(path, done.images, done.request)
    else:
        if kind == "sheet":
            layout = layout.with_changes(**_judged(done.images, header), classes=header.class_names)
        save_images(path, done.images, done.request, layout, film(frames, len(done.images)))
    calls = f"{done.network_calls} network calls each"
    print(f"{out}: {len(done.images)} images in {done.seconds:.1f} s, {calls}, seed {request.seed}")
    return 0


def _suffixes(*contents: Content) -> str:
    return ", ".join(suffix for suffix, file_format in FORMATS.items() if file_format.content in contents)


def _described(prompt: str | None, route: Route) -> tuple[int, ...]:
    """The labels that the text asks for once; warns where the text is about something else."""
    from ml.generation import clip_matcher as clip

    if not prompt or not prompt.strip():
        raise BadRequest("What to draw?", "Give --prompt 'a bold seven' to this route.")
    labels = parse_text_prompt(prompt).labels if route == "text" else (NO_LABEL,)
    if route == "clip":
        check_words(prompt)
    if not clip.is_about_digits(prompt):
        print(f"“{prompt}” isn't a digit, and this model only knows digits.", file=sys.stderr)
    return labels


def _what_to_draw(
    labels: str | None, prompt: str | None, unconditional: bool, header: "ModelHeader"
) -> tuple[tuple[int, ...], int]:
    """The labels that are asked for once, and how many images go into a row."""
    if [labels is not None, prompt is not None, unconditional].count(True) != 1:
        raise BadRequest("What to draw?", "Give one of --labels ship,cat, --prompt 'two cats' and --unconditional.")
    if prompt is not None:
        understood = parse_prompt(prompt, header.class_names)
        print(f"Understood as {understood.reading}")
        once = understood.labels
    else:
        once = parse_labels(labels, header.class_names) if labels is not None else (NO_LABEL,)
    return once, len(once) if 1 < len(once) <= MAX_COLUMNS else 10


def _judged(images: Pixels, header: "ModelHeader") -> dict[str, object]:
    """What the judge reads in the images, and how often it is right, where there is one."""
    from ml.evaluation.judge import judge_for

    judge = judge_for(header)
    if judge is None:
        return {}
    verdict = judge.judge(images)
    read = readings(verdict.labels, verdict.confidence, judge.classes)
    return {"readings": read, "judge_accuracy": judge.accuracy}
