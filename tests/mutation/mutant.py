"""One planted mistake."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """In `file`, the text `old`, which stands there once, becomes `new`; then one of `tests` must fail.

    `tests` is what pytest takes: files or `file::test`, separated by blanks, and at last `-k WORD` if need be. Where
    the mistake does no harm, so that no test could notice it, `harmless` says why.
    """

    file: str
    old: str
    new: str
    tests: str
    harmless: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {_short(self.old)} -> {_short(self.new)}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 60 else line[:57] + "...")
