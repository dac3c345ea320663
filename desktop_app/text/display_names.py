"""Display names of presets, runs, models and data sets: one name for one thing, on every page."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ml.registry import presets
from ml.specs import IMAGE_FOLDER, dataset_spec

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard

_NUMBER = re.compile(r"-\d+\Z")  # of a second run of a preset
ACRONYMS = ("cfg", "clip", "ddim", "ddpm")


def preset_title(name: str) -> str:
    """The display name of a preset: `ddpm-attention` is "DDPM attention"."""
    words = " ".join(word.upper() if word in ACRONYMS else word for word in name.split("-"))
    return words[:1].upper() + words[1:]


def run_title(name: str) -> str:
    """The display name of a run: as the person named it, or that of its preset, `1-minute-2` is "1 minute 2"."""
    named = name in presets.names() or _NUMBER.sub("", name) in presets.names()
    return preset_title(name) if named else name


def model_title(card: "ModelCard") -> str:
    """The display name of a model: the title of a bundled one, the name of a person's own."""
    return card.title if card.bundled and card.title else run_title(card.name)


def model_line(card: "ModelCard") -> str:
    """What a model is, in one short sentence; empty where its card does not say."""
    return f"{card.about.split('. ')[0].split(' (')[0].rstrip('.')}." if card.about else ""


def data_title(name: str) -> str:
    """The display name of a data set: `folder:/home/me/cats` is "Images in “cats”"."""
    if known := dataset_spec(name):
        return known.title
    folder = name.removeprefix(IMAGE_FOLDER)
    return f"Images in “{Path(folder).name or folder}”" if name.startswith(IMAGE_FOLDER) else name
