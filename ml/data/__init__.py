"""Data sets as uint8 tensors, by name: MNIST and its kin, CIFAR-10, synthetic digits, any folder of images."""

from collections.abc import Callable
from pathlib import Path

from ml.data import cifar10, image_folder, synthetic
from ml.data.dataset import AS_IT_IS, DATA_VARIABLE, Dataset, Form, Loading, Split, usual_roots
from ml.data.image_folder import picture
from ml.data.mnist import IDX_SETS
from ml.errors import BadRequest

__all__ = [
    "DATA_VARIABLE",
    "Dataset",
    "Form",
    "Loading",
    "Split",
    "at_hand",
    "load",
    "loading",
    "names",
    "picture",
    "usual_roots",
]

_SOURCES: dict[str, Callable[[Path | None, Split, Form], Loading]] = {
    **{idx_set.name: idx_set.load for idx_set in IDX_SETS},
    cifar10.NAME: cifar10.load,
    "synthetic": synthetic.load,
}


def names() -> tuple[str, ...]:
    """What can be asked for."""
    return (*_SOURCES, f"{image_folder.PREFIX}DIR")


def loading(name: str, root: Path | None = None, split: Split = "train", form: Form = AS_IT_IS) -> Loading:
    """A generator of Progress that returns the Dataset in that form: `dataset = yield from loading("mnist")`.

    Without `root`, looks in the folder that NOISELOOM_DATA names, then in the person's own, and then downloads.
    Raises BadRequest for an unknown name and for more than memory should hold, DataUnavailable, BadFile.
    """
    if name.startswith(image_folder.PREFIX):
        return (yield from image_folder.load(name.removeprefix(image_folder.PREFIX), split, form))
    source = _SOURCES.get(name)
    if source is None:
        raise BadRequest(f"There is no data set called {name!r}.", f"Use one of: {', '.join(names())}.")
    return (yield from source(root, split, form))


def at_hand(name: str, root: Path | None = None, split: Split = "test") -> bool:
    """Whether that split of one of MNIST's kin is on this machine, so that nothing has to be downloaded."""
    return any(idx_set.name == name and idx_set.at_hand(root, split) for idx_set in IDX_SETS)


def load(name: str, root: Path | None = None, split: Split = "train", form: Form = AS_IT_IS) -> Dataset:
    """The Dataset of that name, once all of `loading` has happened."""
    generator = loading(name, root, split, form)
    while True:
        try:
            next(generator)
        except StopIteration as finished:
            return finished.value
