"""Muon (Jordan et al. 2024) in float32, with few small matrix products.

torch.optim.Muon computes fifteen products per matrix in bfloat16. Here the iteration works on the small Gram matrices,
with those of one size batched. That takes a fifth of the time on CPUs, where starting a small product is slow, as it is
on GPUs. TF32 would round it too coarsely (see `ml.system.device.without_tf32`).
"""

from collections.abc import Iterable
from math import sqrt

import torch
from torch import Tensor, nn

A, B, C = 3.4445, -4.775, 2.0315  # coefficients of the quintic, chosen for its slope at 0 (Jordan et al. 2024)
STEPS = 5
EPS = 1e-7  # least norm of a matrix


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum for matrices (out, in), with the same state as torch.optim.Muon.

    `lr` is the rate of a square or broad matrix; a tall matrix has sqrt(out / in) times that rate.
    """

    def __init__(
        self, matrices: Iterable[nn.Parameter], lr: float, weight_decay: float, momentum: float = 0.95
    ) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update from the gradients."""
        for group in self.param_groups:
            matrices = [matrix for matrix in group["params"] if matrix.grad is not None]
            directions = [self._with_momentum(matrix, group["momentum"]) for matrix in matrices]
            for matrix, direction in zip(matrices, orthogonalize(directions), strict=True):
                out, into = matrix.shape
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(direction, alpha=-group["lr"] * sqrt(max(1, out / into)))

    def _with_momentum(self, matrix: Tensor, momentum: float) -> Tensor:
        gradient, state = matrix.grad, self.state[matrix]
        assert gradient is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["momentum_buffer"], momentum)


def orthogonalize(matrices: list[Tensor]) -> list[Tensor]:
    """Each matrix with singular values near 1 in place of its own, by five steps of a Newton-Schulz iteration.

    A step is X -> (a + b G + c G^2) X with G = X X^T, which becomes (a + b G + c G^2)^2 G. So the product of all
    factors follows from G alone, and X is needed only at the beginning and at the end. G has squared singular values:
    those of X under a thousandth of the largest are inexact in float32, as they are in bfloat16.
    """
    broad = [matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T for matrix in matrices]
    broad = [x / x.norm().clamp(min=EPS) for x in broad]
    factors: dict[int, Tensor] = {}
    for size in {len(x) for x in broad}:
        alike = [k for k, x in enumerate(broad) if len(x) == size]
        factors |= zip(alike, _factor(torch.stack([broad[k] @ broad[k].T for k in alike])), strict=True)
    found = [factors[k] @ x for k, x in enumerate(broad)]
    return [x if x.shape == matrix.shape else x.T for x, matrix in zip(found, matrices, strict=True)]


def _factor(gram: Tensor) -> Tensor:
    """The product of the factors of all steps, from the Gram matrices: (N, n, n) -> (N, n, n)."""
    product = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device).expand_as(gram)
    for _ in range(STEPS):
        factor = torch.baddbmm(gram, gram, gram, beta=B, alpha=C)
        factor.diagonal(dim1=1, dim2=2).add_(A)
        product, gram = factor @ product, factor @ gram @ factor
    return product
