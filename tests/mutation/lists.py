"""All planted mistakes."""

from tests.mutation import app_pages, app_session, diffusion, drawing, files, training
from tests.mutation.mutant import Mutant

MUTANTS: list[Mutant] = [
    *diffusion.MUTANTS,
    *drawing.MUTANTS,
    *training.MUTANTS,
    *files.MUTANTS,
    *app_session.MUTANTS,
    *app_pages.MUTANTS,
]
