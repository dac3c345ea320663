"""The commands that answer with a figure: `experiment` and `compare`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ml.cli.console import Line, interrupted, interruptible
from ml.cli.options import Device
from ml.config import NO_LABEL, SampleRequest, validate
from ml.errors import BadRequest
from ml.events import Progress
from ml.experiments import comparison_figure
from ml.experiments.axes import parse
from ml.experiments.cells import Cell, judge_note, summary, title
from ml.export.formats import format_of
from ml.generation.requests import check_used
from ml.specs import SAMPLERS, SamplerName
from ml.system.files import check_writable
from ml.text.prompt_parser import parse_labels

DEFAULT_CLASSES = 10  # in a cell
Figure = Annotated[Path, typer.Option(help="The figure to write, a .png.")]


def experiment(
    name: Annotated[str, typer.Argument(help="Name of the question, such as steps; a wrong name lists all.")],
    out: Figure,
    seed: Annotated[int, typer.Option(min=0)] = 2026,
    device: Device = "auto",
) -> int:
    """Answer a classic question about diffusion with a figure."""
    _check(out)
    from ml.experiments.conclusions import conclusion
    from ml.experiments.questions import Answer, answer, save

    with interruptible() as control, Line() as line:
        for event in answer(name, seed, device, control):
            if isinstance(event, Answer):
                save(out, event)
                print(f"{event.question}  {out}")
                for row in event.rows:
                    print(f"  {row.label:<24}{row.verdict}")
                if event.judge_accuracy is not None:
                    print(f"  judge: {event.judge_accuracy:.1%} of real images right")
                print(conclusion(event))
                return 0
            if isinstance(event, Progress):
                line.show(f"{event.what} {event.done}/{event.total}")
    return interrupted()


def compare(
    out: Figure,
    rows: Annotated[str | None, typer.Option(help="What changes from row to row: steps=1,2,4,10 ...")] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="... and along the columns: guidance=1,1.5,3, model=digits,runs/mine, seed=1-4 ..."),
    ] = None,
    model: Annotated[str, typer.Option(help="Name of a model, a run folder or a file.")] = "digits",
    labels: Annotated[
        str | None, typer.Option(help="Classes in every cell, such as ship,cat or 0-9; default: all, ten at most.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="Images per class.")] = 1,
    sampler: Annotated[SamplerName | None, typer.Option(help="Default: the model's own.")] = None,
    steps: Annotated[int | None, typer.Option(help="Default: the model's own.")] = None,
    eta: Annotated[float | None, typer.Option(help="Default: the model's own.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Default: the model's own.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise that all cells share.")] = 2026,
    device: Device = "auto",
) -> int:
    """Compare settings on one noise: a figure with a cell for every combination."""
    _check(out)
    typed = [_typed("--rows", rows), _typed("--columns", columns)]
    models = [values for field, values in filter(None, typed) if field == "model"]
    classes = _shared_classes(models[0].split(",") if models else [model])
    down, along = (parse(*axis, classes) if axis else None for axis in typed)
    fields = [axis.field for axis in (down, along) if axis]
    given = {"sampler": sampler, "steps": steps, "eta": eta, "guidance": guidance}
    given = {name: value for name, value in given.items() if value is not None}
    twice = [name for name in (*given, *(["label"] if labels else [])) if name in fields]
    if twice:
        raise BadRequest(f"The {twice[0]} is given, and on an axis too.", "Leave one of them out.")
    once = tuple(range(min(len(classes), DEFAULT_CLASSES))) if labels is None else parse_labels(labels, classes)
    once = (NO_LABEL,) if "label" in fields else once  # the axis says which
    base = validate(SampleRequest, given | {"model": model, "seed": seed, "labels": once * count})
    from ml.experiments.comparison import compare as comparing
    from ml.experiments.comparison import requests

    samplers: list[SamplerName] = [request.sampler for line in requests(base, down, along) for request in line]
    if eta is not None and not any("eta" in SAMPLERS[name].uses for name in samplers):
        check_used("eta", samplers[0])
    cells: list[Cell] = []
    with interruptible() as control, Line() as line:
        for event in comparing(base, down, along, device, control):
            if isinstance(event, Cell):
                cells.append(event)
            else:
                line.show(f"{event.what} {event.done}/{event.total}")
        if control.cancelled:
            return interrupted()
    comparison_figure.save(out, down, along, cells)
    print(f"{title(down, along)}: {len(cells)} cells of {len(base.labels)} images, seed {seed}  {out}")
    for cell in cells:
        names = [axis.names[k] for axis, k in ((down, cell.row), (along, cell.column)) if axis]
        print(f"  {', '.join(names):<32}{summary([cell])}")
    if judge := judge_note(cells):
        print(f"  {judge}")
    return 0


def _check(out: Path) -> None:
    if format_of(out).suffix != ".png":
        raise BadRequest("A figure is a PNG.", "Give a name that ends in .png.")
    check_writable(out)


def _shared_classes(models: Sequence[str]) -> tuple[str, ...]:
    """The names of the models' classes; "class 0", "class 1", ... where models have different ones."""
    from ml.registry.checkpoint import load_header
    from ml.registry.model_cards import find

    headers = [load_header(find(name.strip())) for name in models if name.strip()]
    names = {header.class_names for header in headers if header.class_names}
    if len(names) == 1:
        return names.pop()
    return tuple(f"class {k}" for k in range(min(map(len, names), default=DEFAULT_CLASSES)))


def _typed(option: str, text: str | None) -> tuple[str, str] | None:
    """`steps=1,2,4` as a setting and its values."""
    if text is None:
        return None
    field, equals, values = text.partition("=")
    if not equals:
        raise BadRequest(f"{option} {text}: there is no '='.", f"Write {option} steps=1,2,4,10, for example.")
    return field.strip(), values
