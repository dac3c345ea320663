"""The way from the lane to the screen: everything in order, nothing lost, and one ring however much was posted."""

import threading
from collections.abc import Callable
from typing import NamedTuple

from ml.events import Progress


class Envelope(NamedTuple):
    """An event of the job with that number."""

    job: int
    event: object


class Mailbox:
    """Queued signals have no back-pressure; here the screen is rung once and fetches all there is when it has time.

    Of a job's `Progress` only the newest is kept: older ones are not worth a repaint.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._lock = threading.Lock()
        self._letters: list[Envelope] = []

    def post(self, job: int, event: object) -> None:
        """Put a letter in; called by the lane."""
        with self._lock:
            first = not self._letters
            if not first and isinstance(event, Progress) and _is_progress(self._letters[-1], job):
                self._letters.pop()
            self._letters.append(Envelope(job, event))
        if first:
            self._ring()

    def drain(self) -> list[Envelope]:
        """Take all letters out, oldest first; called by the screen."""
        with self._lock:
            letters, self._letters = self._letters, []
        return letters


def _is_progress(letter: Envelope, job: int) -> bool:
    return letter.job == job and isinstance(letter.event, Progress)
