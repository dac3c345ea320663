"""The optimisers of a run."""

import math
import re

import torch
from torch import Tensor, nn

from ml.config import TrainConfig
from ml.training.muon import Muon

ADAMS: dict[str, type[torch.optim.Adam]] = {  # `muon` uses AdamW for weights that are not inner convolutions
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "muon": torch.optim.AdamW,
}
OUTER = re.compile(r"(^|\.)(into|out)\.")  # the first and the last layer


class ConvMuon:
    """Muon (Jordan et al. 2024), which takes matrices only, for convolutions seen as (out, rest) matrices.

    The matrices share the weights' memory, so a step on them is a step on the convolutions.
    """

    def __init__(self, weights: list[nn.Parameter], lr: float, weight_decay: float) -> None:
        self._weights = weights
        self._matrices = [nn.Parameter(self._matrix(w.detach())) for w in weights]
        if any(m.data_ptr() != w.data_ptr() for m, w in zip(self._matrices, weights, strict=True)):
            raise ValueError("convolution weights must be in channels_last memory format")
        self.inner = Muon(self._matrices, lr=lr, weight_decay=weight_decay)

    def step(self) -> None:
        """One update from the gradients of the convolutions."""
        for matrix, weight in zip(self._matrices, self._weights, strict=True):
            matrix.grad = self._matrix(weight.grad) if weight.grad is not None else None
        self.inner.step()

    @staticmethod
    def _matrix(weight: torch.Tensor) -> torch.Tensor:
        return weight.permute(0, 2, 3, 1).reshape(weight.shape[0], -1)


class Optimizer:
    """The optimiser of a configuration, with one learning rate: `muon` is Muon on inner convolutions, AdamW elsewhere.

    Depth-wise convolutions mix no channels, so Muon has nothing to make orthogonal in them.
    """

    def __init__(self, network: nn.Module, config: TrainConfig) -> None:
        parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self._muon: ConvMuon | None = None
        if config.optimizer == "muon":
            inner = {n: p for n, p in parameters.items() if p.ndim == 4 and p.shape[1] > 1 and not OUTER.search(n)}
            self._muon = ConvMuon(list(inner.values()), config.lr, config.weight_decay)
            parameters = {n: p for n, p in parameters.items() if n not in inner}
        kind = ADAMS[config.optimizer]
        self._adam = kind(parameters.values(), lr=config.lr, weight_decay=config.weight_decay, betas=(0.9, 0.99))
        self.parts: dict[str, torch.optim.Optimizer] = {"adam.": self._adam}
        if self._muon:
            self.parts["muon."] = self._muon.inner

    def step(self, lr: float) -> None:
        """One update with that learning rate, for all parts."""
        for part in self.parts.values():
            for group in part.param_groups:
                group["lr"] = lr
        self._adam.step()
        if self._muon:
            self._muon.step()


class Learner:
    """A network and its optimiser, with the tensors of both for a checkpoint."""

    def __init__(self, network: nn.Module, config: TrainConfig) -> None:
        self.network, self.optimizer = network, Optimizer(network, config)
        self.grad_clip = config.grad_clip or math.inf
        self.share = 1.0  # of every learning rate; below 1 once the run has diverged

    def step(self, lr: float) -> Tensor:
        """One update from the gradients, which are clipped and then cleared; returns their norm, ()."""
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.grad_clip)
        self.optimizer.step(lr * self.share)
        self.network.zero_grad(set_to_none=True)
        return norm

    def tensors(self) -> dict[str, Tensor]:
        """The tensors that a resumed run needs, by name."""
        tensors = {f"net.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for prefix, part in self.optimizer.parts.items():
            tensors |= optimizer_tensors(part, prefix)
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Inverse of `tensors`."""
        self.network.load_state_dict(under("net.", tensors))
        for prefix, part in self.optimizer.parts.items():
            restore_optimizer(part, tensors, prefix)

    def clear(self, *, stepped: bool) -> None:
        """Clear the optimiser's state. With `stepped`, a step of length 0 creates the tensors of a saved state."""
        for part in self.optimizer.parts.values():
            part.state.clear()
        self.network.zero_grad(set_to_none=True)
        if stepped:
            for parameter in self.network.parameters():
                parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
            self.step(lr=0.0)


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """An optimiser's state as named tensors; its settings come from the run's configuration."""
    state = optimizer.state_dict()["state"]
    return {
        f"{prefix}{index}.{key}": torch.as_tensor(value)
        for index, entry in state.items()
        for key, value in entry.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], prefix: str) -> None:
    """Inverse of `optimizer_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            index, key = name.removeprefix(prefix).split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
