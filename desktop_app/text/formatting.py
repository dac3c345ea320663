"""Numbers as words: durations, counts, sizes."""


def duration(seconds: float) -> str:
    """14 s, 3 min, 1 h 20 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def count(number: int, what: str) -> str:
    """1 step, 2,400 steps."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def two_digits(number: float) -> int:
    """A number rounded to two digits: 670, 2,300."""
    return int(float(f"{number:.2g}"))


def millions(number: int) -> str:
    """0.47 M, 295 k."""
    return f"{number / 1e6:.1f} M" if number >= 950_000 else f"{number / 1e3:.0f} k"


def megabytes(size: int) -> str:
    """1.2 MB, 43 MB, 1.5 GB."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 10e6 else f"{size / 1e6:.1f} MB"
