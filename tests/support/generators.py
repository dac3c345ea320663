"""Running a generator to its end."""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


def finished(generator: Generator[object, None, T]) -> T:
    """What it returns."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value
