"""The judge and the scores, against what they must be by definition and on real digits."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml import data
from ml.errors import BadRequest
from ml.evaluate import Report, evaluate_images, frechet, memorised, nearest, precision_recall
from ml.judge import Judge


def normal(count: int, seed: int, mean: float = 0.0, spread: float = 1.0) -> torch.Tensor:
    return mean + spread * torch.randn(count, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_judge_reads_the_test_set(mnist_root: Path) -> None:
    test = data.load("mnist", mnist_root, split="test")
    verdict = Judge.bundled("cpu").judge(test.images[:, 0].numpy())
    assert (verdict.labels == test.labels.numpy()).mean() >= 0.995
    np.testing.assert_allclose(verdict.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert np.array_equal(verdict.probabilities.argmax(axis=1), verdict.labels)


def test_the_judge_refuses_other_sizes() -> None:
    with pytest.raises(BadRequest, match="28 x 28"):
        Judge.bundled("cpu").judge(np.zeros((2, 32, 32), np.uint8))


def test_frechet_distance_of_two_gaussians_is_the_closed_form() -> None:
    a, b = normal(200_000, 1), normal(200_000, 2, mean=1.0, spread=2.0)
    assert frechet(a, b) == pytest.approx(4 * (1.0 + (2 - 1) ** 2), rel=0.02)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet(a, b) == pytest.approx(frechet(b, a))


def test_frechet_distance_bears_features_that_do_not_vary() -> None:
    flat = torch.zeros(50, 4)
    assert frechet(flat, flat + 2) == pytest.approx(16)


def test_precision_and_recall_tell_missing_modes_from_false_ones() -> None:
    left, right = normal(300, 1, -10), normal(300, 2, 10)
    both = torch.cat([left, right])
    precision, recall = precision_recall(both, normal(300, 3, -10))
    assert precision > 0.85 and recall == pytest.approx(0.5, abs=0.08)
    precision, recall = precision_recall(left, torch.cat([normal(300, 4, -10), right]))
    assert precision == pytest.approx(0.5, abs=0.08) and recall > 0.85


def test_copies_are_found_and_originals_are_not() -> None:
    training = torch.rand(500, 64, generator=torch.Generator().manual_seed(0))
    made = torch.cat([training[:3] + 0.001, torch.rand(5, 64, generator=torch.Generator().manual_seed(1))])
    assert memorised(made, training).tolist() == [True] * 3 + [False] * 5


def report(images: np.ndarray, labels: tuple[int, ...], root: Path) -> Report:
    *_, last = evaluate_images(images, labels, root, "cpu")
    assert isinstance(last, Report)
    return last


def test_real_digits_score_like_real_digits_and_copies_are_noticed(mnist_root: Path) -> None:
    train = data.load("mnist", mnist_root, split="train")
    rng = torch.Generator().manual_seed(5)
    chosen = torch.cat(
        [torch.nonzero(train.labels == k)[torch.randperm(5000, generator=rng)[:20], 0] for k in range(10)]
    )
    labels = tuple(train.labels[chosen].tolist())
    scores = report(train.images[chosen, 0].numpy(), labels, mnist_root)
    assert scores.accuracy is not None and scores.accuracy > 0.99
    assert 0.6 < scores.frechet_ratio < 1.6
    assert scores.recall > 0.7 and scores.precision > 0.7
    assert scores.memorised == 200
    noise = np.random.default_rng(0).integers(0, 256, (200, 28, 28), np.uint8)
    worse = report(noise, labels, mnist_root)
    assert worse.frechet_ratio > 10 and worse.recall < 0.1 and worse.memorised == 0


def test_too_few_images_are_refused(mnist_root: Path) -> None:
    with pytest.raises(BadRequest, match="at least 100"):
        report(np.zeros((10, 28, 28), np.uint8), (0,) * 10, mnist_root)


def test_a_copy_of_a_training_image_is_found_out() -> None:
    rng = np.random.default_rng(0)
    training = torch.from_numpy(rng.integers(0, 256, (50, 1, 28, 28), dtype=np.uint8))
    copy = training[31, 0].numpy().copy()
    copy[0, 0] ^= 1
    index, distance, copied = nearest(copy, training)
    assert (index, copied) == (31, True) and distance < 1e-3
    index, distance, copied = nearest(rng.integers(0, 256, (28, 28), dtype=np.uint8), training)
    assert not copied and distance > 0.3
