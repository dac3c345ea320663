"""Mistakes in training."""

from tests.mutation.mutant import Mutant

MUTANTS: list[Mutant] = []
