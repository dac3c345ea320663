"""Data-parallel training: which runs processes can share, and the averaging of their gradients."""

import gc
import warnings
from collections.abc import Callable
from typing import Any

import torch.distributed as dist
from torch import Tensor, nn
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from ml.config import C, TrainConfig, parse
from ml.distributed import collectives
from ml.errors import BadRequest


def check(config: TrainConfig) -> None:
    """Raises BadRequest for a training run that these processes cannot share."""
    count = collectives.size()
    if count == 1:
        return
    if config.batch_size % count:
        raise BadRequest(
            f"A batch of {config.batch_size} images cannot be shared evenly by {count} processes.",
            f"Set batch_size to a multiple of {count}, or start another number of processes.",
        )
    if config.teacher_from or config.model.network == "clip":
        kind = "few-step student" if config.teacher_from else "CLIP"
        raise BadRequest(f"A {kind} learns from whole batches, which processes cannot share.", "Leave torchrun out.")


def of_main(kind: type[C], make: Callable[[], C]) -> C:
    """The result of `make` in rank 0, which alone reads a run's folder, broadcast to every process."""
    if collectives.size() == 1:
        return make()
    text = make().model_dump_json(exclude_unset=True) if collectives.is_main() else ""
    content = collectives.broadcast(text.encode())
    return parse(kind, content.decode(), "the configuration of rank 0")


def config_of_main(make: Callable[[], TrainConfig]) -> TrainConfig:
    """The configuration that `make` reads in rank 0, in every process."""
    return of_main(TrainConfig, make)


class Replica:
    """A module in several processes, whose gradients DistributedDataParallel averages (Li et al. 2020).

    If a backward pass fails in one process, the others still wait for its gradients. So that process contributes zeros
    with `fill_in`, and then all processes call `reset`.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._ddp: DistributedDataParallel | None = None
        self._begun: list[int] = []  # indices of the buckets whose all-reduce has begun in this backward pass

    @property
    def ddp(self) -> DistributedDataParallel:
        """The module to call; only between `prepare` and `reset`."""
        assert self._ddp is not None
        return self._ddp

    def prepare(self) -> None:
        """Called before every batch, in all processes. Raises FailedElsewhere, LostProcess."""
        with collectives.connected():
            if self._ddp is None:
                with warnings.catch_warnings():  # newer versions of torch have another name for the setting
                    warnings.simplefilter("ignore", FutureWarning)
                    self._ddp = DistributedDataParallel(self._module, broadcast_buffers=False)
                self._ddp.register_comm_hook(self._begun, _average)
            self._ddp.reducer._rebuild_buckets()  # once; not in a forward pass, which a failed process does not reach
        self._begun.clear()

    def fill_in(self) -> None:
        """Zeros for the rest of this backward pass, as DistributedDataParallel.join has them. Raises LostProcess."""
        reducer: Any = self.ddp.reducer
        with collectives.connected():
            for bucket in reducer._get_zeros_like_grad_buckets()[len(self._begun) :]:
                reducer._run_comm_hook(bucket).wait()

    def reset(self) -> None:
        """Discard a backward pass that failed in one of the processes; called in all of them."""
        self._ddp = None
        gc.collect()  # and with it its hooks on the parameters


def _average(
    begun: list[int],
    bucket: dist.GradBucket,  # pyright: ignore[reportPrivateImportUsage]
) -> Future[Tensor]:
    """Replace a bucket of gradients by its mean over all processes, while the backward pass continues."""
    begun.append(bucket.index())
    work = dist.all_reduce(bucket.buffer().div_(dist.get_world_size()), async_op=True)
    assert work is not None
    return work.get_future().then(lambda reduced: reduced.value()[0])
