"""`ml train`: train a model, and follow the run on one line."""

import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Annotated, cast

import typer

from ml.cli.console import (
    INTERRUPTED,
    Line,
    interruptible,
    progress_in_words,
    resuming,
    scores_in_words,
    where_else,
)
from ml.cli.options import DATA_HELP, FIT_HELP, GROUND_HELP, DataRoot, Device
from ml.config import TrainConfig
from ml.control import RunControl
from ml.distributed import torchrun
from ml.errors import BadRequest
from ml.events import (
    BatchSplit,
    CheckpointSaved,
    CheckpointScored,
    Preview,
    Progress,
    Resumed,
    RunFinished,
    RunStarted,
    SteppedBack,
    TrainEvent,
    TrainStep,
    WriteFailed,
)
from ml.specs import FitName, TrackerName
from ml.system import paths
from ml.tracking import run_index
from ml.training.overrides import check_same_settings, parse_assignment, starting_point, with_overrides


def train(
    preset: Annotated[str | None, typer.Option(help="Name of a preset.")] = None,
    config: Annotated[Path | None, typer.Option(help="Your own configuration, a JSON file.")] = None,
    begin_with: Annotated[
        str | None, typer.Option("--from", help="Begin with the weights of this model, and its settings.")
    ] = None,
    keep_classes: Annotated[
        bool, typer.Option("--keep-classes", help="Keep the classes of that model beside those of the data.")
    ] = False,
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    data_root: DataRoot = None,
    fit: Annotated[FitName | None, typer.Option(help=FIT_HELP)] = None,
    ground: Annotated[str | None, typer.Option(help=GROUND_HELP)] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Folder of the run; default: a new one.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Length of the run in steps; of a resumed run that had ended, of the rest ...")
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="... or in passes through the data ...")] = None,
    minutes: Annotated[float | None, typer.Option(help="... or in minutes.")] = None,
    batch_size: Annotated[int | None, typer.Option()] = None,
    device: Device = "auto",
    seed: Annotated[int | None, typer.Option()] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in --run-dir ...")] = False,
    to: Annotated[Path | None, typer.Option(help="... and write to this new folder from now on.")] = None,
    changed_data: Annotated[
        bool, typer.Option("--changed-data", help="Resume although the folder of images has changed.")
    ] = False,
    score: Annotated[
        bool, typer.Option("--score", help="Score 200 images at every doubling of steps; `models keep` takes the best.")
    ] = False,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="key=value for any other setting; repeatable.")
    ] = None,
    track: Annotated[
        TrackerName | None,
        typer.Option(help="Also log the run there; TensorBoard's files are always written."),
    ] = None,
) -> int:
    """Train a model."""
    if sum(budget is not None for budget in (steps, epochs, minutes)) > 1:
        raise BadRequest("More than one budget was given.", "Give one of --steps, --epochs and --minutes.")
    budget = any(value is not None for value in (steps, epochs, minutes))
    named = {"steps": steps, "epochs": epochs, "minutes": minutes, "batch_size": batch_size, "seed": seed, "data": data}
    named |= {"fit": fit, "ground": ground}
    changes = [parse_assignment(text) for text in sets or []]
    named |= {"begin_with": begin_with, "keep_classes": keep_classes or None, "score": score or None}
    changes += [(name, value) for name, value in named.items() if value is not None]
    if resume and run_dir is None:
        raise BadRequest("--resume does not say which run.", "Add --run-dir with the folder of the run.")
    if to is not None and not resume:
        raise BadRequest("--to names the folder that a run goes on in.", "Add --resume, or use --run-dir alone.")

    def requested() -> TrainConfig:
        settings = with_overrides(starting_point(preset, config, run_dir if resume else None, begin_with), changes)
        if resume and run_dir is not None:
            check_same_settings(settings, run_dir)
        return settings

    if torchrun.launched():
        from ml.training.distributed_training import config_of_main

        settings = config_of_main(requested)
    else:
        settings = requested()
    folder = run_dir or paths.new_run(settings.name)

    from ml.training.trainer import train as training

    with interruptible() as control, Line() as line:
        events = training(
            settings,
            folder,
            device=device,
            data_root=data_root,
            resume=resume,
            more=resume and budget and run_index.has_ended(folder),
            move_to=to,
            changed_data=changed_data,
            control=control,
            track=(track,) if track else (),
        )
        finished = _watch(
            cast("Generator[TrainEvent]", events), control, line, to or folder, explain=settings.automatic
        )
    if finished is None:
        print("Interrupted before the training began.", file=sys.stderr)
        return INTERRUPTED
    print(f"{finished.model_path}: {finished.step} steps in {finished.seconds:.1f} s")
    if not finished.completed:
        print(f"Stopped and saved. Resume with: {resuming(finished.model_path.parent)}", file=sys.stderr)
        return INTERRUPTED
    return 0


def _watch(
    events: "Generator[TrainEvent]", control: RunControl, line: Line, folder: Path, *, explain: bool
) -> RunFinished | None:
    """Follow a training to its end; None where it was cancelled while its data were still being read.

    With `explain`, say why its settings were chosen.
    """
    with closing(events):
        for event in events:
            line.show(event_in_words(event))
            for warning in event.warnings if isinstance(event, Progress) else ():
                line.note(warning)
            if isinstance(event, RunStarted) and explain:
                line.note(event.config.note)
            if isinstance(event, SteppedBack | BatchSplit | CheckpointScored):
                line.note(event_in_words(event))
            if isinstance(event, Resumed):
                folder = event.run_dir
            if isinstance(event, WriteFailed):
                control.write_to(where_else(event, folder, line))
            if isinstance(event, RunFinished):
                return event
    return None


def event_in_words(event: TrainEvent) -> str:
    """A training event in one short line."""
    match event:
        case Progress():
            return progress_in_words(event)
        case RunStarted():
            return f"{event.config.name}: {event.parameters:,} parameters, {event.device}"
        case TrainStep():
            of = f"/{event.total_steps}" if event.total_steps else ""
            left = (
                f"{event.remaining_s / 60:.0f} min left"
                if event.remaining_s > 90
                else f"{event.remaining_s:.0f} s left"
            )
            return f"step {event.step}{of}  loss {event.smooth_loss:.4f}  {event.images_per_s:.0f} images/s  {left}"
        case Preview() | CheckpointSaved():
            return f"step {event.step}  {'preview' if isinstance(event, Preview) else 'saved'}"
        case CheckpointScored():
            return scores_in_words(event)
        case SteppedBack():
            return f"{event.message} Back to step {event.step}, with a learning rate of {event.lr:g} at most."
        case BatchSplit():
            return f"step {event.step}  the batch does not fit into memory: {event.parts} parts, same result"
        case _:
            return type(event).__name__
