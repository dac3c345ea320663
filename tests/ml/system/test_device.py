"""The processor that is chosen, with its reason, and the settings that work on it brings."""

from types import SimpleNamespace

import pytest
import torch

from ml.errors import BadRequest, NoDevice
from ml.specs import DeviceName
from ml.system import device


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the machine is said to have."""
    has = SimpleNamespace(cuda=False, mps=False, cards=1, processes=0)
    monkeypatch.setattr("torch.cuda.is_available", lambda: has.cuda)
    monkeypatch.setattr("torch.cuda.device_count", lambda: has.cards)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "H200")
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: has.mps)
    monkeypatch.setattr("ml.distributed.torchrun.launched", lambda: has.processes > 0)
    monkeypatch.setattr("ml.distributed.torchrun.local_size", lambda: max(1, has.processes))
    return has


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


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_missing_is_named(name: DeviceName, machine: SimpleNamespace) -> None:
    with pytest.raises(NoDevice, match=f"No {name.upper()} device was found"):
        device.choose_device(name)


def test_several_processes_take_a_card_each_and_no_apple_gpu(machine: SimpleNamespace) -> None:
    machine.cuda, machine.cards, machine.processes = True, 2, 2
    assert device.choose_device("auto").torch_device.type == "cuda"
    machine.processes = 3
    with pytest.raises(NoDevice, match="3 processes are more than this machine's 2 GPUs"):
        device.choose_device("auto")
    machine.cuda, machine.mps = False, True
    assert device.choose_device("auto").torch_device.type == "cpu"
    with pytest.raises(BadRequest, match="Several processes cannot share"):
        device.choose_device("mps")


def test_numbers_too_small_to_matter_are_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr("torch.set_flush_denormal", asked.append)
    device.tune(torch.device("cpu"))
    assert asked == [True]


def test_bf16_is_native_wherever_it_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for amx, avx in ((True, False), (False, True), (False, False)):
        monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda amx=amx: amx)
        monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda avx=avx: avx)
        cpu = torch.device("cpu")
        assert (device.bf16_is_fast(cpu), device.bf16_is_native(cpu)) == (amx, amx or avx)
        assert not device.bf16_is_native(torch.device("mps"))
