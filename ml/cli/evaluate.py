"""`ml evaluate`: score a model or images."""

import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ml.api import scoring
from ml.cli.console import INTERRUPTED, Line, interruptible, progress_in_words
from ml.cli.options import DATA_HELP, AsJson, DataRoot, Device, Model
from ml.config import ModelConfig, validate
from ml.distributed import torchrun
from ml.errors import BadRequest
from ml.events import Progress
from ml.export import npz
from ml.specs import DeviceName

if TYPE_CHECKING:
    from ml.evaluation.metrics import Report
    from ml.registry.checkpoint import ModelHeader


def evaluate(
    model: Model = "digits",
    images: Annotated[Path | None, typer.Option(help="Score the images in an .npz instead.")] = None,
    data: Annotated[
        str | None, typer.Option(help=f"The real images: {DATA_HELP} Default: what the model was trained on.")
    ] = None,
    data_root: DataRoot = None,
    count: Annotated[
        int, typer.Option(min=100, max=5000, help="Number of images to draw, balanced over the classes.")
    ] = 1000,
    steps: Annotated[int | None, typer.Option(help="Default: the model's own.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Default: the model's own.")] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> int:
    """Score images with a judge of their data set, trained once: accuracy, distances, precision, recall, copies."""
    from ml.evaluation.metrics import Report
    from ml.registry import model_cards
    from ml.registry.checkpoint import load_header

    header = load_header(model_cards.find(model))
    given = {"steps": steps, "guidance": guidance, "seed": seed}
    changes = {name: value for name, value in given.items() if value is not None}
    with interruptible() as control, Line() as line:
        if images is not None:
            events = _of_images(images, header, data or "", data_root, device)
        else:
            events = scoring(model, header, data or "", data_root, count, changes, device, control)
        with closing(events):
            for event in events:
                if isinstance(event, Report):
                    print(event.model_dump_json(indent=1) if as_json else _scores(event))
                    return 0
                if control.cancelled:
                    break
                line.show(progress_in_words(event))
    print("Interrupted.", file=sys.stderr)
    return INTERRUPTED


def _of_images(
    path: Path, header: "ModelHeader", data: str, root: Path | None, device: DeviceName
) -> Generator["Progress | Report"]:
    """Score the images in a file against `data`, or against what the model was trained on that drew them."""
    from ml.evaluation import metrics
    from ml.training import judges

    pixels, labels = npz.read_arrays(path)
    metrics.check_count(len(pixels))  # before data are read and a judge is trained
    config, channels, side = header.model, 1 if pixels.ndim == 3 else pixels.shape[3], pixels.shape[1]
    if pixels.shape[2] != side or (not data and (channels, side) != (config.channels, config.image_size)):
        raise BadRequest(
            f"{path.name} holds images of shape {pixels.shape[1:]}; {header.name!r} draws {config.image_size} x "
            f"{config.image_size} with {config.channels} channel{'s' * (config.channels > 1)}.",
            "Name the model that drew them with --model, or square real images with --data.",
        )
    if data:
        form = validate(ModelConfig, {"image_size": side, "channels": channels, "num_classes": 0})
        header = header.with_changes(model=form, classes=())
    reference = yield from judges.reference_for(header, data, root, device)
    if torchrun.rank() == 0:  # which scores them
        yield from metrics.evaluate_images(pixels, labels, reference, str(path))


def _scores(report: "Report") -> str:
    """A report as lines for a person."""
    none = lambda name: f"- ({report.reasons.get(name, 'not known')})"  # noqa: E731
    accuracy = f"{report.accuracy:.1%} of" if report.accuracy is not None else "- of"
    rows = {"class accuracy": f"{accuracy} {report.images} images"}
    if "accuracy" in report.reasons:
        rows["class accuracy"] = none("accuracy")
    if report.confusions:
        rows["most confused"] = ", ".join(f"{c.asked} as {c.read} ({c.count})" for c in report.confusions)
    rows["Frechet distance"] = none("frechet")
    if report.frechet is not None and report.frechet_ratio is not None:
        rows["Frechet distance"] = f"{report.frechet:.3f}, {report.frechet_ratio:.2f} times that of real images"
    if report.kid is not None and report.kid_error is not None:
        rows["KID"] = f"{report.kid:.4f} ± {report.kid_error:.4f}"
    rows["precision, recall"] = none("precision")
    if report.precision is not None and report.recall is not None:
        rows["precision, recall"] = f"{report.precision:.3f}, {report.recall:.3f}"
    rows["copied images"] = none("memorised") if report.memorised is None else f"{report.memorised}"
    if report.judge_accuracy is not None:
        right = "real test images right" if report.confidence is not None else "distorted copies told apart"
        rows["judge"] = f"{report.judge_accuracy:.1%} of {right}, {report.features} features"
    if report.data:
        rows["compared with"] = f"{report.compared} held-out images of {report.data}"
    return "\n".join(f"{what:<20}{value}" for what, value in rows.items())
