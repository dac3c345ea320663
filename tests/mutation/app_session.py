"""Mistakes in app_session."""

from tests.mutation.mutant import Mutant

MUTANTS: list[Mutant] = []
