"""The classic questions, asked of the bundled models."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ml.cli.app import main
from ml.config import NO_LABEL, SampleRequest
from ml.diffusion.schedules import DiscreteSchedule, make_schedule
from ml.errors import BadRequest
from ml.events import Sampled
from ml.experiments import questions
from ml.experiments.questions import EXPERIMENTS, Answer, answer, figure, prove, save
from ml.export import files
from ml.text import captions


@pytest.fixture(autouse=True)
def fewer_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "JUDGED", 50)


@cache
def answered(name: str) -> Answer:
    *_, found = answer(name, device="cpu")
    assert isinstance(found, Answer)
    return found


def measured(found: Answer) -> list[tuple[int, float]]:
    """Per row, how many per cent are right, and the variety."""
    said = [re.fullmatch(r"(\d+)% right, variety ([\d.]+)", row.verdict) for row in found.rows]
    return [(int(match[1]), float(match[2])) for match in said if match]


@pytest.mark.slow
def test_a_few_steps_are_enough_and_one_draws_the_mean() -> None:
    found = answered("steps")
    assert [row.label for row in found.rows][:2] == ["1 step", "2 steps"]
    one, *_, twenty, fifty = measured(found)
    assert one[1] < 0.5 * twenty[1] and min(twenty[0], fifty[0]) >= 90


def test_cosine_keeps_the_digit_for_longer_than_linear() -> None:
    linear, cosine = answered("schedule").rows
    assert int(cosine.verdict.split()[-1]) > int(linear.verdict.split()[-1]) + 200
    assert linear.images.shape == cosine.images.shape == (6, 28, 28)


@pytest.mark.slow
def test_clipping_gives_back_the_variety_that_strong_guidance_takes() -> None:
    (_, without), (_, clipped), (_, gentle) = measured(answered("clipping"))
    assert without < 0.8 * min(clipped, gentle)


def test_guidance_trades_variety_for_clear_digits() -> None:
    (right, most), *others = measured(answered("guidance"))
    assert most > max(variety for _, variety in others) and right < others[-1][0]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[SampleRequest]:
    """What is asked of the models, which here draw nothing."""
    found: list[SampleRequest] = []

    def sampling(request: SampleRequest, **_named: Any) -> Iterator[Sampled]:
        found.append(request)
        yield Sampled(request, np.zeros((len(request.labels), 28, 28), np.uint8), 1.0, 10)

    monkeypatch.setattr(questions.pipeline, "sample", sampling)
    return found


@pytest.mark.parametrize(
    ("name", "field", "values"),
    [
        ("steps", "steps", [1, 2, 4, 7, 10, 20, 50]),
        ("eta", "eta", [0, 0.25, 0.5, 0.75, 1]),
        ("guidance", "guidance", [1, 1.5, 3, 7.5]),
        ("guidance-wide", "guidance", [1, 1.5, 3, 7.5]),
        ("chain", "steps", [10, 20, 50, 200]),
        ("clipping", "clipping", ["none", "static", "none"]),
        ("samplers", "sampler", ["dpm++", "heun", "ddim", "ddpm", "ddpm-clip"]),
        ("student", "model", ["digits", "student", "student", "student"]),
        ("words", "prompt", list(captions.WORDS)),
    ],
)
def test_rows_have_the_settings_of_their_names_and_the_same_noise(
    name: str, field: str, values: list[object], asked: list[SampleRequest]
) -> None:
    *coming, found = answer(name, 77, "cpu")
    progress, rows = coming[::2], coming[1::2]
    assert isinstance(found, Answer) and (found.name, found.seed) == (name, 77)
    assert [getattr(request, field) for request in asked] == values
    assert {request.seed for request in asked} == {77}
    assert [len(row.images) for row in found.rows] == [10] * len(values) == [10] * len(progress)
    assert [row.label for row in found.rows] == list(EXPERIMENTS[name].rows)
    assert all(row is done for row, done in zip(rows, found.rows, strict=True))  # each came as it was done
    labels = tuple(NO_LABEL if name == "words" else k % 10 for k in range(50))
    assert {request.labels for request in asked} == {labels} and [row.request for row in found.rows] == asked
    assert {request.guidance_to for request in asked} == {1e4} or name != "guidance-wide"
    if name in ("steps", "eta"):
        assert {request.sampler for request in asked} == {"ddim"}


def test_an_experiment_that_is_stopped_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions.pipeline, "sample", lambda *_given, **_named: iter(()))
    assert not any(isinstance(event, Answer) for event in answer("guidance", device="cpu"))


def test_scores_are_accuracy_and_variety_within_a_class() -> None:
    images = np.zeros((4, 1, 2), np.uint8)
    images[:, 0] = [[0, 200], [200, 0], [0, 100], [0, 100]]
    judge: Any = SimpleNamespace(judge=lambda _images: SimpleNamespace(labels=np.array([3, 3, 3, 5])))
    drawn = Sampled(SampleRequest(labels=(3, 3, 5, 5)), images, 1.0, 10)
    # The first two differ as much as their pixels do, the others not at all.
    assert questions._row("a row", drawn, judge).verdict == "75% right, variety 0.50"
    by_word = SampleRequest(route="clip", prompt="five", labels=(NO_LABEL,) * 4)
    assert questions._scores(Sampled(by_word, images, 1.0, 10), judge)[0] == 0.25


def test_the_rows_of_noise_are_of_one_digit_at_the_times_that_are_named() -> None:
    (first, second), (other, _) = answered("schedule").rows, list(answer("schedule", 5))[-1].rows  # type: ignore[union-attr]
    assert np.abs(first.images[0].astype(int) - other.images[0]).max() > 100  # another digit
    assert np.abs(first.images[-1].astype(int) - other.images[-1]).max() > 100  # and other noise
    assert first.images.shape == (len(questions.TIMES), 28, 28)
    for row, name in ((first, "linear"), (second, "cosine")):
        schedule = make_schedule(name)  # type: ignore[arg-type]
        assert isinstance(schedule, DiscreteSchedule)
        assert row.verdict == f"half noise at {int((schedule.alpha_bar > 0.5).sum())}"
    assert np.abs(first.images[0].astype(int) - second.images[0]).max() < 20  # at first there is hardly any
    assert np.abs(first.images[-1].astype(int) - second.images[-1]).max() < 20  # and at last there is only noise
    assert np.abs(first.images[3].astype(int) - second.images[3]).max() > 50


def test_a_figure_is_proved_by_answering_anew(tmp_path: Path) -> None:
    save(tmp_path / "figure.png", answered("schedule"))
    stamp, shown = files.read_stamp(tmp_path / "figure.png"), files.read_pixels(tmp_path / "figure.png")
    assert (stamp.experiment, stamp.request.seed) == ("schedule", 2026)
    found = prove(stamp, shown, "cpu")
    assert found is not None and found.same
    shown = shown.copy()
    shown[-3:] ^= 255
    other = prove(stamp, shown, "cpu")
    assert other is not None and not other.same
    *_, found_of_seed = answer("schedule", 7, "cpu")
    assert isinstance(found_of_seed, Answer)
    save(tmp_path / "seed.png", found_of_seed)
    again = prove(files.read_stamp(tmp_path / "seed.png"), files.read_pixels(tmp_path / "seed.png"), "cpu")
    assert again is not None and again.same


def test_the_figure_shows_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, name = tmp_path / "figure.png", "schedule"
    assert main(["experiment", name, "--out", str(out), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    found = answered(name)
    assert EXPERIMENTS[name].question in said and all(row.label in said for row in found.rows)
    with Image.open(out) as picture:
        assert picture.size == figure(found).size
        assert picture.height > 60 * len(found.rows)
    assert figure(answered("guidance")).height > 2 * picture.height - 100  # four rows


def test_another_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        BadRequest, match="schedule, steps, eta, guidance, guidance-wide, chain, clipping, samplers, student, words"
    ):
        answered("meaning")
