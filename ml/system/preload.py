"""Loading the shared libraries of large packages in advance, so that the window stays responsive.

Python keeps the interpreter from all threads while it loads those of a package that it imports, which for torch is a
second, and several where the disk is slow. A call by ctypes leaves it to them; the import finds the libraries there.
"""

import ctypes
import os
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_LIBRARIES = {  # below the package's folder, in the order and with the flags with which the package itself loads them
    "torch": (("lib/libtorch_global_deps.*", ctypes.RTLD_GLOBAL), ("_C.*so", ctypes.RTLD_LOCAL)),
    "triton": (("_C/libtriton.*so", ctypes.RTLD_LOCAL),),
    "av": (("_core.*so", ctypes.RTLD_LOCAL),),
}


@cache
def load_libraries(package: str) -> None:
    """Load the libraries that `import package` is going to load; the import reports those that fail.

    Does nothing on Windows, where torch calls its libraries by ctypes itself.
    """
    if package in sys.modules or sys.platform == "win32":
        return
    spec = find_spec(package)
    if spec is None:
        return
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    for folder in spec.submodule_search_locations or ():
        for pattern, flags in _LIBRARIES[package]:
            for path in Path(folder).glob(pattern):
                dlopen(os.fsencode(path), os.RTLD_NOW | flags)
