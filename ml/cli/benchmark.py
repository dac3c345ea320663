"""The command `benchmark`: has the benchmarks of a checkout measure, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ml.errors import BadRequest
from ml.specs import DeviceName

ROOT = Path(__file__).resolve().parents[2]
ABOUT = (
    "training (time to readable digits, against other recipes), sampling (time of 100 digits, the cost as work grows, "
    "the limit), interaction (from a moved control to new pixels) or gpu (whether a GPU draws and trains as a CPU "
    "does, and how fast)."
)


def benchmark(
    what: Annotated[Literal["training", "sampling", "interaction", "gpu"], typer.Argument(help=ABOUT)],
    against: Annotated[
        str | None, typer.Option(help="Peers: diffusers,lucidrains; default: those that are installed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every single measurement.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results, as JSON (after each part) and as plots.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few and short measurements: rough figures.")] = False,
    device: Annotated[DeviceName | None, typer.Option(help="Default: auto; of gpu: cuda.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="gpu: of all together (8); training: of each other recipe (8).")
    ] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="key=value for any length of the plan; repeatable.")
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder that holds the data set.")] = None,
) -> int:
    """Measure how fast the program is here, and against others (needs a checkout); 1 where a check of gpu fails."""
    if not (ROOT / "tests" / "benchmarks" / "__main__.py").is_file():
        raise BadRequest(
            "The benchmarks are part of the source code, which is not here.",
            "Run `python -m ml benchmark` in a checkout of Noiseloom.",
        )
    given = {"--against": against, "--out": out, "--data-root": data_root}
    options = [f"{name}={value}" for name, value in given.items() if value is not None]
    lengths = {"device": device, "minutes": minutes}
    options += [f"--set={name}={value}" for name, value in lengths.items() if value is not None]
    options += [f"--set={text}" for text in sets or []]
    flags = {"--json": as_json, "--quick": quick, "--debug": "--debug" in sys.argv}
    options += [name for name, wanted in flags.items() if wanted]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "tests.benchmarks", what, *options]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=False).returncode
