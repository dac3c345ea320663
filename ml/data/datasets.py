"""The table of data sets. A new one is a file with its loader, a row here, and a row in `ml.specs.DATASETS`."""

import hashlib
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import torch

from ml.data import cifar10, image_folder, own_sets, synthetic
from ml.data.dataset import AS_IT_IS, Dataset, Form, Loading, Split, shaped
from ml.data.mnist import IDX_SETS
from ml.data.survey import ClassCount, SizeCount, Some, Survey, spread, strip
from ml.errors import BadRequest
from ml.events import Pixels, Progress
from ml.specs import DATASETS, IMAGE_FOLDER, OWN_SET

LOADERS: dict[str, Callable[[Path | None, Split, Form], Loading]] = {
    **{idx_set.name: idx_set.load for idx_set in IDX_SETS},
    cifar10.NAME: cifar10.load,
    synthetic.NAME: synthetic.load,
}


def names() -> tuple[str, ...]:
    """The names that `load` takes."""
    return (*LOADERS, f"{IMAGE_FOLDER}DIR", f"{OWN_SET}NAME")


def loading(name: str, root: Path | None = None, split: Split = "train", form: Form = AS_IT_IS) -> Loading:
    """A generator of Progress that returns the Dataset in that form: `dataset = yield from loading("mnist")`.

    Without `root`, looks in the folder that NOISELOOM_DATA names, then in the person's own, and then downloads.
    Raises BadRequest for an unknown name and for more than memory should hold, DataUnavailable, BadFile.
    """
    name = own_sets.resolved(name)
    if name.startswith(IMAGE_FOLDER):
        return (yield from image_folder.load(name.removeprefix(IMAGE_FOLDER), split, form))
    if name not in LOADERS:
        raise BadRequest(f"There is no data set called {name!r}.", f"Use one of: {', '.join(names())}.")
    return (yield from LOADERS[name](root, split, form))


def load(name: str, root: Path | None = None, split: Split = "train", form: Form = AS_IT_IS) -> Dataset:
    """The Dataset of that name, once all of `loading` has happened."""
    generator = loading(name, root, split, form)
    while True:
        try:
            next(generator)
        except StopIteration as finished:
            return finished.value


def survey(name: str, root: Path | None = None, form: Form = AS_IT_IS) -> Generator[Progress, None, Survey]:
    """A generator of Progress that returns what is in a data set, as a model will see it in that form.

    Raises what `loading` does.
    """
    name = own_sets.resolved(name)
    if name.startswith(IMAGE_FOLDER):
        return (yield from image_folder.survey(name.removeprefix(IMAGE_FOLDER), form))
    train = yield from loading(name, root, "train")
    test = yield from loading(name, root, "test")
    chosen = spread(train.labels.tolist())
    some = yield from shaped(replace(train, images=train.images[chosen], labels=train.labels[chosen]), form)
    counts = [split.labels.bincount(minlength=len(train.classes)).tolist() for split in (train, test)]
    images = torch.cat([train.images, test.images])
    flat = images.flatten(2)
    digests = {hashlib.sha256(image.numpy().tobytes()).digest() for image in images}
    height, width = train.images.shape[2:]
    return Survey(
        name=train.name,
        classes=tuple(
            ClassCount(name=class_name, train=in_train, held_out=in_test)
            for class_name, in_train, in_test in zip(train.classes, *counts, strict=True)
        ),
        sizes=(SizeCount(width=width, height=height, count=len(images)),),
        side=some.images.shape[-1],
        channels=some.images.shape[1],
        fit=form.fit,
        duplicates=Some(count=len(images) - len(digests)),
        one_colour=Some(count=int((flat.amin(2) == flat.amax(2)).all(1).sum())),
        thumbnail_labels=tuple(some.labels.tolist()),
        thumbnail_strip=strip(some.images.permute(0, 2, 3, 1).numpy()),
    )


def examples(
    name: str, root: Path | None = None, form: Form = AS_IT_IS, label: int = 0, most: int = 100
) -> Generator[Progress, None, Pixels]:
    """A generator of Progress that returns training images of one class in that form, (N, S, S[, 3]) uint8.

    Raises what `loading` does.
    """
    name = own_sets.resolved(name)
    if name.startswith(IMAGE_FOLDER):
        return (yield from image_folder.examples(name.removeprefix(IMAGE_FOLDER), form, label, most))
    dataset = yield from loading(name, root, "train")
    chosen = (dataset.labels == label).nonzero().flatten()[:most]
    some = yield from shaped(replace(dataset, images=dataset.images[chosen], labels=dataset.labels[chosen]), form)
    images = some.images.permute(0, 2, 3, 1).numpy()
    return images[..., 0] if images.shape[-1] == 1 else images


def is_downloaded(name: str, root: Path | None = None, split: Split = "test") -> bool:
    """Whether that split of a downloadable set is on this machine, in `root` or in one of the usual places."""
    if name == cifar10.NAME:
        return cifar10.is_downloaded(root, split)
    return any(idx_set.name == name and idx_set.is_downloaded(root, split) for idx_set in IDX_SETS)


def needs_download(name: str, root: Path | None = None) -> bool:
    """Whether `loading` would download anything: only what has a size to download, and is in no usual place."""
    downloads = name in DATASETS and bool(DATASETS[name].size) and root is None
    return downloads and not all(is_downloaded(name, None, split) for split in ("train", "test"))
