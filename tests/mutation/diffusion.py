"""Mistakes in the mathematics: schedules, parameterization, guidance, samplers."""

from tests.mutation.mutant import Mutant

MUTANTS: list[Mutant] = [
    Mutant(
        "ml/samplers.py",
        "return ddim(denoise, x, grid, noise, settings.eta, repeats=settings.repeats)",
        "return ddim(denoise, x, grid, noise, repeats=settings.repeats)",
        "tests/ml/test_samplers.py",
    ),
    Mutant(
        "ml/denoiser.py",
        "return alpha * eps - sigma * x0",
        "return alpha * eps + sigma * x0",
        "tests/ml/test_denoiser.py",
    ),
]
