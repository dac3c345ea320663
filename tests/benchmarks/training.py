"""How soon a model from random weights draws digits that the judge reads, against the peers' recipes.

All learn from the same images in memory, in turns, and draw the same digits in ten steps for the same judge. Only the
time of training counts: not what it takes to draw and to judge.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ml.cli.console import Line
from ml.config import SampleRequest, TrainConfig
from ml.control import RunControl
from ml.data import datasets
from ml.data.dataset import Dataset
from ml.evaluation.judge import Judge
from ml.events import Pixels, Sampled
from ml.generation.loaded_model import LoadedModel
from ml.generation.pipeline import sample_with
from ml.registry import presets
from ml.system.device import choose_device
from ml.training.overrides import with_overrides
from ml.training.run import Run
from tests.benchmarks import peers
from tests.benchmarks.common import Plan, Table, machine, synchronise

if TYPE_CHECKING:
    from desktop_app.widgets.plots.export import Figure

MARKS = (0.9, 0.98)
CLASSES = 10
OURS, TEXTBOOK = "ours", "textbook"


class TrainingPlan(Plan):
    """How long each recipe is trained, and how often it is looked at."""

    preset: str = "1-minute"
    own_minutes: float | None = Field(default=None, gt=0, description="None: the preset's own budget")
    minutes: float = Field(default=8.0, gt=0, description="of each of the others")
    textbook: bool = True
    batch_size: int = Field(default=64, ge=1, description="of the peers; ours and the textbook's are their presets'")
    data: str = "mnist"
    digits: int = Field(default=200, ge=10, description="judged at each look")
    steps: int = Field(default=10, ge=1, description="they are drawn in")
    look_every_s: float = Field(default=2.0, gt=0)
    patience: float = Field(default=2.0, ge=0, description="times as long as a look takes pass before the next")


PLAN = TrainingPlan
QUICK: dict[str, Any] = {"own_minutes": 0.5, "minutes": 0.5, "digits": 50, "look_every_s": 10.0}


class Contestant(Protocol):
    """A recipe at work."""

    recipe: str

    @property
    def parameters(self) -> int: ...

    @property
    def share(self) -> float:
        """Of the budget that is used up."""
        ...

    def advance(self) -> int:
        """One optimiser step; how many images were learnt from."""
        ...

    def draw(self, labels: tuple[int, ...], steps: int) -> Pixels: ...


class Own:
    """A preset of ours, trained as the program trains it, without its previews and checkpoints."""

    def __init__(self, config: TrainConfig, dataset: Dataset, plan: TrainingPlan, folder: Path) -> None:
        self.recipe = f"the preset {config.name}: batch {config.batch_size}, {config.optimizer}, {config.precision}"
        self._run = Run(config, folder, choose_device(plan.device), dataset)

    @property
    def parameters(self) -> int:
        return self._run.parameters

    @property
    def share(self) -> float:
        return self._run.progress

    def advance(self) -> int:
        self._run.train_step()
        return self._run.config.batch_size

    def draw(self, labels: tuple[int, ...], steps: int) -> Pixels:
        run = self._run
        run.report()  # as it does ten times a second
        model = LoadedModel("run", run.header(), run.ema.network, run.device.torch_device, "")
        settings = run.config.defaults.with_changes(steps=steps).model_dump()
        request = SampleRequest.model_validate(settings | {"labels": labels})
        *_, sampled = sample_with(model, request, RunControl(), frames=False)
        assert isinstance(sampled, Sampled)
        return sampled.images


class Other:
    """A peer's recipe, fed from the images in memory, which spares it its loader."""

    def __init__(self, name: str, dataset: Dataset, plan: TrainingPlan) -> None:
        self._device = choose_device(plan.device).torch_device
        self._peer = peers.make(name, self._device)
        self._images, self._labels = dataset.images.to(self._device), dataset.labels.to(self._device)
        self._batch, self._budget_s, self._spent_s = plan.batch_size, 60 * plan.minutes, 0.0
        self._rng = torch.Generator(self._device).manual_seed(0)
        self.recipe = f"{self._peer.recipe}, batch {plan.batch_size}"

    @property
    def parameters(self) -> int:
        return self._peer.parameters

    @property
    def share(self) -> float:
        return self._spent_s / self._budget_s

    def advance(self) -> int:
        began = time.perf_counter()
        chosen = torch.randint(len(self._labels), (self._batch,), generator=self._rng, device=self._device)
        self._peer.learn(self._images[chosen].float() / 127.5 - 1, self._labels[chosen])
        self._spent_s += time.perf_counter() - began
        return self._batch

    def draw(self, labels: tuple[int, ...], steps: int) -> Pixels:
        wanted: Tensor = torch.tensor(labels, device=self._device)
        return self._peer.draw(wanted, steps)


@dataclass
class Entry:
    """A contestant and what was seen of it."""

    name: str
    contestant: Contestant
    seconds: float = 0.0  # of training
    images: int = 0
    next_look_s: float = 0.0
    looks: list[dict[str, float]] = field(default_factory=list)

    def turn(self, plan: TrainingPlan, judge: Judge, device: torch.device) -> None:
        """Train until the next look is due, or the budget is used up, and look."""
        self.next_look_s = max(self.next_look_s, self.seconds + plan.look_every_s)
        while self.seconds < self.next_look_s and self.contestant.share < 1:
            began = time.perf_counter()
            self.images += self.contestant.advance()
            if self.seconds + time.perf_counter() - began >= self.next_look_s:
                synchronise(device)
            self.seconds += time.perf_counter() - began
        began = time.perf_counter()
        labels = tuple(k % CLASSES for k in range(plan.digits))
        right = judge.judge(self.contestant.draw(labels, plan.steps)).labels == labels
        self.looks.append({"seconds": self.seconds, "images": self.images, "accuracy": float(right.mean())})
        self.next_look_s = self.seconds + max(plan.look_every_s, plan.patience * (time.perf_counter() - began))

    def to(self, mark: float) -> float | None:
        """Seconds of training at the first look that found so many digits right; None where none did."""
        return next((look["seconds"] for look in self.looks if look["accuracy"] >= mark), None)

    def found(self, ours: "Entry") -> dict[str, Any]:
        """The figures, with how much later than ours it was there: at least so much where it never was."""
        sooner: dict[str, dict[str, Any] | None] = {}
        for mark in MARKS:
            own, theirs = ours.to(mark), self.to(mark)
            ratio = None if own is None else {"times": (theirs or self.seconds) / own, "at_least": theirs is None}
            sooner[f"{mark:.0%}"] = ratio
        return {
            "name": self.name,
            "recipe": self.contestant.recipe,
            "parameters": self.contestant.parameters,
            "images_per_s": self.images / self.seconds,
            "seconds": self.seconds,
            "seconds_to": {f"{mark:.0%}": self.to(mark) for mark in MARKS},
            "best": max(look["accuracy"] for look in self.looks),
            "times_ours": sooner,
            "looks": self.looks,
        }


def measure(plan: TrainingPlan, data_root: Path | None, line: Line) -> Iterator[dict[str, Any]]:
    """All recipes in turns, until the budget of each is used up."""
    line.show("Reading the data")
    dataset = datasets.load(plan.data, data_root)
    judge, device = Judge.bundled(plan.device), choose_device(plan.device).torch_device
    with _entries(plan, dataset) as entries:
        while waiting := [entry for entry in entries if entry.contestant.share < 1]:
            for entry in waiting:
                line.show(f"{entry.name}: {entry.contestant.share:.0%} of its time")
                entry.turn(plan, judge, device)
                look = entry.looks[-1]
                line.note(f"{entry.name}: {look['accuracy']:.1%} after {look['seconds']:.1f} s")
        found = [entry.found(entries[0]) for entry in entries]
    yield {"machine": machine(plan.device), "recipes": found}


@contextmanager
def _entries(plan: TrainingPlan, dataset: Dataset) -> Iterator[list[Entry]]:
    """Ours, the textbook's and the peers', with fresh weights."""
    own = presets.load(plan.preset)
    own = with_overrides(own, [("minutes", plan.own_minutes)]) if plan.own_minutes else own
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        entries = [Entry(OURS, Own(own, dataset, plan, Path(folder) / OURS))]
        if plan.textbook:
            entries.append(Entry(TEXTBOOK, Own(_textbook(plan.minutes), dataset, plan, Path(folder) / TEXTBOOK)))
        yield entries + [Entry(name, Other(name, dataset, plan)) for name in plan.against]


def _textbook(minutes: float) -> TrainConfig:
    """The recipe that lessons teach: the toy preset, told the class, with the batch norm of the books and DDIM."""
    own = {"model.num_classes": CLASSES, "model.norm": "batch", "defaults.sampler": "ddim", "minutes": minutes}
    own |= {"defaults.spacing": "trailing", "name": TEXTBOOK}
    return with_overrides(presets.load("toy"), own.items())


def tables(found: dict[str, Any]) -> list[Table]:
    """How soon each was there, and its accuracy as time went by."""
    recipes = found["recipes"]
    marks = list(recipes[0]["seconds_to"])
    heads = ("", "recipe", "parameters", "images/s", *(f"s to {mark}" for mark in marks), "best look")
    heads += tuple(f"times ours to {mark}" for mark in marks)
    rows = [
        (
            *(row["name"], row["recipe"], f"{row['parameters'] / 1e6:.2f} M", row["images_per_s"]),
            *(_reached(row["seconds_to"][mark], row["seconds"]) for mark in marks),
            f"{row['best']:.1%}",
            *(_times(row["times_ours"][mark]) for mark in marks),
        )
        for row in recipes
    ]
    digits = found["plan"]["digits"]
    note = f"{digits} digits in {found['plan']['steps']} steps at each look; drawing and judging are not counted."
    looks = [
        (row["name"], ", ".join(f"{look['seconds']:.0f} s {look['accuracy']:.0%}" for look in row["looks"]))
        for row in recipes
    ]
    return [
        Table("From random weights to digits", heads, rows, note),
        Table("Accuracy over time", ("", "looks"), looks),
    ]


def _reached(seconds: float | None, budget: float) -> str:
    return f"not in {budget:.0f}" if seconds is None else f"{seconds:.1f}"


def _times(ratio: dict[str, Any] | None) -> str | None:
    return None if ratio is None else f"{'>= ' if ratio['at_least'] else ''}{ratio['times']:.1f}"


def figures(found: dict[str, Any]) -> "list[Figure]":
    """Accuracy over the seconds of training."""
    from desktop_app.widgets.plots.export import Curve, Figure  # which a machine without a screen may lack

    curves = [
        Curve(
            row["name"],
            np.array([look["seconds"] for look in row["looks"]], np.float64),
            np.array([look["accuracy"] for look in row["looks"]], np.float64),
            color=k,
        )
        for k, row in enumerate(found["recipes"])
    ]
    return [Figure("Digits judged right", "seconds of training", curves)]
