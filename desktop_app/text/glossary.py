"""The glossary in the program: the entries of `docs/glossary.md`, and the terms of a text as links to them."""

import re
from dataclasses import dataclass
from functools import cache
from html import escape

from ml.system import paths

SCHEME = "glossary:"  # begins the target of a link to an entry; its key follows
ROW = re.compile(r"^\| ([^|]+?) \| ([^|]+?) \|$", re.MULTILINE)
HEADS = {"symbol", "word", "---"}
AMBIGUOUS = re.compile(r"[A-Za-z]")  # symbols of one letter: "t" and "w" mean other things in a sentence
MARKUP = ((re.compile(r"`([^`]+)`"), r"<code>\1</code>"), (re.compile(r"\*([^*]+)\*"), r"<i>\1</i>"))


@dataclass(frozen=True, slots=True)
class Entry:
    """What one or several words, or symbols, mean; the meaning may have `code` and *emphasis*."""

    names: tuple[str, ...]
    meaning: str

    @property
    def key(self) -> str:
        """The name that links use."""
        return self.names[0]


@cache
def entries() -> tuple[Entry, ...]:
    """All entries, in the order of the document."""
    text = (paths.documents() / "glossary.md").read_text(encoding="utf-8")
    rows = [(names, meaning) for names, meaning in ROW.findall(text) if names not in HEADS]
    return tuple(Entry(tuple(names.split(", ")), meaning) for names, meaning in rows)


@cache
def _by_name() -> dict[str, Entry]:
    return {name.casefold(): entry for entry in entries() for name in entry.names if not AMBIGUOUS.fullmatch(name)}


@cache
def _pattern() -> re.Pattern[str]:
    """A term in a text, or its plural; the longest where several begin."""
    longest_first = sorted(_by_name(), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, longest_first))})(?:e?s)?(?![\w-])", re.IGNORECASE)


def terms(text: str) -> list[Entry]:
    """The entries of the terms in a text, each once, in their order."""
    return list(dict.fromkeys(_by_name()[found[1].casefold()] for found in _pattern().finditer(text)))


def linked(text: str, without: Entry | None = None) -> str:
    """A text as HTML, in which the first mention of each term is a link to its entry, but for one of them."""
    parts, end, seen = list[str](), 0, {without}
    for found in _pattern().finditer(text):
        entry = _by_name()[found[1].casefold()]
        if entry not in seen:
            seen.add(entry)
            parts += [
                escape(text[end : found.start()]),
                f'<a href="{SCHEME}{escape(entry.key)}">{escape(found[0])}</a>',
            ]
            end = found.end()
    return "".join([*parts, escape(text[end:])])


def meaning(entry: Entry) -> str:
    """The meaning of an entry as HTML, with links to others."""
    html = linked(entry.meaning, entry)
    for pattern, replacement in MARKUP:
        html = pattern.sub(replacement, html)
    return html
