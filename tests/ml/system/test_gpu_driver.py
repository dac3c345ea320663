"""What the drivers of NVIDIA and AMD answer, and what that means for PyTorch's build."""

import ctypes
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ml.system import gpu_driver

ROCMINFO = "#!/bin/sh\necho '  Device Type:             {kind}'\n"


def nvidia(cards: int, version: int, failing: str = "") -> SimpleNamespace:
    """NVIDIA's driver, as far as it is asked; the call of the name `failing` fails."""

    def put(name: str, value: int) -> Any:
        def call(place: Any) -> int:
            place._obj.value = value
            return int(name == failing)

        return call

    return SimpleNamespace(
        cuInit=lambda flags: int(failing == "cuInit"),
        cuDeviceGetCount=put("cuDeviceGetCount", cards),
        cuDriverGetVersion=put("cuDriverGetVersion", version),
    )


@pytest.mark.parametrize(("answer", "version"), [(12080, 128), (13020, 132), (11080, 118), (9000, 90)])
def test_the_cuda_of_a_driver_is_named_as_pytorch_names_its_builds(
    monkeypatch: pytest.MonkeyPatch, answer: int, version: int
) -> None:
    names: list[str] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name: names.append(name) or nvidia(1, answer))
    assert gpu_driver.cuda_version() == version
    monkeypatch.setattr(sys, "platform", "win32")
    assert gpu_driver.cuda_version() == version
    assert names == ["libcuda.so.1", "nvcuda.dll"]


@pytest.mark.parametrize("failing", ["cuInit", "cuDeviceGetCount", "cuDriverGetVersion"])
def test_a_driver_that_does_not_answer_is_none(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: nvidia(1, 12080, failing))
    assert gpu_driver.cuda_version() is None


def test_neither_is_one_without_a_card_nor_one_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: nvidia(0, 12080))
    assert gpu_driver.cuda_version() is None

    def absent(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert gpu_driver.cuda_version() is None


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
@pytest.mark.parametrize(("kind", "found"), [("GPU", True), ("CPU", False)])
def test_rocm_counts_where_it_finds_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, found: bool
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert not gpu_driver.has_rocm()
    program = tmp_path / "rocminfo"
    program.write_text(ROCMINFO.format(kind=kind))
    program.chmod(0o755)
    assert gpu_driver.has_rocm() is found
    monkeypatch.setattr(gpu_driver, "cuda_version", lambda: None)
    assert gpu_driver.pytorch_build.__wrapped__() == ("rocm" if found else "")
    monkeypatch.setattr(gpu_driver, "cuda_version", lambda: 128)
    assert gpu_driver.pytorch_build.__wrapped__() == "cuda"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_a_rocminfo_that_cannot_run_is_no_rocm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "rocminfo"
    program.write_bytes(b"\x7fELF not really")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not gpu_driver.has_rocm()
