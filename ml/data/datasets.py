"""The table of data sets. A new one is a file with its loader, a row here, and a row in `ml.specs.DATASETS`."""

from collections.abc import Callable
from pathlib import Path

from ml.data import cifar10, image_folder, synthetic
from ml.data.dataset import AS_IT_IS, Dataset, Form, Loading, Split
from ml.data.mnist import IDX_SETS
from ml.errors import BadRequest
from ml.specs import IMAGE_FOLDER

LOADERS: dict[str, Callable[[Path | None, Split, Form], Loading]] = {
    **{idx_set.name: idx_set.load for idx_set in IDX_SETS},
    cifar10.NAME: cifar10.load,
    synthetic.NAME: synthetic.load,
}


def names() -> tuple[str, ...]:
    """The names that `load` takes."""
    return (*LOADERS, f"{IMAGE_FOLDER}DIR")


def loading(name: str, root: Path | None = None, split: Split = "train", form: Form = AS_IT_IS) -> Loading:
    """A generator of Progress that returns the Dataset in that form: `dataset = yield from loading("mnist")`.

    Without `root`, looks in the folder that NOISELOOM_DATA names, then in the person's own, and then downloads.
    Raises BadRequest for an unknown name and for more than memory should hold, DataUnavailable, BadFile.
    """
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


def is_downloaded(name: str, root: Path | None = None, split: Split = "test") -> bool:
    """Whether that split of MNIST or its kin is on this machine, in `root` or in one of the usual places."""
    return any(idx_set.name == name and idx_set.is_downloaded(root, split) for idx_set in IDX_SETS)
