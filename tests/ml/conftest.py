"""What tests of the engine share."""

from collections.abc import Iterator

import pytest

from tests.support.bad_server import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    """A web server on this machine."""
    with serving() as running:
        yield running
