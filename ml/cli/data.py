"""`ml data`: what is in a data set or a folder of images, before a model is trained on it."""

import os
from contextlib import closing
from typing import Annotated

import typer

from ml.cli.console import Line, interrupted, interruptible, progress_in_words
from ml.cli.options import FIT_HELP, GROUND_HELP, AsJson, DataRoot
from ml.data.survey import Survey, listed
from ml.specs import FITS, IMAGE_FOLDER, OWN_SET, FitName


def data(
    name: Annotated[str, typer.Argument(help="A folder of images, or the name of a data set.")],
    size: Annotated[
        int | None, typer.Option(min=8, max=128, help="Side of the images in pixels; default: their own.")
    ] = None,
    channels: Annotated[int | None, typer.Option(help="1: grey; 3: colour; default: their own.")] = None,
    fit: Annotated[FitName, typer.Option(help=FIT_HELP)] = "crop",
    ground: Annotated[str, typer.Option(help=GROUND_HELP)] = "auto",
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> int:
    """Describe a data set as a model will see it: its classes, sizes and colours, and everything left out."""
    from ml.data import datasets
    from ml.data.dataset import Form

    known = name in datasets.LOADERS or name.startswith((IMAGE_FOLDER, OWN_SET))
    is_path = os.path.exists(name) or os.path.dirname(name) != ""
    given = f"{IMAGE_FOLDER}{name}" if is_path and not known else name
    form = Form(size, channels, fit, ground)
    with interruptible() as control, Line() as line, closing(datasets.survey(given, data_root, form)) as surveying:
        while not control.cancelled:
            try:
                line.show(progress_in_words(next(surveying)))
            except StopIteration as finished:
                survey: Survey = finished.value
                break
        else:
            return interrupted()
    print(survey.model_dump_json(indent=1, exclude={"thumbnail_strip"}) if as_json else described(survey))
    return 0


def described(survey: Survey) -> str:
    """A survey as a table and a few lines."""
    colour = "grey" if survey.channels == 1 else "colour"
    seen = [f"{survey.side} x {survey.side}", colour, FITS[survey.fit].title.lower()]
    if survey.ground:
        seen.append(f"on {survey.ground}" + (f" ({survey.transparent:,} transparent)" if survey.transparent else ""))
    sizes = [f"{size.width} x {size.height} ({size.count:,})" for size in survey.sizes]
    width = max(len("class"), *(len(one.name) for one in survey.classes))
    lines = [
        survey.name,
        f"As a model will see them: {', '.join(seen)}",
        f"Sizes of the files: {listed(sizes)}",
        "",
        f"{'class':<{width}}  {'train':>9}  {'held out':>9}",
        *(f"{one.name:<{width}}  {one.train:>9,}  {one.held_out:>9,}" for one in survey.classes),
        f"{'all':<{width}}  {survey.train:>9,}  {survey.held_out:>9,}",
        "",
    ]
    found = [(one.reason, one) for one in survey.left_out]
    lines += ["Left out: " + ("nothing" if not found else "")]
    lines += [f"{one.count:>9,}  {reason}: {listed(one.first, one.count)}" for reason, one in found]
    kept = (
        ("exact copies", survey.duplicates),
        (f"smaller than {survey.side} x {survey.side}", survey.smaller),
        ("of one colour", survey.one_colour),
    )
    lines += ["", "Kept: "] * any(some.count for _, some in kept)
    lines += [f"{some.count:>9,}  {what}: {listed(some.first, some.count)}" for what, some in kept if some.count]
    lines += ["", *survey.warnings] if survey.warnings else []
    return "\n".join(line.rstrip() for line in lines)
