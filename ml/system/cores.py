"""Work distributed over the CPU cores, one part per core at a time."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

from ml.cancellation import cancellable, current_control
from ml.control import RunControl
from ml.system.device import tune
from ml.threads import one_thread

CORES = torch.get_num_threads()
PATIENCE_S = 10.0  # for a thread to start

T = TypeVar("T")


def on_cores(parts: Sequence[Callable[[], T]]) -> list[T]:
    """The results of all parts; this thread computes its share too. Raises what a part raises."""
    own, others = parts[::CORES], [part for number, part in enumerate(parts) if number % CORES]
    control = current_control()
    futures = [_workers().submit(_run_cancellable, control, part) for part in others]
    try:
        with one_thread():
            done = iter([part() for part in own])
        elsewhere = iter([future.result() for future in futures])
    finally:
        for future in futures:
            future.cancel()
    return [next(elsewhere if number % CORES else done) for number in range(len(parts))]


def _run_cancellable(control: RunControl | None, part: Callable[[], T]) -> T:
    if control is None:
        return part()
    with cancellable(control):
        return part()


@lru_cache(maxsize=1)
def _workers() -> ThreadPoolExecutor:
    """A pool of single-threaded workers, one for each core but one."""
    all_there = threading.Barrier(CORES - 1, timeout=PATIENCE_S)

    def begin(_number: int) -> None:
        torch.get_num_threads()  # the first call of a thread copies the global number of threads, so it comes first
        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        tune()
        all_there.wait()

    before = torch.get_num_threads()
    workers = ThreadPoolExecutor(CORES - 1, "drawing on core")
    try:
        list(workers.map(begin, range(CORES - 1)))
    finally:
        torch.set_num_threads(before)  # the workers changed it for threads that start later
    return workers
