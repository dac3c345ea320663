"""Mistakes in files."""

from tests.mutation.mutant import Mutant

MUTANTS: list[Mutant] = []
