"""`ml evaluate`: score a model or images."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ml.cli.console import INTERRUPTED, Line, interruptible, progress_in_words
from ml.cli.options import AsJson, DataRoot, Device, Model
from ml.config import SampleRequest, validate
from ml.distributed import torchrun
from ml.export import npz

if TYPE_CHECKING:
    from ml.evaluation.metrics import Report


def evaluate(
    model: Model = "digits",
    images: Annotated[Path | None, typer.Option(help="Score the images in an .npz instead.")] = None,
    data_root: DataRoot = None,
    count: Annotated[
        int, typer.Option(min=100, max=5000, help="Number of digits to draw, balanced over the classes.")
    ] = 1000,
    steps: Annotated[int | None, typer.Option(help="Default: the model's own.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Default: the model's own.")] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> int:
    """Score digits with the judge: accuracy, Frechet distance, precision, recall, copies."""
    from ml.evaluation.metrics import Report, evaluate_images, evaluate_model

    if images is not None and torchrun.rank() > 0:
        return 0  # rank 0 scores them
    with interruptible() as control, Line() as line:
        if images is not None:
            pixels, labels = npz.read_arrays(images)
            events = evaluate_images(pixels, labels, data_root, device, str(images))
        else:
            request = _to_evaluate(model, count, {"steps": steps, "guidance": guidance, "seed": seed})
            events = evaluate_model(request, data_root, device, control)
        for event in events:
            if isinstance(event, Report):
                print(event.model_dump_json(indent=1) if as_json else _scores(event))
                return 0
            if control.cancelled:
                break
            line.show(progress_in_words(event))
    print("Interrupted.", file=sys.stderr)
    return INTERRUPTED


def _to_evaluate(model: str, count: int, given: dict[str, Any]) -> SampleRequest:
    """The request of `count` images, evenly over the model's classes."""
    from ml.evaluation.metrics import balanced_labels
    from ml.registry import model_cards
    from ml.registry.checkpoint import load_header

    header = load_header(model_cards.find(model))
    labels = balanced_labels(header.model, count)
    changes = {name: value for name, value in given.items() if value is not None}
    return validate(SampleRequest, header.defaults.model_dump() | changes | {"model": model, "labels": labels})


def _scores(report: "Report") -> str:
    """A report as lines for a person."""
    accuracy = "-" if report.accuracy is None else f"{report.accuracy:.1%}"
    rows = {
        "class accuracy": f"{accuracy} of {report.images} images",
        "Frechet distance": f"{report.frechet:.3f}, {report.frechet_ratio:.2f} times that of real digits",
        "precision, recall": f"{report.precision:.3f}, {report.recall:.3f}",
        "copied digits": f"{report.memorised}",
    }
    return "\n".join(f"{what:<20}{value}" for what, value in rows.items())
