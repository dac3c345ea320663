"""The few collectives of several processes that run the same program (SPMD). In a single process they do nothing.

Agreements and checkpoints go over gloo, gradients of GPUs over nccl. The connections of a process that dies are closed,
which the others notice at once; PATIENCE is for one that hangs.

Every exchange begins with an agreement. So an error in one process, wherever it happens, reaches the others at whatever
they exchange next.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from enum import IntEnum

import torch
import torch.distributed as dist
from safetensors.torch import load, save
from torch import Tensor

from ml.distributed import torchrun
from ml.errors import FailedElsewhere, LostProcess

PATIENCE = timedelta(minutes=5)  # with one another in the middle of a step
IDLE = timedelta(days=1)  # between two steps: while rank 0 downloads data or draws a preview, for example
MAX_ERROR = 1024  # bytes of an error's text that the other processes receive


class Outcome(IntEnum):
    """The state of the work in one process, from the best to the worst."""

    FINE, STOP, DIVERGED, OUT_OF_MEMORY, LEFT, FAILED = range(6)


_control: "list[dist.ProcessGroup]" = []  # the group that agrees; none while a process is alone


def size() -> int:
    """How many processes work together."""
    return dist.get_world_size() if _control else 1


def rank() -> int:
    """The number of this process among all of them."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def is_main() -> bool:
    """Whether this is rank 0, which alone writes, draws previews and prints."""
    return rank() == 0


@contextmanager
def process_group() -> Iterator[None]:
    """Within, this is one of the processes that torchrun started. All of them leave the block together.

    An error in the block is an error of all. Raises LostProcess, FailedElsewhere.
    """
    gpus = torch.cuda.device_count() if dist.is_nccl_available() else 0
    if gpus:
        torch.cuda.set_device(torchrun.local_rank() % gpus)
    with connected():
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=PATIENCE)
        group = dist.new_group(timeout=IDLE, backend="gloo")
    assert isinstance(group, dist.ProcessGroup)  # this process is in it
    _control.append(group)
    try:
        yield
        agree(Outcome.LEFT)
    except LostProcess:
        raise
    except Exception as error:
        if size() > 1:  # the others do not know of it yet
            agree(Outcome.FAILED, error)
        raise
    finally:
        _control.clear()
        with suppress(RuntimeError):
            dist.destroy_process_group()


@contextmanager
def connected() -> Iterator[None]:
    """Raises LostProcess where torch raises one of its many errors for that."""
    try:
        yield
    except RuntimeError as error:
        if torch.cuda.is_available() and (world := dist.group.WORLD) is not None:
            with suppress(RuntimeError):  # ends what GPUs wait for, so that a checkpoint can still be written
                world.abort()
        late = "timed out" in str(error).lower() or "timeout" in str(error).lower()
        what = "answers no more" if late else "has gone"
        raise LostProcess(f"Another one of the {torchrun.world_size()} processes {what}.") from error


@contextmanager
def main_first() -> Iterator[None]:
    """Within, the first process of each machine precedes its others, which find the files that it has downloaded."""
    if torchrun.local_rank() > 0:
        agree()
    yield
    if torchrun.local_rank() == 0:
        agree()


def agree(outcome: Outcome = Outcome.FINE, error: Exception | None = None) -> Outcome:
    """The worst outcome of all processes, in each of them: one small all-reduce. Raises LostProcess.

    FAILED ends the work together: it raises rank 0's own error in rank 0, and FailedElsewhere in all other cases.
    So does a process that has LEFT while others still work.
    """
    mine, here, together = outcome, rank(), size() > 1
    if together:
        worst = torch.tensor(int(outcome))
        with connected():
            dist.all_reduce(worst, dist.ReduceOp.MAX, _control[0])
        outcome = Outcome(int(worst))
    if outcome < Outcome.LEFT or mine is outcome is Outcome.LEFT:
        return outcome
    errors = _errors(error) if together and outcome is Outcome.FAILED else ""
    _control.clear()  # what is left to do, such as saving, each process does alone
    if error is not None and here == 0:
        raise error
    raise FailedElsewhere(errors or "Another process ended early.") from error


def _errors(error: Exception | None) -> str:
    """The errors of all processes that failed, in one sentence each."""
    text = f"{type(error).__name__}: {error}".encode()[:MAX_ERROR] if error else b""
    mine = torch.zeros(MAX_ERROR, dtype=torch.uint8)
    mine[: len(text)] = torch.tensor(list(text), dtype=torch.uint8)
    every = [torch.zeros_like(mine) for _ in range(size())]
    with connected():
        dist.all_gather(every, mine, _control[0])
    texts = [bytes(row.tolist()).rstrip(b"\0").decode(errors="replace") for row in every]
    return " ".join(f"Process {k} failed: {text}." for k, text in enumerate(texts) if text)


def maximum(number: float) -> float:
    """The largest of all processes' numbers, in each of them. Raises LostProcess."""
    if size() == 1:
        return number
    largest = torch.tensor(number, dtype=torch.float64)
    with connected():
        dist.all_reduce(largest, dist.ReduceOp.MAX, _control[0])
    return float(largest)


def all_reduce(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its sum over all processes; float32, and all on one device. Raises LostProcess."""
    if size() == 1:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    with connected():
        dist.all_reduce(flat)
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))


def broadcast(content: bytes = b"") -> bytes:
    """Rank 0's content, in every process. Raises FailedElsewhere, LostProcess."""
    agree()
    if size() == 1:
        return content
    length = torch.tensor(len(content) if is_main() else 0)
    with connected():
        dist.broadcast(length, 0, _control[0])
        buffer = torch.zeros(int(length), dtype=torch.uint8)
        if is_main():
            buffer.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        dist.broadcast(buffer, 0, _control[0])
    return buffer.numpy().tobytes()


def broadcast_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rank 0's tensors, in the memory of every process. Raises FailedElsewhere, LostProcess."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()} if is_main() else {}
    return load(broadcast(save(plain)))


def gather(own: Tensor, counts: Sequence[int]) -> list[Tensor]:
    """In rank 0 the rows of all processes, `counts` of them each; `own` are those of this one. Elsewhere [].

    Raises LostProcess.
    """
    with connected():
        if not is_main():
            if len(own):
                dist.send(own, 0, _control[0])
            return []
        rows = [own, *(own.new_empty(count, *own.shape[1:]) for count in counts[1:])]
        for sender, received in enumerate(rows):
            if sender and len(received):
                dist.recv(received, sender, _control[0])
    return rows
