"""Places that stop taking what is written to them, for real: a small disk, limits of the process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class Disk:
    """A file system of its own, of a few megabytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self) -> None:
        """Leave no byte free."""
        with suppress(OSError), self._filler.open("ab", buffering=0) as file:
            for size in (100_000, 1000, 1):
                with suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    def make_room(self) -> None:
        self._filler.unlink()


@contextmanager
def disk(path: Path, options: str = "size=4m") -> Iterator[Disk]:
    """A disk at that path, over what is there; skips the test where none can be mounted."""
    path.mkdir(exist_ok=True)
    if not sys.platform.startswith("linux") or not _mounted(path, options):
        pytest.skip("mounting a small disk takes root on Linux")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def _mounted(path: Path, options: str) -> bool:
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True).returncode == 0


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """Within, no file can grow beyond so many bytes, as where a disk takes no more; skips where there is no such limit.

    Nothing may be printed meanwhile: that goes to a file too.
    """
    resource = pytest.importorskip("resource")
    with limited(resource.RLIMIT_FSIZE, most):
        yield


@contextmanager
def limited(what: int, most: int) -> Iterator[None]:
    """This process under a limit of the system, such as resource.RLIMIT_NOFILE."""
    import resource  # which Windows has not

    before = resource.getrlimit(what)
    resource.setrlimit(what, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)
