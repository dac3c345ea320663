"""An estimate of the remaining time, from the progress so far."""

import time

from desktop_app.text.formatting import duration

FIRST_S, FIRST_SHARE = 2.0, 0.02  # before that there is no estimate


class RemainingTime:
    """Measures one job at a time; another name or a smaller share is a new job."""

    def __init__(self) -> None:
        self._what, self._share, self._began, self._from = "", 0.0, 0.0, 0.0

    def words(self, what: str, share: float | None, now: float | None = None) -> str:
        """`1 min left`, or an empty text while unknown; `share` in [0, 1] is done at the time `now`."""
        what = "".join(letter for letter in what if not letter.isdecimal())  # the name may contain a counter
        now, share = time.monotonic() if now is None else now, share or 0.0
        if what != self._what or share < self._share:
            self._what, self._began, self._from = what, now, share
        self._share = share
        gone, done = now - self._began, share - self._from
        if gone < FIRST_S or done < FIRST_SHARE:
            return ""
        return f"{duration(gone * (1 - share) / done)} left"
