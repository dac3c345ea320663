"""The device that computes, and the reason for choosing it."""

from typing import NamedTuple

import torch

from ml.distributed import torchrun
from ml.errors import BadRequest, NoDevice
from ml.specs import DeviceName


class Device(NamedTuple):
    """A chosen device and one sentence on why it was chosen."""

    torch_device: torch.device
    name: str
    reason: str


def choose_device(name: DeviceName = "auto") -> Device:
    """The device of that name, or the fastest one for "auto"; raises NoDevice if it is missing, BadRequest."""
    if name in ("auto", "cuda") and torch.cuda.is_available():
        if torchrun.local_size() > torch.cuda.device_count():
            raise NoDevice(
                f"{torchrun.local_size()} processes are more than this machine's {torch.cuda.device_count()} GPUs.",
                "Give torchrun one process per GPU, or use --device cpu.",
            )
        card = torch.cuda.get_device_name()
        return Device(torch.device("cuda"), card, f"{card}, through CUDA")
    if name == "mps" and torchrun.launched():
        raise BadRequest("Several processes cannot share an Apple GPU.", "Use --device cpu, or leave torchrun out.")
    if name in ("auto", "mps") and not torchrun.launched() and torch.backends.mps.is_available():
        return Device(torch.device("mps"), "Apple GPU", "Apple GPU, through Metal")
    if name in ("cuda", "mps"):
        raise NoDevice(
            f"No {name.upper()} device was found.", "Use --device cpu, or install a driver and a torch that match."
        )
    threads = torch.get_num_threads()
    count = f"{threads} thread" + ("s" if threads != 1 else "")
    reason = f"CPU, {count}" + (": no CUDA device found" if name == "auto" else "")
    return Device(torch.device("cpu"), "CPU", reason)


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the device has matrix units for bfloat16: AMX on a CPU, tensor cores from Ampere on."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_amx_tile_supported()


def bf16_is_native(device: torch.device) -> bool:
    """Whether the device has bfloat16 instructions, which may be no faster than those for float32."""
    return bf16_is_fast(device) or (device.type == "cpu" and torch.cpu._is_avx512_bf16_supported())


def tune(device: torch.device) -> None:
    """Faster settings of the same quality: TF32 on CUDA; denormals, which slow early training tenfold, are flushed."""
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
    torch.set_flush_denormal(True)
