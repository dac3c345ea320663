"""The judge and the scores, against what they must be by definition and on real digits."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ml.config import NO_LABEL, ModelConfig, SampleRequest
from ml.data import datasets, synthetic_digits
from ml.data.dataset import Dataset
from ml.errors import BadRequest
from ml.evaluation import metrics
from ml.evaluation.judge import Judge, Predictions, can_judge
from ml.evaluation.metrics import (
    Report,
    balanced_labels,
    evaluate_images,
    evaluate_model,
    frechet,
    memorised,
    nearest,
    precision_recall,
)
from ml.events import Frame, Pixels, Progress, Sampled


def normal(count: int, seed: int, mean: float = 0.0, spread: float = 1.0) -> torch.Tensor:
    return mean + spread * torch.randn(count, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_the_judge_reads_the_test_set(every: int, mnist_root: Path) -> None:
    test = datasets.load("mnist", mnist_root, split="test")
    verdict = Judge.bundled("cpu").judge(test.images[::every, 0].numpy())
    assert (verdict.labels == test.labels[::every].numpy()).mean() >= 0.995
    np.testing.assert_allclose(verdict.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert np.array_equal(verdict.probabilities.argmax(axis=1), verdict.labels)


def test_the_judge_refuses_other_sizes() -> None:
    with pytest.raises(BadRequest, match="28 x 28"):
        Judge.bundled("cpu").judge(np.zeros((2, 32, 32), np.uint8))


def test_the_judge_reads_many_images_as_it_reads_each(monkeypatch: pytest.MonkeyPatch) -> None:
    images = synthetic_digits.digits(7, seed=2).images[:, 0].numpy()
    whole = Judge.bundled("cpu").judge(images)
    assert whole.labels.tolist() == list(range(7))
    monkeypatch.setattr("ml.evaluation.judge.BATCH", 3)
    parts = Judge.bundled("cpu").judge(images)
    np.testing.assert_allclose(parts.probabilities, whole.probabilities, atol=1e-5)
    np.testing.assert_allclose(whole.confidence, whole.probabilities.max(axis=1))


def test_the_judge_reads_digits_of_its_size_alone() -> None:
    grey, colour = np.zeros((2, 28, 28), np.uint8), np.zeros((2, 28, 28, 3), np.uint8)
    assert [can_judge(name, grey) for name in ("mnist", "synthetic", "", "kmnist")] == [True, True, True, False]
    assert not can_judge("mnist", colour) and not can_judge("mnist", grey[:, 1:])


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
    train = datasets.load("mnist", mnist_root, split="train")
    rng = torch.Generator().manual_seed(5)
    chosen = torch.cat(
        [torch.nonzero(train.labels == k)[torch.randperm(5000, generator=rng)[:10], 0] for k in range(10)]
    )
    labels = tuple(train.labels[chosen].tolist())
    scores = report(train.images[chosen, 0].numpy(), labels, mnist_root)
    assert scores.accuracy is not None and scores.accuracy > 0.99
    assert 0.6 < scores.frechet_ratio < 1.6
    assert scores.recall > 0.7 and scores.precision > 0.7
    assert scores.memorised == 100
    noise = np.random.default_rng(0).integers(0, 256, (100, 28, 28), np.uint8)
    worse = report(noise, labels, mnist_root)
    assert worse.frechet_ratio > 10 and worse.recall < 0.1 and worse.memorised == 0


def test_digits_that_lack_variety_are_precise_and_those_that_lack_sense_are_not(mnist_root: Path) -> None:
    test = datasets.load("mnist", mnist_root, split="test")
    labels = tuple(k % 10 for k in range(100))
    real = torch.stack([(test.labels == label).nonzero()[k // 10, 0] for k, label in enumerate(labels)])
    alike = report(test.images[real[:10].repeat(10), 0].numpy(), labels, mnist_root)
    assert alike.precision > 0.8 and alike.recall < 0.3
    noise = np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)
    half = report(np.concatenate([test.images[real[:50], 0].numpy(), noise]), labels, mnist_root)
    assert half.precision < 0.6 and half.recall > 0.7


# ---- the report, of a judge that finds three numbers and a label written into an image


class Reader:
    """Reads the features and the label of an image of `written`."""

    def features(self, images: Pixels) -> torch.Tensor:
        return torch.from_numpy(images[:, 0, :4].copy()).float()

    def judge_features(self, features: torch.Tensor) -> Predictions:
        labels = features[:, 3].numpy().astype(np.int64)
        sure = np.where(labels == 0, 0.5, 0.9).astype(np.float32)
        return Predictions(labels, sure, np.zeros((len(labels), 4), np.float32))

    def check(self, images: Pixels) -> None:
        assert images.shape[1:] == (28, 28)


def written(labels: Sequence[int], seed: int, middle: float = 120, spread: float = 10) -> Pixels:
    """Images, each a picture of its own, of features N(middle + 20 * label, spread^2) and these labels."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (len(labels), 28, 28)).astype(np.uint8)
    images[:, 0, :3] = (middle + 20 * np.array(labels)[:, None] + spread * rng.normal(size=(len(labels), 3))).astype(
        int
    )
    images[:, 0, 3] = labels
    return images


EVEN = [k % 4 for k in range(120)]


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> dict[str, Pixels]:
    """Training and test images, thirty of each of four classes, that are no more alike than they have to be."""
    found = {"train": written(EVEN, 1, middle=90), "test": written(EVEN, 2)}

    def loading(name: str, root: Path | None, split: str) -> Iterator[Progress]:
        assert name == "mnist"
        yield Progress(split, 0, 1)
        return Dataset(name, torch.from_numpy(found[split])[:, None], torch.tensor(EVEN), tuple("0123"))

    monkeypatch.setattr(metrics.datasets, "loading", loading)
    monkeypatch.setattr(metrics.Judge, "bundled", lambda _device="auto": Reader())
    return found


def features(images: Pixels) -> torch.Tensor:
    return Reader().features(images)


def test_a_report_compares_with_the_test_images_and_its_floor_is_the_training_images_distance(
    real: dict[str, Pixels],
) -> None:
    made = written(EVEN, 3, spread=6)
    found = report(made, tuple(EVEN), Path())
    train, test = features(real["train"]), features(real["test"])  # a draw of thirty of each class is all there are
    assert found.frechet == pytest.approx(frechet(features(made), test), rel=1e-6)
    assert found.frechet_floor == pytest.approx(frechet(train, test), rel=1e-6)
    assert found.frechet_ratio == pytest.approx(found.frechet / found.frechet_floor)
    assert (found.precision, found.recall) == pytest.approx(precision_recall(test, features(made)))
    assert found.precision > found.recall + 0.1  # they spread less
    assert (found.images, found.source, found.memorised, found.accuracy) == (120, "images", 0, 1.0)
    assert found.network_calls is None and found.seconds_per_image is None


def test_real_images_have_the_requested_class_counts(real: dict[str, Pixels]) -> None:
    labels = [0, 1, 1, 1] * 25
    few = [label for label in labels if label == 0] + [1] * 25 + [2] * 25 + [3] * 25
    for asked in (tuple(few), (NO_LABEL,) * 100):  # or else in those that were drawn
        alike = report(written(few, 4), asked, Path())
        assert alike.frechet_ratio < 0.2
    other = report(written(few, 4), tuple(sorted(few, reverse=True)), Path())
    assert other.frechet_ratio < 0.2 and other.accuracy is not None and other.accuracy < 0.01
    with pytest.raises(BadRequest, match="75 images of one class are more than MNIST has"):
        report(written(labels, 4), tuple(labels), Path())


def test_requested_labels_count_before_predicted_ones(real: dict[str, Pixels]) -> None:
    made = written([k % 4 for k in range(100)], 4)
    asked = (0,) * 30 + (1,) * 30 + (2,) * 30 + (3,) * 10
    assert report(made, asked, Path()).frechet_floor != report(made, (NO_LABEL,) * 100, Path()).frechet_floor


def test_scores_are_the_mean_of_their_draws(real: dict[str, Pixels], monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(20))
    monkeypatch.setattr(metrics, "frechet", lambda _a, _b: float(next(numbers)))
    found = report(written(EVEN, 3), tuple(EVEN), Path())
    assert (found.frechet, found.frechet_floor) == (9, 10)  # of 0, 2, ... 18 and of 1, 3, ... 19


def test_a_neighbourhood_reaches_to_the_neighbour_of_that_number() -> None:
    points = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert metrics._radii(points, 2).tolist() == [3, 2, 3, 6]


def test_accuracy_counts_requested_labels_only(real: dict[str, Pixels]) -> None:
    labels = [0] * 20 + [1] * 20 + [2] * 30 + [3] * 30
    asked = (*[0] * 10, *[1] * 10, *[NO_LABEL] * 80)
    found = report(written(labels, 5), asked, Path())
    assert found.accuracy == 0.5
    assert found.confidence == pytest.approx(0.2 * 0.5 + 0.8 * 0.9)
    assert report(written(labels, 5), (NO_LABEL,) * 100, Path()).accuracy is None


def test_copies_are_those_of_training_images(real: dict[str, Pixels]) -> None:
    made = written(EVEN, 6)
    made[:7], made[7:12] = real["train"][:7], real["test"][7:12]
    assert report(made, tuple(EVEN), Path()).memorised == 7


def test_images_are_drawn_several_times_so_that_chance_counts_for_less(
    real: dict[str, Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = tuple(k % 4 for k in range(100))  # twenty-five of thirty

    def floor(draws: int) -> float:
        monkeypatch.setattr(metrics, "DRAWS", draws)
        return report(written(labels, 3), labels, Path()).frechet_floor

    once, often = floor(1), floor(10)
    assert once != often and floor(10) == often  # always the same draws
    steps = [event for event in evaluate_images(written(labels, 3), labels, None) if isinstance(event, Progress)]
    assert [event.what for event in steps][:3] == ["train", "test", "Comparing with real digits"]
    assert [event.done for event in steps][2:12] == list(range(10))


def test_a_models_report_says_what_its_drawing_took(real: dict[str, Pixels], monkeypatch: pytest.MonkeyPatch) -> None:
    request = SampleRequest(model="digits", labels=tuple(EVEN))
    pixels = written(EVEN, 3)
    frame = Frame(100, 3, 10, 0.5, 0.5, 0.5, pixels[:20], pixels[:20])
    drawn = [frame, Sampled(request, pixels, 18.0, 7)]
    monkeypatch.setattr(metrics.distributed_sampling, "sample", lambda *_given, **_named: iter(drawn))
    events: list[Any] = list(evaluate_model(request, None))
    assert Progress("Drawing", 100 + 20 * 3 // 10, 120) in events
    found = events[-1]
    assert (found.network_calls, found.seconds_per_image, found.source) == (7, 0.15, "digits")
    assert found == report(pixels, tuple(EVEN), Path()).with_changes(
        network_calls=7, seconds_per_image=0.15, source="digits"
    )
    monkeypatch.setattr(metrics.distributed_sampling, "sample", lambda *_given, **_named: iter([frame]))
    assert not any(isinstance(event, Report) for event in evaluate_model(request, None))


def test_labels_are_shared_out_evenly() -> None:
    assert balanced_labels(ModelConfig(num_classes=3), 7) == (0, 1, 2, 0, 1, 2, 0)
    assert balanced_labels(ModelConfig(num_classes=0), 2) == (NO_LABEL, NO_LABEL)


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


def test_the_nearest_image_is_found_among_all_with_its_distance_per_pixel() -> None:
    training = torch.full((10_003, 1, 4, 4), 200, dtype=torch.uint8)
    training[10_001] = 40
    training[5] = 45
    index, distance, copied = nearest(np.full((4, 4), 30, np.uint8), training)
    assert index == 10_001 and distance == pytest.approx(10 / 255, rel=1e-3) and not copied
    assert nearest(np.full((4, 4), 39, np.uint8), training)[2]  # six times nearer than to the second
