"""Networks whose forward and backward passes can be cancelled midway: one pass of a large network takes seconds."""

from typing import Any

import torch
from torch import Tensor, nn

from ml.cancellation import check_cancelled
from ml.diffusion.denoiser import Denoiser
from ml.diffusion.schedules import Level


def interruptible(network: nn.Module, device: torch.device) -> nn.Module:
    """The network, which on a CPU checks for cancellation at every block, forward and backward."""
    for module in network.modules() if device.type == "cpu" else ():
        if module is not network and any(module.children()):
            module.register_forward_pre_hook(_check_forward)
            module.register_forward_hook(_check_backward)
    return network


def _check_forward(_module: nn.Module, _inputs: Any) -> None:
    check_cancelled()


def _check_backward(_module: nn.Module, _inputs: Any, output: Any) -> None:
    if isinstance(output, Tensor) and output.requires_grad:
        output.register_hook(_check_gradient)


def _check_gradient(_gradient: Tensor) -> None:
    check_cancelled()


def interruptible_denoiser(denoise: Denoiser) -> Denoiser:
    """The denoiser, which checks for cancellation before each call: a step may take many."""

    def checked(x_t: Tensor, level: Level) -> Tensor:
        check_cancelled()
        return denoise(x_t, level)

    return checked
