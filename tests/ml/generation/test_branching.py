"""Branches: their beginning is their parent's, bit for bit, and from there on they go their own way."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.cli.app import main
from ml.config import Corner, SampleRequest
from ml.errors import BadRequest
from ml.evaluation.judge import Judge
from ml.events import Frame, Sampled
from ml.export import files, metadata
from ml.generation import branching, pipeline
from ml.specs import SamplerName

SAMPLERS: list[SamplerName] = ["ddpm", "ddpm-clip", "ddim", "dpm++", "heun", "euler"]
AT = 4
DIGITS = SampleRequest(model="digits", labels=(3, 5, 8), seed=21, steps=8, guidance=1.3)


def draw(request: SampleRequest) -> tuple[np.ndarray, list[Frame]]:
    *frames, done = pipeline.sample(request, device="cpu")
    assert isinstance(done, Sampled)
    return done.images, [frame for frame in frames if isinstance(frame, Frame)]


def branch(parent: SampleRequest, at: int = AT, **changes: object) -> SampleRequest:
    return parent.with_changes(parent=parent, branch_at=at, **changes)


@pytest.mark.parametrize(
    ("sampler", "steps", "at"),
    [
        *((sampler, 8, AT) for sampler in SAMPLERS),
        ("dpm++", 10, 0),
        ("dpm++", 10, 1),
        ("dpm++", 10, 7),
        ("dpm++", 12, 7),
    ],
)  # with 8 steps DPM-Solver++ does not look back
def test_a_branch_that_changes_nothing_is_its_parent(tiny_run: Path, sampler: SamplerName, steps: int, at: int) -> None:
    parent = DIGITS.with_changes(model=str(tiny_run), sampler=sampler, eta=0.7, steps=steps)
    assert np.array_equal(draw(branch(parent, at))[0], draw(parent)[0])


def test_a_branch_of_a_branch_that_changes_nothing_is_both_their_parent(tiny_run: Path) -> None:
    parent = DIGITS.with_changes(model=str(tiny_run), sampler="dpm++", steps=10)
    assert np.array_equal(draw(branch(branch(parent, 2), 5))[0], draw(parent)[0])


CHANGES: list[dict[str, Any]] = [
    {"labels": (0, 1, 2)},
    {"guidance": 7.5},
    {"sampler": "ddpm"},
    {"steps": 20},
    {"seed": 500},
    {"clipping": "static", "guidance": 15.0},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_up_to_where_it_branches_off_every_pixel_is_its_parents(changes: dict[str, Any]) -> None:
    (images, frames), (others, theirs) = draw(DIGITS), draw(branch(DIGITS, **changes))
    for step in range(AT):
        assert np.array_equal(frames[step].x_t, theirs[step].x_t)
        assert np.array_equal(frames[step].x0_hat, theirs[step].x0_hat)
    assert np.array_equal(frames[AT].x_t, theirs[AT].x_t) == ("seed" not in changes)
    assert not np.array_equal(images, others)
    assert [frame.step for frame in theirs] == list(range(len(theirs))) and theirs[0].steps == len(theirs) - 1
    noise = [frame.sigma for frame in theirs]
    assert noise == sorted(noise, reverse=True) and noise[-1] == 0


def test_a_branch_of_one_digit_into_all_is_decided_early_and_not_late() -> None:
    seeds = (int(DIGITS.seed),) * 10
    parent = DIGITS.with_changes(labels=(3,) * 10, seeds=seeds)
    alone = draw(DIGITS.with_changes(labels=(3,)))[0][0]
    assert all(np.array_equal(image, alone) for image in draw(parent)[0])
    read = {at: Judge.bundled().judge(draw(branch(parent, at, labels=tuple(range(10))))[0]).labels for at in (1, 7)}
    assert (read[1] == np.arange(10)).sum() >= 9  # hardly anything was settled yet
    assert (read[7] == 3).sum() >= 8  # and now it is


@pytest.mark.parametrize("sampler", ["ddpm", "dpm++"])
def test_images_of_a_branch_are_what_they_are_alone(tiny_run: Path, sampler: SamplerName) -> None:
    parent = DIGITS.with_changes(model=str(tiny_run), sampler=sampler)
    request = branch(parent, labels=(1, 2, 3), seeds=(7, int(parent.seed) + 1, 9))  # the middle one keeps its noise
    images, _ = draw(request)
    for k in range(3):
        assert np.array_equal(draw(request.alone(k))[0][0], images[k])


def test_a_branch_of_a_branch_in_a_file_is_made_again(tmp_path: Path, tiny_run: Path) -> None:
    first = branch(DIGITS.with_changes(model=str(tiny_run)), 2, labels=(1, 1, 1))
    second = branch(first, 5, guidance=4.0)
    *_, done = pipeline.sample(second, device="cpu")
    assert isinstance(done, Sampled)
    file = tmp_path / "branch.png"
    files.save(file, done.images, done.request, metadata.Layout(columns=3))
    found, _ = files.read_request(file)
    assert found.parent == first and found.branches == 2
    assert main(["verify", str(file)]) == 0


def test_what_cannot_be_branched_is_said(tiny_run: Path) -> None:
    with pytest.raises(BadRequest, match="no step 8 to branch from"):
        draw(branch(DIGITS, 8))
    with pytest.raises(BadRequest, match="model of its first steps"):
        draw(branch(DIGITS, model=str(tiny_run)))
    with pytest.raises(ValueError, match="has as many, not 1"):
        branch(DIGITS, labels=(1,))
    deep = DIGITS
    with pytest.raises(ValueError, match="more than 20 times"):
        for _ in range(30):
            deep = branch(deep, 2)


@pytest.mark.parametrize("twice", [False, True])
def test_ways_on_from_one_image(tiny_run: Path, twice: bool) -> None:
    parent = DIGITS.with_changes(model=str(tiny_run), sampler="ddpm")
    if twice:
        parent = branch(parent, 2, labels=(7, 8, 9))
    (images, frames), count = draw(parent), 4
    for request in (
        branching.into_every_class(parent, 1, AT, 10),
        branching.into_other_noises(parent, 1, AT, count),
    ):
        ways, theirs = draw(request)
        assert len(np.unique(ways.reshape(len(ways), -1), axis=0)) == len(ways)
        for step in range(AT):
            assert all(np.array_equal(image, frames[step].x_t[1]) for image in theirs[step].x_t)
        same = parent.labels[1] if len(ways) == 10 else 0
        assert np.array_equal(ways[same], images[1])  # the way that changes nothing


def test_other_noise_is_not_that_of_the_images_beside_it() -> None:
    parent = DIGITS.with_changes(labels=(3,) * 100)
    seeds = branching.into_other_noises(parent, 1, AT, 50).seeds
    assert seeds[0] == parent.seed_of(1) and len(set(seeds)) == 50
    assert set(seeds[1:]).isdisjoint(parent.seed_of(k) for k in range(100))


def test_other_settings_go_on_from_a_step_and_keep_classes_where_their_number_differs() -> None:
    settings = DIGITS.with_changes(guidance=9.0, steps=3, sampler="ddim")
    found = branching.with_settings(DIGITS, AT, settings, (1, 1, 1))
    assert (found.guidance, found.steps, found.sampler, found.labels) == (9.0, 3, "ddim", (1, 1, 1))
    assert found.parent == DIGITS and found.seed == DIGITS.seed
    assert branching.with_settings(DIGITS, AT, settings, (1, 1)).labels == DIGITS.labels


def test_an_image_between_corners_goes_on_as_every_class() -> None:
    corners = (Corner(seed=1, label=3), Corner(seed=2, label=8))
    between = DIGITS.with_changes(labels=(-1, -1), corners=corners, weights=((1.0, 0.0), (0.5, 0.5)))
    ways, frames = draw(branching.into_every_class(between, 1, 1, 10))
    assert np.array_equal(frames[0].x_t[0], draw(between.alone(1))[1][0].x_t[0])
    assert (Judge.bundled().judge(ways).labels == np.arange(10)).sum() >= 9
