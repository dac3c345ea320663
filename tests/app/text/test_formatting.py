"""Numbers in words: durations and scores."""

import pytest

from desktop_app.text.formatting import duration
from desktop_app.text.scores import groups, headline, measured_on


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (14, "14 s"), (59.6, "1 min"), (180, "3 min"), (3599, "1 h"), (4800, "1 h 20 min"), (7200, "2 h")],
)
def test_times_are_said_as_a_person_says_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_scores_are_said_in_plain_words() -> None:
    two = {"accuracy": 0.996, "frechet_ratio": 1.07}, {"accuracy": 1.0, "frechet_ratio": 33.6}
    scores = {"images": 1000, "network_calls": 10, "seed 1": two[0], "seed 2": two[1], "by words": {"bold": 0.5}}
    assert headline(scores) == "99.6–100% right · distance 1.1–34 ×"
    assert measured_on(scores) == "1,000 images, 10 steps each"
    assert [(group.title, len(group.scores)) for group in groups(scores)] == [("over 2 seeds", 2), ("by words", 1)]
    assert headline({}) == measured_on({}) == "" and groups({}) == []
    assert headline({"test_accuracy": 0.9967}) == "99.7% read right"
    odd = groups({"made": "by hand", "seed 1": "x", "seed 2": {"accuracy": "high", "new_score": 12.5, "huge": 10**400}})
    assert measured_on({"images": "many"}) == ""
    assert [score.value for group in odd for score in group.scores] == ["12.5"]
