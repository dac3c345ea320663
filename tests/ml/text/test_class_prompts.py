"""Names of classes in prompts and labels: however they are spelled they are found, and nothing else is."""

from collections.abc import Sequence

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ml.config import NO_LABEL
from ml.errors import BadRequest
from ml.specs import CIFAR10, FASHION
from ml.text.class_names import label_text
from ml.text.prompt_parser import parse_labels, parse_prompt

SHIP, CAT, DOG = CIFAR10.index("ship"), CIFAR10.index("cat"), CIFAR10.index("dog")
FIVE = ("1", "2", "3", "4", "5")
SPARSE = ("05", "07", "10")
UNNAMED = tuple(f"class {k}" for k in range(12))
ALL = tuple(range(10))


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("ship", (SHIP,)),
        ("two cats and a ship", (CAT, CAT, SHIP)),
        ("cat x3", (CAT,) * 3),
        ("3 cats", (CAT,) * 3),
        ("3x cat", (CAT,) * 3),
        ("3 x cats, x2 dogs", (CAT,) * 3 + (DOG,) * 2),
        ("a pair of cats", (CAT, CAT)),
        ("every class", ALL),
        ("all ten classes", ALL),
        ("2 of each", ALL * 2),
        ("all the cats", (CAT,)),
        ("ship, cat", (SHIP, CAT)),
        ("SHIPS!", (SHIP,)),
        ("\uff53\uff48\uff49\uff50", (SHIP,)),
        ("everything but cats", tuple(label for label in ALL if label != CAT)),
        ("without cats", tuple(label for label in ALL if label != CAT)),
        ("a cat and a dog but no dog", (CAT,)),
        ("no cats, and 0 dogs, a ship", tuple(label for label in ALL if label not in (CAT, DOG, SHIP))),
        ("not a dog but a cat", (CAT,)),
        ("all but cats, then a cat", tuple(label for label in ALL if label != CAT)),
        ("3", (CAT,)),
        ("2026", (2, 0, 2, 6)),
        ("0-9", ALL),
        ("9 to 7", (9, 8, 7)),
    ],
)
def test_prompts_name_classes(text: str, labels: tuple[int, ...]) -> None:
    found = parse_prompt(text, CIFAR10)
    assert (found.labels, found.left_over) == (labels, ())
    assert found.columns == min(len(labels), 10)


@pytest.mark.parametrize(
    ("text", "names", "labels"),
    [
        ("ankle boot", FASHION, (9,)),
        ("Ankle-Boots", FASHION, (9,)),
        ("t-shirt", FASHION, (0,)),
        ("a top, T-shirt/top and tshirts", FASHION, (0, 0, 0)),
        ("two pairs of trousers", FASHION, (1, 1)),
        ("shirt", FASHION, (6,)),
        ("cat dog", ("cat", "cat dog"), (1,)),  # the longest name
        ("cat, dog", ("cat", "dog", "cat dog"), (0, 1)),
        ("salt, pepper and cat", ("salt, pepper", "cat"), (0, 1)),
        ("three leaves, women, cities", ("leaf", "woman", "city"), (0, 0, 0, 1, 2)),
        ("a flag and a face", ("Flags", "Faces"), (0, 1)),
        ("猫と犬", ("猫", "犬"), (0, 1)),
        ("resume, ECOLE, STRASSE", ("Résumé", "École", "Straße"), (0, 1, 2)),
        ("кошки, КОШКА", ("кошка", "кошки"), (1, 0)),
        ("A a b x x3 3 a", ("A", "a", "b", "x"), (0, 1, 2, 3, 3, 3, 1, 1, 1)),
        ("A- and ab-, A, a+", ("A", "A-", "A+", "AB-"), (1, 3, 0, 2)),
        ("❤ and 😀😀", ("❤️", "😀", "😀😀"), (0, 2)),
        ("no, yes", ("yes", "no"), (1, 0)),  # a name, though also a word of the grammar
    ],
)
def test_names_are_found_however_they_are_spelled(text: str, names: Sequence[str], labels: tuple[int, ...]) -> None:
    assert parse_prompt(text, names).labels == labels


@pytest.mark.parametrize(
    ("text", "names", "labels"),
    [
        ("3", FIVE, (2,)),
        ("three 5s and 1", FIVE, (4, 4, 4, 0)),
        ("3x 5", FIVE, (4, 4, 4)),
        ("5 x3, two fives", FIVE, (4,) * 5),
        ("1-3", FIVE, (0, 1, 2)),
        ("all but 2", FIVE, (0, 2, 3, 4)),
        ("the 3rd", FIVE, (2,)),
        ("7, 07 and seven", SPARSE, (1, 1, 1)),
        ("5 to 10", SPARSE, (0, 1, 2)),
        ("3", ("eight", "five", "three"), (2,)),
        ("class 1, 11", UNNAMED, (1, 11)),
        ("three sevens", UNNAMED, (7, 7, 7)),
    ],
)
def test_a_number_is_the_class_that_is_called_so(text: str, names: Sequence[str], labels: tuple[int, ...]) -> None:
    assert parse_prompt(text, names).labels == labels


@pytest.mark.parametrize(
    ("text", "reading", "left_over"),
    [
        ("ship, 3 cats", "ship, cat ×3", ()),
        ("0-9", "all 10 classes", ()),
        ("all x2", "all 10 classes ×2", ()),
        ("two fluffy cats 🐶", 'cat ×2; "fluffy" and "🐶" are not understood by this model', ("fluffy", "🐶")),
        ("a ship without a sail, then a cat", 'ship, cat; "sail" is not understood by this model', ("sail",)),
        ("a ship and a cta", 'ship; "cta": did you mean cat?', ("cta",)),
        ("ship, thing7", 'ship; "thing7" is not understood by this model', ("thing7",)),
        ("ship 7", 'ship; "7" is not understood by this model', ("7",)),
        (
            "cat dog " * 7,
            "cat, dog, cat, dog, cat, dog, cat, dog, cat, dog, cat, dog … (14 images)",
            (),
        ),
    ],
)
def test_the_reading_is_in_words(text: str, reading: str, left_over: tuple[str, ...]) -> None:
    found = parse_prompt(text, CIFAR10)
    assert (found.reading, found.left_over) == (reading, left_over)


@pytest.mark.parametrize(
    ("text", "names", "said"),
    [
        ("shp", CIFAR10, '"shp": did you mean ship?'),
        ("boot", FASHION, '"boot": did you mean Ankle boot?'),
        ("an ankel bot", FASHION, '"ankel bot": did you mean Ankle boot?'),
        ("thing7", CIFAR10, 'There is no class of this model in "thing7".'),
        ("banana", CIFAR10, 'There is no class of this model in "banana".'),
        ("7", ("four", "nine"), 'There is no class of this model in "7".'),
        ("0 cats", CIFAR10, "There is no class of this model"),
        ("CAT", ("Cat", "cat"), "did you mean Cat?"),  # or cat
        ("all but all", CIFAR10, "leaves out all"),
        ("", CIFAR10, "is empty"),
        ("99 cats, 99 dogs", CIFAR10, "more than 100 images"),
        ("ship", (), "draws without classes"),
    ],
)
def test_a_prompt_without_a_class_is_refused(text: str, names: Sequence[str], said: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_prompt(text, names)
    assert said in refusal.value.message and refusal.value.what_to_do


def test_the_refusal_names_what_the_model_draws() -> None:
    with pytest.raises(BadRequest) as many:
        parse_prompt("banana", CIFAR10)
    assert many.value.what_to_do == "This model draws airplane, automobile, bird, … (10 classes)."
    with pytest.raises(BadRequest) as few:
        parse_prompt("banana", ("cat", "dog"))
    assert few.value.what_to_do == "This model draws cat, dog."


@pytest.mark.parametrize(
    ("text", "names", "labels"),
    [
        ("ship,cat", CIFAR10, (SHIP, CAT)),
        (" Ships , 0-2,3", CIFAR10, (SHIP, 0, 1, 2, 3)),
        ("3,5-4", FIVE, (2, 4, 3)),
        ("salt, pepper,cat,0", ("salt, pepper", "cat"), (0, 1, 0)),
        ("class 11,0", UNNAMED, (11, 0)),
        ("0,1-3", ("across", "down", "class 2", "class 3"), (0, 1, 2, 3)),
    ],
)
def test_labels_are_names_before_numbers(text: str, names: Sequence[str], labels: tuple[int, ...]) -> None:
    assert parse_labels(text, names) == labels


@pytest.mark.parametrize(
    ("text", "names", "said"),
    [
        ("shp", CIFAR10, '"shp" in the labels: did you mean ship?'),
        ("ship,,cat", CIFAR10, "no such class"),
        ("10", CIFAR10, "no class 10"),
        ("0", FIVE, "no class 0"),
        ("1-6", FIVE, "no class 6"),
        ("cat", (), "draws without classes"),
    ],
)
def test_wrong_labels_are_refused(text: str, names: Sequence[str], said: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_labels(text, names)
    assert said in refusal.value.message and refusal.value.what_to_do


def test_a_label_in_words() -> None:
    assert label_text(SHIP, CIFAR10) == "ship"
    assert label_text(NO_LABEL, CIFAR10) == "no class"
    assert label_text(12, CIFAR10) == "12"


WORDS = st.sampled_from(
    ["cat", "cats", "3", "x3", "2x", "all", "but", "no", "and", ",", "-", "to", "07", "7s", "three", "fives", "class",
     "/", "'", "s", "x", "猫", "❤️", "é", "e\u0301", "\u200d", "\0", "of", "each", "a"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=12).map(" ".join), st.lists(WORDS).map("".join))
NAMES = st.lists(TEXTS.filter(bool), max_size=6)


def answered(text: str, names: Sequence[str]) -> None:
    for parse in (lambda: parse_prompt(text, names).labels, lambda: parse_labels(text, names)):
        try:
            labels = parse()
        except BadRequest:
            continue
        assert labels and all(0 <= label < len(names) for label in labels)


@pytest.mark.parametrize("count", [100, pytest.param(5000, marks=pytest.mark.slow)])
def test_any_text_with_any_names_is_answered(count: int) -> None:
    @settings(max_examples=count, derandomize=True, database=None, deadline=None, phases=(Phase.generate,))
    @given(TEXTS, NAMES)
    def run(text: str, names: list[str]) -> None:
        answered(text, names)

    run()


HOSTILE = ("a ", "x3", "猫", "7s ", "one hundred and ", "\u0301")


@pytest.mark.parametrize("part", HOSTILE)
def test_long_texts_with_long_names_are_answered(part: str) -> None:
    answered((part * 500)[:500], [(part * 255)[:255], "b" * 255, "b " * 127 + "b", *(f"a {k}" for k in range(300))])
