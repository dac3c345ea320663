"""The sentence under an answer follows from its figures."""

import numpy as np
import pytest

from ml.config import SampleRequest
from ml.experiments.conclusions import CONCLUSIONS, conclusion
from ml.experiments.questions import EXPERIMENTS, Answer, Row

IMAGES = np.zeros((1, 28, 28), np.uint8)
HUNDRED = SampleRequest(labels=(0,) * 100)


def said(name: str, *rows: tuple[str, float, float]) -> str:
    made = tuple(Row(label, IMAGES, "", HUNDRED, right, variety) for label, right, variety in rows)
    return conclusion(Answer(name, 1, "?", made))


def test_every_question_has_a_sentence() -> None:
    assert CONCLUSIONS.keys() == EXPERIMENTS.keys()
    assert conclusion(Answer("eta", 1, "?", (Row("eta 0", IMAGES), Row("eta 1", IMAGES)))) == ""


@pytest.mark.parametrize(
    ("name", "rows", "words"),
    [
        ("steps", [("1 step", 0.2, 0.1), ("2 steps", 0.92, 0.3), ("9 steps", 0.96, 0.4)],
         "“2 steps” is enough: 92 of 100 are right, with “1 step” only 20. The most, 96, come with “9 steps”."),
        ("chain", [("T = 10", 0.5, 0.1), ("T = 20", 0.9, 0.3)],
         "“T = 20” is enough: 90 of 100 are right, with “T = 10” only 50."),
        ("steps", [("1 step", 0.97, 0.1), ("2 steps", 0.98, 0.1)],
         "All is there from the first row on: “1 step” gets 97 of 100 right."),
        ("guidance-wide", [("w = 1", 0.8, 0.6), ("w = 3", 0.9, 0.5), ("w = 7", 1.0, 0.4)],
         "From “w = 1” to “w = 7” the right ones rise from 80 to 100 of 100, "
         "and the variety falls from 0.60 to 0.40."),
        ("eta", [("eta 0", 0.95, 0.4), ("eta 1", 0.94, 0.41)],
         "From “eta 0” to “eta 1” the right ones stay about the same, 95 and 94 of 100, "
         "and the variety stays at 0.41."),
        ("samplers", [("A", 0.95, 0.4), ("B", 0.3, 0.41), ("C", 0.5, 0.4)],
         "Most are right with “A”, 95 of 100; fewest with “B”, 30."),
        ("words", [("A", 0.95, 0.4), ("B", 0.93, 0.41)],
         "All rows get about the same number right, 93 to 95 of 100: so small a difference can be chance."),
    ],
)  # fmt: skip
def test_the_sentence_says_what_the_figures_show(name: str, rows: list[tuple[str, float, float]], words: str) -> None:
    assert said(name, *rows) == words


def test_the_schedules_are_told_by_their_half() -> None:
    rows = (Row("linear, 1,000 steps", IMAGES, half=260), Row("cosine, 1,000 steps", IMAGES, half=494))
    words = conclusion(Answer("schedule", 1, "?", rows))
    assert words == "Half of the image is noise after 260 steps with “linear” and after 494 steps with “cosine”."
