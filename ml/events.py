"""The events that `train`, `sample` and other long work yield; immutable."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.config import SampleRequest, TrainConfig

Pixels = NDArray[np.uint8]  # (N, H, W) grey or (N, H, W, 3)


@dataclass(frozen=True, slots=True)
class Progress:
    """Work that is not a step yet: a download, reading data. `total` is 0 where unknown."""

    what: str
    done: int
    total: int
    warnings: tuple[str, ...] = ()  # about the data, one sentence each, once it is read


@dataclass(frozen=True, slots=True)
class Estimate:
    """How quickly a device would train a configuration; `seconds` of its whole budget."""

    images_per_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A training run starts, or resumes from `step`."""

    config: TrainConfig
    run_dir: Path
    device: str
    parameters: int
    step: int
    total_steps: int | None  # None: the budget is a time


@dataclass(frozen=True, slots=True)
class TrainStep:
    """The state of a run, a few times a second; `loss` is the mean since the last one."""

    step: int
    total_steps: int | None
    loss: float
    smooth_loss: float
    lr: float
    grad_norm: float
    images_per_s: float
    elapsed_s: float
    remaining_s: float
    by_noise: tuple[float, ...] = ()  # now and then: the loss at each of NOISE_LEVELS; nan where none was drawn


@dataclass(frozen=True, slots=True)
class Validated:
    """The loss of the averaged weights on images that are not trained on, always with the same noise."""

    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class CheckpointScored:
    """The scores of a run's averaged weights at a step, which are kept as a snapshot."""

    step: int
    accuracy: float | None  # share of images that the judge takes for the class that was asked for
    frechet_ratio: float | None  # Frechet distance to held-out images, as a multiple of that of training images
    judge_accuracy: float | None = None  # share of held-out images that the judge gets right
    reason: str = ""  # why a figure is None


@dataclass(frozen=True, slots=True)
class Preview:
    """Images from the same fixed noise, by the run's averaged weights, and their way out of it."""

    step: int
    images: Pixels
    labels: tuple[int, ...]
    film: Pixels  # x_t of every step, (steps + 1, N, H, W[, 3]); the last are the images


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """Everything needed to resume and to sample is whole on disk."""

    step: int
    path: Path


@dataclass(frozen=True, slots=True)
class Paused:
    step: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """A run resumes after a pause, maybe in another folder."""

    step: int
    run_dir: Path


@dataclass(frozen=True, slots=True)
class WriteFailed:
    """A run cannot write to its folder: it pauses until `RunControl` resumes it, maybe in another folder."""

    step: int
    saved_step: int  # of the last checkpoint, which is whole
    message: str


@dataclass(frozen=True, slots=True)
class SteppedBack:
    """A run diverged and went back to its last checkpoint, of `step`, with a lower learning rate."""

    step: int
    message: str
    lr: float  # at most, from now on
    times: int  # that this happened to the run


@dataclass(frozen=True, slots=True)
class BatchSplit:
    """A batch did not fit into memory: from now on it is worked through in so many parts, which changes no result."""

    step: int
    parts: int


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The end of a training run: its budget is used up, or it was stopped and kept."""

    step: int
    seconds: float
    model_path: Path
    completed: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """One step of the reverse process of images `first` .. `first + len(x_t)`, ready to be painted.

    Step 0 is pure noise, step `steps` the finished images; `t` is in [0, 1], `alpha` and `sigma` are those of x_t.
    """

    first: int
    step: int
    steps: int
    t: float
    alpha: float
    sigma: float
    x_t: Pixels
    x0_hat: Pixels
    similarity: NDArray[np.float32] | None = None  # of x0_hat to the prompt, (N,), where CLIP steers
    eps: Pixels | None = None  # the noise that x0_hat leaves of x_t, grey where it is 0; None in a latent, or for none


@dataclass(frozen=True, slots=True)
class Sampled:
    """All images of a request, in its order."""

    request: SampleRequest  # with the model's hash filled in
    images: Pixels
    seconds: float
    network_calls: int  # per image; a guided pair counts once
    evaluations: int = 0  # of the network, per image; a guided pair counts twice; 0: not counted


@dataclass(frozen=True, slots=True)
class Failed:
    """The one form in which an error reaches a person."""

    kind: str
    message: str
    what_to_do: str
    traceback: str


TrainEvent = (
    Progress
    | RunStarted
    | TrainStep
    | Validated
    | CheckpointScored
    | Preview
    | CheckpointSaved
    | Paused
    | Resumed
    | WriteFailed
    | SteppedBack
    | BatchSplit
    | RunFinished
)
SampleEvent = Progress | Frame | Sampled
