"""The scores of a run at doubling steps: the cards of its snapshots, whose weights they belong to."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ml.events import CheckpointScored
from ml.registry import model_cards
from ml.registry.model_cards import Scores
from ml.registry.run_layout import SNAPSHOTS
from ml.system.files import atomic, make_folder

FIGURES = ("accuracy", "frechet_ratio", "judge_test_accuracy")
SEED = 5  # of the images


def keep_scores(run: Path, step: int, scores: dict[str, Any], reason: str) -> None:
    """Write the scores of a snapshot, as its card has them, and why a figure is missing. Raises CannotWrite."""
    card = Scores(about=reason, scores=scores)
    with atomic(make_folder(run / SNAPSHOTS) / f"{step:08d}.json") as temporary:
        temporary.write_text(card.model_dump_json(indent=1), encoding="utf-8")


def is_scored(run: Path, step: int) -> bool:
    """Whether the snapshot of a step has scores."""
    return (run / SNAPSHOTS / f"{step:08d}.json").is_file()


def load_scores(run: Path) -> list[CheckpointScored]:
    """The scores of the snapshots in a run's folder, earliest first; unreadable ones are left out."""
    cards = (model_cards.card(path) for path in model_cards.snapshots(str(run)))
    of_runs = [card for card in cards if card and f"seed {SEED}" in card.scores]
    return [score_of(int(card.path.stem), card.scores, card.about) for card in of_runs]


def best(points: Iterable[CheckpointScored]) -> CheckpointScored | None:
    """The point of the lowest Frechet distance; where none has one, that of the highest accuracy; the later of equals.

    None without a figure.
    """
    points = list(points)
    by_distance = [point for point in points if point.frechet_ratio is not None]
    if by_distance:
        return min(by_distance, key=lambda point: (point.frechet_ratio or 0.0, -point.step))
    by_accuracy = [point for point in points if point.accuracy is not None]
    return max(by_accuracy, key=lambda point: (point.accuracy or 0.0, point.step), default=None)


def score_of(step: int, scores: Mapping[str, Any], reason: str) -> CheckpointScored:
    """The figures of a card, which may hold anything."""
    found = scores.get(f"seed {SEED}")
    figures = found if isinstance(found, dict) else {}
    known = {name: float(value) for name in FIGURES if isinstance(value := figures.get(name), int | float)}
    accuracy, ratio, of_judge = (known[name] if math.isfinite(known.get(name, math.nan)) else None for name in FIGURES)
    return CheckpointScored(step, accuracy, ratio, of_judge, reason)
