"""What tests of the engine share."""

from collections.abc import Iterator

import pytest

from tests.server import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    """A web server on this machine."""
    with serving() as running:
        yield running
