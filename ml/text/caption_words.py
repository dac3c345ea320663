"""The words of captions of digits: what a model that reads words knows. Needs no torch."""

from functools import cache

THIN, BOLD, LEFT, UPRIGHT, RIGHT, NARROW, WIDE, SMALL, LARGE = (1 << k for k in range(9))
SLANTED = LEFT | RIGHT

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ADJECTIVES = (
    (THIN, ("thin", "fine", "light")),
    (BOLD, ("bold", "thick", "heavy", "fat")),
    (UPRIGHT, ("upright", "straight", "vertical")),
    (NARROW, ("narrow", "slim")),
    (WIDE, ("wide", "broad")),
    (SMALL, ("small", "little", "tiny")),
    (LARGE, ("large", "big")),
    (SLANTED, ("slanted", "tilted", "leaning")),
    (LEFT, ("left slanted", "left leaning")),
    (RIGHT, ("right slanted", "right leaning", "italic")),
)
ENDINGS = (
    (LEFT, ("slanted to the left", "leaning to the left", "slanted left", "leaning left", "tilted to the left")),
    (RIGHT, ("slanted to the right", "leaning to the right", "slanted right", "leaning right", "tilted to the right")),
)
DIGIT_FORMS = (
    "{a}{n}",
    "a {a}{n}",
    "the {a}digit {n}",
    "{a}digit {n}",
    "number {n}",
    "the {a}number {n}",
    "a {a}handwritten {n}",
    "handwritten {a}{n}",
    "a {a}handwritten digit {n}",
    "a drawing of a {a}{n}",
    "an image of the {a}number {n}",
    "a picture of a {a}{n}",
    "a photo of the {a}digit {n}",
    "a {a}figure {n}",
)
PLAIN_FORMS = ("a {a}digit", "{a}digit", "a {a}number", "something {a}", "a {a}handwritten digit")
MANNERS = ("please", "draw", "show me", "write", "i want", "give me", "can you draw", "make")


def words() -> list[str]:
    """Every text from which captions are made, for the vocabulary."""
    phrases = [text for group in (*ADJECTIVES, *ENDINGS) for text in group[1]]
    forms = [form.format(a="", n="") for form in (*DIGIT_FORMS, *PLAIN_FORMS)]
    return [*WORDS, *map(str, range(10)), *phrases, *forms, *MANNERS]


@cache
def known_words() -> frozenset[str]:
    """The single words of captions."""
    return frozenset(word for text in words() for word in text.split())
