"""What each kind of network is trained for: from images of a data set to a loss."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ml.training.optimizers import Learner

Batch = tuple[Tensor, ...]  # B entries each


class Objective(Protocol):
    """The loss of a network on some of a data set's images, in two steps: chance first, then what follows from it."""

    divisible: bool = True  # whether the loss of a batch is the mean of its parts' losses
    learners: Mapping[str, Learner] = MappingProxyType({})  # beside the network, by their names in a checkpoint

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> Batch:
        """The images with the indices `chosen` (B,), int64, and what is random about them."""
        ...

    def losses(self, network: nn.Module, batch: Any, rng: torch.Generator) -> Tensor:
        """The loss of each image (B,), or of all of them ()."""
        ...


def parts(batch: Batch, count: int) -> Iterator[Batch]:
    """A batch in `count` equal parts, as far as that goes."""
    kind: Any = type(batch)  # a NamedTuple
    split = [tensor.tensor_split(min(count, len(tensor))) for tensor in batch]
    yield from (kind(*part) for part in zip(*split, strict=True))
