"""Whatever is in a file, opening it ends in a typed error or well, at once, in little memory, and runs nothing."""

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.formats import FORMATS, Format
from tests.fuzz.mutations import files
from tests.fuzz.watch import FEW_S, MOST_S, open_one

FEW = 10
MANY = int(os.environ.get("NOISELOOM_FUZZ", "10000"))  # inputs of each format
EVERY_FORMAT = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)


def fuzz(form: Format, count: int, most_s: float) -> None:
    """Open so many mutated files, each in so much time; always the same ones."""
    seeds = form.seeds()
    for seed in seeds:
        open_one(form, form.wrap(seed), most_s)

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None,
        phases=(Phase.generate,), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(files(seeds))
    def run(content: bytes) -> None:
        open_one(form, form.wrap(content), most_s)

    checked: Callable[[], None] = run
    checked()


@pytest.fixture(scope="session", autouse=True)
def _libraries() -> None:
    """What is imported or built once is not a file's doing."""
    for form in FORMATS:
        from tests.fuzz import watch

        watch._open(form, form.wrap(form.seeds()[0]))


@EVERY_FORMAT
def test_a_few_wrong_files_of_every_kind(form: Format) -> None:
    fuzz(form, FEW, FEW_S)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@EVERY_FORMAT
def test_thousands_of_wrong_files_of_every_kind(form: Format) -> None:
    fuzz(form, MANY, MOST_S)
