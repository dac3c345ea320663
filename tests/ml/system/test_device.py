"""The processor that is chosen, with its reason, and the settings that work on it brings."""

import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ml.errors import BadRequest, NoDevice
from ml.specs import DeviceName
from ml.system import device

ROOM = 10 * device.LEAST_FREE


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """What the machine is said to have."""
    has = SimpleNamespace(
        cuda=False, mps=False, cards=1, processes=0, bf16=False, warns="", fails="", free=ROOM, driver=""
    )

    def is_available() -> bool:
        if has.warns:
            warnings.warn(has.warns, stacklevel=1)
            has.warns = ""  # once, as torch does
        return has.cuda

    def compute_once(_where: torch.device) -> int:
        if has.fails:
            raise RuntimeError(has.fails)
        return has.free

    monkeypatch.setattr("torch.cuda.is_available", is_available)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: has.bf16 or including_emulation)
    monkeypatch.setattr(device, "compute_once", compute_once)
    monkeypatch.setattr("ml.system.gpu_driver.pytorch_build", lambda: has.driver)
    monkeypatch.setattr("torch.cuda.device_count", lambda: has.cards)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "H200")
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: has.mps)
    monkeypatch.setattr("ml.distributed.torchrun.launched", lambda: has.processes > 0)
    monkeypatch.setattr("ml.distributed.torchrun.local_size", lambda: max(1, has.processes))
    device.cuda_problem.cache_clear()
    yield has
    device.cuda_problem.cache_clear()


@pytest.mark.parametrize(
    ("name", "cuda", "mps", "chosen", "reason"),
    [
        ("auto", True, True, "cuda", "H200, through CUDA"),
        ("cuda", True, False, "cuda", "H200, through CUDA"),
        ("auto", False, True, "mps", "Apple GPU, through Metal"),
        ("mps", True, True, "mps", "Apple GPU, through Metal"),
        ("auto", False, False, "cpu", "CPU, 3 threads: no CUDA device found"),
        ("cpu", True, True, "cpu", "CPU, 3 threads"),
    ],
)
def test_the_fastest_device_is_chosen_unless_one_is_named(
    name: DeviceName, cuda: bool, mps: bool, chosen: str, reason: str,
    machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("torch.get_num_threads", lambda: 3)
    machine.cuda, machine.mps = cuda, mps
    found = device.choose_device(name)
    assert (found.torch_device.type, found.reason) == (chosen, reason)


def test_a_gpu_that_this_pytorch_cannot_use_comes_with_the_command_that_changes_it(
    machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 3)
    for machine.driver in ("cuda", "rocm"):
        command = f"To use the GPU, run python3 launch.py --torch {machine.driver}"
        assert device.gpu_remedy() == command
        assert device.choose_device().reason == f"CPU, 3 threads: t{command[1:]}"
    assert device.choose_device("cpu").reason == "CPU, 3 threads"
    monkeypatch.setattr("ml.system.paths.PACKAGED", True)
    assert "launch.py" not in device.gpu_remedy()


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_missing_is_named(name: DeviceName, machine: SimpleNamespace) -> None:
    with pytest.raises(NoDevice, match=f"No {name.upper()} device was found"):
        device.choose_device(name)


TOO_OLD = (
    "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU "
    "driver by downloading and installing a new version (Triggered internally at CUDAFunctions.cpp:109.)"
)
NO_KERNEL = "CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors might be late."


@pytest.mark.parametrize(
    ("has", "reason"),
    [
        ({"cuda": False, "warns": TOO_OLD}, "The NVIDIA driver on your system is too old (found version 11040)"),
        ({"fails": NO_KERNEL}, "H200 cannot be used: no kernel image is available for execution on the device"),
        ({"free": 10**8}, "other programs use the memory of H200: 0.1 GB are free"),
    ],
)
def test_a_gpu_that_cannot_be_used_is_left_for_the_cpu_with_the_reason(
    has: dict[str, object], reason: str, machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 3)
    vars(machine).update({"cuda": True} | has)
    for _ in range(2):
        assert device.choose_device("auto")[1:] == ("CPU", f"CPU, 3 threads: {reason}")
    with pytest.raises(NoDevice) as refused:
        device.choose_device("cuda")
    assert refused.value.message == f"No CUDA device was found ({reason})."


def test_a_gpu_with_matrix_units_for_it_trains_in_bfloat16(machine: SimpleNamespace) -> None:
    machine.cuda = machine.bf16 = True
    assert device.choose_device().reason == "H200, through CUDA, training in bfloat16"
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    half = "bfloat16 for training and sketches, float32 for the images that are kept"
    assert device.precisions(gpu) == f"{half}; sketches are CUDA graphs"
    machine.bf16 = False
    assert device.precisions(gpu) == "float32; sketches are CUDA graphs"
    assert device.precisions(cpu) == (half if device.bf16_is_native(cpu) else "float32")


def test_tf32_is_turned_off_on_a_gpu(machine: SimpleNamespace) -> None:
    settings: list[Any] = [torch.backends.cuda.matmul, torch.backends.cudnn]
    before = [setting.allow_tf32 for setting in settings]
    machine.cuda = True
    try:
        torch.backends.cudnn.allow_tf32 = True
        device.without_tf32.cache_clear()
        device.choose_device()
        assert [setting.allow_tf32 for setting in settings] == [False, False]
    finally:
        for setting, allowed in zip(settings, before, strict=True):
            setting.allow_tf32 = allowed


def test_several_processes_take_a_card_each_and_no_apple_gpu(machine: SimpleNamespace) -> None:
    machine.cuda, machine.cards, machine.processes = True, 2, 2
    assert device.choose_device("auto").torch_device.type == "cuda"
    machine.processes = 3
    with pytest.raises(NoDevice, match="3 processes are more than this machine's 2 GPUs"):
        device.choose_device("auto")
    machine.cuda, machine.mps = False, True
    device.cuda_problem.cache_clear()
    assert device.choose_device("auto").torch_device.type == "cpu"
    with pytest.raises(BadRequest, match="Several processes cannot share"):
        device.choose_device("mps")


def test_numbers_too_small_to_matter_are_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr("torch.set_flush_denormal", asked.append)
    device.tune()
    assert asked == [True]


def test_bf16_is_native_wherever_it_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for amx, avx in ((True, False), (False, True), (False, False)):
        monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda amx=amx: amx)
        monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda avx=avx: avx)
        cpu = torch.device("cpu")
        assert (device.bf16_is_fast(cpu), device.bf16_is_native(cpu)) == (amx, amx or avx)
        assert not device.bf16_is_native(torch.device("mps"))
