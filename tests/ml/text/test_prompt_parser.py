"""Prompts become labels, and what was not understood is said."""

import time
from contextlib import suppress

import pytest

from ml.config import MAX_IMAGES, NO_LABEL
from ml.errors import BadRequest
from ml.specs import TEN_DIGITS
from ml.text.prompt_parser import check_words, has_meaning, marks, parse_labels, parse_prompt, parse_text_prompt

ALL = tuple(range(10))


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("7", (7,)),
        ("seven", (7,)),
        ("a handwritten seven", (7,)),
        ("the digit 7", (7,)),
        ("number two", (2,)),
        ("No. 7", (7,)),
        ("2026", (2, 0, 2, 6)),
        ("0-9", ALL),
        ("zero to nine", ALL),
        ("all digits", ALL),
        ("All ten digits!", ALL),
        ("3-6", (3, 4, 5, 6)),
        ("3 \u2013 6", (3, 4, 5, 6)),
        ("6-3", (6, 5, 4, 3)),
        ("between three and six", (3, 4, 5, 6)),
        ("two to five and seven", (2, 3, 4, 5, 7)),
        ("two or five", (2, 5)),
        ("2, 3 and 5", (2, 3, 5)),
        ("three sevens", (7, 7, 7)),
        ("2 7s", (7, 7)),
        ("2 and 7s", (2, 7)),
        ("a pair of 2's", (2, 2)),
        ("ten", (1, 0)),
        ("twelve", (1, 2)),
        ("twenty twenty-six", (2, 0, 2, 6)),
        ("two thousand and twenty-six", (2, 0, 2, 6)),
        ("seven hundred five", (7, 0, 5)),
        ("1,000", (1, 0, 0, 0)),
        ("every digit but 3", (0, 1, 2, 4, 5, 6, 7, 8, 9)),
        ("even numbers", (0, 2, 4, 6, 8)),
        ("not 7 but 3", (3,)),
        ("not a seven but a three, then a two", (3, 2)),
        ("0-9 except 3, 5 and 7", (0, 1, 2, 4, 6, 8, 9)),
        ("all digits but not 1 and 2, then 5", (0, 3, 4, 5, 6, 7, 8, 9, 5)),
        ("  SEVEN!\n\t eight ", (7, 8)),
        ("\uff13٣七7️⃣", (3, 3, 7, 7)),
    ],
)
def test_prompts_become_labels(text: str, labels: tuple[int, ...]) -> None:
    understood = parse_prompt(text)
    assert understood.labels == labels
    assert understood.columns == len(labels)
    listed = "0 to 9" if labels == ALL else " ".join(map(str, labels))
    assert understood.reading == f"{listed}, by class"


@pytest.mark.parametrize(
    ("text", "labels", "said"),
    [
        ("bold seven", (7,), '"bold" is not understood by this model'),
        ("a dog with 3 legs", (3,), '"dog", "with" and "legs" are not understood by this model'),
        ("seven in thick slanted blue ink", (7,), "and 2 more are not understood"),
        ("a seven without a bar, then a three", (7, 3), '"bar" is not understood by this model'),
        ("a seven without a bar and a three", (7, 3), '"bar" is not understood by this model'),
        ("-3", (3,), '"-" is not drawn'),
        ("3.5", (3, 5), '"." is not drawn'),
        ("555-1234", (5, 5, 5, 1, 2, 3, 4), '"-" is not drawn'),
        ("1-2-3", (1, 2, 3), '"-" is not drawn'),
        ("2+3=5", (2, 3, 5), '"+" and "=" are not drawn'),
    ],
)
def test_prompts_that_cannot_be_drawn_are_refused(text: str, labels: tuple[int, ...], said: str) -> None:
    understood = parse_prompt(text)
    assert understood.labels == labels
    assert said in understood.reading


@pytest.mark.parametrize("text", ["dog", "banana", "oh no", "🐶", "digit", "zero sevens", "no sevens", "", " \n", "\0"])
def test_without_a_digit_the_error_names_examples(text: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_prompt(text)
    assert "Try 7" in refusal.value.what_to_do


@pytest.mark.parametrize(
    ("text", "why"),
    [("x" * 501, "501 characters"), ("9" * 101, "more than 100 digits"), ("1000 sevens", "more than 100 digits")],
)
def test_too_much_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        parse_prompt(text)


def test_long_prompts_wrap_into_rows_and_keep_a_short_reading() -> None:
    understood = parse_prompt("sixty sixes")
    assert understood.labels == (6,) * 60
    assert understood.columns == 10
    assert understood.reading.endswith("… (60 digits), by class")


HOSTILE = ("one hundred and ", "99 7s ", "1-", "a ", "twenty-", "between 1 and 2 ", "- ", "not ", "9 a b ", "ﷺ")


def test_hostile_prompts_are_answered() -> None:
    """A pattern that goes back and forth without end would never come to an end."""
    for part in HOSTILE:
        with suppress(BadRequest):
            assert len(parse_prompt((part * 500)[:500]).labels) <= 100


@pytest.mark.bench
def test_hostile_prompts_are_answered_at_once() -> None:
    started = time.perf_counter()
    test_hostile_prompts_are_answered()
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("text", "labels", "reading"),
    [
        ("7", (NO_LABEL,), "“7”, read by the model"),
        (" a bold seven ", (NO_LABEL,), "“a bold seven”, read by the model"),
        ("2026", (2, 0, 2, 6), "2 0 2 6, each by its word"),
        ("0-9", ALL, "0 to 9, each by its word"),
        ("two or five", (2, 5), "2 5, each by its word"),
        ("two bold fives", (NO_LABEL,), '“two bold fives”, read by the model; "fives" is not understood by this model'),
        ("something wide", (NO_LABEL,), "“something wide”, read by the model"),
        ("not 7 but 3", (3,), "3, each by its word"),
        (
            "a seven without a bar",
            (NO_LABEL,),
            '“a seven without a bar”, read by the model; "without" and "bar" are not understood by this model',
        ),
    ],
)
def test_several_digits_for_a_text_model_become_labels(text: str, labels: tuple[int, ...], reading: str) -> None:
    found = parse_text_prompt(text)
    assert (found.labels, found.reading, found.columns) == (labels, reading, len(labels))


@pytest.mark.parametrize(
    "text",
    [
        "not a seven",
        "no sevens",
        "a bold three, not a seven",
        "a bold not VII 7",
        "a seven, not bold",
        "a 3 that isn't slanted",
        "don’t make the 7 thin",
    ],
)
def test_a_text_model_never_draws_what_it_was_told_not_to(text: str) -> None:
    with pytest.raises(BadRequest, match="says what not to draw"):
        parse_text_prompt(text)


def test_a_model_of_other_things_that_reads_words_is_told_nothing_that_it_should_leave_out() -> None:
    check_words("a red ship", digits=False)
    with pytest.raises(BadRequest, match="says what not to draw"):
        check_words("a ship without a sail", digits=False)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("not 7 but 3", ["not", "7", "but", "3"]),
        ("please draw two Sevens, a bold 3 and twenty-one", ["two", "Sevens", "3", "twenty-one"]),
        ("0-9", ["0-9"]),
    ],
)
def test_the_words_that_count_are_found_where_they_stand(text: str, counts: list[str]) -> None:
    assert [text[at : at + length] for at, length in marks(text, parse_prompt(text).left_over)] == counts


def test_a_model_that_reads_words_says_which_it_does_not_know() -> None:
    found = parse_text_prompt("a bold blorp seven")
    assert found.left_over == ("blorp",) and "blorp" in found.reading.split("; ")[1]
    assert marks("a bold blorp seven", found.left_over) == ((2, 4), (13, 5))


def test_words_of_captions_and_numbers_mean_something() -> None:
    assert has_meaning("draw something bold") and has_meaning("sevens") and has_meaning("a seven blorp")
    assert not has_meaning("VII") and not has_meaning("draw a picture of a cat")


def test_empty_and_too_long_prompts_for_a_text_model_are_refused() -> None:
    with pytest.raises(BadRequest, match="is empty"):
        parse_text_prompt(" ")
    with pytest.raises(BadRequest, match="501 characters"):
        parse_text_prompt("x" * 501)
    assert parse_text_prompt("x" * 500).labels == (NO_LABEL,)


@pytest.mark.parametrize(
    ("text", "labels", "reading"),
    [
        ("1 2 3 4 5", (1, 2, 3, 4, 5), "1 2 3 4 5"),
        ("1-6", (1, 2, 3, 4, 5, 6), "1 to 6"),
        ("6-1", (6, 5, 4, 3, 2, 1), "6 5 4 3 2 1"),
        ("7" * 12, (7,) * 12, " ".join("7" * 12)),
        ("7" * 13, (7,) * 13, " ".join("7" * 12) + " … (13 digits)"),
        ("a dozen 4s", (4,) * 12, " ".join("4" * 12)),
        ("every number except 1, 2 and 9", (0, 3, 4, 5, 6, 7, 8), "0 3 4 5 6 7 8"),
        ("the 3rd", (3,), "3"),
        ("odd digits", (1, 3, 5, 7, 9), "1 3 5 7 9"),
        ("nought", (0,), "0"),
        ("ninety-nine thousand and one", (9, 9, 0, 0, 1), "9 9 0 0 1"),
    ],
)
def test_digits_are_listed_in_the_reading(text: str, labels: tuple[int, ...], reading: str) -> None:
    found = parse_prompt(text)
    assert (found.labels, found.left_over) == (labels, ())
    assert found.reading == f"{reading}, by class" and found.columns == min(len(labels), 10)


def test_other_words_are_listed_once_and_in_order() -> None:
    found = parse_prompt("Bold thin bold 3")
    assert found.left_over == ("bold", "thin")
    with pytest.raises(BadRequest, match="says which digits to leave out, but not which to draw"):
        parse_prompt("not 3")
    with pytest.raises(BadRequest, match=r'There is no digit in "' + "x" * 40 + "…"):
        parse_prompt("x" * 41)
    with pytest.raises(BadRequest, match=r'There is no digit in "' + "x" * 40 + '"'):
        parse_prompt("x" * 40)


def test_a_model_with_other_classes_refuses_what_it_lacks() -> None:
    assert parse_prompt("4", TEN_DIGITS[:5]).labels == (4,)
    with pytest.raises(BadRequest, match="no class 5") as refusal:
        parse_prompt("4 and 5", TEN_DIGITS[:5])
    assert "0 to 4" in refusal.value.what_to_do
    with pytest.raises(BadRequest, match="without classes"):
        parse_prompt("7", ())


def test_labels_on_the_command_line() -> None:
    assert parse_labels("0-9,3,3") == (*ALL, 3, 3)
    assert parse_labels(" 3 - 1 , 4 ") == (3, 2, 1, 4)
    assert parse_labels("10-12", [f"class {k}" for k in range(20)]) == (10, 11, 12)
    most = ",".join(["0-9"] * (MAX_IMAGES // 10))
    assert len(parse_labels(most)) == MAX_IMAGES
    with pytest.raises(BadRequest, match="More than 100000 labels"):
        parse_labels(f"{most},1")


@pytest.mark.parametrize("text", ["", "a", "1,,2", "-1", "1-", "1.5", "٣", "10", "2026", "0-999999999", "9" * 400])
def test_wrong_labels_are_refused(text: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_labels(text)
    assert refusal.value.what_to_do
