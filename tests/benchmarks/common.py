"""What every benchmark has in common: a plan whose lengths can be set, facts of the machine, and tables."""

import datetime
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import Field

from ml.cli.console import Line
from ml.config import Description
from ml.errors import BadRequest
from ml.specs import DeviceName
from ml.system.device import choose_device

PACKAGES = {"diffusers": "diffusers", "lucidrains": "denoising-diffusion-pytorch"}  # peers by name


class Plan(Description):
    """How long and with what a benchmark measures."""

    device: DeviceName = "auto"
    against: tuple[str, ...] = Field(default=(), description="the peers; set from --against")


@dataclass(frozen=True, slots=True)
class Table:
    """Findings as a person reads them."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]
    note: str = ""

    def markdown(self) -> str:
        """As the README shows it."""
        lines = [self.heads, tuple("---" for _ in self.heads), *self.rows]
        body = "\n".join("| " + " | ".join(_words(cell) for cell in line) + " |" for line in lines)
        return f"**{self.title}**\n\n{body}" + (f"\n\n{self.note}" if self.note else "")


class Benchmark(Protocol):
    """A module of this folder that measures something."""

    PLAN: type[Plan]
    QUICK: dict[str, Any]  # the plan of --quick

    def measure(self, plan: Any, data_root: Path | None, line: Line) -> Iterator[dict[str, Any]]:
        """Yields what is found so far; the last is all of it. `failed` names the checks that fail, if there are any."""
        ...

    def tables(self, found: dict[str, Any]) -> list[Table]: ...
    def figures(self, found: dict[str, Any]) -> list[Any]: ...


def installed(asked: str | None) -> tuple[str, ...]:
    """The peers to measure against: those asked for, or all that are installed. Raises BadRequest for one that is not.

    What is not installed is said rather than left out in silence: see `machine`.
    """
    names = tuple(PACKAGES) if asked is None else tuple(filter(None, asked.split(",")))
    for name in names:
        if name not in PACKAGES:
            raise BadRequest(f"There is no peer {name!r}.", f"Use some of: {', '.join(PACKAGES)}.")
        if asked is not None and _version(PACKAGES[name]) is None:
            raise BadRequest(
                f"{name} cannot be measured: the package {PACKAGES[name]} is not installed.",
                f"pip install {PACKAGES[name]}, or leave it out of --against.",
            )
    return tuple(name for name in names if _version(PACKAGES[name]) is not None)


def machine(device: DeviceName) -> dict[str, Any]:
    """When, where and with what was measured; None for a peer's package that is absent."""
    return {
        "date": datetime.date.today().isoformat(),
        "device": choose_device(device).reason,
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES.values()},
    }


def synchronise(device: torch.device) -> None:
    """Wait until a device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def spent(work: Callable[[], object]) -> float:
    """Seconds that it takes once."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turns(works: Sequence[Callable[[], object]], rounds: int, least_s: float, line: Line) -> list[list[float]]:
    """Seconds of each work, measured in turns so that a slow moment of the machine meets all of them.

    A turn lasts at least `least_s`. Everything is done once beforehand, uncounted.
    """
    for k, work in enumerate(works):
        line.show(f"Warming up {k + 1}/{len(works)}")
        work()
    seconds: list[list[float]] = [[] for _ in works]
    for turn in range(rounds):
        for k, (work, taken) in enumerate(zip(works, seconds, strict=True)):
            line.show(f"Round {turn + 1}/{rounds}: {k + 1}/{len(works)}")
            here = [spent(work)]
            while sum(here) < least_s:
                here.append(spent(work))
            taken += here
    return seconds


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def _words(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 1000 else f"{cell:,.0f}"
    return "-" if cell is None else str(cell)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
