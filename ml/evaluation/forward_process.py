"""The forward process for display: an image at the noise levels of every schedule, and the schedules."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.data import datasets, synthetic_digits
from ml.data.datasets import is_downloaded
from ml.data.image_reader import read_grey
from ml.diffusion.noise import SeededNoise
from ml.diffusion.schedules import DiscreteSchedule, make_schedule, q_sample
from ml.events import Pixels
from ml.imaging.pixels import to_uint8
from ml.specs import DISCRETE, ScheduleName

Numbers = NDArray[np.float64]
TIMES = (0, 100, 250, 500, 750, 999)  # of 1,000: the steps of the row
FILM = 101  # steps of the film
SIDE = 28


@dataclass(frozen=True, slots=True)
class ForwardProcess:
    """One image under the noise of one schedule of T steps, in the notation of Nichol & Dhariwal 2021."""

    schedule: ScheduleName
    beta: Numbers  # (T,)
    alpha_bar: Numbers  # (T,)
    times: NDArray[np.int64]  # (FILM,): the steps of the film
    film: Pixels  # (FILM, H, W): q(x_t | x_0) at those, all with the same noise
    strip_times: NDArray[np.int64]  # (len(TIMES),): TIMES in proportion to T
    strip: Pixels

    @property
    def snr(self) -> Numbers:
        """alpha_bar / (1 - alpha_bar), (T,)."""
        return self.alpha_bar / (1 - self.alpha_bar)


def forward_processes(x0: Pixels, timesteps: int = 1000, seed: int = 0) -> tuple[ForwardProcess, ...]:
    """A grey image (H, W) under every schedule, with the same noise."""
    import torch

    clean = torch.from_numpy(x0)[None, None].float() / 127.5 - 1
    eps = SeededNoise([seed], (1, *x0.shape), clean.device)()
    times = np.linspace(0, timesteps - 1, FILM).round().astype(np.int64)
    strip_times = (np.array(TIMES) / 999 * (timesteps - 1)).round().astype(np.int64)
    found = []
    for name in DISCRETE:
        schedule = make_schedule(name, timesteps)
        assert isinstance(schedule, DiscreteSchedule)

        def shown(at: NDArray[np.int64], schedule: DiscreteSchedule = schedule) -> Pixels:
            levels = schedule.levels(at.tolist())[:-1]
            return np.concatenate([to_uint8(q_sample(clean, eps, level.alpha, level.sigma)) for level in levels])

        beta, alpha_bar = np.asarray(schedule.beta), np.asarray(schedule.alpha_bar)
        found.append(ForwardProcess(name, beta, alpha_bar, times, shown(times), strip_times, shown(strip_times)))
    return tuple(found)


def example(digit: int, number: int, root: Path | None = None, file: Path | None = None) -> tuple[Pixels, str]:
    """An image (SIDE, SIDE) and its description: from `file`, a digit of MNIST where it is downloaded, or a drawn one.

    `number` selects one of a digit's examples. Raises BadFile.
    """
    if file is not None:
        return read_grey(file, SIDE), file.name
    if is_downloaded("mnist", root):
        found = datasets.load("mnist", root, "test")
        of_digit = (found.labels == digit).nonzero().flatten()
        return found.images[of_digit[number % len(of_digit)], 0].numpy(), f"a {digit} of MNIST"
    drawn = synthetic_digits.digits(digit + 1, number)
    return drawn.images[digit, 0].numpy(), f"a drawn {digit}"
