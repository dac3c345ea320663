"""Options that several commands share."""

from typing import Annotated

import typer

from ml.config import DeviceName

Device = Annotated[DeviceName, typer.Option(help="Where to compute.")]
