"""The judge and the scores, against what they must be by definition and on real digits."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from ml.config import NO_LABEL, ModelConfig, SampleRequest
from ml.data import datasets, synthetic_digits
from ml.data.dataset import Dataset
from ml.errors import BadRequest
from ml.evaluation import metrics
from ml.evaluation.judge import Judge, Predictions, judge_for
from ml.evaluation.metrics import (
    Confusion,
    Reference,
    Report,
    balanced_labels,
    evaluate_images,
    evaluate_model,
    frechet,
    kid,
    labels_in,
    labels_to_score,
    memorised,
    nearest,
    precision_recall,
)
from ml.events import Frame, Pixels, Progress, Sampled
from ml.registry.checkpoint import ModelHeader


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


def test_the_bundled_judge_is_of_digits_in_its_form_alone() -> None:
    def judged(data: str, **changes: Any) -> bool:
        config = ModelConfig(**{"image_size": 28, "channels": 1, "num_classes": 10, **changes})
        return judge_for(ModelHeader(model=config, data=data), "cpu") is not None

    assert [judged(name) for name in ("mnist", "synthetic", "", "kmnist")] == [True, True, True, False]
    assert judged("mnist", num_classes=0) and not judged("mnist", num_classes=11)
    assert not judged("mnist", channels=3) and not judged("mnist", image_size=32)
    hand = ModelHeader(model=ModelConfig(num_classes=2), data="mnist", classes=("0", "heart"))
    assert judge_for(hand, "cpu") is None


def test_frechet_distance_of_two_gaussians_is_the_closed_form() -> None:
    a, b = normal(200_000, 1), normal(200_000, 2, mean=1.0, spread=2.0)
    assert frechet(a, b) == pytest.approx(4 * (1.0 + (2 - 1) ** 2), rel=0.02)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet(a, b) == pytest.approx(frechet(b, a))


def test_frechet_distance_bears_features_that_do_not_vary() -> None:
    flat = torch.zeros(50, 4)
    assert frechet(flat, flat + 2) == pytest.approx(16)


def test_kid_of_two_gaussians_is_the_closed_form_and_of_equal_ones_zero() -> None:
    """E (x y + 1)^3 of independent normals: 1 + 3 E(xy) + 3 E(x^2) E(y^2) + E(x^3) E(y^3), of one feature."""

    def moments(mean: float, spread: float) -> tuple[float, float, float]:
        return mean, mean**2 + spread**2, mean**3 + 3 * mean * spread**2

    def kernel(p: tuple[float, ...], q: tuple[float, ...]) -> float:
        return 1 + 3 * p[0] * q[0] + 3 * p[1] * q[1] + p[2] * q[2]

    def one(count: int, seed: int, mean: float = 0, spread: float = 1) -> torch.Tensor:
        return normal(count, seed, mean, spread)[:, :1]

    p, q = moments(0, 1), moments(1, 0.5)
    expected = kernel(p, p) + kernel(q, q) - 2 * kernel(p, q)
    value, error = kid(one(4000, 1), one(4000, 2, 1, 0.5))
    assert value == pytest.approx(expected, abs=4 * error) and 0 < error < 0.2 * expected
    value, error = kid(one(4000, 3), one(4000, 4))
    assert value == pytest.approx(0, abs=0.03 * expected)


def test_kid_is_unbiased() -> None:
    """With the biased estimate, small samples of the same distribution would be apart; many of these average to 0."""
    values = np.array([kid(normal(20, k), normal(20, 1000 + k))[0] for k in range(200)])
    assert abs(values.mean()) < 3 * values.std() / 200**0.5 and (values < 0).mean() > 0.3


def test_kid_is_unbiased_for_fixed_class_counts() -> None:
    def classes(seed: int) -> torch.Tensor:
        return normal(20, seed) + 3 * torch.arange(20)[:, None].div(10, rounding_mode="floor")

    values = np.array([kid(classes(k), classes(1000 + k))[0] for k in range(200)])
    assert abs(values.mean()) < 3 * values.std() / 200**0.5


def test_labels_are_those_of_the_same_names() -> None:
    header = ModelHeader(model=ModelConfig(num_classes=3), data="folder:x", classes=("cat", "ship", "tree"))
    assert labels_in(header, ("ship", "cat")) == [1, 0, NO_LABEL]
    assert labels_to_score(header, ("ship", "cat"), 3) == (0, 1, 0)
    assert labels_to_score(header, ("house",), 4) == (0, 1, 2, 0)  # none of them can be judged
    nameless = header.with_changes(classes=())
    assert labels_in(nameless, ("a", "b", "c")) == [0, 1, 2] and labels_in(nameless, ("a", "b")) == [NO_LABEL] * 3
    assert labels_in(header.with_changes(data="mnist", classes=()), tuple("987")) == [NO_LABEL] * 3


def test_precision_and_recall_tell_missing_modes_from_false_ones() -> None:
    left, right = normal(300, 1, -10), normal(300, 2, 10)
    both = torch.cat([left, right])
    precision, recall = precision_recall(both, normal(300, 3, -10))
    assert precision > 0.85 and recall == pytest.approx(0.5, abs=0.08)
    precision, recall = precision_recall(left, torch.cat([normal(300, 4, -10), right]))
    assert precision == pytest.approx(0.5, abs=0.08) and recall > 0.85


def test_copies_are_found_and_originals_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = torch.Generator().manual_seed(0)
    training, others = (torch.randint(256, (n, 3, 4, 4), generator=rng, dtype=torch.uint8) for n in (500, 5))
    copies = training[[3, 499, 250]].clamp(max=254) + 1
    made = torch.cat([copies, others])
    assert memorised(made, training).tolist() == [True] * 3 + [False] * 5
    monkeypatch.setattr(metrics, "COPY_PART", 111)  # training images are compared in parts
    assert memorised(made, training).tolist() == [True] * 3 + [False] * 5


def report(images: np.ndarray, labels: Sequence[int], reference: Reference) -> Report:
    *_, last = evaluate_images(images, labels, reference)
    assert isinstance(last, Report)
    return last


def figure(value: float | None) -> float:
    """A figure that is given."""
    assert value is not None
    return value


@pytest.fixture(scope="module")
def mnist(mnist_root: Path) -> Reference:
    train, test = (datasets.load("mnist", mnist_root, split=split) for split in ("train", "test"))
    return Reference(train, test, Judge.bundled("cpu"))


def test_real_digits_score_like_real_digits_and_copies_are_noticed(mnist: Reference) -> None:
    train = mnist.train
    rng = torch.Generator().manual_seed(5)
    chosen = torch.cat(
        [torch.nonzero(train.labels == k)[torch.randperm(5000, generator=rng)[:10], 0] for k in range(10)]
    )
    labels = tuple(train.labels[chosen].tolist())
    scores = report(train.images[chosen, 0].numpy(), labels, mnist)
    assert scores.accuracy is not None and scores.accuracy > 0.99 and scores.judge_accuracy == 0.9967
    assert 0.6 < figure(scores.frechet_ratio) < 1.6 and abs(figure(scores.kid)) < 4 * figure(scores.kid_error)
    assert figure(scores.recall) > 0.7 and figure(scores.precision) > 0.7
    assert not scores.reasons and scores.compared == 100
    assert scores.memorised == 100
    noise = np.random.default_rng(0).integers(0, 256, (100, 28, 28), np.uint8)
    worse = report(noise, labels, mnist)
    assert figure(worse.frechet_ratio) > 10 and figure(worse.recall) < 0.1 and worse.memorised == 0
    assert figure(worse.kid) > 10 * figure(worse.kid_error)


def test_digits_that_lack_variety_are_precise_and_those_that_lack_sense_are_not(mnist: Reference) -> None:
    test = mnist.test
    labels = tuple(k % 10 for k in range(100))
    real = torch.stack([(test.labels == label).nonzero()[k // 10, 0] for k, label in enumerate(labels)])
    alike = report(test.images[real[:10].repeat(10), 0].numpy(), labels, mnist)
    assert figure(alike.precision) > 0.8 and figure(alike.recall) < 0.3
    noise = np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)
    half = report(np.concatenate([test.images[real[:50], 0].numpy(), noise]), labels, mnist)
    assert figure(half.precision) < 0.6 and figure(half.recall) > 0.7


# ---- the report, of a judge that finds three numbers and a label written into an image


class Reader:
    """Reads the features and the label of an image of `written`."""

    classes = tuple("0123")
    accuracy = 0.75

    def features(self, images: Pixels) -> torch.Tensor:
        return torch.from_numpy(images[:, 0, :4].copy()).float()

    def judge_features(self, features: torch.Tensor, *, calibrated: bool = True) -> Predictions:
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
def real() -> Reference:
    """Training and test images, thirty of each of four classes, that are no more alike than they have to be."""
    train, test = (
        Dataset("written", torch.from_numpy(images)[:, None], torch.tensor(EVEN), tuple("0123"))
        for images in (written(EVEN, 1, middle=90), written(EVEN, 2))
    )
    return Reference(train, test, cast(Judge, Reader()))


def features(images: Pixels) -> torch.Tensor:
    return Reader().features(images)


def test_a_report_compares_with_the_test_images_and_its_floor_is_the_training_images_distance(
    real: Reference,
) -> None:
    made = written(EVEN, 3, spread=6)
    found = report(made, tuple(EVEN), real)  # a draw of thirty of each class is all there are
    train, test = (features(part.images[:, 0].numpy()) for part in (real.train, real.test))
    assert found.frechet == pytest.approx(frechet(features(made), test), rel=1e-6)
    assert found.frechet_floor == pytest.approx(frechet(train, test), rel=1e-6)
    assert found.frechet_ratio == pytest.approx(figure(found.frechet) / figure(found.frechet_floor))
    assert (found.precision, found.recall) == pytest.approx(precision_recall(test, features(made)))
    assert figure(found.precision) > figure(found.recall) + 0.1  # they spread less
    assert (found.images, found.source, found.memorised, found.accuracy) == (120, "images", 0, 1.0)
    assert found.network_calls is None and found.seconds_per_image is None
    assert (found.data, found.features, found.compared, found.judge_accuracy) == ("written", 4, 120, 0.75)


def test_real_images_have_the_requested_class_counts(real: Reference) -> None:
    labels = [0, 1, 1, 1] * 25
    few = [label for label in labels if label == 0] + [1] * 25 + [2] * 25 + [3] * 25
    for asked in (tuple(few), (NO_LABEL,) * 100):  # or else in those that were drawn
        alike = report(written(few, 4), asked, real)
        assert figure(alike.frechet_ratio) < 0.2 and alike.compared == 100
    other = report(written(few, 4), tuple(sorted(few, reverse=True)), real)
    assert figure(other.frechet_ratio) < 0.2 and figure(other.accuracy) < 0.01


def test_no_more_images_of_a_class_are_compared_than_are_held_out(real: Reference) -> None:
    many = report(written([0, 1, 1, 1] * 25, 4), [0, 1, 1, 1] * 25, real)
    assert (many.images, many.compared, many.accuracy) == (100, 25 + 30, 1)
    assert figure(many.frechet_ratio) < 0.2 and not many.reasons


def test_figures_that_need_more_held_out_images_are_not_given(real: Reference) -> None:
    def scored(each: int) -> Report:
        part = replace(real.test, images=real.test.images[: 4 * each], labels=real.test.labels[: 4 * each])
        return report(written(EVEN, 4), EVEN, replace(real, test=part))

    assert scored(5).reasons == {} and figure(scored(5).precision) >= 0
    few = scored(4)
    assert few.compared == 16 and set(few.reasons) == {"precision", "recall", "kid"}
    assert figure(few.frechet_ratio) > 0 and few.accuracy == 1 and few.memorised == 0
    assert (few.precision, few.recall, few.kid, few.kid_error) == (None,) * 4
    assert few.reasons["kid"] == "16 held-out images of the same classes are too few for blocks: 20 are needed."
    assert "too few for neighbourhoods" in few.reasons["precision"]
    assert "too few for the covariance of 4 features: 6 are needed" in scored(0).reasons["frechet"]
    assert scored(0).frechet is None and scored(0).compared == 0


def test_kid_pairs_images_of_one_class(real: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
    monkeypatch.setattr(metrics, "kid", lambda a, b: pairs.append((a[:, 3], b[:, 3])) or (0.0, 0.0))
    report(written(EVEN, 4), EVEN, real)
    report(written([0, 1, 1, 1] * 25, 4), [0, 1, 1, 1] * 25, real)  # some of which are left out
    assert len(pairs) == 20 and all(bool(((a > 0) == (b > 0)).all()) for a, b in pairs)
    assert all(torch.allclose(a / a.max(), b / b.max()) for a, b in pairs)


def test_the_most_frequent_confusions_are_named(real: Reference) -> None:
    asked = [0] * 40 + [1] * 30 + [2] * 20 + [3] * 10
    read = [1] * 40 + [1] * 20 + [0] * 10 + [3] * 20 + [2] * 3 + [1] * 2 + [3] * 5
    wrong = report(written(read, 4), asked, real).confusions
    assert wrong == tuple(
        Confusion(asked=a, read=b, count=n) for a, b, n in (("0", "1", 40), ("2", "3", 20), ("1", "0", 10))
    )


def test_images_without_classes_have_no_accuracy_and_all_other_figures(real: Reference) -> None:
    class Plain(Reader):
        classes = ()

    plain = [replace(part, labels=torch.zeros_like(part.labels), classes=("all",)) for part in (real.train, real.test)]
    found = report(written(EVEN, 4), [NO_LABEL] * 120, Reference(plain[0], plain[1], cast(Judge, Plain())))
    assert (found.accuracy, found.confidence, found.compared) == (None, None, 120)
    assert set(found.reasons) == {"accuracy", "confidence"} and figure(found.frechet_ratio) < 0.5


def test_requested_labels_count_before_predicted_ones(real: Reference) -> None:
    made = written([k % 4 for k in range(100)], 4)
    asked = (0,) * 30 + (1,) * 30 + (2,) * 30 + (3,) * 10
    assert report(made, asked, real).frechet_floor != report(made, (NO_LABEL,) * 100, real).frechet_floor


def test_scores_are_the_mean_of_their_draws(real: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(20))
    monkeypatch.setattr(metrics, "frechet", lambda _a, _b: float(next(numbers)))
    found = report(written(EVEN, 3), tuple(EVEN), real)
    assert (found.frechet, found.frechet_floor) == (9, 10)  # of 0, 2, ... 18 and of 1, 3, ... 19


def test_a_neighbourhood_reaches_to_the_neighbour_of_that_number() -> None:
    points = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert metrics._radii(points, 2).tolist() == [3, 2, 3, 6]


def test_accuracy_counts_requested_labels_only(real: Reference) -> None:
    labels = [0] * 20 + [1] * 20 + [2] * 30 + [3] * 30
    asked = (*[0] * 10, *[1] * 10, *[NO_LABEL] * 80)
    found = report(written(labels, 5), asked, real)
    assert found.accuracy == 0.5
    assert found.confidence == pytest.approx(0.2 * 0.5 + 0.8 * 0.9)
    assert report(written(labels, 5), (NO_LABEL,) * 100, real).accuracy is None


def test_copies_are_those_of_training_images(real: Reference) -> None:
    made = written(EVEN, 6)
    made[:7], made[7:12] = real.train.images[:7, 0], real.test.images[7:12, 0]
    assert report(made, tuple(EVEN), real).memorised == 7


def test_images_are_drawn_several_times_so_that_chance_counts_for_less(
    real: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = tuple(k % 4 for k in range(100))  # twenty-five of thirty

    def floor(draws: int) -> float | None:
        monkeypatch.setattr(metrics, "DRAWS", draws)
        return report(written(labels, 3), labels, real).frechet_floor

    once, often = floor(1), floor(10)
    assert once != often and floor(10) == often  # always the same draws
    steps = [event for event in evaluate_images(written(labels, 3), labels, real) if isinstance(event, Progress)]
    assert [event.what for event in steps][:10] == ["Comparing with real images"] * 10
    assert [event.done for event in steps][:10] == list(range(10))


def test_a_models_report_says_what_its_drawing_took(real: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    request = SampleRequest(model="digits", labels=tuple(EVEN))
    pixels = written(EVEN, 3)
    frame = Frame(100, 3, 10, 0.5, 0.5, 0.5, pixels[:20], pixels[:20])
    drawn = [frame, Sampled(request, pixels, 18.0, 7)]
    monkeypatch.setattr(metrics.distributed_sampling, "sample", lambda *_given, **_named: iter(drawn))
    events: list[Any] = list(evaluate_model(request, real))
    assert Progress("Drawing", 100 + 20 * 3 // 10, 120) in events
    found = events[-1]
    assert (found.network_calls, found.seconds_per_image, found.source) == (7, 0.15, "digits")
    assert found == report(pixels, tuple(EVEN), real).with_changes(
        network_calls=7, seconds_per_image=0.15, source="digits"
    )
    monkeypatch.setattr(metrics.distributed_sampling, "sample", lambda *_given, **_named: iter([frame]))
    assert not any(isinstance(event, Report) for event in evaluate_model(request, real))


def test_labels_are_shared_out_evenly() -> None:
    assert balanced_labels(ModelConfig(num_classes=3), 7) == (0, 1, 2, 0, 1, 2, 0)
    assert balanced_labels(ModelConfig(num_classes=0), 2) == (NO_LABEL, NO_LABEL)


def test_too_few_images_are_refused(real: Reference) -> None:
    with pytest.raises(BadRequest, match="at least 100"):
        report(np.zeros((99, 28, 28), np.uint8), (0,) * 99, real)
    for label in (4, -2):
        with pytest.raises(BadRequest, match=f"Label {label} is not one of 4 classes"):
            report(written(EVEN, 4), (label,) * 120, real)


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
