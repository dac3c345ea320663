"""The classic questions, asked of the bundled models."""

import re
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from ml import experiments
from ml.cli import main
from ml.errors import BadRequest
from ml.experiments import EXPERIMENTS, Answer, answer, figure


@pytest.fixture(autouse=True)
def fewer_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "JUDGED", 50)


@cache
def answered(name: str) -> Answer:
    *_, found = answer(name, device="cpu")
    assert isinstance(found, Answer)
    return found


def measured(found: Answer) -> list[tuple[int, float]]:
    """Per row, how many per cent are right, and the variety."""
    said = [re.fullmatch(r"(\d+)% right, variety ([\d.]+)", row.verdict) for row in found.rows]
    return [(int(match[1]), float(match[2])) for match in said if match]


def test_a_few_steps_are_enough_and_one_draws_the_mean() -> None:
    found = answered("steps")
    assert [row.label for row in found.rows][:2] == ["1 step", "2 steps"]
    one, *_, twenty, fifty = measured(found)
    assert one[1] < 0.5 * twenty[1] and min(twenty[0], fifty[0]) >= 90


def test_cosine_keeps_the_digit_for_longer_than_linear() -> None:
    linear, cosine = answered("schedule").rows
    assert int(cosine.verdict.split()[-1]) > int(linear.verdict.split()[-1]) + 200
    assert linear.images.shape == cosine.images.shape == (6, 28, 28)


def test_clipping_gives_back_the_variety_that_strong_guidance_takes() -> None:
    (_, without), (_, clipped), (_, gentle) = measured(answered("clipping"))
    assert without < 0.8 * min(clipped, gentle)


def test_guidance_trades_variety_for_clear_digits() -> None:
    (right, most), *others = measured(answered("guidance"))
    assert most > max(variety for _, variety in others) and right < others[-1][0]


@pytest.mark.parametrize("name", ["schedule", "guidance"])
def test_the_figure_shows_every_row(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figure.png"
    assert main(["experiment", name, "--out", str(out), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    found = answered(name)
    assert EXPERIMENTS[name].question in said and all(row.label in said for row in found.rows)
    with Image.open(out) as picture:
        assert picture.size == figure(found).size
        assert picture.height > 60 * len(found.rows)


def test_another_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadRequest, match="schedule, steps, eta, guidance, chain, clipping, samplers, student, words"):
        answered("meaning")
