"""Several processes that work as one: orders of the first, agreement, and sums over all. Alone, all of it is nothing.

The first process leads: it reads, writes, speaks and decides, and the others do what it orders: see
`ml.distributed.helpers`. Words go over gloo, sums of what is on GPUs over nccl. A process that dies closes its
connections, which the others notice at once; PATIENCE is for one that hangs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from enum import IntEnum
from typing import TypeVar

import torch
import torch.distributed as dist
from safetensors.torch import load, save
from torch import Tensor

from ml.distributed import torchrun
from ml.errors import FailedElsewhere, LostProcess

PATIENCE = timedelta(minutes=5)  # with one another in the middle of a step
IDLE = timedelta(days=1)  # that helpers wait for orders: while data are downloaded, say
MAX_WORDS = 1024  # bytes of what a process says of its failure
T = TypeVar("T")


class Order(IntEnum):
    """What the helpers are to do next."""

    LEAVE, TRAIN, STATE, STEP, DRAW = range(5)


class Outcome(IntEnum):
    """How a piece of work went, from the best to the worst."""

    FINE, LEAVING, NO_ROOM, FAILED = range(4)


_orders: "list[dist.ProcessGroup]" = []  # over which orders go; none while a process is alone


def size() -> int:
    """How many processes work together."""
    return dist.get_world_size() if _orders else 1


def rank() -> int:
    """The number of this one among them."""
    return dist.get_rank() if _orders else 0


def leads() -> bool:
    """Whether this process is the one that decides."""
    return rank() == 0


@contextmanager
def together() -> Iterator[None]:
    """Be one of the processes that torchrun started, within the block; at its end the leader lets the helpers go.

    Raises LostProcess.
    """
    gpus = torch.cuda.device_count() if dist.is_nccl_available() else 0
    if gpus:
        torch.cuda.set_device(torchrun.local_rank() % gpus)
    with _hearing():
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=PATIENCE)
        group = dist.new_group(timeout=IDLE, backend="gloo")
    assert isinstance(group, dist.ProcessGroup)  # this process is in it
    _orders.append(group)
    try:
        yield
        _part()
    except LostProcess:
        raise
    except Exception:
        with suppress(LostProcess):
            _part()
        raise
    finally:
        _orders.clear()


def _part() -> None:
    """Let the helpers go, which wait for orders, and go too."""
    order(Order.LEAVE)
    with _hearing():
        dist.destroy_process_group()


@contextmanager
def _hearing() -> Iterator[None]:
    """Raises LostProcess where torch raises one of its many errors for that."""
    try:
        yield
    except RuntimeError as error:
        late = "timed out" in str(error).lower() or "timeout" in str(error).lower()
        what = "answers no more" if late else "has gone"
        raise LostProcess(f"Another one of the {torchrun.world_size()} processes {what}.") from error


def order(what: Order, number: float = 0.0) -> None:
    """Have the helpers do something; where this is none that leads others, nothing. Raises LostProcess."""
    if size() > 1 and leads():
        with _hearing():
            dist.broadcast(torch.tensor([what, number], dtype=torch.float64), 0, _orders[0])


def hear() -> tuple[Order, float]:
    """Wait for the leader's next order; raises LostProcess."""
    heard = torch.zeros(2, dtype=torch.float64)
    with _hearing():
        dist.broadcast(heard, 0, _orders[0])
    what, number = heard.tolist()
    return Order(int(what)), number


def told(content: bytes = b"") -> bytes:
    """What the leader says, in every process; raises LostProcess."""
    length = torch.tensor(len(content))
    with _hearing():
        dist.broadcast(length, 0, _orders[0])
        buffer = torch.zeros(int(length), dtype=torch.uint8)
        if leads():
            buffer.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        dist.broadcast(buffer, 0, _orders[0])
    return buffer.numpy().tobytes()


def spread(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The leader's tensors, in the memory of every process; raises LostProcess."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return load(told(save(plain) if leads() else b""))


def total(tensors: Sequence[Tensor]) -> None:
    """Make each of these its sum over all processes; float32, and all on one device. Raises LostProcess."""
    if size() == 1:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    with _hearing():
        dist.all_reduce(flat)
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))


def settle(outcome: Outcome, error: Exception | None = None, *, patiently: bool = False) -> Outcome:
    """The worst outcome of all processes, in each of them. Raises LostProcess.

    FAILED is raised: the leader's own error, if that is what failed, and FailedElsewhere in all other cases.
    """
    if size() > 1:
        group = _orders[0] if patiently else None
        worst = torch.tensor(int(outcome))
        with _hearing():
            dist.all_reduce(worst, dist.ReduceOp.MAX, group)
        outcome = Outcome(int(worst))
    if outcome is not Outcome.FAILED:
        return outcome
    failed = _who_failed(error) if size() > 1 else ""
    if error is not None and leads():
        raise error
    raise FailedElsewhere(failed) from error


def _who_failed(error: Exception | None) -> str:
    """What the processes that failed say of it."""
    said = f"{type(error).__name__}: {error}".encode()[:MAX_WORDS] if error else b""
    mine = torch.zeros(MAX_WORDS, dtype=torch.uint8)
    mine[: len(said)] = torch.tensor(list(said), dtype=torch.uint8)
    every = [torch.zeros_like(mine) for _ in range(size())]
    with _hearing():
        dist.all_gather(every, mine)
    words = [bytes(row.tolist()).rstrip(b"\0").decode(errors="replace") for row in every]
    return " ".join(f"Process {k} failed: {text}." for k, text in enumerate(words) if text)


def tried(work: Callable[[], T]) -> T:
    """What `work` gives, once it has been done in every process; raises as `settle` does."""
    try:
        done, failed = [work()], None
    except Exception as error:
        done, failed = [], error
    settle(Outcome.FAILED if failed else Outcome.FINE, failed, patiently=True)
    return done[0]


def send(tensor: Tensor) -> None:
    """To the leader; raises LostProcess."""
    with _hearing():
        dist.send(tensor, 0, _orders[0])


def receive(shape: Sequence[int], dtype: torch.dtype, sender: int) -> Tensor:
    """What that process sends; raises LostProcess."""
    tensor = torch.empty(*shape, dtype=dtype)
    with _hearing():
        dist.recv(tensor, sender, _orders[0])
    return tensor
