"""A network whose passes, forward and backward, can be left in the middle: one of a large network takes seconds."""

from typing import Any

from torch import Tensor, nn

from ml.control import stop_here


def stoppable(network: nn.Module) -> nn.Module:
    """The network, which calls `stop_here` at every block on its way there and, on a CPU, on its way back."""
    for module in network.modules():
        if module is not network and any(module.children()):
            module.register_forward_pre_hook(_before)
            module.register_forward_hook(_after)
    return network


def _before(_module: nn.Module, _inputs: Any) -> None:
    stop_here()


def _after(_module: nn.Module, _inputs: Any, output: Any) -> None:
    if isinstance(output, Tensor) and output.requires_grad:
        output.register_hook(_behind)


def _behind(_gradient: Tensor) -> None:
    stop_here()
