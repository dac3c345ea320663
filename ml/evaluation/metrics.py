"""Scores of generated images against real ones: class accuracy, distances, precision, recall, and copies.

A Frechet distance between two finite samples is never zero, so it is given beside its floor: the same distance between
real training and real test images, at the same N and the same class counts, averaged over the same random draws. A
figure for which too few test images are held out is not given; `Report.reasons` says why.
"""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ml.cancellation import check_cancelled
from ml.config import NO_LABEL, Description, ModelConfig, SampleRequest
from ml.control import RunControl
from ml.data import datasets
from ml.data.dataset import AS_IT_IS, Dataset, Form
from ml.distributed import collectives
from ml.errors import BadRequest
from ml.evaluation.judge import Judge, planes
from ml.events import Frame, Pixels, Progress, Sampled
from ml.generation import distributed_sampling
from ml.registry import model_cards
from ml.registry.checkpoint import ModelHeader, load_header
from ml.specs import DeviceName, dataset_spec

NEIGHBOUR = 3
DRAWS = 10
MIN_IMAGES = 100  # fewer give no usable covariance of 64 features
PER_FEATURE = 1.5  # images, at least, for a covariance of features
MIN_NEIGHBOURS = 5 * (NEIGHBOUR + 1)  # images, at least, for neighbourhoods and for the blocks of KID
BLOCKS = 10  # of KID, at most
COPY_RATIO = 1 / 3
COPY_PART = 10_000  # training images compared at a time
CONFUSIONS = 3
SEED = 1
COMPARED = ("frechet", "frechet_floor", "frechet_ratio", "precision", "recall", "kid", "kid_error")
SCORES = ("accuracy", "confidence", "frechet_ratio", "precision", "recall", "kid")  # on a model's card
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The real images that others are scored against, and their judge."""

    train: Dataset
    test: Dataset
    judge: Judge


class Confusion(Description):
    """How many images of one class the judge takes for another."""

    asked: str
    read: str
    count: int


class Report(Description):
    """Scores of N images against a data set; a figure that is None has its reason, by its name."""

    source: str
    images: int
    network_calls: int | None = None  # per image; a guided pair counts once
    accuracy: float | None
    confidence: float | None
    frechet: float | None
    frechet_floor: float | None
    frechet_ratio: float | None
    precision: float | None
    recall: float | None
    memorised: int | None
    seconds_per_image: float | None = None
    kid: float | None = None
    kid_error: float | None = None  # standard error
    data: str = ""
    compared: int = 0  # images of each side of a comparison: no more of a class than are held out
    features: int = 0
    judge_accuracy: float | None = None  # share of real test images that the judge gets right
    confusions: tuple[Confusion, ...] = ()  # the most frequent ones
    reasons: dict[str, str] = Field(default_factory=dict)


def balanced_labels(model: ModelConfig, count: int) -> tuple[int, ...]:
    """The labels of `count` images, spread evenly over a model's classes."""
    return tuple(k % model.num_classes for k in range(count)) if model.num_classes else (NO_LABEL,) * count


def labels_in(header: ModelHeader, classes: Sequence[str]) -> list[int]:
    """The label that each of a model's classes has among `classes`, by its name; NO_LABEL where there is none.

    The classes of a model that does not know their names are in the same order, if there are as many.
    """
    named = header.classes or dataset_spec(header.data)
    if not named and header.model.num_classes == len(classes):
        return list(range(len(classes)))
    return [classes.index(name) if name in classes else NO_LABEL for name in header.class_names]


def labels_to_score(header: ModelHeader, classes: Sequence[str], count: int) -> tuple[int, ...]:
    """The labels of `count` images, spread evenly over those of a model's classes that are among `classes`."""
    shared = [label for label, known in enumerate(labels_in(header, classes)) if known != NO_LABEL]
    return tuple(shared[k % len(shared)] for k in range(count)) if shared else balanced_labels(header.model, count)


def evaluate_model(
    request: SampleRequest, reference: Reference, device: DeviceName = "auto", control: RunControl | None = None
) -> Iterator[Progress | Report]:
    """Sample a request and score it: `Progress`, and a `Report` at the end unless cancelled.

    Raises BadRequest, BadFile, NoDevice.
    """
    if not collectives.is_main():  # the other processes sample their share, and rank 0 scores all
        for _ in distributed_sampling.sample(request, device=device, control=control):
            pass
        return
    sampled: Sampled | None = None
    total = len(request.labels)
    for event in distributed_sampling.sample(request, device=device, control=control):
        if isinstance(event, Frame):
            yield Progress("Drawing", event.first + len(event.x_t) * event.step // event.steps, total)
        elif isinstance(event, Sampled):
            sampled = event
    if sampled is None:
        return
    known = [*labels_in(load_header(model_cards.find(request.model)), reference.test.classes), NO_LABEL]
    labels = np.array([known[label] for label in request.labels])
    for event in score(sampled.images, labels, reference, request.model):
        if isinstance(event, Report):
            per_image = round(sampled.seconds / total, 4)
            event = event.with_changes(network_calls=sampled.network_calls, seconds_per_image=per_image)
        yield event


def evaluate_images(
    images: Pixels, labels: Sequence[int], reference: Reference, source: str = "images"
) -> Iterator[Progress | Report]:
    """Score images (N, H, W[, 3]) of `labels` (-1: any), N at least 100; raises BadRequest for others."""
    check_count(len(images))
    classes = reference.test.classes
    if strange := [label for label in labels if not NO_LABEL <= label < len(classes)]:
        raise BadRequest(f"Label {strange[0]} is not one of {len(classes)} classes.", "Give labels of that data set.")
    yield from score(images, np.array(labels), reference, source)


def check_count(images: int) -> None:
    """Raises BadRequest for fewer images than can be scored."""
    if images < MIN_IMAGES:
        raise BadRequest(f"{images} images are too few to score.", f"Give at least {MIN_IMAGES}.")


def real_images(
    data: str, root: Path | None, form: Form = AS_IT_IS
) -> Generator[Progress, None, tuple[Dataset, Dataset]]:
    """The training and the test images of a data set; raises what loading them raises."""
    train = yield from datasets.loading(data, root, "train", form)
    test = yield from datasets.loading(data, root, "test", form)
    return train, test


def score(images: Pixels, labels: Labels, reference: Reference, source: str) -> Iterator[Progress | Report]:
    """Score images (N, H, W[, 3]) of labels (N,) against a reference. Raises BadRequest for images of another form."""
    judge, classes = reference.judge, reference.test.classes
    features = judge.features(images)
    found: dict[str, Any] = {"accuracy": None, "confidence": None}
    reasons: dict[str, str] = {}
    places = np.zeros(len(images), np.int64)
    if judge.classes:
        predicted = judge.judge_features(features, calibrated=False)  # so that scores stay comparable
        labelled = labels != NO_LABEL
        places = np.where(labelled, labels, predicted.labels)
        right = predicted.labels[labelled] == labels[labelled]
        found |= {"accuracy": float(right.mean()) if labelled.any() else None}
        found |= {"confidence": float(predicted.confidence.mean())}
        found |= {"confusions": _confusions(labels[labelled], predicted.labels[labelled], classes)}
        if not labelled.any():
            reasons["accuracy"] = "No classes were asked for."
    else:
        reasons["accuracy"] = reasons["confidence"] = "The images have no classes."
    found |= yield from _against_real(features, places, reference, reasons)
    yield Progress("Looking for copies", 0, 0)
    if len(reference.train) > 1:
        found["memorised"] = int(memorised(planes(images), reference.train.images).sum())
    else:
        found["memorised"], reasons["memorised"] = None, "One training image has no neighbour to compare with."
    yield Report(
        source=source,
        images=len(images),
        data=reference.test.name,
        features=features.shape[1],
        judge_accuracy=judge.accuracy,
        reasons=reasons,
        **found,
    )


def _confusions(asked: Labels, read: Labels, classes: Sequence[str]) -> tuple[Confusion, ...]:
    wrong = Counter((int(a), int(b)) for a, b in zip(asked, read, strict=True) if a != b)
    return tuple(Confusion(asked=classes[a], read=classes[b], count=n) for (a, b), n in wrong.most_common(CONFUSIONS))


def _against_real(
    features: Tensor, places: Labels, reference: Reference, reasons: dict[str, str]
) -> Generator[Progress, None, dict[str, Any]]:
    """Means over random draws of real images with the class counts of `places` (N,), or as many as are held out."""
    real = reference.train, reference.test
    asked = np.bincount(places, minlength=len(reference.test.classes))
    there = [np.bincount(part.labels.numpy(), minlength=len(asked)) for part in real]
    counts = np.minimum(asked, np.min(there, axis=0))
    compared, needed = int(counts.sum()), int(PER_FEATURE * features.shape[1])
    few = f"{compared} held-out images of the same classes are too few"
    if compared < needed:
        reasons["frechet"] = f"{few} for the covariance of {features.shape[1]} features: {needed} are needed."
    if compared < MIN_NEIGHBOURS:
        reasons["precision"] = reasons["recall"] = f"{few} for neighbourhoods: {MIN_NEIGHBOURS} are needed."
        reasons["kid"] = f"{few} for blocks: {MIN_NEIGHBOURS} are needed."
    if not compared:
        return dict.fromkeys(COMPARED) | {"compared": 0}
    rng = np.random.default_rng(SEED)
    rows: list[dict[str, float]] = []
    for draw in range(DRAWS):
        yield Progress("Comparing with real images", draw, DRAWS)
        training, test = (reference.judge.features(_draw(part, counts, rng)) for part in real)
        of_all = compared == len(features)
        made = features if of_all else features[_chosen(places, counts, rng)]
        row: dict[str, float] = {}
        if compared >= needed:
            row |= {"frechet": frechet(made, test), "frechet_floor": frechet(training, test)}
        if compared >= MIN_NEIGHBOURS:
            row["precision"], row["recall"] = precision_recall(test, made)
            by_class = made[np.argsort(places, kind="stable")] if of_all else made
            scale = test.square().mean().sqrt()  # or else KID would depend on the size of a judge's features
            row["kid"], row["kid_error"] = kid(by_class / scale, test / scale)
        rows.append(row)
    found = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    if found.get("frechet_floor"):
        found["frechet_ratio"] = found["frechet"] / found["frechet_floor"]
    return {**dict.fromkeys(COMPARED), **found, "compared": compared}


def _chosen(labels: Labels, counts: Labels, rng: np.random.Generator) -> Labels:
    """The indices of that many random images of each class."""
    chosen = [rng.choice(np.flatnonzero(labels == k), count, replace=False) for k, count in enumerate(counts)]
    return np.concatenate(chosen)


def _draw(real: Dataset, counts: Labels, rng: np.random.Generator) -> Pixels:
    images = real.images[_chosen(real.labels.numpy(), counts, rng)]
    return (images[:, 0] if images.shape[1] == 1 else images.permute(0, 2, 3, 1)).numpy()


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


def kid(a: Tensor, b: Tensor) -> tuple[float, float]:
    """Kernel inception distance (Binkowski et al. 2018) of features (N, D) twice, in float64; N is at least 4.

    Returns the mean over random blocks of the unbiased squared MMD with the kernel (x.y / D + 1)^3, and the standard
    error of that mean. Where both have the same class counts, a[k] and b[k] are to be of the same class.
    """
    order = torch.randperm(len(a), generator=torch.Generator().manual_seed(SEED))
    blocks = max(2, min(BLOCKS, len(a) // BLOCKS))
    pairs = zip(a.double()[order].tensor_split(blocks), b.double()[order].tensor_split(blocks), strict=True)
    values = torch.stack([_squared_mmd(x, y) for x, y in pairs])
    return float(values.mean()), float(values.std()) / blocks**0.5


def _squared_mmd(a: Tensor, b: Tensor) -> Tensor:
    """The unbiased estimate of Gretton et al. 2012, eq. 4: without pairs of the same index, across too.

    That makes it unbiased for samples with fixed class counts as well.
    """
    within_a, within_b, across = ((x @ y.T / a.shape[1] + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    apart = within_a + within_b - 2 * across
    return (apart.sum() - apart.trace()) / (len(a) * (len(a) - 1))


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
    """The training image nearest to an image (H, W[, 3]), of training (M, C, H, W) uint8, M at least 2.

    Its index, its distance (root mean square over pixels of [0, 1]), and whether the image copies it; see `memorised`.
    """
    made = _flat(planes(image[None]))
    apart = torch.cat([torch.cdist(made, _flat(part))[0] for part in training.split(COPY_PART)])
    (first, second), (index, _) = (part.tolist() for part in apart.topk(2, largest=False))
    return index, first / made.shape[1] ** 0.5, first < COPY_RATIO * second


def memorised(made: Tensor, training: Tensor) -> Tensor:
    """Which images copy a training image (Yoon et al. 2023): bool (N,), for uint8 (N, C, H, W) and (M, C, H, W).

    The distance of a copy to its nearest training image is less than a third of that to the second-nearest.
    """
    flat = _flat(made)
    closest = torch.full((len(made), 2), torch.inf)
    for known in training.split(COPY_PART):
        there = _flat(known)
        for part, found in zip(flat.split(100), closest.split(100), strict=True):
            check_cancelled()
            apart = torch.cat([found, torch.cdist(part, there)], dim=1)
            found.copy_(apart.topk(2, largest=False).values)
    return closest[:, 0] < COPY_RATIO * closest[:, 1]


def scores_of(report: Report, seed: int) -> dict[str, Any]:
    """A report as model cards store it."""
    measured = report.model_dump(include={*SCORES}) | {"judge_test_accuracy": report.judge_accuracy}
    rounded = {key: round(value, 4) for key, value in measured.items() if value is not None}
    whole = {"images": report.images, "network_calls": report.network_calls}
    return whole | {f"seed {seed}": rounded | {"memorised": report.memorised}}
