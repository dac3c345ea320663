"""GPUs as their drivers report them. Needs nothing but Python: the launcher asks before PyTorch is installed."""

import ctypes
import functools
import re
import shutil
import subprocess
import sys

ROCMINFO_S = 10


@functools.cache
def pytorch_build() -> str:
    """The kind of PyTorch that uses the GPU here: "cuda", "rocm", or "" where there is neither."""
    return "cuda" if cuda_version() else "rocm" if has_rocm() else ""


def cuda_version() -> int | None:
    """The newest CUDA that NVIDIA's driver runs, as PyTorch names its builds: 128 is CUDA 12.8. None without a GPU."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
    count, version = ctypes.c_int(), ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return None
    if driver.cuDriverGetVersion(ctypes.byref(version)):
        return None
    major, minor = divmod(version.value // 10, 100)  # 12080 is CUDA 12.8
    return 10 * major + minor


def has_rocm() -> bool:
    """Whether ROCm is installed and finds an AMD GPU."""
    program = shutil.which("rocminfo")
    if program is None:
        return False
    try:
        answer = subprocess.run([program], capture_output=True, text=True, errors="replace", timeout=ROCMINFO_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return bool(re.search(r"Device Type:\s+GPU", answer.stdout))
