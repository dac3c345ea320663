"""Mistakes in app_pages."""

from tests.mutation.mutant import Mutant

MUTANTS: list[Mutant] = []
