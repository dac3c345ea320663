"""From the compute thread to the window: every event in order, with one signal for any number of events."""

import threading
from collections.abc import Callable
from typing import NamedTuple

from ml.events import Progress


class Envelope(NamedTuple):
    """An event of the job with that number."""

    job: int
    event: object


class Mailbox:
    """Queued signals have no back-pressure; the mailbox signals once, and the window drains it when it is idle.

    Only the newest `Progress` of a job is kept.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._lock = threading.Lock()
        self._envelopes: list[Envelope] = []

    def post(self, job: int, event: object) -> None:
        """Add an event; called by the compute thread."""
        with self._lock:
            first = not self._envelopes
            if not first and isinstance(event, Progress) and _is_progress(self._envelopes[-1], job):
                self._envelopes.pop()
            self._envelopes.append(Envelope(job, event))
        if first:
            self._notify()

    def drain(self) -> list[Envelope]:
        """Remove all envelopes, oldest first; called by the window."""
        with self._lock:
            envelopes, self._envelopes = self._envelopes, []
        return envelopes


def _is_progress(envelope: Envelope, job: int) -> bool:
    return envelope.job == job and isinstance(envelope.event, Progress)
