"""Noiseloom from Python: `from ml import load, sample, save, train, evaluate`. torch is imported at the first call."""

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.config import NO_LABEL, SampleRequest, TrainConfig, for_route, validate
from ml.control import RunControl
from ml.errors import BadRequest
from ml.events import Frame, Progress, RunFinished, Sampled, TrainEvent
from ml.specs import DeviceName, Route

if TYPE_CHECKING:
    from ml.evaluation.metrics import Report
    from ml.generation.loaded_model import LoadedModel
    from ml.registry.checkpoint import ModelHeader


def load(model: str | Path = "digits", device: DeviceName = "auto") -> "LoadedModel":
    """A diffusion model by its name, run folder or file, ready to sample; loaded once while its file does not change.

    Raises BadRequest, BadFile, NoDevice.
    """
    from ml.generation import loaded_model

    return loaded_model.load(str(model), device)


def sample(
    model: "LoadedModel | str | Path" = "digits",
    prompt: str = "",
    *,
    labels: Sequence[int] = (),
    count: int = 1,
    route: Route = "class",
    device: DeviceName = "auto",
    on_frame: Callable[[Frame], object] | None = None,
    **settings: Any,
) -> Sampled:
    """Images (N, H, W) or (N, H, W, 3), uint8, as `images` of the result: of a prompt, of labels, or of every class.

    `count` images of each. `settings` are fields of `ml.config.SampleRequest`, such as steps, guidance, sampler and
    seed; the others are the model's own. `on_frame` gets every step of the denoising. A loaded model stays on its
    device. Raises BadRequest, BadFile, NoDevice, DataUnavailable.
    """
    from ml.generation import pipeline
    from ml.text.prompt_parser import parse_prompt, parse_text_prompt

    loaded = load(model, device) if isinstance(model, str | Path) else model
    classes = loaded.header.class_names
    if prompt and labels:
        raise BadRequest("Both a prompt and labels were given.", "Give one of them.")
    if route == "clip":
        once: tuple[int, ...] = (NO_LABEL,)
    elif prompt:
        once = (parse_text_prompt(prompt) if route == "text" else parse_prompt(prompt, classes)).labels
    else:
        once = tuple(labels) or tuple(range(loaded.config.num_classes)) or (NO_LABEL,)
    own = for_route(loaded.header.defaults, route).model_dump()
    asked = {"model": loaded.name, "labels": once * count, "route": route, "prompt": prompt}
    request = validate(SampleRequest, own | settings | asked)
    where: Any = loaded.device.type
    for event in pipeline.sample(request, device=where, frames=on_frame is not None):
        if isinstance(event, Sampled):
            return event
        if on_frame and isinstance(event, Frame):
            on_frame(event)
    raise AssertionError("sampling ends with its images, unless it is cancelled")


def save(path: str | Path, drawn: Sampled, *, columns: int = 10, scale: int = 4) -> None:
    """Write images with the request that made them, as .png, .svg or .npz. Raises BadRequest, CannotWrite."""
    from ml.export import files
    from ml.export.formats import format_of
    from ml.export.metadata import Layout

    layout = Layout(columns=columns, scale=scale, kind=format_of(path).kind())
    files.save(path, drawn.images, drawn.request, layout)


def train(
    config: TrainConfig | str = "1-minute",
    run_dir: str | Path | None = None,
    *,
    device: DeviceName = "auto",
    data_root: str | Path | None = None,
    resume: bool = False,
    on_event: Callable[[TrainEvent], object] | None = None,
    **settings: Any,
) -> RunFinished:
    """Train a preset or a configuration to its end; the result has `model_path`, which `load` opens.

    `settings` replace those of the configuration, by the names of `ml.config.TrainConfig`: steps=500, lr=1e-3,
    **{"model.widths": [16, 32]}. `run_dir` is the run's folder, a new one by default, and `on_event` gets what
    happens. Ctrl+C raises KeyboardInterrupt once everything is saved.
    Raises BadRequest, BadFile, DataUnavailable, CannotWrite, NoDevice, Diverged.
    """
    from contextlib import closing
    from typing import cast

    from ml.registry import presets
    from ml.system import paths
    from ml.training import trainer
    from ml.training.overrides import with_overrides

    config = with_overrides(presets.load(config) if isinstance(config, str) else config, settings.items())
    folder = Path(run_dir) if run_dir is not None else paths.new_run(config.name)
    root = Path(data_root) if data_root is not None else None
    events = trainer.train(config, folder, device=device, data_root=root, resume=resume)
    with closing(cast("Generator[TrainEvent]", events)):  # which saves
        for event in events:
            if on_event:
                on_event(event)
            if isinstance(event, RunFinished):
                return event
    raise AssertionError("a training ends with RunFinished, unless it is cancelled")


def evaluate(
    model: "LoadedModel | str | Path" = "digits",
    *,
    count: int = 1000,
    data: str = "",
    data_root: str | Path | None = None,
    device: DeviceName = "auto",
    on_progress: Callable[[Progress], object] | None = None,
    **settings: Any,
) -> "Report":
    """Scores of `count` images of a model, against `data`, or against what it was trained on.

    `settings` are fields of `ml.config.SampleRequest`. Raises BadRequest, BadFile, NoDevice, DataUnavailable.
    """
    from ml.evaluation.metrics import Report
    from ml.registry import model_cards
    from ml.registry.checkpoint import load_header

    name = str(model) if isinstance(model, str | Path) else model.name
    header = load_header(model_cards.find(name))
    root = Path(data_root) if data_root is not None else None
    for event in scoring(name, header, data, root, count, settings, device, RunControl()):
        if isinstance(event, Report):
            return event
        if on_progress:
            on_progress(event)
    raise AssertionError("scoring ends with a report, unless it is cancelled")


def scoring(
    model: str,
    header: "ModelHeader",
    data: str,
    root: Path | None,
    count: int,
    changes: dict[str, Any],
    device: DeviceName,
    control: RunControl,
) -> Generator["Progress | Report"]:
    """Score `count` images of a model, evenly over the classes that it shares with the data."""
    from ml.evaluation import metrics
    from ml.training import judges

    settings = header.defaults.model_dump() | changes | {"model": model}
    validate(SampleRequest, settings)  # before data are read and a judge is trained
    reference = yield from judges.reference_for(header, data, root, device)
    labels = metrics.labels_to_score(header, reference.test.classes, count)
    request = validate(SampleRequest, settings | {"labels": labels})
    yield from metrics.evaluate_model(request, reference, device, control)
