"""How long something still takes that tells how far it is."""

import time

from desktop_app.text.formatting import duration

FIRST_S, FIRST_SHARE = 2.0, 0.02  # nothing is said before, for there is nothing to go by


class RemainingTime:
    """Measures one thing at a time; another name, or a share that falls, is another thing."""

    def __init__(self) -> None:
        self._what, self._share, self._began, self._from = "", 0.0, 0.0, 0.0

    def words(self, what: str, share: float | None, now: float | None = None) -> str:
        """`1 min left`, or nothing while that is not known; `share` of 1 is done at the time `now`."""
        what = "".join(letter for letter in what if not letter.isdecimal())  # it may count as it goes on
        now, share = time.monotonic() if now is None else now, share or 0.0
        if what != self._what or share < self._share:
            self._what, self._began, self._from = what, now, share
        self._share = share
        gone, done = now - self._began, share - self._from
        if gone < FIRST_S or done < FIRST_SHARE:
            return ""
        return f"{duration(gone * (1 - share) / done)} left"
