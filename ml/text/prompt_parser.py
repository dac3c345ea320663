"""Prompts for the class route: digits and number words become labels; the reading lists the other words.

A prompt is rewritten rule by rule ("three sevens" -> "3 7s" -> "7 7 7", "two to five" -> "2 3 4 5") until only
numerals are left among the words.
"""

import re
import unicodedata
from dataclasses import dataclass, replace

from ml.config import MAX_IMAGES, NO_LABEL
from ml.errors import BadRequest

MAX_CHARACTERS = 500
MAX_DIGITS = 100
MAX_COLUMNS = 10
RUN = 6  # consecutive digits from which on the reading gives only the first and the last
TRY = "Try 7, seven, 2026, 0-9 or two or five."

_UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUES = {word: value for value, word in enumerate(_UNITS + _TEENS)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}
_FILLER = """
    a an the of and or then digit digits number numbers numeral numerals figure figures hand handwritten written
    drawn draw drawing show make generate give create paint write me us i want would like please image images
    picture pictures from to through until
"""

_unit = f"(?:{'|'.join(_UNITS[1:])})"
_small = f"(?:(?:{'|'.join(_TENS)})(?:[ -]{_unit})?|{'|'.join(_TEENS)}|{_unit})"
_hundreds = rf"(?:(?:{_unit}|a) hundred(?: and)?(?: {_small})?|{_small})"
_SPOKEN = re.compile(rf"\b(?:(?:{_hundreds}|a) thousand(?: and)?(?: {_hundreds})?|{_hundreds}|zero)\b")
_PLURALS = {f"{word}s": value for value, word in enumerate(_UNITS)} | {"zeroes": 0, "sixes": 6}
_PLURAL = re.compile(rf"\b(?:{'|'.join(_PLURALS)})\b")
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
_EXCEPT = re.compile(r"\b(?:but not|except(?: for)?|excluding|without|but|not|no)\b")
_WORD = re.compile(r"[^\W\d_]+")
_SYMBOL = re.compile(r"(?<=\d)\.(?=\d)|-(?=\s*\d)|[+*=%$€£^\xd7÷√∞]")


@dataclass(frozen=True, slots=True)
class ParsedPrompt:
    """The labels of a prompt, one per image and row by row, and the sentence under the prompt box.

    `left_over` are the words that do not affect the labels.
    """

    labels: tuple[int, ...]
    columns: int
    reading: str
    left_over: tuple[str, ...] = ()


def parse_prompt(text: str, classes: int = 10) -> ParsedPrompt:
    """The digits in a prompt; raises BadRequest for none, too many, or one that the model lacks."""
    if len(text) > MAX_CHARACTERS:
        raise BadRequest(f"The prompt has {len(text)} characters; {MAX_CHARACTERS} is the most.", "Shorten it.")
    if not text.strip():
        raise BadRequest("The prompt is empty.", TRY)
    included, *excluded = _EXCEPT.split(_numerals(text))
    left_out = {int(c) for part in excluded for c in part if c.isdigit()}
    labels = tuple(int(c) for c in included if c.isdigit() and int(c) not in left_out)
    if not labels and left_out:
        raise BadRequest(f"{_quoted(text)} says which digits to leave out, but not which to draw.", TRY)
    if not labels:
        raise BadRequest(f"There is no digit in {_quoted(text)}; this model draws the digits 0 to 9.", TRY)
    if len(labels) > MAX_DIGITS:
        raise BadRequest(f"The prompt has more than {MAX_DIGITS} digits.", "Ask for fewer at a time.")
    _check_range(labels, classes)
    rest = " ".join([included, *excluded])
    return ParsedPrompt(labels, min(len(labels), MAX_COLUMNS), _reading(labels, rest), _left_over(rest))


def parse_text_prompt(text: str) -> ParsedPrompt:
    """A prompt for a text-conditioned model: several plain digits become labels, any other text stays as it is.

    Raises BadRequest for an empty prompt and one that is too long.
    """
    if not text.strip() or len(text) > MAX_CHARACTERS:
        return parse_prompt(text)  # raises
    try:
        digits = parse_prompt(text)
    except BadRequest:
        digits = None
    if digits and len(digits.labels) > 1 and not digits.left_over:
        return replace(digits, reading=f"{_listing(digits.labels)}, each by its word")
    return ParsedPrompt((NO_LABEL,), 1, f"“{text.strip()}”, read by the model")


def parse_labels(text: str, classes: int = 10) -> tuple[int, ...]:
    """Labels and ranges separated by commas, `0-9,3,3`; raises BadRequest."""
    labels: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?", part)
        if match is None:
            raise BadRequest(
                f"{_quoted(part)} in the labels is neither a number nor a range.", "Write labels like 0-9,3,3."
            )
        first, last = int(match[1]), int(match[2] or match[1])
        _check_range((first, last), classes)
        labels += range(first, last + 1) if first <= last else range(first, last - 1, -1)
        if len(labels) > MAX_IMAGES:
            raise BadRequest(f"More than {MAX_IMAGES} labels.", "Ask for fewer at a time.")
    return tuple(labels)


def _numerals(text: str) -> str:
    """The prompt with every number word, plural, count and range written out in single ASCII digits."""
    text = "".join(_plain(c) for c in unicodedata.normalize("NFKC", text).casefold())
    text = " ".join(text.split())
    for pattern, replacement in _REWRITES:
        text = re.sub(pattern, replacement, text)
    text = _PLURAL.sub(lambda m: f"{_PLURALS[m[0]]}s", text)
    text = _SPOKEN.sub(lambda m: f"{_value(m[0])}", text)
    text = _COUNTED.sub(lambda m: m[2] + f"{m[3]} " * min(int(m[1]), MAX_DIGITS + 1), text)
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


def _value(spoken: str) -> int:
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


def _steps(first: int, last: int) -> str:
    step = 1 if first <= last else -1
    return " ".join(map(str, range(first, last + step, step)))


def _check_range(labels: tuple[int, ...], classes: int) -> None:
    if classes == 0:
        raise BadRequest("This model draws without classes.", "Sample it without labels, or choose another model.")
    wrong = next((label for label in labels if label >= classes), None)
    if wrong is not None:
        raise BadRequest(f"This model has no class {wrong}.", f"Use labels from 0 to {classes - 1}.")


def _listing(labels: tuple[int, ...]) -> str:
    if len(labels) >= RUN and labels == tuple(range(labels[0], labels[-1] + 1)):
        return f"{labels[0]} to {labels[-1]}"
    return " ".join(map(str, labels[:12])) + (f" … ({len(labels)} digits)" if len(labels) > 12 else "")


def _left_over(rest: str) -> tuple[str, ...]:
    return tuple(word for word in dict.fromkeys(_WORD.findall(rest)) if word not in _FILLER.split())


def _reading(labels: tuple[int, ...], rest: str) -> str:
    words = list(_left_over(rest))
    signs = list(dict.fromkeys(_SYMBOL.findall(rest)))
    notes = [f"{_listed(words)} not understood by this model"] if words else []
    notes += [f"{_listed(signs)} not drawn"] if signs else []
    return "; ".join([f"{_listing(labels)}, by class", *notes])


def _listed(words: list[str]) -> str:
    shown = [_quoted(word) for word in words[:3]] + ([f"{len(words) - 3} more"] if len(words) > 3 else [])
    return f"{shown[0]} is" if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]} are"


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    return f'"{text[:40]}…"' if len(text) > 40 else f'"{text}"'
