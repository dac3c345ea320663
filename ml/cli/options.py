"""Options that several commands share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ml.specs import DATASETS, FITS, GROUNDS, IMAGE_FOLDER, DeviceName, K, Spec

Device = Annotated[DeviceName, typer.Option(help="Where to compute.")]


Model = Annotated[str, typer.Option(help="Name of a model, a run folder, or a .safetensors file.")]


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


DataRoot = Annotated[Path | None, typer.Option(help="Folder that holds the data set.")]


DATA_HELP = f"{', '.join(DATASETS)}, or {IMAGE_FOLDER}DIR for images of your own."


def _listed(choices: Mapping[K, Spec]) -> str:
    return "; ".join(f"{name}: {spec.about[0].lower()}{spec.about[1:]}" for name, spec in choices.items())


FIT_HELP = f"How an image of a folder becomes a square. {_listed(FITS)}."
GROUND_HELP = f"What lies behind transparent images. {_listed(GROUNDS)}; or a colour as #rrggbb."
