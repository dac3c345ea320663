"""What a run is trained on, recorded so that a resumed run keeps its labels and notices a folder that has changed."""

from dataclasses import replace

import torch

from ml.data.dataset import Dataset
from ml.data.survey import listed
from ml.errors import BadRequest, ChangedData
from ml.registry.checkpoint import DataRecord

GO_ON = "Resume with the images as they are now (--changed-data), or put them back."


def record_of(dataset: Dataset) -> DataRecord | None:
    """The record of a folder's training images; None for other data sets, which do not change."""
    if not dataset.digest:
        return None
    counts = dataset.labels.bincount(minlength=len(dataset.classes)).tolist()
    return DataRecord(classes=dataset.classes, counts=tuple(counts), digest=dataset.digest)


def as_recorded(dataset: Dataset, recorded: DataRecord | None, num_classes: int, accept_changes: bool) -> Dataset:
    """The data set of a resumed run, with the labels that its classes had when the run began.

    A run of before has no record: its classes were in the order of their characters, and a folder with another number
    of classes than the model's has changed. Raises ChangedData for a folder that has changed, unless `accept_changes`;
    BadRequest for a new class, where the model has classes.
    """
    if not dataset.digest:
        return dataset
    before = recorded.classes if recorded else tuple(sorted(dataset.classes))
    new = [name for name in dataset.classes if name not in before]
    same_labels = with_classes(dataset, (*before, *new))
    now = record_of(same_labels)
    count = len(dataset.classes)
    if recorded is None and num_classes not in (0, count) and not accept_changes:
        raise ChangedData(f"{dataset.name} has {count} classes, and the run began with {num_classes}.", GO_ON)
    if recorded is None or now is None or now == recorded:
        return same_labels
    changed = f"{dataset.name} has changed since the run began: {_changes(recorded, now)}."
    if new and num_classes:
        raise BadRequest(changed, f"A run keeps its classes: take {listed(new)} away, or start a new run.")
    if not accept_changes:
        raise ChangedData(changed, GO_ON)
    return same_labels


def with_classes(dataset: Dataset, classes: tuple[str, ...]) -> Dataset:
    """The data set with the labels that its classes have in `classes`, which has all of them, sorted by label."""
    if dataset.classes == classes:
        return dataset
    labels = torch.tensor([classes.index(name) for name in dataset.classes])[dataset.labels]
    order = labels.argsort(stable=True)
    return replace(dataset, images=dataset.images[order], labels=labels[order], classes=classes)


def _changes(before: DataRecord, now: DataRecord) -> str:
    """What differs, in words."""
    had, has = (dict(zip(record.classes, record.counts, strict=True)) for record in (before, now))
    said = [f"{name} is new" for name in has if name not in had]
    said += [f"{name} is gone" for name in had if not has.get(name)]
    said += [
        f"{name} has {count:,} training images, not {had[name]:,}"
        for name, count in has.items()
        if count and name in had and count != had[name]
    ]
    return listed(said or ["the same number of images, with other names or contents"])
