"""Prompts for the class route: names of classes become labels; the reading lists the other words.

Models of digits have a grammar of their own, in which numbers are what is drawn. In the grammar of all other models
they count it.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ml.config import MAX_IMAGES, NO_LABEL
from ml.errors import BadRequest
from ml.specs import TEN_DIGITS
from ml.text.caption_words import known_words
from ml.text.class_names import ClassNames, known_names, label_text
from ml.text.class_prompts import understand
from ml.text.digit_prompts import write_numerals

MAX_CHARACTERS = 500
MAX_LABELS = 100
MAX_COLUMNS = 10
SHOWN = 12  # names or digits in a reading
RUN = 6  # consecutive digits from which on the reading gives only the first and the last
TRY = "Try 7, seven, 2026, 0-9 or two or five."

_FILLER = """
    a an the of and or then digit digits number numbers numeral numerals figure figures hand handwritten written
    drawn draw drawing show make generate give create paint write me us i want would like please image images
    picture pictures from to through until
"""

_EXCEPT = re.compile(r"\b(but not|except(?: for)?|excluding|without|but|not|no|never|nor|neither|dont|then)\b")
_NEGATION = re.compile(r"\b(?:except|excluding|without|not|no|never|nor|neither|\w+n['’]t|dont)\b(?!\.)")
_CLAUSE = re.compile(r"[,;.]|\b(?:and|or)\b")
_WORD = re.compile(r"[^\W\d_]+")
_MARKED = re.compile(r"\w+(?:[-‐-―'’.]+\w+)*")
_NUMBER = re.compile(r"[+(]*\d[\d\s()/.-]*")
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


def parse_prompt(text: str, classes: Sequence[str] = TEN_DIGITS) -> ParsedPrompt:
    """The labels that a prompt asks for, of a model whose classes have these names.

    Raises BadRequest for a prompt that names none, names too many, or one that the model lacks.
    """
    names = _names(classes)
    check_length(text)
    if not text.strip():
        raise BadRequest("The prompt is empty.", TRY if names.are_digits else _draws(names))
    return _digits(text, names) if names.are_digits else _classes(text, names)


def _digits(text: str, names: ClassNames) -> ParsedPrompt:
    parts = _asked_and_left_out(write_numerals(text, MAX_LABELS + 1))
    left_out = _excluded(parts)
    labels = tuple(int(c) for part, asked in parts if asked for c in part if c.isdigit() and int(c) not in left_out)
    if not labels and left_out:
        raise BadRequest(f"{_quoted(text)} says which digits to leave out, but not which to draw.", TRY)
    if not labels:
        known = f"0 to {len(names.classes) - 1}"
        raise BadRequest(f"There is no digit in {_quoted(text)}; this model draws the digits {known}.", TRY)
    for label in labels:
        _known(label, names)
    rest = " ".join(part for part, _ in parts)
    return _laid_out(labels, "digits", _reading(labels, rest), _left_over(rest))


def _asked_and_left_out(text: str) -> list[tuple[str, bool]]:
    """The parts of a text in order, and whether each says what to draw rather than what not to.

    "then", and "but" after what is left out, go back to what to draw. So does the clause after one that leaves out no
    digit: "a 7 without a bar, a 3".
    """
    first, *rest = _EXCEPT.split(text)
    parts = [(first, True)]
    for word, part in zip(rest[::2], rest[1::2], strict=True):
        asked = word == "then" or (word == "but" and not parts[-1][1])
        clause, *_ = _CLAUSE.split(part, maxsplit=1)
        if not asked and _left_over(clause) and not any(c.isdigit() for c in clause):
            parts += [(clause, False), (part[len(clause) :], True)]
        else:
            parts.append((part, asked))
    return parts


def _leaves_out(text: str) -> bool:
    return bool(_excluded(_asked_and_left_out(write_numerals(text, MAX_LABELS + 1))))


def _excluded(parts: list[tuple[str, bool]]) -> set[int]:
    return {int(c) for part, asked in parts if not asked for c in part if c.isdigit()}


def _classes(text: str, names: ClassNames) -> ParsedPrompt:
    found = understand(text, names, MAX_LABELS + 1)
    labels = found.labels
    notes = _not_understood(found.left_over, names)
    if not labels and found.excluded:
        raise BadRequest(f"{_quoted(text)} leaves out all that it asks for.", _draws(names))
    if not labels and notes and "?" in notes[0]:
        raise BadRequest(notes[0], _draws(names))
    if not labels:
        raise BadRequest(f"There is no class of this model in {_quoted(text)}.", _draws(names))
    reading = "; ".join([_in_words(labels, names.classes), *notes])
    return _laid_out(labels, "images", reading, found.left_over)


def _laid_out(labels: tuple[int, ...], things: str, reading: str, left_over: tuple[str, ...]) -> ParsedPrompt:
    if len(labels) > MAX_LABELS:
        raise BadRequest(f"The prompt has more than {MAX_LABELS} {things}.", "Ask for fewer at a time.")
    return ParsedPrompt(labels, min(len(labels), MAX_COLUMNS), reading, left_over)


def number_groups(text: str) -> tuple[int, ...]:
    """The lengths of the groups of digits in a prompt that is one number, such as that of a phone; () for others."""
    return tuple(map(len, re.findall(r"\d+", text))) if _NUMBER.fullmatch(text.strip()) else ()


def parse_text_prompt(text: str) -> ParsedPrompt:
    """A prompt for a text-conditioned model: several plain digits become labels, any other text stays as it is.

    Raises BadRequest for an empty prompt, one that is too long, and one that says which digits not to draw: the model
    knows no "not", and would draw them.
    """
    if not text.strip() or len(text) > MAX_CHARACTERS:
        return parse_prompt(text)  # raises
    try:
        digits = parse_prompt(text)
    except BadRequest:
        digits = None
    if digits and (len(digits.labels) > 1 or _leaves_out(text)) and not digits.left_over:
        return replace(digits, reading=f"{_listing(digits.labels)}, each by its word")
    check_words(text)
    unknown = unknown_words(text)
    notes = [f"{_listed(list(unknown))} not understood by this model"] if unknown else []
    reading = "; ".join([f"“{text.strip()}”, read by the model", *notes])
    return ParsedPrompt((NO_LABEL,), 1, reading, unknown)


def unknown_words(text: str) -> tuple[str, ...]:
    """The words of a text that occur in no caption of digits, in order."""
    return tuple(word for word in dict.fromkeys(_words(text)) if word not in known_words())


def has_meaning(text: str) -> bool:
    """Whether a text names a digit or what one looks like; "draw a VII" does not."""
    numbers = any(c.isdigit() for c in write_numerals(text, MAX_LABELS + 1))
    return numbers or any(word in known_words() and word not in _FILLER.split() for word in _words(text))


def marks(text: str, left_over: Collection[str]) -> tuple[tuple[int, int], ...]:
    """Where the words of a prompt begin that affect what is drawn, and their lengths."""
    ignored = {*left_over, *_FILLER.split()}
    found = [match for match in _MARKED.finditer(text) if not set(_words(match[0])) <= ignored]
    return tuple((match.start(), len(match[0])) for match in found)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold())


def check_words(text: str, *, digits: bool = True) -> None:
    """Refuse words that a model would read the other way round; raises BadRequest.

    Models that read words, and CLIP, know no "not": they would draw what is left out. A model of `digits` draws nothing
    of what it does not know: "a seven without a bar".
    """
    check_length(text)
    clauses = [_CLAUSE.split(clause, maxsplit=1)[0] for clause in _NEGATION.split(text.casefold())[1:]]
    if _leaves_out(text) or any(not digits or has_meaning(clause) for clause in clauses):
        raise BadRequest(
            f"{_quoted(text)} says what not to draw, which this model cannot read.", "Say only what to draw."
        )


def check_length(text: str) -> None:
    """Raises BadRequest for a prompt of more than MAX_CHARACTERS."""
    if len(text) > MAX_CHARACTERS:
        raise BadRequest(f"The prompt has {len(text)} characters; {MAX_CHARACTERS} is the most.", "Shorten it.")


def parse_labels(text: str, classes: Sequence[str] = TEN_DIGITS) -> tuple[int, ...]:
    """Names, numbers and ranges of numbers separated by commas, `ship,cat` or `0-9,3,3`; raises BadRequest.

    A number is that of a label, unless classes are called by numbers; then it is the class that is called so.
    """
    names = _names(classes)
    labels: list[int] = []
    for part in _parts(text, names):
        labels += _part(part, names)
        if len(labels) > MAX_IMAGES:
            raise BadRequest(f"More than {MAX_IMAGES} labels.", "Ask for fewer at a time.")
    return tuple(labels)


def _parts(text: str, names: ClassNames) -> Iterable[str]:
    """The text between commas, but for a comma in a name."""
    parts = text.split(",")
    commas = max(name.count(",") for name in names.classes)
    while parts:
        for count in range(min(commas + 1, len(parts)), 0, -1):
            joined = ",".join(parts[:count])
            if count == 1 or names.find(joined) is not None:
                yield joined
                del parts[:count]
                break


def _part(part: str, names: ClassNames) -> Sequence[int]:
    label = None if names.are_digits else names.find(part)
    if label is not None:
        return [label]
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?", part)
    if match is None and names.are_labels:
        raise BadRequest(
            f"{_quoted(part)} in the labels is neither a number nor a range.", "Write labels like 0-9,3,3."
        )
    if match is None:
        near = names.nearest(part)
        said = f"did you mean {near}?" if near else "this model has no such class."
        raise BadRequest(f"{_quoted(part)} in the labels: {said}", _draws(names))
    first, last = int(match[1]), int(match[2] or match[1])
    _known(first, names)
    _known(last, names)
    return names.between(first, last) or ()


def _names(classes: Sequence[str]) -> ClassNames:
    if not classes:
        raise BadRequest("This model draws without classes.", "Sample it without labels, or choose another model.")
    return known_names(tuple(classes))


def _known(number: int, names: ClassNames) -> None:
    if names.numbered(number) is None:
        what_to_do = f"Use labels from 0 to {len(names.classes) - 1}." if names.are_labels else _draws(names)
        raise BadRequest(f"This model has no class {number}.", what_to_do)


def _draws(names: ClassNames) -> str:
    return f"This model draws {'the classes ' if names.are_labels else ''}{names}."


def _in_words(labels: tuple[int, ...], classes: Sequence[str]) -> str:
    times, rest = divmod(len(labels), len(classes))
    if len(classes) >= RUN and not rest and labels == tuple(range(len(classes))) * times:
        return f"all {len(classes)} classes" + (f" ×{times}" if times > 1 else "")
    runs = [(label_text(label, classes), len(list(run))) for label, run in groupby(labels)]
    words = ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in runs[:SHOWN])
    return words + (f" … ({len(labels)} images)" if len(runs) > SHOWN else "")


def _not_understood(words: Sequence[str], names: ClassNames) -> list[str]:
    """What to say of words that are no names: `"shp": did you mean ship?`."""
    phrase = " ".join(words)
    near = [(phrase, names.nearest(phrase))] if len(words) > 1 else []
    if not near or not near[0][1]:
        near = [(word, names.nearest(word)) for word in words]
    notes = [f"{_quoted(word)}: did you mean {name}?" for word, name in near if name]
    unknown = [word for word, name in near if not name]
    return notes + ([f"{_listed(unknown)} not understood by this model"] if unknown else [])


def _listing(labels: tuple[int, ...]) -> str:
    if len(labels) >= RUN and labels == tuple(range(labels[0], labels[-1] + 1)):
        return f"{labels[0]} to {labels[-1]}"
    return " ".join(map(str, labels[:SHOWN])) + (f" … ({len(labels)} digits)" if len(labels) > SHOWN else "")


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
