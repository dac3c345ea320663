"""A request is worked out once: its grid, conditions, source, mask and corners, and the CLIP that steers."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from ml.config import NO_LABEL, Corner, SampleRequest
from ml.control import RunControl
from ml.generation import clip_matcher, initial_noise, pipeline, plan
from ml.generation.plan import BATCH
from ml.imaging.embedded_png import to_text
from tests.support.gaussians import SIDE, gaussians

PICTURE = to_text(np.random.default_rng(1).integers(0, 256, (SIDE, SIDE), dtype=np.uint8))
MASK = to_text(np.eye(SIDE, dtype=np.uint8) * 255)
MANY = BATCH + 3  # images in two parts


class Brightness:
    """A matcher to which every prompt means "bright"."""

    block = 8

    def __init__(self, *_: object) -> None:
        pass

    def similarity(self, x0: Tensor) -> Tensor:
        return x0.mean(dim=(1, 2, 3))

    log_probability = similarity


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each thing is computed from now on."""
    found: Counter[str] = Counter()

    def count(module: Any, name: str) -> None:
        original: Callable[..., Any] = getattr(module, name)

        def counted(*args: Any, **more: Any) -> Any:
            found[name] += 1
            return original(*args, **more)

        monkeypatch.setattr(module, name, counted)

    monkeypatch.setattr(clip_matcher, "matcher", Brightness)
    for module, names in (
        (plan, ("grid_of", "condition_of", "image_from_png", "corner_noises")),
        (initial_noise, ("ddim_inversion",)),
        (clip_matcher, ("matcher",)),
    ):
        for name in names:
            count(module, name)
    return found


def ask(**changes: Any) -> SampleRequest:
    plain = {"model": "gaussians", "sampler": "ddpm", "steps": 4, "labels": tuple(k % 10 for k in range(MANY))}
    return SampleRequest.model_validate(plain | changes)


def draw(request: SampleRequest) -> None:
    list(pipeline.sample_with(gaussians(), request, RunControl()))


def test_grid_conditions_source_and_mask_are_computed_once_for_all_parts(calls: Counter[str]) -> None:
    draw(ask(source=PICTURE, mask=MASK, repeats=1))
    assert calls == {"grid_of": 1, "condition_of": 2, "image_from_png": 2}


def test_a_branch_and_its_parent_are_computed_once_each(calls: Counter[str]) -> None:
    parent = ask(source=PICTURE, mask=MASK)
    branch = parent.with_changes(parent=parent, branch_at=1, labels=(7,) * MANY, seeds=tuple(range(MANY)))
    draw(branch.with_changes(parent=branch, branch_at=2, guidance=3.0))
    assert calls == {"grid_of": 3, "condition_of": 6, "image_from_png": 6}


def test_corners_are_inverted_once_for_all_parts(calls: Counter[str]) -> None:
    corners = [Corner(picture=PICTURE, label=label) for label in range(-1, 10)]
    weights = ((1.0,) * len(corners),) * MANY
    between = ask(labels=(NO_LABEL,) * MANY, corners=corners, weights=weights)
    draw(between.with_changes(parent=between, branch_at=1))
    assert calls == {"grid_of": 2, "condition_of": 4, "corner_noises": 1, "ddim_inversion": 11}


def test_clip_reads_a_prompt_once(calls: Counter[str]) -> None:
    draw(ask(labels=(NO_LABEL,) * MANY, route="clip", prompt="seven"))
    assert calls == {"grid_of": 1, "condition_of": 2, "matcher": 1}
