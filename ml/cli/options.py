"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from ml.config import DeviceName

Device = Annotated[DeviceName, typer.Option(help="Where to compute.")]


Model = Annotated[str, typer.Option(help="Name of a model, a run folder, or a .safetensors file.")]


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


DataRoot = Annotated[Path | None, typer.Option(help="Folder that holds the data set.")]


DATA_HELP = "mnist, fashion-mnist, kmnist, cifar10, synthetic, or folder:DIR for images of your own."
