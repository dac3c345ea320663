"""Jobs of the Explore page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from desktop_app.tasks.files import ReadFile
from ml.control import RunControl
from ml.events import Pixels, Progress
from ml.export.metadata import Watch

if TYPE_CHECKING:
    from desktop_app.settings import ExploreSettings
    from ml.evaluation.forward_process import ForwardProcess
    from ml.experiments.questions import Answer, Row


@dataclass(frozen=True, slots=True)
class NoisedImage:
    """An image with noise added by every schedule, and what the image shows."""

    noisings: "tuple[ForwardProcess, ...]"
    what: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a question, its figure (H, W, 3), and what it shows, in words."""

    answer: "Answer"
    figure: Pixels
    conclusion: str = ""


@dataclass(frozen=True, slots=True)
class RowDone:
    """A row of the answer that is coming."""

    row: "Row"


def add_noise(settings: "ExploreSettings", data_root: Path | None, _control: RunControl) -> Iterator[object]:
    """Add noise to an image by every schedule."""
    yield Progress("Adding noise", 0, 0)
    from ml.evaluation import forward_process

    image, what = forward_process.example(settings.digit, settings.example, data_root, settings.picture)
    yield NoisedImage(forward_process.forward_processes(image, settings.timesteps, settings.example), what)


def answer_question(name: str, control: RunControl) -> Iterator[object]:
    """Answer a classic question, row by row."""
    from ml.experiments import questions
    from ml.experiments.conclusions import conclusion

    for event in questions.answer(name, control=control):
        if isinstance(event, questions.Answer):
            yield Answered(event, np.asarray(questions.figure(event)), conclusion(event))
        else:
            yield RowDone(event) if isinstance(event, questions.Row) else event


def write_answer(path: Path, answer: "Answer", scale: int, _watch: Watch) -> None:
    """Write an answer as a figure, a PNG."""
    from ml.experiments import questions

    questions.save(path, answer, scale)


def verify_answer(read: ReadFile, control: RunControl) -> Iterator[object]:
    """Answer the question of a figure again, and compare the figure."""
    from ml.experiments import questions

    found = questions.prove(read.stamp, read.pixels, control=control)
    if found:
        yield found
