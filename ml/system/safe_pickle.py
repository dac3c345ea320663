"""PyTorch's own files (.pt), read as plain tensors: their pickles are inspected before torch opens them.

`torch.load(weights_only=True)` runs no code, yet a few bytes may still ask it for any amount of memory or time: through
compressed records, `bytearray(10**10)`, or tuples of tuples that are a key. Weights need none of these.
"""

import pickletools
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import torch

LEGACY_PICKLES = 5  # at the beginning of a file from before PyTorch 1.6: magic number, version, system, tensors, keys
MAX_PICKLE = 50_000_000  # bytes; ten thousand tensors take one or two million
MAX_WEIGHT = 10_000_000  # of nested tuples: the number of objects that a traversal visits
_SHARED = ("GET", "BINGET", "LONG_BINGET")
_KEPT = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_REBUILDERS = ("_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_parameter", "_rebuild_meta_tensor_no_storage")
_NAMED = {"collections": ("OrderedDict",), "torch._utils": _REBUILDERS, "torch.serialization": ("_get_layout",)}
_TORCH = ("Size", "Tensor", "device")


def load(path: Path) -> Any:
    """The content of the file. Raises any error for a wrong or hostile file, before a large allocation."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("not a file")
    with path.open("rb") as file:
        if zipfile.is_zipfile(file):
            _check_archive(file, path.stat().st_size)
        else:
            file.seek(0)
            for _ in range(LEGACY_PICKLES):
                _check(pickletools.genops(file))
    return torch.load(path, map_location="cpu", weights_only=True)


def _check_archive(file: IO[bytes], size: int) -> None:
    with zipfile.ZipFile(file) as archive:
        records = archive.infolist()
        if any(record.compress_type != zipfile.ZIP_STORED for record in records):
            raise ValueError("it is compressed, as torch never does")
        if sum(record.file_size for record in records) > size:
            raise ValueError("it claims to hold more than it has bytes")
        for record in records:
            if record.filename.endswith(".pkl"):
                if record.file_size > MAX_PICKLE:
                    raise ValueError("too much beside the weights")
                _check(pickletools.genops(archive.read(record)))


def _check(operations: Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]) -> None:
    """Raises ValueError for names that weights do not need, and for more nesting than they have.

    Follows what lies on the unpickler's stack, each thing as the number of objects in it: a tuple that has the one
    before twice, thirty times over, is a few bytes long and endless to walk through.
    """
    stack: list[int] = []
    marks: list[int] = []
    kept: dict[int, int] = {}
    for operation, argument, position in operations:
        name = operation.name
        if position is not None and position > MAX_PICKLE:
            raise ValueError("too much beside the weights")
        if name in ("GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
            _check_name(name, argument)
        if name in _KEPT:
            kept[len(kept) if argument is None else argument] = stack[-1] if stack else 1
        elif name in _SHARED:
            stack.append(kept.get(argument, 1))
        elif name == "MARK":
            marks.append(len(stack))
        else:
            weight = _taken(operation, stack, marks)
            if weight > MAX_WEIGHT:
                raise ValueError("nested beyond all that weights need")
            stack.extend([weight] * len(operation.stack_after))


def _taken(operation: pickletools.OpcodeInfo, stack: list[int], marks: list[int]) -> int:
    """The weight of an operation's result: one more than the sum of its operands' weights."""
    before = operation.stack_before
    if pickletools.markobject in before:
        first = (marks.pop() if marks else 0) - before.index(pickletools.markobject)
    else:
        first = len(stack) - len(before)
    weight = 1 + sum(stack[max(first, 0) :])
    del stack[max(first, 0) :]
    return weight


def _check_name(operation: str, argument: object) -> None:
    module, _, name = str(argument).partition(" ")
    plain = name in _NAMED.get(module, ())
    value = getattr(torch, name, None) if module == "torch" else None
    plain |= name in _TORCH if module == "torch" else False
    plain |= isinstance(value, torch.dtype) or (module in ("torch", "torch.storage") and name.endswith("Storage"))
    if operation != "GLOBAL" or not plain:
        raise ValueError(f"it asks for {str(argument)[:80]}, which weights do not need")
