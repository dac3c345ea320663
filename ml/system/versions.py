"""The versions and the processor behind an image or a bug report; nothing here imports torch."""

import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

from ml import __version__

INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_tile")  # each of which rounds sums in its own way
LIMITS = (
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
)  # variables that restrict PyTorch to fewer of them


@cache
def versions() -> dict[str, str]:
    """The versions of Noiseloom and of the packages that affect its pixels; Pillow draws the text of a sheet."""
    found = {name: _installed(name) for name in ("torch", "numpy", "pillow")}
    here = {"python": platform.python_version(), "cpu": _processor("model name"), "instructions": _instructions()}
    return {"noiseloom": __version__, **found, **here}


def same_processor(then: dict[str, str]) -> bool:
    """Whether these versions are from a processor that rounds like this one."""
    return all(then.get(name) == versions()[name] for name in ("cpu", "instructions"))


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _instructions() -> str:
    """The vector instructions, on which the rounding of sums depends, and the variables that restrict them."""
    known = set(_processor("flags").split())
    limits = [f"{name}={os.environ[name]}" for name in LIMITS if name in os.environ]
    return " ".join([platform.machine(), *(name for name in INSTRUCTIONS if name in known), *limits])


def _processor(what: str) -> str:
    """A field of the processor's description in /proc/cpuinfo, such as its name; else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(what))
    return next(values, platform.processor() or platform.machine())
