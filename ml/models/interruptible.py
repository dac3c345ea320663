"""A network whose passes, forward and backward, can be left in the middle: one of a large network takes seconds."""

from typing import Any

import torch
from torch import Tensor, nn

from ml.cancellation import check_cancelled
from ml.diffusion.denoiser import Denoiser
from ml.diffusion.schedules import Level


def interruptible(network: nn.Module, device: torch.device) -> nn.Module:
    """The network, which on a CPU calls `stop_here` at every block, there and back; elsewhere it is quick enough."""
    for module in network.modules() if device.type == "cpu" else ():
        if module is not network and any(module.children()):
            module.register_forward_pre_hook(_before)
            module.register_forward_hook(_after)
    return network


def _before(_module: nn.Module, _inputs: Any) -> None:
    check_cancelled()


def _after(_module: nn.Module, _inputs: Any, output: Any) -> None:
    if isinstance(output, Tensor) and output.requires_grad:
        output.register_hook(_behind)


def _behind(_gradient: Tensor) -> None:
    check_cancelled()


def interruptible_denoiser(denoise: Denoiser) -> Denoiser:
    """A step may take many network calls; here somebody who no longer wants it is heeded before each of them."""

    def heedful(x_t: Tensor, level: Level) -> Tensor:
        check_cancelled()
        return denoise(x_t, level)

    return heedful
