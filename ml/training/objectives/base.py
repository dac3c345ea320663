"""The interface of objectives: from images of a data set to a loss."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ml.training.optimizers import Learner

Batch = tuple[Tensor, ...]  # B entries each


class Objective(Protocol):
    """The loss of a network on images of a data set: `draw` has the random numbers of a batch, `losses` the rest."""

    divisible: bool = True  # whether the loss of a batch is the mean of its parts' losses
    learners: Mapping[str, Learner] = MappingProxyType({})  # beside the network, by their names in a checkpoint

    def draw(self, network: nn.Module, chosen: Tensor, rng: torch.Generator) -> Batch:
        """A batch of the images with the indices `chosen` (B,), int64, with its random numbers."""
        ...

    def losses(self, network: nn.Module, batch: Any, rng: torch.Generator) -> Tensor:
        """The loss of each image (B,), or of the batch ()."""
        ...


def parts(batch: Batch, count: int) -> Iterator[Batch]:
    """A batch in `count` parts whose sizes differ by 1 at most."""
    kind: Any = type(batch)  # a NamedTuple
    split = [tensor.tensor_split(min(count, len(tensor))) for tensor in batch]
    yield from (kind(*part) for part in zip(*split, strict=True))
