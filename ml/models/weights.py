"""Weights, and the shapes that a network expects of them."""

import torch
from torch import Tensor, nn

from ml.config import ModelConfig
from ml.errors import BadFile
from ml.models import build


def to_half(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in half precision; tensors beyond its range stay as they are."""
    most = torch.finfo(torch.float16).max
    return {
        name: tensor.half() if tensor.is_floating_point() and not (tensor.abs() > most).any() else tensor
        for name, tensor in tensors.items()
    }


def for_drawing(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights without those for augmentation, which contribute nothing when drawing."""
    return {name: tensor for name, tensor in weights.items() if not name.endswith("condition.augmentation.weight")}


def expected(config: ModelConfig, source: str) -> dict[str, Tensor]:
    """The weights of a network on the "meta" device, which takes no memory. Raises BadFile."""
    try:
        with torch.device("meta"):
            return build(config).state_dict()
    except Exception as error:  # impossible sizes fail differently in each network
        raise BadFile(
            f"{source} describes a network that cannot be built ({error}).", "Use a model from Noiseloom."
        ) from error


def load_weights(network: nn.Module, weights: dict[str, Tensor], source: str) -> None:
    """Load weights into a network; raises BadFile as `check_weights` does."""
    check_weights(network.state_dict(), weights, source)
    network.load_state_dict(weights)


def check_weights(expected: dict[str, Tensor], found: dict[str, Tensor], source: str) -> None:
    """Raises BadFile naming the first tensor that differs from what is expected."""
    for name in sorted(expected.keys() | found.keys()):
        expected_shape, found_shape = shape_of(expected.get(name)), shape_of(found.get(name))
        if expected_shape != found_shape:
            raise BadFile(
                f"{source} does not fit its own description: {name}: expected {expected_shape}, found {found_shape}.",
                "Use the file as it was saved, or train the model again.",
            )


def shape_of(tensor: Tensor | None) -> str:
    """Shape, and the type of a tensor that is not floating-point."""
    if tensor is None:
        return "nothing of that name"
    kind = "" if tensor.is_floating_point() else f" of {str(tensor.dtype).removeprefix('torch.')}"
    return f"{tuple(tensor.shape)}{kind}"
