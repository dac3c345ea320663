"""The names of a model's classes: found however they are spelled, suggested where nearly right, written out."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

from ml.config import NO_LABEL
from ml.specs import TEN_DIGITS
from ml.text.number_words import SPOKEN, value_of

LISTED = 3  # names in an error message before the dots
SIMILAR = 0.75  # ratio of difflib from which on a name is suggested
SHORTEST_PLURAL = 4  # letters, so that "as" is not several "a"
MAX_NUMBER = 10**9
_IRREGULAR = {"men": "man", "women": "woman", "children": "child", "people": "person", "mice": "mouse"} | {
    "feet": "foot", "teeth": "tooth", "geese": "goose", "oxen": "ox"
}  # fmt: skip
INSIDE = re.compile(r"[\s_/.'’`‐-―−-]")  # what is written inside a name, or left out
K = TypeVar("K", str, int)
_ENDINGS = (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("s", ""))


def label_text(label: int, classes: Sequence[str]) -> str:
    """A label as words: the name of its class, "no class" for NO_LABEL, its number where no name is known."""
    if label == NO_LABEL:
        return "no class"
    return classes[label] if label < len(classes) else str(label)


@lru_cache(maxsize=16)
def known_names(classes: tuple[str, ...]) -> "ClassNames":
    """The names, prepared once for many texts."""
    return ClassNames(classes)


class ClassNames:
    """The names of labels 0, 1, ... as a person may write them.

    A name is found as it is written, else in any case, else without blanks, hyphens and slashes, else without accents,
    else by a part of a name with a slash or by its singular or plural. The first of these that fits decides; a spelling
    that fits two names there is not understood.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self.are_digits = classes == TEN_DIGITS[: len(classes)]
        named = [(spelled(name), label) for label, name in enumerate(classes)]
        aliases = [(alias, label) for name, label in named for alias in _aliases(name)]
        self._tables = [_unique((form(name), label) for name, label in named) for form in _FORMS]
        self._tables.append(_unique((_bare(alias), label) for alias, label in aliases))
        self._initials = {key[:1] for key in self._tables[-2] | self._tables[-1]}
        numbers = [(_number(name), label) for name, label in named]
        self.numbers = _unique((number, label) for number, label in numbers if number is not None)
        if any(name == f"class {label}" for label, name in enumerate(classes)):  # of some, only the labels are known
            self.numbers = {label: label for label in range(len(classes))} | self.numbers
        self.are_labels = len(classes) > 1 and self.numbers == {k: k for k in range(len(classes))}
        self.longest = max((len(name) for name, _ in named), default=0)

    def find(self, text: str) -> int | None:
        """The label whose name the text is, None for none."""
        text = spelled(text)
        if not text or _bare(text)[:1] not in self._initials:
            return None
        for candidate in (text, *_singulars(text.casefold())):
            for form, table in zip((*_FORMS, _bare), self._tables, strict=True):
                if (label := table.get(form(candidate))) is not None:
                    return label if label >= 0 else None
        return None

    def find_written_so(self, text: str) -> int | None:
        """The label whose name the text is but for upper and lower case, None for none."""
        label = self._tables[0].get(text, self._tables[1].get(text.casefold(), -1))
        return label if label >= 0 else None

    def numbered(self, number: int) -> int | None:
        """The label of a number: of the class that is called so, else, where no class is called by a number, itself."""
        if not self.numbers:
            return number if number < len(self.classes) else None
        label = self.numbers.get(number, -1)
        return label if label >= 0 else None

    def between(self, first: int, last: int) -> list[int] | None:
        """The labels of the numbers from `first` to `last`, in that order; None where one of the two has none."""
        if self.numbered(first) is None or self.numbered(last) is None:
            return None
        known = sorted(self.numbers) if self.numbers else range(len(self.classes))
        low, high = min(first, last), max(first, last)
        found = [self.numbered(number) for number in known if low <= number <= high]
        labels = [label for label in found if label is not None]
        return labels if first <= last else labels[::-1]

    def nearest(self, text: str) -> str | None:
        """The name that the text is nearly, None for none."""
        word = _bare(spelled(text))
        if len(word) < 2:
            return None
        for name in self.classes:
            if word in map(_bare, name.split()):
                return name
        keys = {key: label for table in (self._tables[-1], self._tables[-2]) for key, label in table.items()}
        near = difflib.get_close_matches(word, keys, n=1, cutoff=SIMILAR)
        near = near or [key for key in keys if sorted(key) == sorted(word)]
        label = keys[near[0]] if near else -1
        return self.classes[label] if label >= 0 else None

    def __str__(self) -> str:
        """Some of the names: "airplane, automobile, bird, … (10 classes)", or "0 to 9" where labels are the names."""
        if self.are_labels:
            return f"0 to {len(self.classes) - 1}"
        if len(self.classes) <= LISTED + 1:
            return ", ".join(self.classes)
        return f"{', '.join(self.classes[:LISTED])}, … ({len(self.classes)} classes)"


def spelled(text: str) -> str:
    """The text in Unicode's compatibility form (NFKC), blanks in a row as one."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _squeezed(text: str) -> str:
    return INSIDE.sub("", text.casefold())


def _bare(text: str) -> str:
    marks = ("Mn", "Me", "Cf")
    plain = unicodedata.normalize("NFKD", _squeezed(text))
    return "".join(c for c in plain if unicodedata.category(c) not in marks) or text


_FORMS = (str, str.casefold, _squeezed, _bare)


def _unique(entries: Iterable[tuple[K, int]]) -> dict[K, int]:
    """A table of keys to labels; -1 for a key of several."""
    table: dict[K, int] = {}
    for key, label in entries:
        table[key] = label if table.get(key, label) == label else -1
    return table


def _aliases(name: str) -> Iterator[str]:
    parts = [part.strip() for part in name.casefold().split("/")]
    for part in filter(None, parts):
        yield part
        yield from _singulars(part)


def _singulars(text: str) -> Iterator[str]:
    """What a text may be the plural of."""
    stem, blank, word = text.rpartition(" ")
    if word in _IRREGULAR:
        yield stem + blank + _IRREGULAR[word]
    elif len(word) >= SHORTEST_PLURAL and not word.endswith("ss"):
        for ending, singular in _ENDINGS:
            if word.endswith(ending):
                yield text.removesuffix(ending) + singular


def _number(name: str) -> int | None:
    """The number that a class is called by: of "7", "07", "class 7", "seven" and "七"."""
    name = name.casefold()
    if match := re.fullmatch(r"(?:class[ _-]?)?(\d{1,9})", name):
        return int(match[1])
    if SPOKEN.fullmatch(name):
        return value_of(name)
    value = unicodedata.numeric(name, -1) if len(name) == 1 else -1
    return int(value) if value >= 0 and value == int(value) else None
