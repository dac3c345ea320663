"""The command line: the engine without a screen. Results go to standard output, progress to standard error.

torch is imported inside the commands, so that --help answers at once.
"""

import sys
from io import TextIOWrapper

import typer

from ml import __version__
from ml.cli import benchmark, compare, data, doctor, evaluate, export, interpolate, models, redraw, sample, train
from ml.cli.console import by_all_processes, guarded
from ml.distributed import torchrun
from ml.system import paths

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, help="Noiseloom without a screen.",
    epilog="--debug, anywhere, shows where an error comes from. --version names the version.",
)  # fmt: skip
COMMANDS = (
    train.train,
    sample.sample,
    interpolate.interpolate,
    evaluate.evaluate,
    export.export,
    export.verify,
    compare.experiment,
    compare.compare,
    redraw.redraw,
    redraw.recognise,
    benchmark.benchmark,
    models.models,
    data.data,
    doctor.doctor,
)
for command in COMMANDS:
    app.command()(command)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a narrow terminal encoding must not end a command
    if arguments == ["--version"]:
        print(f"Noiseloom {__version__}")
        return 0
    rest = [argument for argument in arguments if argument != "--debug"] or ["--help"]
    command = lambda: app(rest, prog_name=paths.COMMAND, standalone_mode=False) or 0  # noqa: E731
    shared = torchrun.launched()
    return guarded(lambda: by_all_processes(command, rest[0]) if shared else command(), debug="--debug" in arguments)
