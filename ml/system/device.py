"""The device that computes, the reason for choosing it, and how it computes."""

import threading
import warnings
from functools import lru_cache
from typing import NamedTuple

import torch

from ml.distributed import torchrun
from ml.errors import BadRequest, NoDevice
from ml.specs import DeviceName
from ml.system import gpu_driver, paths

LEAST_FREE = 2**29  # bytes of a GPU's memory: with less a small model does not draw

# Held while a CUDA graph is captured, and by a training step on a GPU: a capture claims torch's random generator, from
# which dropout draws.
random_numbers = threading.Lock()


class Device(NamedTuple):
    """A chosen device and one sentence on why it was chosen."""

    torch_device: torch.device
    name: str
    reason: str


def choose_device(name: DeviceName = "auto") -> Device:
    """The device of that name, or the fastest one for "auto"; raises NoDevice if it is missing, BadRequest."""
    problem = cuda_problem() if name in ("auto", "cuda") else ""
    if name in ("auto", "cuda") and not problem:
        if torchrun.local_size() > torch.cuda.device_count():
            raise NoDevice(
                f"{torchrun.local_size()} processes are more than this machine's {torch.cuda.device_count()} GPUs.",
                "Give torchrun one process per GPU, or use --device cpu.",
            )
        without_tf32()
        card, where = torch.cuda.get_device_name(), torch.device("cuda")
        return Device(where, card, f"{card}, through CUDA{', training in bfloat16' if bf16_is_fast(where) else ''}")
    if name == "mps" and torchrun.launched():
        raise BadRequest("Several processes cannot share an Apple GPU.", "Use --device cpu, or leave torchrun out.")
    if name in ("auto", "mps") and not torchrun.launched() and torch.backends.mps.is_available():
        return Device(torch.device("mps"), "Apple GPU", "Apple GPU, through Metal")
    if name in ("cuda", "mps"):
        why = f" ({problem})" if problem != NO_CUDA else ""
        raise NoDevice(
            f"No {name.upper()} device was found{why}.",
            "Use --device cpu, or install a driver and a torch that match.",
        )
    threads = torch.get_num_threads()
    count = f"{threads} thread" + ("s" if threads != 1 else "")
    reason = f"CPU, {count}"
    if name == "auto":
        remedy = gpu_remedy() if problem == NO_CUDA else ""
        reason += f": {remedy[0].lower()}{remedy[1:]}" if remedy else f": {problem}"
    return Device(torch.device("cpu"), "CPU", reason)


def gpu_remedy() -> str:
    """What to do where PyTorch finds no GPU and its driver does; "" where the driver finds none either."""
    build = gpu_driver.pytorch_build()
    if not build:
        return ""
    command = "install the program's CUDA edition" if paths.PACKAGED else f"run python3 launch.py --torch {build}"
    return f"To use the GPU, {command}"


NO_CUDA = "no CUDA device found"


@lru_cache(maxsize=1)
def cuda_problem() -> str:
    """Why the GPU cannot be used, "" where it can. Found out once: torch says only once that a driver is too old."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = torch.cuda.is_available()
    if not found:
        return next((_first_sentence(str(one.message)) for one in caught), NO_CUDA)
    card = "the GPU"
    try:
        card = torch.cuda.get_device_name()
        free_bytes = compute_once(torch.device("cuda"))
    except RuntimeError as error:  # a card that this torch has no kernels for, or one that another program has alone
        return f"{card} cannot be used: {_first_sentence(str(error))}"
    if free_bytes < LEAST_FREE:
        return f"other programs use the memory of {card}: {free_bytes / 1e9:.1f} GB are free"
    return ""


def compute_once(device: torch.device) -> int:
    """Compute something on a device; its free bytes. Raises RuntimeError where it cannot be used."""
    torch.ones(2, device=device).sum().item()
    return free(device)


def _first_sentence(text: str) -> str:
    """What torch says of a device, without where it raised it and what to read."""
    said = text.removeprefix("CUDA initialization: ").removeprefix("CUDA error: ").splitlines()[0]
    return said.split(". ")[0].rstrip(".")


def free(device: torch.device) -> int:
    """Free bytes on a device, with those that torch keeps of what it has freed."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    import psutil

    return psutil.virtual_memory().available


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the device has matrix units for bfloat16: AMX on a CPU, tensor cores from Ampere on."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_amx_tile_supported()


def bf16_is_native(device: torch.device) -> bool:
    """Whether the device has bfloat16 instructions, which may be no faster than those for float32."""
    return bf16_is_fast(device) or (device.type == "cpu" and torch.cpu._is_avx512_bf16_supported())


def precisions(device: torch.device) -> str:
    """In which numbers the device computes, and how sketches are drawn on a GPU."""
    native = bf16_is_native(device)
    numbers = "bfloat16 for training and sketches, float32 for the images that are kept" if native else "float32"
    return f"{numbers}; sketches are CUDA graphs" if device.type == "cuda" else numbers


def tune() -> None:
    """Faster settings of the same quality for this thread: denormals are flushed, which slow early training tenfold."""
    torch.set_flush_denormal(True)


@lru_cache(maxsize=1)
def without_tf32() -> None:
    """Turn TF32 off: it would move pixels of the images that are kept by more than devices may differ by.

    What may be less exact is in bfloat16, which is as fast.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch 2.9 advises new names; once they are used, reading these raises
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
