"""What an image or a bug report was made with; nothing here imports torch."""

import platform
from functools import cache
from importlib import metadata
from pathlib import Path

from ml import __version__


@cache
def versions() -> dict[str, str]:
    """Versions of Noiseloom and of what decides its pixels; Pillow draws the words of a sheet."""
    found = {name: _installed(name) for name in ("torch", "numpy", "pillow")}
    return {"noiseloom": __version__, **found, "python": platform.python_version(), "cpu": _processor()}


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _processor() -> str:
    """The processor's name as sold, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
