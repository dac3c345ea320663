"""What an image or a bug report was made with."""

from importlib import metadata
from pathlib import Path

import pytest

from ml import __version__
from ml.system import versions


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    versions.versions.cache_clear()


def test_versions_name_what_decides_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "processor\t: 0\nmodel\t\t: 143\nmodel name\t: A Processor @ 2 GHz: fast\nmodel name\t: Another\n"
    told += "flags\t\t: fpu avx avx2 amx_tile_more avx512f\n"
    monkeypatch.setattr("ml.system.versions.platform.machine", lambda: "x86_64")
    for name in versions.LIMITS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: told)
    found = versions.versions()
    versions.versions.cache_clear()
    assert found["noiseloom"] == __version__ and found["numpy"] == metadata.version("numpy")
    assert list(found) == ["noiseloom", "torch", "numpy", "pillow", "python", "cpu", "instructions"]
    assert found["cpu"] == "A Processor @ 2 GHz: fast"
    assert found["instructions"] == "x86_64 avx2 avx512f ONEDNN_MAX_CPU_ISA=AVX2"


def test_a_processor_is_the_same_where_name_and_instructions_are() -> None:
    here = dict(versions.versions())
    assert versions.same_processor(here) and versions.same_processor(here | {"torch": "another"})
    for name in ("cpu", "instructions"):
        assert not versions.same_processor(here | {name: "another"})
        assert not versions.same_processor({key: value for key, value in here.items() if key != name})


def test_a_package_that_is_missing_and_a_processor_without_a_name_are_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    def closed(*_: object, **__: object) -> str:
        raise PermissionError

    monkeypatch.setattr("ml.system.versions.metadata.version", missing)
    monkeypatch.setattr(Path, "read_text", closed)
    monkeypatch.setattr("ml.system.versions.platform.processor", lambda: "")
    monkeypatch.setattr("ml.system.versions.platform.machine", lambda: "riscv64")
    found = versions.versions()
    versions.versions.cache_clear()
    assert (found["torch"], found["cpu"]) == ("missing", "riscv64")
