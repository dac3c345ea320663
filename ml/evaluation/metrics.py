"""Scores of generated digits: class accuracy, Frechet distance, precision, recall, and copies of training images.

A distance between two finite samples is never zero, so each is given beside its floor: the same distance between
real training and real test images, at the same N and the same class counts, averaged over the same random draws.
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ml.cancellation import check_cancelled
from ml.config import NO_LABEL, Description, ModelConfig, SampleRequest
from ml.control import RunControl
from ml.data import datasets
from ml.data.dataset import Dataset
from ml.distributed import collectives
from ml.errors import BadRequest
from ml.evaluation.judge import Judge
from ml.events import Frame, Pixels, Progress, Sampled
from ml.generation import distributed_sampling
from ml.specs import DeviceName

NEIGHBOUR = 3
DRAWS = 10
MIN_IMAGES = 100  # fewer give no usable covariance of 64 features
COPY_RATIO = 1 / 3
SEED = 1
Real = tuple[Dataset, Dataset]  # the training and the test images


class Report(Description):
    """Scores of N images against MNIST; `accuracy` is None where no classes were requested."""

    source: str
    images: int
    network_calls: int | None = None  # per image; a guided pair counts once
    accuracy: float | None
    confidence: float
    frechet: float
    frechet_floor: float
    frechet_ratio: float
    precision: float
    recall: float
    memorised: int
    seconds_per_image: float | None = None


def balanced_labels(model: ModelConfig, count: int) -> tuple[int, ...]:
    """The labels of `count` images, spread evenly over a model's classes."""
    return tuple(k % model.num_classes for k in range(count)) if model.num_classes else (NO_LABEL,) * count


def evaluate_model(
    request: SampleRequest, data_root: Path | None, device: DeviceName = "auto", control: RunControl | None = None
) -> Iterator[Progress | Report]:
    """Sample a request and score it: `Progress`, and a `Report` at the end unless cancelled.

    Raises BadRequest, BadFile, DataUnavailable, NoDevice.
    """
    if not collectives.is_main():  # the other processes sample their share, and rank 0 scores all
        for _ in distributed_sampling.sample(request, device=device, control=control):
            pass
        return
    real = yield from _mnist(data_root)  # first, so that missing data is reported before the long sampling
    sampled: Sampled | None = None
    total = len(request.labels)
    for event in distributed_sampling.sample(request, device=device, control=control):
        if isinstance(event, Frame):
            yield Progress("Drawing", event.first + len(event.x_t) * event.step // event.steps, total)
        elif isinstance(event, Sampled):
            sampled = event
    if sampled is None:
        return
    for event in _score(sampled.images, request.labels, real, Judge.bundled(device), request.model):
        if isinstance(event, Report):
            per_image = round(sampled.seconds / total, 4)
            event = event.with_changes(network_calls=sampled.network_calls, seconds_per_image=per_image)
        yield event


def evaluate_images(
    images: Pixels, labels: tuple[int, ...], data_root: Path | None, device: DeviceName = "auto", source: str = "images"
) -> Iterator[Progress | Report]:
    """Score images (N, 28, 28) of `labels` (-1: any), N at least 100; raises what `evaluate_model` raises."""
    if len(images) < MIN_IMAGES:
        raise BadRequest(f"{len(images)} images are too few to score.", f"Give at least {MIN_IMAGES}.")
    judge = Judge.bundled(device)
    judge.check(images)
    real = yield from _mnist(data_root)
    yield from _score(images, labels, real, judge, source)


def _mnist(root: Path | None) -> Generator[Progress, None, Real]:
    train = yield from datasets.loading("mnist", root, "train")
    test = yield from datasets.loading("mnist", root, "test")
    return train, test


def _score(
    images: Pixels, labels: tuple[int, ...], real: Real, judge: Judge, source: str
) -> Iterator[Progress | Report]:
    features = judge.features(images)
    predicted = judge.judge_features(features)
    requested = np.array(labels)
    labelled = requested != NO_LABEL
    counts = np.bincount(np.where(labelled, requested, predicted.labels), minlength=len(predicted.probabilities[0]))
    if any(counts.max() > np.bincount(dataset.labels.numpy()).min() for dataset in real):
        raise BadRequest(f"{counts.max()} images of one class are more than MNIST has.", "Give fewer images.")
    distance, floor, precision, recall = yield from _against_real(features, counts, judge, real)
    yield Progress("Looking for copies", 0, 0)
    copies = memorised(_flat(torch.from_numpy(images)), _flat(real[0].images))
    right = predicted.labels[labelled] == requested[labelled]
    yield Report(
        source=source,
        images=len(images),
        accuracy=float(right.mean()) if labelled.any() else None,
        confidence=float(predicted.confidence.mean()),
        frechet=distance,
        frechet_floor=floor,
        frechet_ratio=distance / floor,
        precision=precision,
        recall=recall,
        memorised=int(copies.sum()),
    )


def _against_real(
    features: Tensor, counts: np.ndarray, judge: Judge, real: Real
) -> Generator[Progress, None, list[float]]:
    """Means over random draws of real images with these class counts: distance, floor, precision and recall."""
    rng = np.random.default_rng(SEED)
    rows: list[tuple[float, float, float, float]] = []
    for draw in range(DRAWS):
        yield Progress("Comparing with real digits", draw, DRAWS)
        training, test = (judge.features(_draw(dataset, counts, rng)) for dataset in real)
        precision, recall = precision_recall(test, features)
        rows.append((frechet(features, test), frechet(training, test), precision, recall))
    return np.array(rows).mean(axis=0).tolist()


def _draw(real: Dataset, counts: np.ndarray, rng: np.random.Generator) -> Pixels:
    labels = real.labels.numpy()
    chosen = [rng.choice(np.flatnonzero(labels == k), count, replace=False) for k, count in enumerate(counts)]
    return real.images[np.concatenate(chosen), 0].numpy()


def _flat(images: Tensor) -> Tensor:
    return images.reshape(len(images), -1).float() / 255


def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance between Gaussians fitted to features (N, D), (M, D): Heusel et al. 2017, eq. 6, in float64.

    The trace of the square root comes from the eigenvalues of S_a^(1/2) S_b S_a^(1/2), which are real.
    """
    a, b = a.double(), b.double()
    shift = (a.mean(dim=0) - b.mean(dim=0)).square().sum()
    cov_a, cov_b = a.T.cov(), b.T.cov()
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    return max(float(shift + cov_a.trace() + cov_b.trace() - 2 * cross), 0.0)


def precision_recall(real: Tensor, made: Tensor, k: int = NEIGHBOUR) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019, eq. 2): features (N, D), (M, D) -> two shares."""
    across = torch.cdist(made, real)  # (M, N)
    return _covered(across, _radii(real, k)), _covered(across.T, _radii(made, k))


def _radii(points: Tensor, k: int) -> Tensor:
    """The distance of each point to its k-th nearest neighbour: (N,)."""
    return torch.cdist(points, points).kthvalue(k + 1, dim=1).values  # the nearest is the point itself


def _covered(distances: Tensor, radii: Tensor) -> float:
    return float((distances <= radii).any(dim=1).float().mean())


def nearest(image: Pixels, training: Tensor) -> tuple[int, float, bool]:
    """The training image nearest to an image (H, W), of training (M, 1, H, W) uint8, M at least 2.

    Its index, its distance (root mean square over pixels of [0, 1]), and whether the image copies it; see `memorised`.
    """
    made = torch.from_numpy(image.copy()).flatten()[None].float() / 255
    apart = torch.cat([torch.cdist(made, _flat(part))[0] for part in training.split(10_000)])
    (first, second), (index, _) = (part.tolist() for part in apart.topk(2, largest=False))
    return index, first / made.shape[1] ** 0.5, first < COPY_RATIO * second


def memorised(made: Tensor, training: Tensor) -> Tensor:
    """Which images copy a training image (Yoon et al. 2023): bool (N,), for pixels (N, P) and (M, P).

    The distance of a copy to its nearest training image is less than a third of that to the second-nearest.
    """
    parts: list[Tensor] = []
    for part in made.split(100):
        check_cancelled()
        parts.append(torch.cdist(part, training).topk(2, largest=False).values)
    nearest = torch.cat(parts)
    return nearest[:, 0] < COPY_RATIO * nearest[:, 1]


def scores_of(report: Report, seed: int) -> dict[str, Any]:
    """A report as model cards store it."""
    measured = report.model_dump(include={"accuracy", "confidence", "frechet_ratio", "precision", "recall"})
    rounded = {key: round(value, 4) for key, value in measured.items() if value is not None}
    whole = {"images": report.images, "network_calls": report.network_calls}
    return whole | {f"seed {seed}": rounded | {"memorised": report.memorised}}
