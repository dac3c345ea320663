"""Random states of a run, and the order of its training images."""

import torch
from torch import Tensor


def dropout_rng(device: torch.device) -> Tensor:
    """The state of torch's own generator, from which dropout draws."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_dropout_rng(device: torch.device, state: Tensor) -> None:
    """Inverse of `dropout_rng`."""
    torch.cuda.set_rng_state(state, device) if device.type == "cuda" else torch.set_rng_state(state)


class ShuffledEpochs:
    """Batches from epochs that are shuffled by seed and number of the epoch; `count` images each."""

    def __init__(self, seed: int, count: int, batch_size: int, device: torch.device) -> None:
        self._seed, self._count, self._batch_size, self._device = seed, count, batch_size, device
        self._order: tuple[int, Tensor] | None = None  # of the latest epoch

    def batch(self, step: int) -> Tensor:
        """The image indices (B,) of the step that follows `step` steps."""
        size, count = self._batch_size, self._count
        start = step * size
        parts: list[Tensor] = []
        while size > 0:
            epoch, offset = divmod(start, count)
            if self._order is None or self._order[0] != epoch:
                rng = torch.Generator().manual_seed((self._seed * 1_000_003 + epoch) % 2**63)
                self._order = (epoch, torch.randperm(count, generator=rng).to(self._device))
            part = self._order[1][offset : offset + size]
            parts.append(part)
            start, size = start + len(part), size - len(part)
        return torch.cat(parts)
