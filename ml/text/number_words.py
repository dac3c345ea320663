"""Numbers in English words: "seven", "twenty-six", "two thousand and twenty-six", "sevens"."""

import re

_UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUES = {word: value for value, word in enumerate(_UNITS + _TEENS)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}

_unit = f"(?:{'|'.join(_UNITS[1:])})"
_small = f"(?:(?:{'|'.join(_TENS)})(?:[ -]{_unit})?|{'|'.join(_TEENS)}|{_unit})"
_hundreds = rf"(?:(?:{_unit}|a) hundred(?: and)?(?: {_small})?|{_small})"
SPOKEN = re.compile(rf"\b(?:(?:{_hundreds}|a) thousand(?: and)?(?: {_hundreds})?|{_hundreds}|zero)\b")
PLURALS = {f"{word}s": value for value, word in enumerate(_UNITS)} | {"zeroes": 0, "sixes": 6}
PLURAL = re.compile(rf"\b(?:{'|'.join(PLURALS)})\b")


def value_of(spoken: str) -> int:
    """`two thousand and twenty-six` -> 2026."""
    total = part = 0
    for word in re.findall("[a-z]+", spoken):
        if word == "thousand":
            total, part = max(part, 1) * 1000, 0
        elif word == "hundred":
            part = max(part, 1) * 100
        else:
            part += _VALUES.get(word, 0)
    return total + part
