"""A request's results so far: every step, the images, and measurements of them."""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.settings import GenerateSettings
from desktop_app.tasks.sampling import GuidanceProbeResult, JudgeResult, Nearest
from ml.config import SampleRequest
from ml.events import Frame, Pixels, Sampled
from ml.text import prompt_parser

View = Literal["noisy", "clean", "noise", "all", "xray"]
THREE = ("noisy xₜ", "clean x₀", "noise ε")  # shown of one digit in the view "all"
PULL = ("noise ε, with the class", "noise ε, without", "their difference")  # and in the view "xray"


@dataclass(eq=False)
class Trajectory:
    """Grows while it is drawn; `columns` of its grid, `live` if it was not started by a button."""

    request: SampleRequest | None = None
    columns: int = 10
    live: bool = False
    kept: bool = False  # in the history
    frames: list[Frame] = field(default_factory=list)
    sampled: Sampled | None = None
    verdict: JudgeResult | None = None
    decision: NDArray[np.float32] | None = None  # (steps + 1, N, classes), of the clean guesses
    nearest: dict[int, Nearest | None] = field(default_factory=dict)  # by image; None: being computed
    no_training_images: bool = False  # so that none is the nearest
    probes: dict[int, GuidanceProbeResult | None] = field(default_factory=dict)  # by image; None: being computed
    settings: GenerateSettings | None = None  # of the page when it was drawn

    @property
    def groups(self) -> tuple[int, ...]:
        """The lengths of the groups of images in each line, as the digits of a number are written; () for none."""
        groups = prompt_parser.number_groups(self.request.prompt) if self.request else ()
        return groups if len(groups) > 1 and sum(groups) == self.columns else ()

    @property
    def steps(self) -> int:
        """How many there will be."""
        if self.frames:
            return self.frames[0].steps
        return self.request.steps if self.request else 0

    def shown(self, step: int, view: View) -> Pixels | None:
        """The images at a computed step: noisy, the model's clean guess, or its noise prediction.

        A finished image has no noise prediction; that of the step before is returned.
        """
        if not 0 <= step < len(self.frames):
            return None
        if view == "noise":
            known = [frame.eps for frame in self.frames[: step + 1] if frame.eps is not None]
            return known[-1] if known else self.frames[step].x_t
        return self.frames[step].x0_hat if view == "clean" else self.frames[step].x_t

    def three(self, index: int, step: int) -> Pixels | None:
        """One digit at a step as THREE: (3, H, W[, 3])."""
        parts = [self.shown(step, view) for view in ("noisy", "clean", "noise")]
        found = [images[index] for images in parts if images is not None and index < len(images)]
        return np.stack(found) if len(found) == len(THREE) else None

    def similarity(self, index: int, step: int) -> float | None:
        """CLIP's similarity of a digit and the prompt at a step; None if CLIP does not steer."""
        known = self.frames[step].similarity if 0 <= step < len(self.frames) else None
        return None if known is None else float(known[index])

    def strip_steps(self, count: int) -> list[int]:
        """Up to `count` of the steps computed so far, evenly from the first to the last."""
        last = len(self.frames) - 1
        return sorted({round(i * last / max(count - 1, 1)) for i in range(count)}) if self.frames else []

    def strip(self, index: int, view: View, count: int) -> Pixels | None:
        """One digit from noise to image, at each of `strip_steps`."""
        shown = [self.shown(step, view) for step in self.strip_steps(count)]
        return np.stack([images[index] for images in shown if images is not None]) if shown else None

    @property
    def guided_steps(self) -> list[int]:
        """The computed steps in which guidance acts."""
        return [frame.step for frame in self.frames if self._is_guided(frame)]

    def _is_guided(self, frame: Frame) -> bool:
        request = self.request if self.guided else None
        while request and request.parent and frame.step < request.branch_at:
            request = request.parent
        ratio = frame.sigma / frame.alpha if frame.alpha else math.inf
        return request is not None and frame.step < frame.steps and request.w_at(ratio) != 1

    @property
    def guided(self) -> bool:
        """Whether classifier-free guidance has a condition: a class or words."""
        request = self.request
        return request is not None and request.route != "clip" and (request.route == "text" or max(request.labels) >= 0)
