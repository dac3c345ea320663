"""A few images drawn together with others, as which each comes out the same however many there are. No torch here.

A processor rounds the last bit of a few images by themselves unlike that of many, so an image out of a large grid is
the same again only in company.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ml.config import SampleRequest
from ml.events import Frame, Sampled, SampleEvent

COMPANY = 8  # images from which on each comes out the same


def accompanied(request: SampleRequest) -> SampleRequest:
    """The request, with its last image repeated until there are enough of them."""
    count = len(request.labels)
    return request if count >= COMPANY else request.some([*range(count), *[count - 1] * (COMPANY - count)])


def only(request: SampleRequest, events: Iterable[SampleEvent]) -> Iterator[SampleEvent]:
    """What came of `accompanied(request)`, as if the request had been drawn without company."""
    count = len(request.labels)
    for event in events:
        if isinstance(event, Frame) and len(event.x_t) > count:
            sure = None if event.similarity is None else event.similarity[:count]
            eps = None if event.eps is None else event.eps[:count]
            yield replace(event, x_t=event.x_t[:count], x0_hat=event.x0_hat[:count], similarity=sure, eps=eps)
        elif isinstance(event, Sampled) and len(event.images) > count:
            done = request.with_changes(model_hash=event.request.model_hash)
            yield replace(event, request=done, images=event.images[:count])
        else:
            yield event
