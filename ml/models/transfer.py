"""Weights of one network for another that differs in its classes, or is in colour where it was grey."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ml.config import ModelConfig
from ml.errors import BadRequest
from ml.models.weights import expected, shape_of

CLASS_TABLE, AUGMENTATION = "condition.label.weight", "condition.augmentation.weight"


def transferred(
    weights: Mapping[str, Tensor],
    model: ModelConfig,
    to: ModelConfig,
    rows: Sequence[int | None],
    source: str,
    seed: int = 0,
) -> dict[str, Tensor]:
    """The weights of `model` as those of `to`, whose class k begins with row `rows[k]` of the table of classes.

    None is a new class, whose row is random (see `_class_table`). The last row, of the null label, is one of `rows`
    too. A grey network becomes one in colour that sees the mean of the colours and gives every colour the same; the
    reverse holds as well. Augmentation has no effect at first.
    Raises BadRequest naming what differs.
    """
    found: dict[str, Tensor] = {}
    for name, target in expected(to, source).items():
        tensor = weights.get(name)
        if name.endswith(AUGMENTATION):
            tensor = torch.zeros(target.shape)
        if tensor is not None and name.endswith(CLASS_TABLE) and not to.context:
            tensor = _class_table(tensor, rows, seed)
        if tensor is not None and tensor.shape != target.shape and model.channels != to.channels:
            tensor = _in_other_channels(tensor, target.shape, model.channels, to.channels)
        if tensor is None or tensor.shape != target.shape:
            raise BadRequest(
                f"The weights of {source} do not fit this network: {name} is {shape_of(weights.get(name))} "
                f"there and {shape_of(target)} here.",
                "Leave out the settings of the model, which then come from the one to begin with.",
            )
        found[name] = tensor
    return found


def _class_table(table: Tensor, rows: Sequence[int | None], seed: int) -> Tensor:
    """These rows of a table of classes; a new class has the null label's row and as much noise as classes begin with.

    Two new classes that began alike would be learnt as one, mixed, until their rows have come apart.
    """
    new = torch.tensor([row is None for row in rows])
    chosen = table[[len(table) - 1 if row is None else row for row in rows]]
    noise = torch.randn(chosen.shape, generator=torch.Generator().manual_seed(seed))
    return torch.where(new[:, None], chosen + noise.to(chosen.dtype), chosen)


def _in_other_channels(tensor: Tensor, shape: Sequence[int], channels: int, to: int) -> Tensor:
    """The first or last convolution, or the bias of the last, for images of `to` channels instead of `channels`.

    Space-to-depth keeps the channels apart: all pixels of a patch in the first one, then those of the second, ...
    """
    dim = 0 if tensor.shape[0] != shape[0] else 1
    if tensor.shape[dim] * to != shape[dim] * channels:
        return tensor
    apart = tensor.float().unflatten(dim, (channels, -1))
    mean = apart.mean(dim, keepdim=True) if dim == 0 else apart.sum(dim, keepdim=True) / to
    return mean.repeat_interleave(to, dim).flatten(dim, dim + 1)
