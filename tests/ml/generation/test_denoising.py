"""The way of a request out of noise, step by step, of networks whose answer is known: no training, no drawing."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ml.config import NO_LABEL, Corner, SampleRequest
from ml.diffusion.interpolation import mixed_noise
from ml.diffusion.noise import SeededNoise
from ml.diffusion.samplers import DenoiseStep
from ml.diffusion.schedules import CLEAN, Level, karras_ratios, make_schedule
from ml.errors import BadRequest
from ml.generation.conditioning import is_steered, matcher_of
from ml.generation.denoising import steps
from ml.generation.initial_noise import corner_noises, image_from_png
from ml.generation.loaded_model import LoadedModel
from ml.generation.plan import BATCH, check, make_plan
from ml.imaging.embedded_png import to_text
from ml.specs import ScheduleName
from tests.support.gaussians import CPU, SIDE, SPREAD, gaussians


def ask(**changes: Any) -> SampleRequest:
    plain = {"sampler": "ddim", "steps": 6, "labels": (3, 5), "seed": 11, "guidance": 1.0, "model": "gaussians"}
    return SampleRequest.model_validate(plain | changes)


def noise_of(*seeds: int, times: int = 1) -> Tensor:
    """The noise of images of these seeds, as it comes the `times`-th time."""
    noise = SeededNoise(list(seeds), (1, SIDE, SIDE), CPU)
    return [noise() for _ in range(times)][-1]


def picture(seed: int, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)


def drawn(which: LoadedModel, request: SampleRequest, first: int = 0) -> list[DenoiseStep]:
    with torch.no_grad():
        return list(steps(make_plan(which, request), first))


def grid_of(request: SampleRequest, **config: Any) -> list[Level]:
    return make_plan(gaussians(**config), request).grid


# ---- the grid


@pytest.mark.parametrize("schedule", ["linear", "cosine", "flow", "edm"])
@pytest.mark.parametrize("vary_from", [0.5, 2.0, 30.0])
def test_a_variation_begins_below_its_noise_level(schedule: ScheduleName, vary_from: float) -> None:
    asked = ask(source=to_text(picture(1)), vary_from=vary_from, steps=20, sigma_max=40.0, sigma_min=0.02)
    below = [ratio for ratio in karras_ratios(20, 40.0, 0.02) if ratio <= vary_from]
    grid = grid_of(asked, schedule=schedule)
    assert [level.ratio for level in grid[:-1]] == pytest.approx(below) and grid[-1] == CLEAN
    whole = grid_of(asked.with_changes(vary_from=0.0), schedule=schedule)
    assert len(whole) == 21 == len(grid_of(asked.with_changes(source=""), schedule=schedule))


def test_a_variation_needs_a_step() -> None:
    with pytest.raises(BadRequest, match=r"No step lies below the noise level 0\.01"):
        grid_of(ask(source=to_text(picture(1)), vary_from=0.01))


def test_a_branch_has_its_parents_levels_and_then_its_own_below() -> None:
    parent = ask(steps=6, sigma_max=40.0)
    branch = parent.with_changes(parent=parent, branch_at=2, steps=20, sigma_max=10.0)
    before, own = ([level.ratio for level in grid_of(each)] for each in (parent, ask(steps=20, sigma_max=10.0)))
    found = [level.ratio for level in grid_of(branch)]
    assert found[:3] == before[:3] and found[3:] == [ratio for ratio in own if ratio < before[2]]
    for at in (6, 7):
        with pytest.raises(BadRequest, match=f"no step {at} to branch from.*from 0 to 5"):
            grid_of(branch.with_changes(branch_at=at))


# ---- where images begin


def test_images_begin_in_the_noise_of_their_seeds() -> None:
    first = drawn(gaussians(), ask())[0]
    torch.testing.assert_close(first.x_t, first.level.sigma * noise_of(11, 12))
    chosen = drawn(gaussians(), ask(seeds=(7, 4)))[0]
    torch.testing.assert_close(chosen.x_t, chosen.level.sigma * noise_of(7, 4))


def test_a_second_batch_goes_on_with_the_seeds_and_labels_of_the_first() -> None:
    labels = tuple(k % 10 for k in range(BATCH + 3))
    which = gaussians()
    found = drawn(which, ask(labels=labels), BATCH)
    torch.testing.assert_close(found[0].x_t, found[0].level.sigma * noise_of(*(11 + BATCH + k for k in range(3))))
    assert which.exact.asked[0].tolist() == [0, 1, 2]  # type: ignore[union-attr]
    assert len(drawn(gaussians(), ask(labels=labels))[0].x_t) == BATCH


def test_a_drawing_begins_with_noise_upon_it() -> None:
    image = picture(1)
    found = drawn(gaussians(), ask(source=to_text(image), vary_from=2.0, steps=20))[0]
    clean = image_from_png(to_text(image), 1, SIDE)
    torch.testing.assert_close(found.x_t, found.level.alpha * clean + found.level.sigma * noise_of(11, 12))
    assert found.level.ratio <= 2


def test_noise_that_is_added_on_the_way_is_of_the_image_too() -> None:
    request = ask(sampler="student", steps=2)
    first, second, _ = drawn(gaussians(), request)
    x = second.level.alpha * first.x0_hat + second.level.sigma * noise_of(11, 12, times=2)
    torch.testing.assert_close(second.x_t, x)


# ---- between corners

CORNERS = (Corner(seed=1, label=2), Corner(seed=2, label=8), Corner(seed=3, label=4))
BETWEEN = {"labels": (NO_LABEL,) * 2, "corners": CORNERS, "weights": ((3.0, 1.0, 0.0), (1.0, 1.0, 2.0))}


@pytest.mark.parametrize("mixing", ["slerp", "lerp"])
def test_images_between_corners_begin_in_a_mixture_of_noises_with_a_mixture_of_labels(mixing: Any) -> None:
    which = gaussians()
    found = drawn(which, ask(**BETWEEN, mixing=mixing))[0]
    begin = mixed_noise(noise_of(1, 2, 3), torch.tensor(BETWEEN["weights"]), mixing)
    torch.testing.assert_close(found.x_t, found.level.sigma * begin)
    expected = torch.zeros(2, 11)
    expected[0, [2, 8]] = torch.tensor([0.75, 0.25])
    expected[1, [2, 8, 4]] = torch.tensor([0.25, 0.25, 0.5])
    torch.testing.assert_close(which.exact.asked[0], expected)  # type: ignore[union-attr]


def test_a_corner_without_a_label_counts_as_no_class() -> None:
    corners = (Corner(seed=1, label=2), Corner(seed=2))
    plan = make_plan(gaussians(), ask(labels=(-1,), corners=corners, weights=((1.0, 3.0),)))
    assert plan.condition.tolist() == [[0, 0, 0.25, *[0] * 7, 0.75]] and plan.null.tolist() == [*[0] * 10, 1]


def test_images_between_corners_share_the_noise_of_the_way() -> None:
    first, second, _ = drawn(gaussians(), ask(**BETWEEN, sampler="student", steps=2))
    added = (second.x_t - second.level.alpha * first.x0_hat) / second.level.sigma
    torch.testing.assert_close(added, noise_of(11).expand(2, -1, -1, -1), rtol=1e-4, atol=1e-4)


def test_a_second_batch_between_corners_has_its_own_weights() -> None:
    weights = (*[(1.0, 0.0)] * BATCH, (0.0, 1.0))
    asked = ask(labels=(NO_LABEL,) * (BATCH + 1), corners=CORNERS[:2], weights=weights)
    found = drawn(gaussians(), asked, BATCH)[0]
    torch.testing.assert_close(found.x_t, found.level.sigma * noise_of(2))


@pytest.mark.parametrize(("label", "guidance"), [(4, 1.0), (4, 1.5), (NO_LABEL, 1.0), (NO_LABEL, 3.0)])
def test_a_picture_is_a_corner_through_the_noise_that_it_comes_from(label: int, guidance: float) -> None:
    clean = 0.4 + SPREAD * torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    image = ((clean.clamp(-1, 1) + 1) * 127.5).round().byte()[0, 0].numpy()
    corners = (Corner(picture=to_text(image), label=label),)
    request = ask(labels=(NO_LABEL,), corners=corners, weights=((1.0,),), steps=60, guidance=guidance, sigma_max=20.0)
    *_, end = drawn(gaussians(), request)
    torch.testing.assert_close(end.x_t, image_from_png(to_text(image), 1, SIDE), rtol=0, atol=0.02)
    plain = ask(labels=(NO_LABEL,), corners=(Corner(seed=5),), weights=((1.0,),))
    assert torch.equal(corner_noises(gaussians(), plain), noise_of(5))


# ---- what the network is conditioned on


def test_no_label_is_the_class_after_the_last() -> None:
    plan = make_plan(gaussians(num_classes=7), ask(labels=(NO_LABEL, 3)))
    assert plan.condition.tolist() == [7, 3] and int(plan.null) == 7


def test_guidance_asks_twice_only_where_a_class_is_asked_for() -> None:
    for labels, images in (((NO_LABEL, NO_LABEL), 2), ((NO_LABEL, 3), 4)):
        which = gaussians()
        drawn(which, ask(labels=labels, guidance=3.0))
        assert {len(asked) for asked in which.exact.asked} == {images}  # type: ignore[union-attr]


def test_what_is_known_stays_and_the_rest_is_completed() -> None:
    image, mask = picture(1), np.zeros((SIDE, SIDE), np.uint8)
    mask[4:] = 255
    *_, end = drawn(gaussians(), ask(source=to_text(image), mask=to_text(mask), sampler="ddpm", repeats=1))
    clean = image_from_png(to_text(image), 1, SIDE).expand(2, -1, -1, -1)
    torch.testing.assert_close(end.x_t[:, :, :4], clean[:, :, :4])
    assert float((end.x_t[:, :, 4:].mean(dim=(1, 2, 3)) - torch.tensor([0.3, 0.5])).abs().max()) < 0.3


def test_only_words_on_the_route_of_clip_steer() -> None:
    for route, prompt, steered in (("clip", "seven", True), ("clip", " ", False), ("class", "seven", False)):
        request = ask(route=route, prompt=prompt)
        assert is_steered(request) == steered
        assert steered or matcher_of(request, gaussians()) is None


# ---- branches


def test_an_image_with_another_seed_goes_on_from_other_noise_around_its_estimate() -> None:
    parent = ask(sampler="ddpm")
    branch = parent.with_changes(parent=parent, branch_at=2, seeds=(11, 500))
    theirs, ours = drawn(gaussians(), parent), drawn(gaussians(), branch)
    assert [step.step for step in ours] == list(range(7))
    for k in range(2):
        assert torch.equal(ours[k].x_t, theirs[k].x_t)
    assert all(torch.equal(mine.x_t[:1], other.x_t[:1]) for mine, other in zip(ours, theirs, strict=True))
    level = ours[2].level
    expected = level.alpha * theirs[2].x0_hat[1:] + level.sigma * noise_of(500)
    torch.testing.assert_close(ours[2].x_t[1:], expected)
    # From there on its noise is that of its own seed, one further.
    third = noise_of(500, times=2)
    alone = drawn(gaussians(), branch.alone(1))
    torch.testing.assert_close(alone[3].x_t, ours[3].x_t[1:])
    assert float(torch.corrcoef(torch.stack([(ours[3].x_t[1]).flatten(), third.flatten()]))[0, 1]) > 0.5


# ---- what is refused

IMAGE = to_text(picture(1))


@pytest.mark.parametrize(
    ("config", "request_", "said"),
    [
        ({"codec": {"network": "autoencoder"}}, {"source": IMAGE}, "works in a latent"),
        (
            {"codec": {"network": "autoencoder"}},
            {"corners": (Corner(picture=IMAGE),), "weights": ((1.0,),) * 2},
            "works in a latent",
        ),
        ({}, {"route": "text"}, "does not read words"),
        ({}, {"labels": (3, 10)}, "knows 0 to 9, not 10"),
        ({}, {"labels": (3, -2)}, "knows 0 to 9, not -2"),
        ({"num_classes": 0}, {}, "knows no labels, not 3"),
        ({}, {"corners": (Corner(label=10),), "weights": ((1.0,),) * 2}, "not 10"),
        ({}, {"parent": ask(model="other")}, "model of its first steps"),
        ({}, {"parent": ask(labels=(3, 10))}, "not 10"),
    ],
)
def test_what_a_model_cannot_draw_is_refused(config: dict[str, Any], request_: dict[str, Any], said: str) -> None:
    which = gaussians(**config).config
    with pytest.raises(BadRequest, match=said):
        check(ask(**request_), which)
    check(ask(labels=(NO_LABEL,) * 2), which)
    latent = {"codec": {"network": "autoencoder"}}
    check(ask(corners=(Corner(seed=1),), weights=((1.0,),) * 2), gaussians(**latent).config)


def test_the_grid_of_a_model_is_that_of_its_schedule() -> None:
    found = grid_of(ask(), schedule="cosine", timesteps=50)
    assert found == make_schedule("cosine", 50).grid(6, "karras", 40.0, 0.02)
