"""Options that several commands share."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ml.config import NO_LABEL
from ml.errors import BadRequest
from ml.specs import DATASETS, FITS, GROUNDS, IMAGE_FOLDER, OWN_SET, DeviceName, K, Spec
from ml.text.prompt_parser import parse_labels

Device = Annotated[DeviceName, typer.Option(help="Where to compute.")]


Model = Annotated[str, typer.Option(help="Name of a model, a run folder, or a .safetensors file.")]


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


DataRoot = Annotated[Path | None, typer.Option(help="Folder that holds the data set.")]


DATA_HELP = f"{', '.join(DATASETS)}, {IMAGE_FOLDER}DIR for images of your own, or {OWN_SET}NAME for your drawings."


def _listed(choices: Mapping[K, Spec]) -> str:
    return "; ".join(f"{name}: {spec.about[0].lower()}{spec.about[1:]}" for name, spec in choices.items())


FIT_HELP = f"How an image of a folder becomes a square. {_listed(FITS)}."
GROUND_HELP = f"What lies behind transparent images. {_listed(GROUNDS)}; or a colour as #rrggbb."


def parse_label(text: str, classes: Sequence[str]) -> int:
    """One class, by its name or number; NO_LABEL for -1. Raises BadRequest."""
    if text.strip() == str(NO_LABEL):
        return NO_LABEL
    labels = parse_labels(text, classes)
    if len(labels) != 1:
        raise BadRequest(f"{text}: these are {len(labels)} classes.", "Give one.")
    return labels[0]
