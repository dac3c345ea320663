"""Prompts for a model of named classes: "two cats and a ship", "cat x3", "all but birds".

A text is cut into tokens, the longest names of classes among them are found first, and the rest are numbers, the few
words of this grammar, and words that are not understood.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Literal

from ml.text.class_names import INSIDE, ClassNames, spelled
from ml.text.number_words import PLURAL, PLURALS, SPOKEN, value_of

Kind = Literal["name", "number", "times", "all", "except", "to", "separator", "filler", "word"]
ADJECTIVES = 2  # words between a number and the name it counts

_UNSPACED = re.compile("[\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_PHRASES: tuple[tuple[Kind, str], ...] = (
    ("except", r"\b(?:but not|except(?: for)?|excluding|without|but|not|no|never|nor|neither|don['’]?t)\b"),
    ("all", r"\b(?:all|everything|every|each)\b"),
    ("separator", r"\b(?:and|or|then)\b|[,;.&+|/!?]"),
    ("to", r"\b(?:to|through|until)\b|\.\.+|[-\u2010-\u2015\u2212]"),
    ("filler", r"\b(?:a|an|the|of|class|classes|kind|kinds|type|types|draw|drawn|drawing|show|make|generate|give|"
               r"create|paint|write|me|us|i|want|would|like|please|images?|pictures?|photos?|pairs?|from|with)\b"),
)  # fmt: skip
_GRAMMAR: list[tuple[Kind, re.Pattern[str]]] = [(kind, re.compile(pattern)) for kind, pattern in _PHRASES]
_FEW = re.compile(r"\b(?:a )?(?:pair|couple) of\b")
_DOZEN = re.compile(r"\ba dozen(?: of)?\b")
_BEFORE = re.compile(r" ?[x×*](?!\w)")  # 3x cat
_TIMES = re.compile(r"[x×*] ?(\d{1,9})(?!\w)")  # cat x3
_DIGITS = re.compile(r"\d{1,9}")
_LETTERS = re.compile(r"[^\W\d_]+")
_ORDINAL = re.compile(r"(?:st|nd|rd|th)(?!\w)")
_PLURAL_NUMBER = re.compile(r"['’]?s(?!\w)")  # 7s


@dataclass(frozen=True, slots=True)
class Token:
    """A part of the text: `value` is a label or a number, `mark` says that a number is a count or a plural."""

    kind: Kind
    text: str
    value: int = 0
    mark: Literal["", "count", "plural"] = ""


@dataclass(frozen=True, slots=True)
class Understood:
    """The labels of a prompt, whether any were left out by it, and the words that are not understood, in order."""

    labels: tuple[int, ...]
    excluded: bool
    left_over: tuple[str, ...]


def understand(text: str, names: ClassNames, most: int) -> Understood:
    """The labels that a text asks for, each at most `most` times a mention."""
    tokens = list(_tokens(spelled(text), names))
    named = names.numbers or not any(token.kind in ("name", "all") for token in tokens)
    groups: list[list[int]] = []
    excluded: list[int] = []
    left_over: list[str] = []
    excluding = asks = False
    clause = ""  # of what is left out so far: nothing, "words" that are no names, or "names"
    k = 0
    while k < len(tokens):
        token, found, count, last = tokens[k], None, 1, k
        if token.kind == "except":
            excluding, clause = not (excluding and token.text == "but"), ""  # not cats but dogs
        elif token.kind == "separator" and (token.text == "then" or clause == "words"):
            excluding, clause = False, ""  # a ship without a sail, a cat
        elif token.kind == "word":
            left_over.append(token.text)
            clause = clause or ("words" if excluding else "")
        elif token.kind == "number" and (counted := _counted(tokens, k)) is not None:
            count, last = token.value, counted
            left_over += [each.text for each in tokens[k + 1 : last] if each.kind == "word"]
            found = _labels(tokens[last], names)
        elif token.kind == "number" and named:
            found, last = _numbers(tokens, k, names)
            if found is None:
                left_over.append(token.text)
        elif token.kind == "number":
            left_over.append(token.text)
        elif token.kind == "name" or (token.kind == "all" and not _is_about_a_name(tokens, k)):
            found = _labels(token, names)
            if token.kind == "all" and k + 1 < len(tokens) and tokens[k + 1].value == len(names.classes):
                last = k + 1  # all ten classes
        k = last + 1
        if found and k < len(tokens) and tokens[k].kind == "times":
            count, k = tokens[k].value, k + 1
        if found and excluding:
            excluded += found
            clause = "names"
        elif found is not None:
            asks = True
            groups.append(found * min(count, most))
    labels = [label for group in groups for label in group]
    if excluded and not asks:
        labels = list(range(len(names.classes)))
    kept = tuple(label for label in labels if label not in set(excluded))
    return Understood(kept, bool(excluded), tuple(dict.fromkeys(left_over)))


def _labels(token: Token, names: ClassNames) -> list[int] | None:
    if token.kind == "all":
        return list(range(len(names.classes)))
    label = token.value if token.kind == "name" else names.numbered(token.value)
    return None if label is None else [label]


def _counted(tokens: list[Token], k: int) -> int | None:
    """Where the name stands that the number at `k` counts, with up to two other words between; None for nowhere."""
    words = 0
    for j in range(k + 1, len(tokens)):
        kind = tokens[j].kind
        if kind in ("name", "all"):
            return j
        if kind == "number":
            return j if tokens[j].mark == "plural" or (tokens[k].mark == "count" and j == k + 1) else None
        words += kind == "word"
        if kind not in ("word", "filler") or words > ADJECTIVES:
            return None
    return None


def _is_about_a_name(tokens: list[Token], k: int) -> bool:
    """Whether "all" at `k` means all of a class: "all the cats"."""
    for token in tokens[k + 1 : k + 2 + ADJECTIVES]:
        if token.kind not in ("word", "filler"):
            return token.kind == "name" or token.mark == "plural"
    return False


def _numbers(tokens: list[Token], k: int, names: ClassNames) -> tuple[list[int] | None, int]:
    """The labels of the number at `k`, or of the range that begins with it, and where that ends."""
    token = tokens[k]
    if k + 2 < len(tokens) and (tokens[k + 1].kind, tokens[k + 2].kind) == ("to", "number"):
        between = names.between(token.value, tokens[k + 2].value)
        if between is not None:
            return between, k + 2
    exact = names.find(token.text) if names.numbers else None
    label = exact if exact is not None else names.numbered(token.value)
    if label is not None:
        return [label], k
    digits = [names.numbered(int(digit)) for digit in token.text if digit.isdecimal()]
    found = [digit for digit in digits if digit is not None]
    return (found if found and len(found) == len(digits) else None), k


def _tokens(text: str, names: ClassNames) -> Iterator[Token]:
    lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    ends = list(accumulate(len("".join(run)) for _, run in groupby(text, _cut())))
    token, at = Token("separator", ""), 0
    while at < len(text):
        if text[at] == " ":
            at += 1
        elif token.kind in ("name", "all", "number") and (times := _TIMES.match(lower, at)):
            at, token = times.end(), Token("times", times[0], int(times[1]))
            yield token
        else:
            at, token = _token(text, lower, at, ends[bisect_right(ends, at) :], names)
            yield token


def _cut() -> Callable[[str], tuple[str, int]]:
    """A key for `groupby` that keeps letters together and digits together, and any other character alone."""
    count = 0

    def key(character: str) -> tuple[str, int]:
        nonlocal count
        category = unicodedata.category(character)
        if category == "Nd":
            return "digits", 0
        if (category[0] in "LMN" or category == "Cf") and not _UNSPACED.match(character):
            return "letters", 0
        count += 1
        return "alone", count

    return key


def _token(text: str, lower: str, at: int, ends: list[int], names: ClassNames) -> tuple[int, Token]:
    """The token that begins at a place, and where it ends."""
    number = _DIGITS.match(text, at)
    for end in reversed(ends):
        if end - at > 2 * names.longest + 3 or (number and end <= number.end()):
            continue
        find = names.find_written_so if INSIDE.match(text[at]) or INSIDE.match(text[end - 1]) else names.find
        label = find(text[at:end])
        if label is not None:
            return end, Token("name", text[at:end], label)
    if number:
        return _number(lower, number[0], number.end(), names)
    if match := _TIMES.match(lower, at):
        return match.end(), Token("number", match[0], int(match[1]), "count")
    for pattern, value in ((_FEW, 2), (_DOZEN, 12)):
        if match := pattern.match(lower, at):
            return match.end(), Token("number", match[0], value, "count")
    if match := PLURAL.match(lower, at):
        return match.end(), Token("number", match[0], PLURALS[match[0]], "plural")
    if match := SPOKEN.match(lower, at):
        return match.end(), Token("number", match[0], value_of(match[0]))
    for kind, pattern in _GRAMMAR:
        if match := pattern.match(lower, at):
            return match.end(), Token(kind, match[0])
    end = ends[0]
    if text[end - 1].isalpha() and (match := _DIGITS.match(text, end)):
        end = match.end()  # thing7
    while end < len(text) and _UNSPACED.match(text[end - 1]) and _UNSPACED.match(text[end]):
        if names.find(text[end]) is not None:
            break
        end += 1
    return end, Token("filler" if unicodedata.category(text[at])[0] in "PMC" else "word", lower[at:end])


def _number(lower: str, digits: str, end: int, names: ClassNames) -> tuple[int, Token]:
    if (match := _BEFORE.match(lower, end)) and (match[0][0] != " " or names.find("x") is None):
        return match.end(), Token("number", digits, int(digits), "count")
    if match := _PLURAL_NUMBER.match(lower, end):
        return match.end(), Token("number", digits, int(digits), "plural")
    if match := _ORDINAL.match(lower, end):
        return match.end(), Token("number", digits, int(digits))
    if match := _LETTERS.match(lower, end):
        return match.end(), Token("word", digits + match[0])
    return end, Token("number", digits, int(digits))
