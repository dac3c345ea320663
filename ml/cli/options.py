"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from ml.specs import DATASETS, IMAGE_FOLDER, DeviceName

Device = Annotated[DeviceName, typer.Option(help="Where to compute.")]


Model = Annotated[str, typer.Option(help="Name of a model, a run folder, or a .safetensors file.")]


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


DataRoot = Annotated[Path | None, typer.Option(help="Folder that holds the data set.")]


DATA_HELP = f"{', '.join(DATASETS)}, or {IMAGE_FOLDER}DIR for images of your own."
