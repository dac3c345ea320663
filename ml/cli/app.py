"""The command line: the engine without a screen. Results go to standard output, progress to standard error.

torch is imported inside the commands, so that --help answers at once.
"""

import json
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ml.cli import benchmark, compare, redraw
from ml.cli.console import INTERRUPTED, Line, guarded, interruptible, resuming, where_else
from ml.cli.options import Device
from ml.config import (
    MAX_IMAGES,
    MODELS,
    NO_LABEL,
    DeviceName,
    Mixing,
    Route,
    SampleRequest,
    SamplerName,
    TrackerName,
    checked,
    for_route,
)
from ml.control import RunControl
from ml.data.image_folder import as_drawing
from ml.distributed import torchrun
from ml.errors import BadRequest
from ml.events import (
    BatchSplit,
    CheckpointSaved,
    Frame,
    Pixels,
    Preview,
    Progress,
    Resumed,
    RunFinished,
    RunStarted,
    Sampled,
    SteppedBack,
    TrainEvent,
    TrainStep,
    WriteFailed,
)
from ml.experiments.comparison_figure import prove as prove_figure
from ml.experiments.comparison_figure import prove_race
from ml.export import files as exports
from ml.export import npz, plot_metadata
from ml.export.contact_sheet import readings
from ml.export.metadata import Kind, Layout
from ml.export.mp4 import mp4_encoder
from ml.export.verify import Proof, prove
from ml.generation.requests import THERE_AND_BACK
from ml.imaging.embedded_png import to_text
from ml.imaging.pixels import film, walk
from ml.system import paths
from ml.system.files import check_writable, free_name, make_folder
from ml.text.prompt_parser import in_words, parse_labels, understand
from ml.training.overrides import assignment, changed, refuse_other_settings, starting_point

if TYPE_CHECKING:
    from ml.evaluation.metrics import Report
    from ml.registry.checkpoint import ModelHeader

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, help="Noiseloom without a screen.",
    epilog="--debug, anywhere, shows where an error comes from.",
)  # fmt: skip
Model = Annotated[str, typer.Option(help="Name of a model, a run folder, or a .safetensors file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DataRoot = Annotated[Path | None, typer.Option(help="Folder that holds the data set.")]
DATA_HELP = "mnist, fashion-mnist, kmnist, cifar10, synthetic, or folder:DIR for images of your own."
SCALES = (4, 2, 1)
MAX_COLUMNS = 20


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a narrow terminal encoding must not end a command
    rest = [argument for argument in arguments if argument != "--debug"] or ["--help"]
    command = lambda: app(rest, prog_name=paths.COMMAND, standalone_mode=False) or 0  # noqa: E731
    return guarded(lambda: _by_all(command, rest[0]), debug="--debug" in arguments)


def _by_all(command: Callable[[], int], name: str) -> int:
    """The exit code of a command, where torchrun started several processes by all of them."""
    if not torchrun.launched():
        return command()
    from ml.distributed import helpers

    return helpers.by_all(command, name)


@app.command()
def train(
    preset: Annotated[str | None, typer.Option(help="Name of a committed configuration.")] = None,
    config: Annotated[Path | None, typer.Option(help="A configuration of your own, as JSON.")] = None,
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    data_root: DataRoot = None,
    run_dir: Annotated[Path | None, typer.Option(help="Folder of the run; a new one of your own by default.")] = None,
    steps: Annotated[int | None, typer.Option(help="Train for so many steps ...")] = None,
    epochs: Annotated[float | None, typer.Option(help="... or times through the data ...")] = None,
    minutes: Annotated[float | None, typer.Option(help="... or minutes.")] = None,
    batch_size: Annotated[int | None, typer.Option()] = None,
    device: Device = "auto",
    seed: Annotated[int | None, typer.Option()] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --run-dir ...")] = False,
    to: Annotated[Path | None, typer.Option(help="... and write to this new folder from now on.")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="key=value for any other setting; repeatable.")
    ] = None,
    track: Annotated[
        TrackerName | None,
        typer.Option(help="Also follow the run there; TensorBoard's files are always written."),
    ] = None,
) -> int:
    """Train a model."""
    if sum(budget is not None for budget in (steps, epochs, minutes)) > 1:
        raise BadRequest("More than one budget was given.", "Give one of --steps, --epochs and --minutes.")
    named = {"steps": steps, "epochs": epochs, "minutes": minutes, "batch_size": batch_size, "seed": seed, "data": data}
    changes = [assignment(text) for text in sets or []]
    changes += [(name, value) for name, value in named.items() if value is not None]
    if resume and run_dir is None:
        raise BadRequest("--resume does not say which run.", "Add --run-dir with the folder of the run.")
    if to is not None and not resume:
        raise BadRequest("--to names the folder that a run goes on in.", "Add --resume, or use --run-dir alone.")
    wanted = changed(starting_point(preset, config, run_dir if resume else None), changes)
    folder = run_dir or paths.new_run(wanted.name)
    if resume:
        refuse_other_settings(wanted, folder)

    from ml.training.trainer import train as training

    with interruptible() as control, Line() as line:
        events = training(
            wanted,
            folder,
            device=device,
            data_root=data_root,
            resume=resume,
            move_to=to,
            control=control,
            track=(track,) if track else (),
        )
        finished = _watch(cast("Generator[TrainEvent]", events), control, line, to or folder)
    if finished is None:
        print("Interrupted before the training began.", file=sys.stderr)
        return INTERRUPTED
    print(f"{finished.model_path}: {finished.step} steps in {finished.seconds:.1f} s")
    if not finished.completed:
        print(f"Stopped and saved. Go on with: {resuming(finished.model_path.parent)}", file=sys.stderr)
        return INTERRUPTED
    return 0


@app.command()
def sample(
    out: Annotated[
        str, typer.Option(help=f"What to write: {', '.join(exports.SUFFIXES)}, or a FOLDER/ for one PNG per image.")
    ],
    model: Annotated[str | None, typer.Option(help="A model's name, run folder or file; else the route's own.")] = None,
    labels: Annotated[str | None, typer.Option(help="Which digits: 0-9,3,3 ...")] = None,
    prompt: Annotated[str | None, typer.Option(help="... or in words: two or five ...")] = None,
    unconditional: Annotated[bool, typer.Option("--unconditional", help="... or whatever comes.")] = False,
    count: Annotated[int, typer.Option(min=1, max=MAX_IMAGES, help="How many per label or prompt.")] = 1,
    route: Annotated[
        Route,
        typer.Option(help="How a prompt reaches the model: as labels, as words it reads, or by CLIP's gradient."),
    ] = "class",
    sampler: Annotated[SamplerName | None, typer.Option(help="The model's own default if not given.")] = None,
    steps: Annotated[int | None, typer.Option(help="Network calls, or half of them for heun.")] = None,
    eta: Annotated[float | None, typer.Option(help="0: deterministic; 1: as noisy as DDPM.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How strongly to follow the label; 1: off.")] = None,
    clip: Annotated[
        str | None, typer.Option(help="Which CLIP steers: digit-clip, ViT-B-32 (downloaded), or a file of its weights.")
    ] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    device: Device = "auto",
    trajectory: Annotated[
        bool, typer.Option("--trajectory", help="Put every step into an .npz; films have it.")
    ] = False,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="A .png with a title, and words under each image, as an .svg has them.")
    ] = False,
) -> int:
    """Draw images: a picture, a labelled sheet, a film of the denoising, arrays, or one file per image."""
    path = Path(out)
    folder = out.endswith(("/", os.sep)) or path.is_dir()
    suffix = ".png" if folder else exports.suffix_of(path)
    if trajectory and suffix in (".png", ".svg"):
        raise BadRequest(
            f"A {suffix[1:].upper()} shows no trajectory.", f"Use .npz or one of {', '.join(exports.FILMS)}."
        )
    if sheet and (folder or suffix not in (".png", ".svg")):
        raise BadRequest("A labelled sheet is a picture.", "Give --out a name that ends in .png or .svg.")
    check_writable(make_folder(path) / "digit.png" if folder else path)

    from ml.registry import model_cards
    from ml.registry.checkpoint import load_header

    model = model or MODELS[route]
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
    request = checked(SampleRequest, settings | {"model": model, "labels": once * count})
    kind = "sheet" if sheet or suffix == ".svg" else "x_t" if suffix in exports.FILMS else "images"
    count, side = (1, 1) if folder else (len(request.labels), header.model.image_size)
    layout = _fitting(suffix, count, side, columns, kind)
    done, frames = _draw(request, device, keep=trajectory or suffix in exports.FILMS)
    if folder:
        exports.save_digits(path, done.images, done.request)
    else:
        layout = layout.with_changes(readings=_readings(done.images, header.data) if kind == "sheet" else ())
        _save(path, done.images, done.request, layout, film(frames, len(done.images)))
    calls = f"{done.network_calls} network calls each"
    print(f"{out}: {len(done.images)} images in {done.seconds:.1f} s, {calls}, seed {request.seed}")
    return 0


@app.command()
def interpolate(
    first: Annotated[str, typer.Option("--from", help="Seed of the first image, or a picture file.")],
    last: Annotated[str, typer.Option("--to", help="Seed of the last image, or a picture file.")],
    out: Annotated[Path, typer.Option(help=f"What to write: {', '.join(exports.SUFFIXES)}; films show the walk.")],
    frames: Annotated[int, typer.Option(min=2, max=10_000, help="How many images, both ends among them.")] = 20,
    label: Annotated[int | None, typer.Option(help="Which digit ...")] = None,
    to_label: Annotated[int | None, typer.Option(help="... and another one to turn it into.")] = None,
    via: Annotated[list[str] | None, typer.Option(help="A seed or a picture on the way; repeatable.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Go back to the first image in the end.")] = False,
    mixing: Annotated[Mixing, typer.Option(help="Along the sphere on which noise lies, or straight.")] = "slerp",
    model: Model = MODELS["class"],
    sampler: Annotated[SamplerName | None, typer.Option(help="The model's own default if not given.")] = None,
    steps: Annotated[int | None, typer.Option(help="The model's own default if not given.")] = None,
    guidance: Annotated[float | None, typer.Option(help="The model's own default if not given.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of noise that is added on the way, if the sampler does that.")] = 0,
    device: Device = "auto",
) -> int:
    """Walk from one image to another through the noise they begin in."""
    suffix = exports.suffix_of(out)
    check_writable(out)
    from ml.generation import interpolation_weights
    from ml.registry import model_cards
    from ml.registry.checkpoint import load_header

    header = load_header(model_cards.find(model))
    ways = [_begins(text, header.model.image_size) for text in (first, *(via or []), last)]
    ends = (NO_LABEL if label is None else label, to_label if to_label is not None else label)
    labels = [ends[0] if k < len(ways) - 1 or ends[1] is None else ends[1] for k in range(len(ways))]
    corners = [way | {"label": kind} for way, kind in zip(ways, labels, strict=True)]
    there_and_back = dict(THERE_AND_BACK) if any("picture" in way for way in ways) else {}
    given = {"sampler": sampler, "steps": steps, "guidance": guidance}
    chosen = {name: value for name, value in given.items() if value is not None}
    settings = header.defaults.model_dump() | there_and_back | chosen
    own = {"model": model, "labels": (NO_LABEL,) * frames, "seed": seed, "corners": corners, "mixing": mixing}
    weights = interpolation_weights.path(range(len(corners)), frames, loop=loop)
    request = checked(SampleRequest, settings | own | {"weights": weights})
    is_film = suffix in exports.FILMS
    kind = "walk" if is_film else "images"
    columns = 1 if is_film else min(frames, 10)
    layout = _fitting(suffix, 1 if is_film else frames, header.model.image_size, columns, kind)
    layout = layout.with_changes(first_ms=layout.frame_ms, last_ms=layout.frame_ms)
    done, _ = _draw(request, device, keep=False)
    _save(out, done.images, done.request, layout, walk(done.images) if is_film else ())
    print(f"{out}: {frames} images from {first} to {last} in {done.seconds:.1f} s")
    return 0


@app.command()
def evaluate(
    model: Model = "digits",
    images: Annotated[Path | None, typer.Option(help="Score the images in an .npz instead.")] = None,
    data_root: DataRoot = None,
    count: Annotated[int, typer.Option(min=100, max=5000, help="How many digits to draw, evenly over classes.")] = 1000,
    steps: Annotated[int | None, typer.Option(help="The model's own default if not given.")] = None,
    guidance: Annotated[float | None, typer.Option(help="The model's own default if not given.")] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> int:
    """Score digits with the judge: accuracy, Frechet distance, precision, recall, copies."""
    from ml.evaluation.metrics import Report, evaluate_images, evaluate_model

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
            line.show(f"{event.what} {event.done}/{event.total}" if event.total else event.what)
    print("Interrupted.", file=sys.stderr)
    return INTERRUPTED


@app.command()
def export(
    from_image: Annotated[Path, typer.Option(help="A file that Noiseloom wrote.")],
    out: Annotated[Path | None, typer.Option(help="Where to; a new name beside it if not given.")] = None,
    device: Device = "auto",
) -> int:
    """Render an image again from the request stored in it."""
    stamp = exports.read_stamp(from_image)
    if stamp.race:
        raise BadRequest(f"{from_image.name} shows a race, not the images of one request.", "Drop it on the window.")
    if stamp.comparison or stamp.experiment:
        what, command = ("a comparison", "compare") if stamp.comparison else ("an experiment", "experiment")
        raise BadRequest(f"{from_image.name} shows {what}, not the images of one request.", f"Use {command}.")
    request, layout = stamp.request, stamp.layout
    out = out or free_name(from_image.with_stem(f"{from_image.stem}-again"))
    suffix = exports.suffix_of(out)
    check_writable(out)
    films = layout.kind if layout.kind in ("x0_hat", "walk") else "x_t"
    labelled = layout.kind == "sheet" or suffix == ".svg"
    kind = films if suffix in exports.FILMS else "sheet" if labelled and suffix != ".npz" else "images"
    done, frames = _draw(request, device, keep=suffix in exports.FILMS and kind != "walk")
    pictures = (
        walk(done.images) if kind == "walk" else film(frames, len(done.images), "x0_hat" if kind == "x0_hat" else "x_t")
    )
    _save(out, done.images, done.request, layout.with_changes(kind=kind), pictures)
    print(out)
    return 0


@app.command()
def verify(file: Annotated[Path, typer.Argument(help="A file that Noiseloom wrote.")]) -> int:
    """Render an image again on the CPU: exit 0 if the pixels are the same, 1 if not."""
    if told := plot_metadata.read(file):
        return _proved(file, plot_metadata.prove(file, told))
    stamp = exports.read_stamp(file)
    found = exports.read_pixels(file)

    def draw(request: SampleRequest) -> Pixels:
        return _draw(request, "cpu", keep=False)[0].images

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


for command in (compare.experiment, compare.compare, redraw.redraw, redraw.recognise):
    app.command()(command)
app.command()(benchmark.benchmark)


@app.command()
def models(as_json: AsJson = False) -> int:
    """List the bundled models and your own."""
    from ml.registry import model_cards

    cards = model_cards.cards()
    if as_json:
        print(json.dumps([card.model_dump(mode="json") for card in cards], indent=1))
        return 0
    for card in cards:
        made = f"{card.header.model.network} on {card.header.data or 'unknown data'}, {card.header.steps} steps"
        whose = "bundled" if card.bundled else "own"
        print(f"{card.name:<24}{whose:<9}{card.path.stat().st_size / 1e6:5.1f} MB  {made}  {card.title}".rstrip())
    if not cards:
        print(f"No models yet. Train one: {paths.COMMAND} train --help", file=sys.stderr)
    return 0


@app.command()
def doctor(as_json: AsJson = False) -> int:
    """Say which device is used, which versions are here, and what is missing."""
    from ml.cli.doctor import examine

    findings = examine()
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
        return 0
    for finding in findings:
        print(f"{'ok  ' if finding.ok else 'LACK'} {finding.what:<16}{finding.found}")
        if finding.what_to_do:
            print(f"{'':21}-> {finding.what_to_do}")
    return 0


def _begins(text: str, side: int) -> dict[str, Any]:
    """What a corner begins in: a seed, or the noise of a picture."""
    if text.isdecimal():
        return {"seed": int(text)}
    if not os.path.exists(text):
        raise BadRequest(f"{text} is neither a seed nor a picture.", "Give a number, or the path of a picture.")
    return {"picture": to_text(as_drawing(Path(text), side))}


def _to_evaluate(model: str, count: int, given: dict[str, Any]) -> SampleRequest:
    """The request of `count` images, evenly over the model's classes."""
    from ml.evaluation.metrics import evenly
    from ml.registry import model_cards
    from ml.registry.checkpoint import load_header

    header = load_header(model_cards.find(model))
    labels = evenly(header.model, count)
    changes = {name: value for name, value in given.items() if value is not None}
    return checked(SampleRequest, header.defaults.model_dump() | changes | {"model": model, "labels": labels})


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


def _watch(events: "Generator[TrainEvent]", control: RunControl, line: Line, folder: Path) -> RunFinished | None:
    """Follow a training to its end; None where it was cancelled while its data were still being read."""
    with closing(events):
        for event in events:
            line.show(_told(event))
            if isinstance(event, SteppedBack | BatchSplit):
                line.note(_told(event))
            if isinstance(event, Resumed):
                folder = event.run_dir
            if isinstance(event, WriteFailed):
                control.write_to(where_else(event, folder, line))
            if isinstance(event, RunFinished):
                return event
            if control.cancelled and isinstance(event, Progress):
                break
    return None


def _told(event: TrainEvent) -> str:
    """A training event in one short line."""
    match event:
        case Progress():
            return f"{event.what} {event.done}/{event.total}" if event.total else event.what
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
        case SteppedBack():
            return f"{event.message} Back to step {event.step}, with a learning rate of {event.lr:g} at most."
        case BatchSplit():
            return f"step {event.step}  the batch does not fit into memory: {event.parts} parts, same result"
        case _:
            return type(event).__name__


def _described(prompt: str | None, route: Route) -> tuple[int, ...]:
    """The labels of a round of what the text says; tells a person where the text is about something else."""
    from ml.generation import clip_matcher as clip

    if not prompt or not prompt.strip():
        raise BadRequest("What to draw?", "Give --prompt 'a bold seven' to this route.")
    if not clip.is_about_digits(prompt):
        print(f"{prompt!r} is nothing that this model knows: it draws digits.", file=sys.stderr)
    return in_words(prompt).labels if route == "text" else (NO_LABEL,)


def _what_to_draw(
    labels: str | None, prompt: str | None, unconditional: bool, header: "ModelHeader"
) -> tuple[tuple[int, ...], int]:
    """The labels of one round, and how many images go into a row."""
    if [labels is not None, prompt is not None, unconditional].count(True) != 1:
        raise BadRequest("What to draw?", "Give one of --labels 0-9, --prompt 'two or five' and --unconditional.")
    if prompt is not None:
        understood = understand(prompt, header.model.num_classes)
        print(f"Understood as {understood.reading}")
        once = understood.labels
    else:
        once = parse_labels(labels, header.model.num_classes) if labels is not None else (NO_LABEL,)
    return once, len(once) if 1 < len(once) <= MAX_COLUMNS else 10


def _fitting(suffix: str, count: int, side: int, columns: int, kind: Kind) -> Layout:
    """The grid at the largest scale that its format can hold; raises BadRequest where none fits."""
    for scale in SCALES:
        layout = Layout(columns=columns, scale=scale, kind=kind)
        try:
            exports.check_size(suffix, count, side, layout)
            return layout
        except BadRequest:
            if scale == SCALES[-1]:
                raise
    raise AssertionError("the last scale returns or raises")


def _draw(request: SampleRequest, device: DeviceName, keep: bool) -> tuple[Sampled, list[Frame]]:
    """Sample a request under a progress line, keeping its frames if asked to."""
    from ml.distributed import helpers
    from ml.generation import pipeline

    sampling = pipeline.sample if keep else helpers.sample  # one process alone keeps what is on the way
    frames: list[Frame] = []
    count = len(request.labels)
    with interruptible() as control, Line() as line:
        for event in sampling(request, device=device, control=control):
            if isinstance(event, Sampled):
                return event, frames
            if isinstance(event, Progress):
                line.show(_told(event))
                continue
            done = event.first + len(event.x_t) * event.step // event.steps
            line.show(f"{done} of {count} images")
            if keep:
                frames.append(event)
    print("Interrupted; nothing was written.", file=sys.stderr)
    raise typer.Exit(INTERRUPTED)


def _save(path: Path, images: Pixels, request: SampleRequest, layout: Layout, pictures: Sequence[Pixels]) -> None:
    """Write a file, and say where it is not all that its name promises."""
    exports.save(path, images, request, layout, pictures)
    if path.suffix.lower() == ".mp4" and (reason := mp4_encoder()[1]):
        print(reason, file=sys.stderr)


def _readings(images: Pixels, data: str) -> tuple[str, ...]:
    """What the judge reads in the images, where it can."""
    from ml.evaluation.judge import Judge, reads

    if not reads(data, images):
        return ()
    verdict = Judge.bundled().judge(images)
    return readings(verdict.labels, verdict.confidence)
