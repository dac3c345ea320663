"""The temperature that calibrates a judge, the error that is left, and that only the confidence changes."""

import numpy as np
import pytest
import torch

from ml.evaluation.calibration import calibration_error, fit_temperature
from ml.evaluation.judge import Judge
from ml.registry.judges import BUNDLED
from ml.registry.model_cards import card, cards


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_logits_is_found(temperature: float) -> None:
    rng = torch.Generator().manual_seed(1)
    logits = 2 * torch.randn(20_000, 4, generator=rng)
    labels = torch.multinomial(logits.softmax(dim=1), 1, generator=rng)[:, 0]
    assert fit_temperature(temperature * logits, labels) == pytest.approx(temperature, rel=0.05)
    raw, fitted = (calibration_error((temperature * logits / t).softmax(dim=1), labels) for t in (1.0, temperature))
    assert fitted < 0.02 and (raw > 0.05 or temperature == 1.0)


def test_perfect_and_useless_logits_have_a_temperature_too() -> None:
    labels = torch.arange(4)
    assert 0 < fit_temperature(5 * torch.eye(4), labels) < 0.2
    assert fit_temperature(torch.zeros(4, 4), labels) > 0


def test_the_calibration_error_is_the_gap_of_confidence_and_accuracy() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    assert calibration_error(probabilities, torch.tensor([0, 1, 0, 1])) == pytest.approx((0.8 + 0.8) / 4)


def test_the_bundled_judge_is_calibrated_and_reads_as_before() -> None:
    judge = Judge.bundled("cpu")
    assert judge.temperature == pytest.approx(0.5452)
    bundled = next(each for each in cards() if each.name == BUNDLED)
    assert bundled.scores["calibration_error"] < 0.005 and card(bundled.path) == bundled
    images = np.random.default_rng(3).integers(0, 255, (20, 28, 28)).astype(np.uint8)
    features = judge.features(images)
    now, before = judge.judge_features(features), judge.judge_features(features, calibrated=False)
    assert np.array_equal(now.labels, before.labels) and (now.confidence > before.confidence).all()
