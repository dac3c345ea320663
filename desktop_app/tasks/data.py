"""Looking at data: what is in a data set, and the images of one class."""

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ml.control import RunControl
from ml.data.survey import FirstLook, Survey
from ml.errors import NoiseloomError
from ml.events import Pixels, Progress
from ml.specs import FitName

if TYPE_CHECKING:
    from ml.data.dataset import Form

MOST = 240  # images of a class that are read to be shown


@dataclass(frozen=True, slots=True)
class DataChoice:
    """A data set and how it is read; sides and channels that are None follow from the images."""

    name: str
    root: Path | None = None
    side: int | None = None
    channels: int | None = None
    fit: FitName = "crop"
    ground: str = "auto"


@dataclass(frozen=True, slots=True)
class NotHere:
    """The data set has to be downloaded first."""


@dataclass(frozen=True, slots=True)
class NotReadable:
    """The data cannot be read: why, and what to do."""

    message: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class FirstImages:
    """What is known of the data before every image is read."""

    survey: Survey


@dataclass(frozen=True, slots=True, eq=False)
class ClassImages:
    """The first images of a class as a model will see them, (N, S, S[, 3])."""

    label: int
    images: Pixels


def survey_data(choice: DataChoice, download: bool, control: RunControl) -> Iterator[object]:
    """Find out what is in a data set; one that is not on this machine is downloaded only if told to."""
    yield Progress("Looking at the data", 0, 0)
    from ml.data import datasets

    try:
        if not download and datasets.needs_download(choice.name, choice.root):
            yield NotHere()
            return
        with closing(datasets.survey(choice.name, choice.root, form_of(choice))) as surveying:
            while not control.cancelled:
                try:
                    progress = next(surveying)
                    yield FirstImages(progress.survey) if isinstance(progress, FirstLook) else progress
                except StopIteration as finished:
                    yield finished.value
                    return
    except NoiseloomError as error:  # shown where the images would be, not as a message
        yield NotReadable(error.message, error.what_to_do)


def class_images(choice: DataChoice, label: int, control: RunControl) -> Iterator[object]:
    """Read images of one class; nothing where they cannot be read any more."""
    from ml.data import datasets

    with suppress(NoiseloomError):
        reading = datasets.examples(choice.name, choice.root, form_of(choice), label, MOST)
        while not control.cancelled:
            try:
                yield next(reading)
            except StopIteration as finished:
                yield ClassImages(label, finished.value)
                return


def form_of(choice: DataChoice) -> "Form":
    """How the images are read."""
    from ml.data.dataset import Form

    return Form(choice.side, choice.channels, choice.fit, choice.ground)
