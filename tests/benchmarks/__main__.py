"""`python -m tests.benchmarks WHAT`, which `python -m ml benchmark WHAT` starts: measure, and say what was found."""

import argparse
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, cast

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt
os.environ.setdefault("TQDM_DISABLE", "1")  # before tqdm, whose bars would cover ours

from ml.cli.console import FAILED, Line, guarded
from ml.config import validate
from ml.errors import BadRequest
from ml.system.files import atomic, make_folder
from ml.training.overrides import parse_assignment
from tests.benchmarks.common import Benchmark, Plan, installed

BENCHMARKS = ("training", "sampling", "interaction", "gpu")


def run(options: argparse.Namespace) -> int:
    """Measure, print, and write what is wanted; 1 where a check fails. Raises what goes wrong."""
    benchmark = cast(Benchmark, import_module(f"tests.benchmarks.{options.what}"))
    plan = planned(benchmark, options.quick, options.set, options.against)
    folder: Path | None = make_folder(options.out) if options.out else None
    found, text = {"benchmark": options.what, "plan": plan.model_dump()}, ""
    with Line() as line:
        for so_far in benchmark.measure(plan, options.data_root, line):
            found |= so_far
            text = json.dumps(found, indent=1)
            if folder:
                with atomic(folder / f"{options.what}.json") as path:
                    path.write_text(text, encoding="utf-8")
    if folder:
        write_plots(folder / options.what, benchmark.figures(found))
    facts = ", ".join(f"{name} {value}" for name, value in found["machine"].items())
    print(text if options.json else "\n\n".join([facts, *(table.markdown() for table in benchmark.tables(found))]))
    return FAILED if found.get("failed") else 0


def planned(benchmark: Benchmark, quick: bool, sets: list[str], against: str | None) -> Plan:
    """The plan of a benchmark with what was asked for; raises BadRequest."""
    changes = dict(parse_assignment(text) for text in sets)
    known = [name for name in benchmark.PLAN.model_fields if name != "against"]
    for name in changes:
        if name not in known:
            raise BadRequest(f"There is no setting {name!r}.", f"Use one of: {', '.join(known)}.")
    values: dict[str, Any] = (benchmark.QUICK if quick else {}) | changes | {"against": installed(against)}
    return validate(benchmark.PLAN, values)


def write_plots(path: Path, figures: list[Any]) -> None:
    """Each figure as an SVG, where there are some."""
    if figures:
        from desktop_app.app import make_application
        from desktop_app.widgets.plots.export import save_plots

        make_application(["benchmark"])  # its fonts
        save_plots(path.with_suffix(".svg"), figures)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmark", description=__doc__)
    parser.add_argument("what", choices=BENCHMARKS)
    parser.add_argument("--against")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--debug", action="store_true")
    options = parser.parse_args(arguments)
    return guarded(lambda: run(options), debug=options.debug)


if __name__ == "__main__":
    sys.exit(main())
