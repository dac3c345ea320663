"""The scores of a model's card in plain words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from desktop_app.text.formatting import count

Format = Callable[[float], str]
COUNTS = ("images", "test_images", "network_calls")  # what was measured on, and no score
MOST = 1e9
SEED = "seed "  # begins the name of one of several measurements of the same


def percent(share: float) -> str:
    """99.6%, 100%."""
    return f"{100 * share:.1f}".removesuffix(".0") + "%"


def times(ratio: float) -> str:
    """A ratio with as many decimals as matter."""
    return f"{ratio:.0f} ×" if ratio >= 10 else f"{ratio:.1f} ×"


WORDS: dict[str, tuple[str, Format, str]] = {
    "accuracy": ("Right class", percent, "How often the judge reads the requested class"),
    "confidence": ("Raw confidence", percent, "Mean confidence of the judge in its readings, before calibration"),
    "frechet_ratio": (
        "Distance to real",
        times,
        "Fréchet distance to real images in the judge's features; 1 × is the distance between two sets of real images",
    ),
    "precision": ("Look real", percent, "Precision: how many of its images lie among real ones"),
    "recall": ("Variety", percent, "Recall: how much of the variety of real images it draws"),
    "memorised": ("Copies", "{:.0f}".format, "How many of its images nearly repeat a training image"),
    "kid": (
        "Kernel distance",
        "{:.4f}".format,
        "KID to real images in the judge's features; 0 for equal distributions",
    ),
    "judge_test_accuracy": ("Judge", percent, "How many real test images the judge reads right"),
    "test_accuracy": ("Read right", percent, "How many of MNIST's test digits it reads right"),
    "calibration_error": (
        "Confidence off by",
        percent,
        "Calibration error: how far the confidence is from how often it is right, on test images that it was not "
        "calibrated on",
    ),
    "judge_accuracy": ("Still read right", percent, "How many digits the judge reads right after packing"),
    "judge_accuracy_of_originals": ("Before packing", percent, "How many of the same digits it reads right before"),
    "mean_squared_error": ("Squared error", "{:.4f}".format, "Of the unpacked pixels, between -1 and 1"),
    "frechet_to_originals": ("Distance to originals", "{:.3f}".format, "Fréchet distance in the judge's features"),
}
RIGHT = {"accuracy": "right", "test_accuracy": "read right", "judge_accuracy": "still read right"}


@dataclass(frozen=True, slots=True)
class Score:
    name: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Group:
    """Scores that belong together; `title` is empty for the main ones."""

    title: str
    scores: tuple[Score, ...]


def measured_on(scores: dict[str, Any]) -> str:
    """The images that were scored: 1,000 images, 10 steps each."""
    images = scores.get("images", scores.get("test_images"))
    calls = scores.get("network_calls")
    what = "test image" if "test_images" in scores else "image"
    parts = [count(images, what)] if isinstance(images, int) else []
    return ", ".join([*parts, f"{count(calls, 'step')} each"] if isinstance(calls, int) else parts)


def groups(scores: dict[str, Any]) -> list[Group]:
    """All scores, those of several seeds as ranges."""
    plain = {key: value for key, value in scores.items() if not isinstance(value, dict) and key not in COUNTS}
    seeds = [value for key, value in scores.items() if key.startswith(SEED) and isinstance(value, dict)]
    found = [Group("", _scores([plain]))] if plain else []
    if seeds:
        found.append(Group(f"over {len(seeds)} seeds" if len(seeds) > 1 else "", _scores(seeds)))
    others = [(key, value) for key, value in scores.items() if isinstance(value, dict) and not key.startswith(SEED)]
    return [*found, *(Group(key, _scores([value])) for key, value in others)]


def headline(scores: dict[str, Any]) -> str:
    """The main scores in one line; empty without them."""
    every = {score.name: score.value for group in reversed(groups(scores)) for score in group.scores}
    right = [(WORDS[key][0], words) for key, words in RIGHT.items()]
    parts = [f"{every[name]} {words}" for name, words in right if name in every][:1]
    if distance := every.get(WORDS["frechet_ratio"][0]):
        parts.append(f"{'distance' if parts else 'Distance'} {distance}")
    return " · ".join(parts)


def _scores(rows: Sequence[dict[str, Any]]) -> tuple[Score, ...]:
    """The scores of one measurement, or the ranges of several."""
    named = {key: [row[key] for row in rows if _is_number(row.get(key))] for row in rows for key in row}
    return tuple(_score(key, values) for key, values in named.items() if values and key not in COUNTS)


def _is_number(value: object) -> bool:
    """Whether a value can be shown as a score; a card from a file may hold anything."""
    return isinstance(value, int | float) and abs(value) < MOST


def _score(key: str, values: Sequence[float]) -> Score:
    plain = key.replace("_", " ")
    name, formatted, meaning = WORDS.get(key, (plain[:1].upper() + plain[1:], _unnamed, ""))
    low, high = formatted(min(values)), formatted(max(values))
    unit = next((unit for unit in ("%", " ×") if low.endswith(unit)), "")
    return Score(name, low if low == high else f"{low.removesuffix(unit)}–{high}", meaning)


def _unnamed(value: float) -> str:
    return percent(value) if 0 <= value <= 1 else f"{value:g}"
