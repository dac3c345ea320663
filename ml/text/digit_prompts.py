"""Prompts for a model of digits: numerals and number words become digits.

A prompt is rewritten rule by rule ("three sevens" -> "3 7s" -> "7 7 7", "two to five" -> "2 3 4 5") until only
numerals are left among the words.
"""

import re
import unicodedata

from ml.text.number_words import PLURAL, PLURALS, SPOKEN, value_of

_NOUN = r"(?:digits?|numbers?|numerals?)\b"
_REWRITES = (
    (r"['\u2019`]", ""),  # 7's
    (r"\bno\. ?(?=\d)|\bnr\. ?(?=\d)", "number "),
    (r"\b(\d+)(?:st|nd|rd|th)\b", r"\1"),
    (r"^\W*(?:all|everything)(?: of them)?\W*$", " 0-9 "),
    (rf"\b(?:(?:all|every|each)(?: of)?(?: the)?(?: ten| 10)?|the ten|the 10) (?:single )?{_NOUN}", " 0-9 "),
    (rf"\beven {_NOUN}", " 0 2 4 6 8 "),
    (rf"\bodd {_NOUN}", " 1 3 5 7 9 "),
    (r"\b(?:a )?(?:pair|couple) of\b", " 2 "),
    (r"\ba dozen(?: of)?\b", " 12 "),
    (r"\bnought\b|\bnaught\b", "zero"),
)
_BETWEEN = re.compile(r"\bbetween (\d) and (\d)\b")
_RANGE = re.compile(
    r"(?<!\d)(?<!\d-)(?<!\d - )(\d)(?:\s*-\s*|\s*\.\.+\s*|\s+(?:to|through|until)\s+)(\d)(?!\d|\s*-\s*\d)"
)
_COUNTED = re.compile(r"\b(\d+)\s+((?:(?!and\b|or\b)[a-z]+\s+){0,2})(\d)s\b")


def write_numerals(text: str, most: int) -> str:
    """The prompt with every number word, plural, count (up to `most`) and range written out in single ASCII digits."""
    text = "".join(_plain(c) for c in unicodedata.normalize("NFKC", text).casefold())
    text = " ".join(text.split())
    for pattern, replacement in _REWRITES:
        text = re.sub(pattern, replacement, text)
    text = PLURAL.sub(lambda m: f"{PLURALS[m[0]]}s", text)
    text = SPOKEN.sub(lambda m: f"{value_of(m[0])}", text)
    text = _COUNTED.sub(lambda m: m[2] + f"{m[3]} " * min(int(m[1]), most), text)
    text = re.sub(r"(?<=\d)s\b", "", text)
    text = _BETWEEN.sub(r"\1-\2", text)
    return _RANGE.sub(lambda m: _steps(int(m[1]), int(m[2])), text)


def _plain(character: str) -> str:
    """ASCII for digits of any script and for dashes; nothing for marks and invisible characters."""
    category = unicodedata.category(character)
    value = unicodedata.numeric(character, -1)
    if value in range(10):
        return str(int(value))
    if category == "Pd" or character == "\u2212":
        return "-"
    return "" if category in ("Mn", "Me", "Cf") else character


def _steps(first: int, last: int) -> str:
    step = 1 if first <= last else -1
    return " ".join(map(str, range(first, last + step, step)))
