"""What has to be seen on a GPU: the same images and runs as on a CPU, and how fast, beside other projects' recipes.

The most important comes first. Each finding is said, and kept, as soon as it is there; what would not fit into the
minutes that are left, or lacks data or a package, is skipped and says so. An error ends its own part alone.
"""

import gc
import os
import tarfile
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar
from unittest.mock import patch

import numpy as np
import torch
from pydantic import Field

from ml.cli.console import Line, progress_in_words
from ml.config import SampleRequest, TrainConfig
from ml.control import RunControl
from ml.data import datasets
from ml.data.dataset import Dataset, usual_roots
from ml.errors import DataUnavailable
from ml.evaluation import metrics
from ml.evaluation.judge import Judge
from ml.evaluation.metrics import Reference, Report
from ml.events import Pixels, RunStarted, Sampled, TrainEvent, TrainStep
from ml.generation import loaded_model, pipeline
from ml.models.optimized import optimize
from ml.models.optimized_variants import Graphed
from ml.registry import model_cards, presets
from ml.registry.checkpoint import load_header
from ml.registry.run_layout import MODEL_FILE
from ml.specs import DRAWING, IMAGE_FOLDER, DeviceName
from ml.system.device import choose_device, free, precisions
from ml.system.files import make_folder
from ml.system.paths import HOME_VARIABLE
from ml.tracking.metrics_table import curve
from ml.training import judges, trainer
from ml.training.overrides import with_overrides
from ml.training.run import Run
from tests.benchmarks import peers
from tests.benchmarks.common import Plan, Table, in_turns, machine, median, spent, synchronise
from tests.benchmarks.training import Contestant, Other, Own, TrainingPlan

if TYPE_CHECKING:
    from desktop_app.widgets.plots.export import Figure

TWO_OF_255 = 2  # what devices may differ by in an image that is kept
EVERY = 10_000.0  # of `guidance_to`: above every noise level
SAME_LOSS = 0.02  # share by which the losses of a resumed run may differ, in the middle; batches differ by more
TAR, LOOSE = "cifar10-jpeg.tar.gz", "cifar10-images"  # CIFAR-10 as images, whole and in part
KEPT_S = 60.0  # of the minutes, for scoring the colour models
SOME = 10_000  # training images for the floor of a distance

PartName = Literal[
    "images", "resume", "memory", "stop", "slider", "training", "drawing", "right", "distance", "colour"
]  # fmt: skip


class GpuPlan(Plan):
    """How long and with what is measured."""

    device: DeviceName = "cuda"
    minutes: float = Field(default=8.0, gt=0, description="of everything together, about")
    data: str = "mnist"
    preset: str = Field(default="1-minute", description="of the short run")
    large: str = Field(default="digits", description="preset of the longer run")
    models: tuple[str, ...] = Field(default=(), description="whose images are compared; none: all bundled ones")
    full: str = Field(default="digits", description="model of the sketches and of the drawing speed ...")
    student: str = Field(default="student", description="... and its student")
    steps: int = Field(default=400, ge=4, description="of the run that is resumed in its middle")
    batch: int = Field(default=2048, ge=2, description="that memory is made too small for")
    stop_s: float = Field(default=1.0, gt=0, description="in which a run has to stop")
    moves: int = Field(default=200, ge=1, description="of a slider")
    train_s: float = Field(default=3.0, gt=0, description="of training, for its speed")
    batches: tuple[int, ...] = (64, 512)
    draws: tuple[int, ...] = Field(default=(100, 1000), description="digits that are drawn at a time")
    peer_steps: int = Field(default=50, ge=1, description="of the peers' DDIM")
    rounds: int = Field(default=3, ge=1)
    short_s: float = Field(default=10.0, gt=0, description="of the run to 98 % right")
    long_s: float = Field(default=60.0, gt=0, description="of the run to a distance of 2")
    judged: int = Field(default=1000, ge=100, description="digits, or colour images, whose distance is measured")
    colour: str = Field(default="colour", description="preset and bundled model of colour images")
    colour_data: str = Field(default="", description="'': CIFAR-10, in whichever form the data folder has it")
    colour_minutes: float = Field(default=5.0, gt=0, description="of training, at most")
    keep: str = Field(default="", description="folder that the trained colour model is kept in")
    parts: tuple[PartName, ...] = Field(default=(), description="that are measured; none: all")


P = TypeVar("P")
PLAN = GpuPlan
QUICK: dict[str, Any] = {"minutes": 2.0, "moves": 50, "train_s": 1.0, "long_s": 20.0, "rounds": 1, "judged": 200}


class Skipped(Exception):
    """A part that cannot be measured here, and why."""


class Outcome(NamedTuple):
    """What a part found: a sentence, its figures, and whether a check holds; None for a measurement."""

    said: str
    figures: dict[str, Any]
    holds: bool | None = None


@dataclass
class Finding:
    """A part as it is kept."""

    name: str
    state: str  # "holds", "fails", "measured" or "skipped"
    said: str
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    trace: str = ""


class Bench:
    """The plan and what all parts need."""

    def __init__(self, plan: GpuPlan, data_root: Path | None, folder: Path, line: Line) -> None:
        self.plan, self.data_root, self.folder, self.line = plan, data_root, folder, line
        self.device = choose_device(plan.device)
        self.until = time.monotonic() + 60 * plan.minutes

    @property
    def where(self) -> torch.device:
        return self.device.torch_device

    @property
    def left_s(self) -> float:
        """Seconds that are left of the minutes."""
        return self.until - time.monotonic()

    @cached_property
    def digits(self) -> Dataset:
        """The training images; raises Skipped where they would have to be downloaded."""
        if datasets.needs_download(self.plan.data, self.data_root):
            raise Skipped(f"{self.plan.data} is not here: name the folder that holds it with --data-root")
        return datasets.load(self.plan.data, self.data_root)

    def train(self, config: TrainConfig, folder: str, **more: Any) -> Iterator[TrainEvent]:
        """The events of a run on the training images."""
        assert len(self.digits)
        return trainer.train(config, self.folder / folder, device=self.plan.device, data_root=self.data_root, **more)

    @cached_property
    def reference(self) -> Reference:
        """Some training images and all test images, for distances."""
        some = torch.arange(min(len(self.digits), SOME))
        few = Dataset(self.digits.name, self.digits.images[some], self.digits.labels[some], self.digits.classes)
        test = datasets.load(self.plan.data, self.data_root, "test")
        return Reference(few, test, Judge.bundled(self.plan.device))

    def config(self, preset: str, **changes: Any) -> TrainConfig:
        """A preset on the plan's data."""
        return with_overrides(presets.load(preset), [("data", self.plan.data), *changes.items()])

    def request(self, name: str, labels: Sequence[int] | None = None, **changes: Any) -> SampleRequest:
        """Images by a model at its own settings: of each class, or of these."""
        header = load_header(model_cards.find(name))
        chosen = metrics.balanced_labels(header.model, 10) if labels is None else tuple(labels)
        own = header.defaults.model_dump() | {"model": name, "labels": chosen}
        return SampleRequest.model_validate(own | changes)

    def draw(self, request: SampleRequest, *, optimized: bool = False, device: DeviceName | None = None) -> Pixels:
        """The images of a request."""
        events = pipeline.sample(request, device=device or self.plan.device, frames=False, optimized=optimized)
        *_, sampled = events
        assert isinstance(sampled, Sampled)
        return sampled.images


def _same_images(bench: Bench) -> Outcome:
    """Every bundled model draws, and its images are the CPU's but for 2 of 255; how far sketches are from them."""
    bundled = sorted(model_cards.bundled_folder().glob("*.safetensors"))
    names = bench.plan.models or [path.stem for path in bundled if load_header(path).model.network in DRAWING]
    apart, sketches, unread = dict[str, int](), dict[str, float](), dict[str, str]()
    for name in names:
        bench.line.show(f"Drawing by {name} on both")
        if load_header(model_cards.find(name)).model.reader and find_spec("open_clip") is None:
            unread[name] = "skipped, since open_clip is not installed"
            continue
        try:
            request = bench.request(name)
            ours = bench.draw(request).astype(int)
            apart[name] = int(np.abs(ours - bench.draw(request, device="cpu")).max())
            sketches[name] = float(np.abs(ours - bench.draw(request, optimized=True)).mean())
        except Exception as error:  # the others are to be seen too
            unread[name] = f"{type(error).__name__}: {error}"
    worst, far = (max(found, key=lambda name: found[name], default="-") for found in (apart, sketches))
    said = f"{len(apart)} of {len(names)} models; at most {apart.get(worst)} of 255 from the CPU's ({worst}); "
    said += f"sketches {sketches.get(far, 0):.2f} in the mean ({far})"
    said += "".join(f"; {name}: {why}" for name, why in unread.items())
    holds = max(apart.values(), default=255) <= TWO_OF_255 and all("skipped" in why for why in unread.values())
    return Outcome(said, {"apart": apart, "sketches_apart": sketches, "unread": unread}, holds)


def _resumes(bench: Bench) -> Outcome:
    """A run that is stopped in its middle and resumed has the losses of one that is not."""
    half = bench.plan.steps // 2
    config = bench.config(bench.plan.preset, steps=bench.plan.steps)
    for _ in bench.train(config, "whole"):
        pass
    control, at = RunControl(), 0
    with patch.object(trainer, "REPORT_EVERY_S", 0.0):  # every step is an event
        for event in bench.train(config, "resumed", control=control):
            if isinstance(event, TrainStep) and event.step == half:
                control.cancel()
    for event in bench.train(config, "resumed", resume=True):
        if isinstance(event, RunStarted):
            at = event.step
    (steps, whole, _), (again, resumed, _) = (curve(bench.folder / name) for name in ("whole", "resumed"))
    if not np.array_equal(steps, again) or at != half:
        return Outcome(f"stopped at step {at}; {len(again)} steps instead of {len(steps)}", {"at": at}, holds=False)
    later = steps > at
    apart = np.abs(resumed[later] / whole[later] - 1)
    middle, most = float(np.median(apart)), float(apart.max())
    said = f"stopped at step {at} of {bench.plan.steps}; losses after it differ by {middle:.2%}, at most {most:.2%}"
    return Outcome(said, {"at": at, "median": middle, "most": most}, middle <= SAME_LOSS)


def _halves(bench: Bench) -> Outcome:
    """A batch that memory does not hold is computed in parts, with the same loss."""
    if bench.where.type != "cuda":
        raise Skipped("only the memory of a CUDA device can be limited")
    config = bench.config(bench.plan.large, batch_size=bench.plan.batch, steps=2)

    def one_step(folder: str) -> tuple[int, float]:
        run = Run(config, bench.folder / folder, bench.device, bench.digits)
        torch.cuda.reset_peak_memory_stats()
        run.train_step()
        return run.parts, run.report().loss

    before = torch.cuda.memory_allocated()
    _, loss = one_step("fits")
    peak = torch.cuda.max_memory_allocated()
    gc.collect()
    torch.cuda.empty_cache()
    most = before + 0.6 * (peak - before)
    torch.cuda.set_per_process_memory_fraction(most / torch.cuda.get_device_properties().total_memory)
    try:
        parts, same = one_step("too large")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    said = f"a batch of {bench.plan.batch} took {peak / 1e9:.2f} GB; with {most / 1e9:.2f} GB it has {parts} parts"
    figures = {"peak_bytes": peak, "limit_bytes": most, "parts": parts, "loss": loss, "loss_in_parts": same}
    return Outcome(said, figures, parts > 1 and abs(same / loss - 1) <= SAME_LOSS)


def _stops(bench: Bench) -> Outcome:
    """A run that is asked to stop has saved and ended soon, whatever it does at that moment."""
    control, asked = RunControl(), list[float]()

    def stop() -> None:
        asked.append(time.perf_counter())
        control.cancel()

    timer = threading.Timer(bench.plan.train_s / 3, stop)
    config = bench.config(bench.plan.large, minutes=60)
    for event in bench.train(config, "stopped", control=control):
        if isinstance(event, TrainStep) and timer.ident is None:
            timer.start()
    took = time.perf_counter() - asked[0]
    kept = (bench.folder / "stopped" / MODEL_FILE).is_file()
    holds = kept and took <= bench.plan.stop_s
    return Outcome(f"saved and stopped after {took:.2f} s", {"seconds": took, "saved": kept}, holds)


def _slider(bench: Bench) -> Outcome:
    """From a moved slider to the pixels of one digit, as a sketch."""
    plan, figures, variants = bench.plan, dict[str, Any](), list[str]()
    sliders: dict[str, tuple[str, dict[str, Any], float]] = {  # model, settings, and the bar in milliseconds
        "ten steps, all guided": (plan.full, {"guidance_from": 0.0, "guidance_to": EVERY}, 4.0),
        "ten steps, guided as by default": (plan.full, {}, 4.0),
        "student, one step": (plan.student, {"steps": 1}, 1.0),
    }
    for what, (name, changes, bar_ms) in sliders.items():
        moves = [bench.request(name, [3], **changes, sigma_max=8 + move % 40 / 10) for move in range(plan.moves)]
        bench.draw(moves[0], optimized=True)  # looks for the fastest variant
        taken = [1000 * spent(partial(bench.draw, move, optimized=True)) for move in moves]
        p50, p95 = (float(np.percentile(taken, share)) for share in (50, 95))
        network = optimize(loaded_model.load(name, bench.plan.device).network)
        variants = sorted({_kind(variant) for variant in network._variants.values()})
        figures[what] = {"p50_ms": p50, "p95_ms": p95, "bar_ms": bar_ms, "variants": variants}
    said = (
        f"{what}: {row['p50_ms']:.2f} ms, 95 of 100 below {row['p95_ms']:.2f} ms (bar {row['bar_ms']:g})"
        for what, row in figures.items()
    )
    return Outcome(f"{'; '.join(said)}; by {', '.join(variants)}", figures)


def _kind(variant: torch.nn.Module) -> str:
    """The class of a variant, with that of the network in a CUDA graph."""
    name = type(variant).__name__
    return f"{name}({_kind(variant.network)})" if isinstance(variant, Graphed) else name


def _peers(bench: Bench, make: Callable[[str], P], once: Callable[[P], object]) -> Iterator[tuple[str, P]]:
    """The peers that can be made here and do something once: an error of another project is not ours."""
    for name in bench.plan.against:
        try:
            peer = make(name)
            once(peer)
        except Exception as error:
            bench.line.note(f"  {name} cannot be measured: {type(error).__name__}: {error}")
        else:
            yield name, peer


def _training(bench: Bench) -> Outcome:
    """Images a second that each recipe learns from, at the same batches; ours also at its presets' own."""
    plan, figures = bench.plan, dict[str, float]()

    def own(preset: str, batch: int | None, folder: str) -> Contestant:
        changes = {} if batch is None else {"batch_size": batch}
        other = TrainingPlan(device=plan.device)
        return Own(bench.config(preset, minutes=60, **changes), bench.digits, other, bench.folder / folder)

    def rate(contestant: Contestant) -> float:
        for _ in range(3):  # which allocate memory
            contestant.advance()
        synchronise(bench.where)
        began, images = time.perf_counter(), 0
        while time.perf_counter() - began < plan.train_s:
            images += sum(contestant.advance() for _ in range(5))
            synchronise(bench.where)
        return images / (time.perf_counter() - began)

    for preset in (plan.preset, plan.large):
        figures[f"{preset}, its own batch"] = rate(own(preset, None, f"speed {preset}"))
    for batch in plan.batches:
        figures[f"{plan.large}, {batch}"] = rate(own(plan.large, batch, f"speed {batch}"))
        other = TrainingPlan(device=plan.device, batch_size=batch, minutes=60)
        makes = partial(Other, dataset=bench.digits, plan=other)
        for name, contestant in _peers(bench, makes, Other.advance):
            figures[f"{name}, {batch}"] = rate(contestant)
    return Outcome("; ".join(f"{name}: {value:,.0f} images/s" for name, value in figures.items()), figures)


def _drawing(bench: Bench) -> Outcome:
    """Digits a second: ours as they are kept and as sketches, the peers by DDIM with untrained weights."""
    plan, figures = bench.plan, dict[str, float]()
    one = torch.zeros(1, dtype=torch.long, device=bench.where)
    made = dict(_peers(bench, lambda name: peers.make(name, bench.where), lambda peer: peer.draw(one, 1)))
    for count in plan.draws:
        labels = [k % peers.CLASSES for k in range(count)]
        works: dict[str, Callable[[], object]] = {}
        for (name, changes), kind in product(((plan.full, {}), (plan.student, {"steps": 1})), ("kept", "sketches")):
            request = bench.request(name, labels, **changes)
            works[f"{name}, {kind}, {count}"] = partial(bench.draw, request, optimized=kind == "sketches")
        for name, peer in made.items():
            wanted = torch.tensor(labels, device=bench.where)
            works[f"{name}, {plan.peer_steps} steps, {count}"] = partial(peer.draw, wanted, plan.peer_steps)
        taken = in_turns([*works.values()], plan.rounds, 0, bench.line)
        figures |= {name: count / median(seconds) for name, seconds in zip(works, taken, strict=True)}
    return Outcome("; ".join(f"{name}: {value:,.0f} digits/s" for name, value in figures.items()), figures)


def _looks(
    bench: Bench, preset: str, budget_s: float, looks: int, labels: Sequence[int]
) -> Iterator[tuple[float, Pixels]]:
    """Train a preset for so long: so often, the seconds of training and what the averaged weights draw then."""
    config = bench.config(preset, minutes=budget_s / 60)
    own = Own(config, bench.digits, TrainingPlan(device=bench.plan.device), bench.folder / "looks")
    seconds, due = 0.0, 0.0
    while own.share < 1:
        due = min(max(due, own.share) + 1 / looks, 1.0)
        while own.share < due:
            seconds += spent(own.advance)
        seconds += spent(partial(synchronise, bench.where))
        bench.line.show(f"{preset}: {seconds:.1f} s of training")
        yield seconds, own.draw(tuple(labels), config.defaults.steps)


def _right(bench: Bench) -> Outcome:
    """Seconds of training from random weights until 98 of 100 digits are read right."""
    labels = [k % peers.CLASSES for k in range(200)]
    judge, budget_s = Judge.bundled(bench.plan.device), bench.plan.short_s
    seen = [
        (seconds, float((judge.judge(images).labels == labels).mean()))
        for seconds, images in _looks(bench, bench.plan.preset, budget_s, 10, labels)
    ]
    first = next((seconds for seconds, right in seen if right >= 0.98), None)
    after = f"after {first:.1f} s" if first is not None else f"not in {budget_s:g} s"
    said = f"98 % {after} (bar 10 s); {max(right for _, right in seen):.1%} at best"
    return Outcome(said, {"seconds_to_98": first, "looks": seen})


def _close(bench: Bench) -> Outcome:
    """Seconds of training from random weights until the distance of the digits is twice its floor."""
    labels = [k % peers.CLASSES for k in range(bench.plan.judged)]
    budget_s, seen = bench.plan.long_s, list[tuple[float, float]]()
    for seconds, images in _looks(bench, bench.plan.large, budget_s, 6, labels):
        *_, report = metrics.score(images, np.array(labels), bench.reference, bench.plan.large)
        if isinstance(report, Report) and report.frechet_ratio is not None:
            seen.append((seconds, report.frechet_ratio))
    if not seen:
        raise Skipped("too few test images are there for a distance")
    first = next((seconds for seconds, times in seen if times <= 2), None)
    after = f"after {first:.1f} s" if first is not None else f"not in {budget_s:g} s"
    said = f"a distance of 2 {after} (bar 60 s); {min(times for _, times in seen):.2f} at best"
    return Outcome(said, {"seconds_to_2": first, "looks": seen})


def _colour(bench: Bench) -> Outcome:
    """The colour preset trained here, judged beside the bundled model on the same images."""
    plan = bench.plan
    data = plan.colour_data or _colour_images(bench)
    bundled = load_header(model_cards.find(plan.colour))
    judging, reference = judges.reference_for(bundled, data, bench.data_root, plan.device), None
    while reference is None:
        try:
            bench.line.show(progress_in_words(next(judging)))
        except StopIteration as finished:
            reference = finished.value
    minutes = min(plan.colour_minutes, (bench.left_s - KEPT_S) / 60)
    if minutes <= 0:
        raise Skipped("too little time is left once a judge is trained")
    config = with_overrides(presets.load(plan.colour), [("data", data), ("minutes", minutes)])
    folder, last = bench.folder / "colour", None
    for event in trainer.train(config, folder, device=plan.device, data_root=bench.data_root):
        if isinstance(event, TrainStep):
            last = event
            bench.line.show(f"{plan.colour}: step {event.step}")
    figures: dict[str, Any] = {"minutes": minutes, "steps": last.step if last else 0}
    names = {"bundled": str(model_cards.find(plan.colour)), "trained here": str(folder / MODEL_FILE)}
    for what, model in names.items():
        labels = metrics.labels_to_score(load_header(Path(model)), reference.test.classes, plan.judged)
        for event in metrics.evaluate_model(bench.request(model, labels, seed=2026), reference, plan.device):
            if isinstance(event, Report):
                figures[what] = {"bytes": Path(model).stat().st_size} | event.model_dump(
                    include={"accuracy", "frechet_ratio", "kid", "precision", "recall", "memorised"}
                )
    if plan.keep:
        kept = make_folder(Path(plan.keep)) / "colour.safetensors"
        kept.write_bytes((folder / MODEL_FILE).read_bytes())
    said = "; ".join(f"{what}: {_scores(figures[what])}" for what in names)
    return Outcome(f"{minutes:.1f} minutes, {figures['steps']:,} steps. {said}", figures)


def _colour_images(bench: Bench) -> str:
    """CIFAR-10 as a data set, in whichever form it is in the data folder; raises Skipped."""
    root = bench.data_root
    if root and datasets.is_downloaded("cifar10", root):
        return "cifar10"
    if root and (root / TAR).is_file():
        bench.line.show(f"Unpacking {TAR}")
        with tarfile.open(root / TAR) as archive:
            archive.extractall(bench.folder / "cifar10", filter="data")
        return f"{IMAGE_FOLDER}{bench.folder / 'cifar10'}"
    if root and (root / LOOSE).is_dir():
        return f"{IMAGE_FOLDER}{root / LOOSE}"
    raise Skipped(f"the data folder has neither CIFAR-10 nor {TAR} nor {LOOSE}")


def _scores(row: dict[str, Any]) -> str:
    told = {"accuracy": "right", "frechet_ratio": "times the floor", "kid": "KID"}
    known = [f"{row[name]:.3g} {what}" for name, what in told.items() if row[name] is not None]
    return ", ".join([*known, f"{row['bytes'] / 1e6:.1f} MB"])


class Part(NamedTuple):
    """A part, and the seconds that have to be left for it."""

    key: PartName
    name: str
    work: Callable[[Bench], Outcome]
    needs_s: Callable[[GpuPlan], float] = lambda plan: 10


PARTS = (
    Part("images", "The bundled models draw the same images", _same_images),
    Part("resume", "A resumed run is the same run", _resumes),
    Part("memory", "A batch that memory does not hold is computed in parts", _halves),
    Part("stop", "A run stops at once", _stops),
    Part("slider", "From a slider to the pixels of one digit", _slider),
    Part("training", "Training speed", _training, lambda plan: 4.5 * plan.train_s * (1 + len(plan.batches))),
    Part("drawing", "Drawing speed", _drawing, lambda plan: 20 * plan.rounds),
    Part("right", "From random weights to 98 % right", _right, lambda plan: 2 * plan.short_s),
    Part("distance", "From random weights to a distance of 2", _close, lambda plan: 1.2 * plan.long_s),
    Part("colour", "The colour model, trained here", _colour, lambda plan: 2 * KEPT_S),
)


def measure(plan: GpuPlan, data_root: Path | None, line: Line) -> Iterator[dict[str, Any]]:
    """All parts, the most important first; yields what is found so far after each, and the names of those that fail."""
    findings: list[Finding] = []
    data_root = data_root or next((place for place in usual_roots() if place.is_dir()), None)
    with _home() as folder:
        bench = Bench(plan, data_root, folder, line)
        facts = machine(plan.device) | {"free_bytes": free(bench.where), "precision": precisions(bench.where)}
        for part in [part for part in PARTS if not plan.parts or part.key in plan.parts]:
            findings.append(_found(part, bench))
            found = findings[-1]
            line.note(f"{found.state:<9}{found.name}: {found.said}")
            failed = [one.name for one in findings if one.state == "fails"]
            yield {"machine": facts, "findings": [asdict(one) for one in findings], "failed": failed}


@contextmanager
def _home() -> Iterator[Path]:
    """A folder for runs, judges and models, which is gone afterwards."""
    before = os.environ.get(HOME_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="noiseloom-benchmark-", ignore_cleanup_errors=True) as home:
        os.environ[HOME_VARIABLE] = home
        try:
            yield Path(home)
        finally:
            os.environ.pop(HOME_VARIABLE)
            os.environ.update({} if before is None else {HOME_VARIABLE: before})


def _found(part: Part, bench: Bench) -> Finding:
    """What came of a part; whatever it raises ends it alone."""
    needs, left = part.needs_s(bench.plan), bench.left_s
    if needs > left:
        return Finding(part.name, "skipped", f"{max(left, 0):.0f} s are left, it takes about {needs:.0f} s")
    began = time.perf_counter()
    trace = ""
    try:
        outcome = part.work(bench)
        said, figures = outcome.said, outcome.figures
        state = {None: "measured", True: "holds", False: "fails"}[outcome.holds]
    except (Skipped, DataUnavailable) as error:
        said, figures, state = str(error), {}, "skipped"
    except Exception as error:
        said, figures, state = f"{type(error).__name__}: {error}".splitlines()[0], {}, "fails"
        trace = traceback.format_exc()
    return Finding(part.name, state, said, time.perf_counter() - began, figures, trace)


def tables(found: dict[str, Any]) -> list[Table]:
    """What was found, a row for each part."""
    rows = [tuple(one[key] for key in ("name", "state", "said", "seconds")) for one in found["findings"]]
    return [Table("On this device", ("", "", "found", "in s"), rows)]


def figures(found: dict[str, Any]) -> "list[Figure]":
    """None: these are figures of one size of work."""
    return []
