"""Classic questions about diffusion, each answered by a figure: a row per setting, all from the same noise."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ml.config import NO_INTERVAL, NO_LABEL, SampleRequest
from ml.control import RunControl
from ml.data import synthetic_digits
from ml.diffusion.noise import SeededNoise
from ml.diffusion.schedules import DiscreteSchedule, make_schedule, q_sample
from ml.errors import BadRequest
from ml.evaluation.judge import Judge
from ml.events import Pixels, Progress, Sampled
from ml.export.metadata import Layout, Stamp, seal
from ml.export.verify import Proof, compare_exactly
from ml.generation import pipeline
from ml.generation.requests import with_model_defaults
from ml.imaging import figure as figures
from ml.imaging.figure import Head, Panel
from ml.imaging.pixels import to_uint8
from ml.imaging.png import write_png
from ml.specs import ROUTES, SAMPLERS, DeviceName, Route
from ml.system.files import atomic
from ml.text import captions

SHOWN = 10  # images in a row
JUDGED = 100  # images from which a row's scores are computed
TIMES = (0, 100, 250, 500, 750, 999)


@dataclass(frozen=True)
class Experiment:
    """A question, and the settings of each row by its name."""

    question: str
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    route: Route = "class"


@dataclass(frozen=True, slots=True)
class Row:
    """Images (N, H, W) of one setting, and their scores."""

    label: str
    images: Pixels
    verdict: str = ""
    request: SampleRequest | None = None  # of these images and the other judged ones
    right: float | None = None  # share of the judged images that show their digit
    variety: float | None = None  # how much the pixels of one digit vary, relative to its contrast
    half: int | None = None  # the step at which half of an image is noise

    @property
    def judged(self) -> int:
        """How many images the scores are of."""
        return len(self.request.labels) if self.request else 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the experiment `name`, from the noise of a seed."""

    name: str
    seed: int
    question: str
    rows: tuple[Row, ...]
    judge_accuracy: float | None = None  # share of real test images; not in the figure, which stays as it was


DDIM, DDPM = {"sampler": "ddim"}, {"sampler": "ddpm"}
STRONG_GUIDANCE = DDIM | {"steps": 20, "guidance": 15, "guidance_to": 1e4}
EXPERIMENTS: Mapping[str, Experiment] = {
    "schedule": Experiment("Linear or cosine?"),
    "steps": Experiment(
        "How many steps does DDIM need?",
        {f"{n} step{'s' * (n > 1)}": DDIM | {"steps": n} for n in (1, 2, 4, 7, 10, 20, 50)},
    ),
    "eta": Experiment(
        "What does eta do?", {f"eta {eta}": DDIM | {"steps": 20, "eta": eta} for eta in (0, 0.25, 0.5, 0.75, 1)}
    ),
    "guidance": Experiment("Guidance 1, 3 or 7.5?", {f"w = {w}": {"guidance": w} for w in (1, 1.5, 3, 7.5)}),
    "guidance-wide": Experiment(  # at all noise levels; the one before acts in the model's own interval
        "Guidance 1, 3 or 7.5?", {f"w = {w}": {"guidance": w, **NO_INTERVAL} for w in (1, 1.5, 3, 7.5)}
    ),
    "chain": Experiment(
        "What if T = 20?", {f"T = {n}": DDPM | {"steps": n, "spacing": "uniform"} for n in (10, 20, 50, 200)}
    ),
    "clipping": Experiment(
        "What does clipping repair?",
        {
            "w = 15": STRONG_GUIDANCE,
            "w = 15, clipped": STRONG_GUIDANCE | {"clipping": "static"},
            "w = 1.5": DDIM | {"steps": 20},
        },
    ),
    "samplers": Experiment(
        "Which sampler, in ten steps?",
        {SAMPLERS[key].title: {"sampler": key} for key in ("dpm++", "heun", "ddim", "ddpm", "ddpm-clip")},
    ),
    "student": Experiment(
        "What does a few-step student lose?",
        {"ten steps": {}} | {f"student, {n} step{'s' * (n > 1)}": {"model": "student", "steps": n} for n in (1, 2, 4)},
    ),
    "words": Experiment(
        "Which digits does CLIP guidance get right?", {f"“{word}”": {"prompt": word} for word in captions.WORDS}, "clip"
    ),
}


def answer(
    name: str, seed: int = 2026, device: DeviceName = "auto", control: RunControl | None = None
) -> Iterator[Progress | Row | Answer]:
    """Answer one of EXPERIMENTS: `Progress` and `Row` in turn, then the `Answer` unless cancelled.

    Raises BadRequest, BadFile, NoDevice.
    """
    if name not in EXPERIMENTS:
        raise BadRequest(f"There is no experiment {name!r}.", f"Use one of: {', '.join(EXPERIMENTS)}.")
    experiment = EXPERIMENTS[name]
    if name == "schedule":
        noised = tuple(_noised(seed))
        yield from noised
        yield Answer(name, seed, experiment.question, noised)
        return
    rows: list[Row] = []
    for done, (label, changes) in enumerate(experiment.rows.items()):
        yield Progress(f"{label} ", done, len(experiment.rows))
        request = _request(experiment.route, changes, seed)
        *_, last = [None, *pipeline.sample(request, device=device, control=control, frames=False)]
        if not isinstance(last, Sampled):
            return
        rows.append(_row(label, last, Judge.bundled(device)))
        yield rows[-1]
    yield Answer(name, seed, experiment.question, tuple(rows), Judge.bundled(device).accuracy)


def _row(label: str, sampled: Sampled, judge: Judge) -> Row:
    right, variety = _scores(sampled, judge)
    verdict = f"{right:.0%} right, variety {variety:.2f}"
    return Row(label, sampled.images[:SHOWN], verdict, sampled.request, right, variety)


def _scores(sampled: Sampled, judge: Judge) -> tuple[float, float]:
    """The share of images that show their digit, and how much the pixels of one digit vary relative to its contrast."""
    request, images = sampled.request, sampled.images / 255
    by_class = request.route == "class"
    digits = np.array(request.labels if by_class else (captions.WORDS.index(request.prompt),) * len(request.labels))
    right = float((judge.judge(sampled.images).labels == digits).mean())
    same = [images[digits == digit] for digit in np.unique(digits)]
    return right, float(np.mean([each.std(axis=0).mean() / max(each.std(), 1e-6) for each in same]))


def _request(route: Route, changes: Mapping[str, Any], seed: int) -> SampleRequest:
    labels = tuple(k % SHOWN for k in range(JUDGED)) if route == "class" else (NO_LABEL,) * JUDGED
    fields = {"model": ROUTES[route].model, "route": route, "labels": labels, "seed": seed}
    return with_model_defaults(SampleRequest.model_validate(fields | dict(changes)))


def _noised(seed: int) -> Iterator[Row]:
    """One digit at several times of both schedules, with the same noise, and the time when half of it is noise."""
    x0 = synthetic_digits.digits(1, seed).images.float() / 127.5 - 1
    eps = SeededNoise([seed], (1, 28, 28), x0.device)()
    for name in ("linear", "cosine"):
        schedule = make_schedule(name)
        assert isinstance(schedule, DiscreteSchedule)
        noisy = [q_sample(x0, eps, level.alpha, level.sigma) for level in schedule.levels(list(TIMES))[:-1]]
        half = int(np.searchsorted(-schedule.alpha_bar, -0.5))
        images = np.concatenate([to_uint8(x_t) for x_t in noisy])
        yield Row(f"{name}, 1,000 steps", images, f"half noise at {half}", half=half)


def figure(answered: Answer, scale: int = figures.SCALE) -> Image.Image:
    """An answer as a figure: the question, and the rows with their names and scores."""
    rows = [Head(row.label, row.verdict) for row in answered.rows]
    panels = [[Panel(row.images, SHOWN)] for row in answered.rows]
    return figures.figure(answered.question, rows, [Head("")], panels, scale=scale)


def save(path: Path | str, answered: Answer, scale: int = figures.SCALE) -> None:
    """Write an answer as a figure, a PNG with its experiment and seed; raises CannotWrite."""
    picture = np.asarray(figure(answered, scale))
    own = SampleRequest(seed=answered.seed)
    stamp = seal(own, Layout(columns=1, scale=scale), picture, experiment=answered.name)
    with atomic(path) as temporary:
        write_png(temporary, picture, stamp)


def prove(stamp: Stamp, shown: Pixels, device: DeviceName = "auto", control: RunControl | None = None) -> Proof | None:
    """Answer a figure's question again, and compare; None if cancelled. Raises what `answer` raises."""
    for event in answer(stamp.experiment, stamp.request.seed, device, control):
        if isinstance(event, Answer):
            return check_figure(event, shown, stamp)
    return None


def check_figure(answered: Answer, shown: Pixels, stamp: Stamp) -> Proof:
    """Whether a figure shows an answer."""
    return compare_exactly(stamp, shown, np.asarray(figure(answered, stamp.layout.scale)))
