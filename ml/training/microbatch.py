"""The gradients of one batch, computed in parts that fit into memory, by all processes."""

import math
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from ml.distributed import collectives
from ml.distributed.collectives import Outcome
from ml.errors import is_out_of_memory
from ml.training.distributed_training import Replica
from ml.training.loss_by_noise import LossByNoise
from ml.training.losses import NoisedBatch
from ml.training.objectives.base import Batch, Objective, parts
from ml.training.rng import dropout_rng, set_dropout_rng


class BatchLosses(nn.Module):
    """The losses of a network on a part of a batch, as one module, which DistributedDataParallel can wrap."""

    def __init__(self, network: nn.Module, objective: Objective, rng: torch.Generator) -> None:
        super().__init__()
        self.network, self._objective, self._rng = network, objective, rng

    def forward(self, part: Batch) -> Tensor:
        return self._objective.losses(self.network, part, self._rng)


class Microbatches:
    """Gradient accumulation over the parts of a batch, whose number doubles each time that memory runs out."""

    def __init__(
        self, network: nn.Module, objective: Objective, rng: torch.Generator, device: torch.device, *, bf16: bool
    ) -> None:
        self.parts = 1
        self._network, self._objective, self._rng, self._device, self._bf16 = network, objective, rng, device, bf16
        self._losses = BatchLosses(network, objective, rng)
        self._replica = Replica(self._losses) if collectives.size() > 1 else None

    def precision(self) -> torch.autocast:
        """Mixed precision with bfloat16, where it is chosen."""
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16)

    def backward(self, chosen: Tensor) -> tuple[Tensor, LossByNoise]:
        """Gradients of the mean loss over the images with the indices `chosen` (B,): that loss, and the loss by noise.

        If it fails or is cancelled, all state is as before. Raises what the objective raises, FailedElsewhere,
        LostProcess.
        """
        buffers = [buffer.clone() for buffer in self._network.buffers()]
        before = buffers, self._rng.get_state(), dropout_rng(self._device)
        try:
            while True:
                if self._replica:
                    self._replica.prepare()
                by_noise = LossByNoise(self._device)
                loss, outcome, error = self._attempt(chosen, by_noise)
                if collectives.agree(outcome, error) is not Outcome.OUT_OF_MEMORY:
                    break
                self.parts = min(2 * max(self.parts, collectives.size()), len(chosen))
                self._undo(*before)
                if self._device.type == "cuda":
                    torch.cuda.empty_cache()
            if self._replica:
                loss /= collectives.size()
                collectives.all_reduce([loss, by_noise.sums])
        except BaseException:
            self._undo(*before)
            raise
        return loss, by_noise

    def _attempt(self, chosen: Tensor, by_noise: LossByNoise) -> tuple[Tensor, Outcome, Exception | None]:
        """The mean loss of this process's share of the batch, and whether its gradients could be computed."""
        try:
            return self._backward(chosen, by_noise), Outcome.FINE, None
        except Exception as error:
            splits = self._objective.divisible and self.parts < len(chosen) and is_out_of_memory(error)
            outcome, failed = (Outcome.OUT_OF_MEMORY, None) if splits else (Outcome.FAILED, error)
        if self._replica:  # only here, after the exception and the memory that its traceback refers to are freed
            self._replica.fill_in()
        return torch.zeros(()), outcome, failed

    def _backward(self, chosen: Tensor, by_noise: LossByNoise) -> Tensor:
        """Gradients of the mean loss of this process's share of the batch, which is returned.

        Random numbers are drawn for the whole batch, so that shares and parts change only the order of a sum.
        """
        module = self._replica.ddp if self._replica else self._losses
        count = math.ceil(self.parts / collectives.size()) if self._objective.divisible else 1
        with self.precision():
            batch = self._objective.draw(self._network, chosen, self._rng)
        share = list(parts(batch, collectives.size()))[collectives.rank()] if self._replica else batch
        *first, last = parts(share, count)
        total = torch.zeros((), device=self._device)
        with self._replica.ddp.no_sync() if self._replica else nullcontext():
            for part in first:
                total += self._part(module, part, len(share[0]), by_noise)
        total += self._part(module, last, len(share[0]), by_noise)
        return total

    def _part(self, module: nn.Module, part: Batch, count: int, by_noise: LossByNoise) -> Tensor:
        """Add the gradients of one part of `count` images; returns its share of their mean loss."""
        with self.precision():
            losses: Tensor = module(part)
        mean = losses.mean() * (len(part[0]) / count)
        mean.backward()
        if isinstance(part, NoisedBatch):
            by_noise.add(part.noise, losses.detach())
        return mean.detach()

    def _undo(self, buffers: list[Tensor], rng: Tensor, dropout: Tensor) -> None:
        """Restore the state before an incomplete step."""
        self._network.zero_grad(set_to_none=True)
        for buffer, before in zip(self._network.buffers(), buffers, strict=True):
            buffer.copy_(before)
        self._rng.set_state(rng)
        set_dropout_rng(self._device, dropout)
        if self._replica:
            self._replica.reset()
