"""How soon a hundred digits are there, against the peers; the cost as work grows; and how far that is from the limit.

The peers draw with untrained weights, which takes as long as with trained ones; only our digits are judged.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from pydantic import Field

from desktop_app.widgets.plots.export import Curve, Figure
from ml.cli.console import Line
from ml.config import ModelConfig, SampleRequest
from ml.evaluation.judge import Judge
from ml.events import Pixels
from ml.generation import loaded_model
from ml.generation.loaded_model import LoadedModel, optimized_model
from ml.system.device import bf16_is_native, choose_device
from tests.benchmarks import peers
from tests.benchmarks.common import Plan, Table, in_turns, machine, median
from tests.benchmarks.limits import bare, drawing, plain, work_of

CLASSES = 10
STUDENT_STEPS = (1, 2, 4)
AXES = {"images": "Images at a time", "steps": "Steps", "side": "Pixels across", "width": "Channels of the first level"}


class SamplingPlan(Plan):
    """How much is drawn, and how often."""

    per_class: int = Field(default=10, ge=1, description="digits of each class")
    judged: int = Field(default=1000, ge=1, description="digits that are judged, the timed ones and more")
    rounds: int = Field(default=3, ge=1, description="turns of each competitor")
    least_s: float = Field(default=1.0, ge=0, description="what a turn lasts at least")
    peer_steps: int = Field(default=50, ge=1, description="of the peers' DDIM")
    grow_images: tuple[int, ...] = (1, 4, 16, 64, 100, 300, 1000)
    grow_steps: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100)
    grow_side: tuple[int, ...] = (28, 32, 48, 64, 96, 128)
    grow_width: tuple[int, ...] = (32, 64, 96, 128)
    grown_of: int = Field(default=16, ge=1, description="images, where something else grows")
    limit_images: tuple[int, ...] = (1, 16, 100)


PLAN = SamplingPlan
QUICK: dict[str, Any] = {
    "judged": 100, "rounds": 1, "least_s": 0.0, "peer_steps": 5, "grow_images": (1, 16, 100), "grow_steps": (1, 10),
    "grow_side": (28, 64), "grow_width": (32, 64), "limit_images": (1, 100),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawer:
    """A way to a digit of each class, several times over."""

    name: str
    how: str
    draw: Callable[[], Pixels]
    draw_more: Callable[[], Pixels] | None = None  # to be judged; of a peer nothing is


def measure(plan: SamplingPlan, data_root: Path | None, line: Line) -> Iterator[dict[str, Any]]:
    """All of it, one after another."""
    device = choose_device(plan.device).torch_device
    yield {"machine": machine(plan.device), "digits": _hundred(plan, device, line)}
    yield {"growth": _growth(plan, line)}
    yield {"limit": _limit(plan, device, line)}


def _labels(count: int) -> tuple[int, ...]:
    return tuple(k % CLASSES for k in range(count))


def _steps(count: int) -> str:
    return f"{count} step{'s' * (count != 1)}"


def _request(model: LoadedModel, count: int, **changes: object) -> SampleRequest:
    own = {"model": model.name, "labels": _labels(count)}
    return SampleRequest.model_validate(model.header.defaults.model_dump() | own | changes)


def _paths(plan: SamplingPlan) -> Iterable[tuple[str, LoadedModel, dict[str, object]]]:
    """Our ways to a digit: the full model and its student in few steps, exact and optimized."""
    full, student = (loaded_model.load(name, plan.device) for name in ("digits", "student"))
    for form, kind in (("", lambda model: model), (", quick form", optimized_model)):
        yield f"digits{form}", kind(full), {}
        for steps in STUDENT_STEPS:
            yield f"student, {_steps(steps)}{form}", kind(student), {"steps": steps}


def _hundred(plan: SamplingPlan, device: torch.device, line: Line) -> list[dict[str, Any]]:
    """The competitors in turns, with how much sooner ours are there than each peer."""
    count = CLASSES * plan.per_class
    drawers: list[Drawer] = []
    for name, model, changes in _paths(plan):
        request, more = (_request(model, images, **changes) for images in (count, plan.judged))
        how = f"{request.sampler}, {_steps(request.steps)}" + (", guided" if request.guidance != 1 else "")
        drawers.append(Drawer(name, how, partial(_images, model, request), partial(_images, model, more)))
    labels = torch.tensor(_labels(count), device=device)
    for name in plan.against:
        peer = peers.make(name, device)
        how = f"{peer.recipe}; DDIM, {_steps(plan.peer_steps)}; untrained weights"
        drawers.append(Drawer(name, how, partial(peer.draw, labels, plan.peer_steps)))
    seconds = in_turns([drawer.draw for drawer in drawers], plan.rounds, plan.least_s, line)
    middle = {drawer.name: median(taken) for drawer, taken in zip(drawers, seconds, strict=True)}
    return [
        {
            "name": drawer.name,
            "how": drawer.how,
            "images": count,
            "seconds": middle[drawer.name],
            "all_seconds": taken,
            "accuracy": _accuracy(plan, drawer.draw_more()) if drawer.draw_more else None,
            "times_sooner": {peer: middle[peer] / middle[drawer.name] for peer in plan.against},
        }
        for drawer, taken in zip(drawers, seconds, strict=True)
    ]


def _accuracy(plan: SamplingPlan, images: Pixels) -> float:
    return float((Judge.bundled(plan.device).judge(images).labels == _labels(len(images))).mean())


def _images(model: LoadedModel, request: SampleRequest) -> Pixels:
    return drawing(model, request)().images


def _growth(plan: SamplingPlan, line: Line) -> dict[str, list[dict[str, Any]]]:
    """Seconds as one thing grows: images and steps by the bundled model, size and width by fresh ones of its kind."""
    model = loaded_model.load("digits", plan.device)
    few = plan.grown_of

    def sized(**changes: object) -> LoadedModel:
        return plain(model, ModelConfig.model_validate(model.config.model_dump() | changes))

    points: dict[str, list[tuple[int, LoadedModel, SampleRequest]]] = {
        "images": [(n, model, _request(model, n)) for n in plan.grow_images],
        "steps": [(n, model, _request(model, few, steps=n)) for n in plan.grow_steps],
        "side": [(n, sized(image_size=n), _request(model, few)) for n in plan.grow_side],
        "width": [(n, sized(widths=(n, 2 * n)), _request(model, few)) for n in plan.grow_width],
    }
    return {axis: [_point(plan, axis, *point, line) for point in along] for axis, along in points.items()}


def _point(
    plan: SamplingPlan, axis: str, at: int, model: LoadedModel, request: SampleRequest, line: Line
) -> dict[str, Any]:
    line.show(f"{AXES[axis]}: {at}")
    (seconds,) = in_turns([drawing(model, request)], plan.rounds, 0, line)
    flops = work_of(model, request).flops
    images = len(request.labels)
    return {
        "at": at,
        "images": images,
        "seconds": median(seconds),
        "ms_per_image": 1000 * median(seconds) / images,
        "gflop_per_image": flops / images / 1e9,
        "gflop_per_s": flops / median(seconds) / 1e9,
    }


def _limit(plan: SamplingPlan, device: torch.device, line: Line) -> list[dict[str, Any]]:
    """Each of our ways beside bare convolutions of its own shapes, at several batches."""
    found: list[dict[str, Any]] = []
    for name, model, changes in _paths(plan):
        for images in plan.limit_images:
            line.show(f"The limit: {name}, {images} at a time")
            request = _request(model, images, **changes)
            work = work_of(model, request)
            types = (torch.float32, torch.bfloat16) if model.optimized and bf16_is_native(device) else (torch.float32,)
            convolving, fastest = min((bare(work, device, dtype) for dtype in types), key=lambda found: found[1])
            (seconds,) = in_turns([drawing(model, request)], plan.rounds, plan.least_s, line)
            delivered, most = work.flops / median(seconds) / 1e9, convolving / fastest / 1e9
            found.append(
                {
                    "name": name,
                    "images": images,
                    "gflop_per_call": work.flops / drawing(model, request)().network_calls / 1e9,
                    "convolutions": convolving / work.flops,
                    "gflop_per_s": delivered,
                    "bare_gflop_per_s": most,
                    "share": delivered / most,
                }
            )
    return found


def tables(found: dict[str, Any]) -> list[Table]:
    """The three parts, as a person reads them."""
    peers_measured = list(found["digits"][0]["times_sooner"])
    digits = [
        (row["name"], row["how"], row["seconds"], _percent(row["accuracy"]), *row["times_sooner"].values())
        for row in found["digits"]
    ]
    heads = ("", "how", "seconds", "judged right", *(f"times sooner than {name}" for name in peers_measured))
    title = f"{found['digits'][0]['images']} digits, medians of turns; judged: {found['plan']['judged']:,}"
    growth = [
        Table(
            f"The cost as work grows: {AXES[axis].lower()}",
            (AXES[axis].lower(), "seconds", "ms per image", "GFLOP per image", "GFLOP/s"),
            [
                tuple(row[k] for k in ("at", "seconds", "ms_per_image", "gflop_per_image", "gflop_per_s"))
                for row in rows
            ],
        )
        for axis, rows in found["growth"].items()
    ]
    limit = [
        (*_cells(row, "name", "images", "gflop_per_call", "gflop_per_s", "bare_gflop_per_s"), _percent(row["share"]))
        for row in found["limit"]
    ]
    limit_heads = ("", "images", "GFLOP per call", "GFLOP/s", "bare convolutions, GFLOP/s", "share of that")
    return [Table(title, heads, digits), *growth, Table("The limit", limit_heads, limit)]


def figures(found: dict[str, Any]) -> list[Figure]:
    """The cost as work grows, a plot for each thing that grows."""
    return [
        Figure(f"Seconds, {AXES[axis].lower()}", AXES[axis], (_curve(rows),)) for axis, rows in found["growth"].items()
    ]


def _curve(rows: list[dict[str, Any]]) -> Curve:
    x, y = (np.array([row[k] for row in rows], np.float64) for k in ("at", "seconds"))
    return Curve("seconds", x, y)


def _cells(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{cast(float, share):.1%}"
