"""What an image or a bug report was made with."""

from importlib import metadata
from pathlib import Path

import pytest

from ml import __version__, versions


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    versions.versions.cache_clear()


def test_versions_name_what_decides_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "processor\t: 0\nmodel\t\t: 143\nmodel name\t: A Processor @ 2 GHz: fast\nmodel name\t: Another\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: told)
    found = versions.versions()
    versions.versions.cache_clear()
    assert found["noiseloom"] == __version__ and found["numpy"] == metadata.version("numpy")
    assert list(found) == ["noiseloom", "torch", "numpy", "pillow", "python", "cpu"]
    assert found["cpu"] == "A Processor @ 2 GHz: fast"


def test_a_package_that_is_missing_and_a_processor_without_a_name_are_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    def closed(*_: object, **__: object) -> str:
        raise PermissionError

    monkeypatch.setattr("ml.versions.metadata.version", missing)
    monkeypatch.setattr(Path, "read_text", closed)
    monkeypatch.setattr("ml.versions.platform.processor", lambda: "")
    monkeypatch.setattr("ml.versions.platform.machine", lambda: "riscv64")
    found = versions.versions()
    versions.versions.cache_clear()
    assert (found["torch"], found["cpu"]) == ("missing", "riscv64")
