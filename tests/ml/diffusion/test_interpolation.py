"""Between images: spherical interpolation against its formula, mixtures of classes, and real walks between digits."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ml.cli.app import main
from ml.config import NO_LABEL, Corner, SampleRequest
from ml.data import datasets
from ml.diffusion import interpolation
from ml.errors import BadRequest
from ml.evaluation.judge import Judge
from ml.events import Sampled
from ml.generation import interpolation_weights, pipeline
from ml.imaging.embedded_png import to_text
from ml.registry import model_cards
from ml.registry.checkpoint import load_header
from ml.specs import MIXINGS


def noises(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 1, 28, 28, generator=torch.Generator().manual_seed(seed))


def sample(request: SampleRequest) -> np.ndarray:
    *_, done = pipeline.sample(request, device="cpu", frames=False)
    assert isinstance(done, Sampled)
    return done.images


@pytest.mark.parametrize("count", [2, 4, 12, 30])
def test_an_image_between_corners_is_mixed_as_if_it_were_alone(count: int) -> None:
    rng = torch.Generator().manual_seed(count)
    corners = tuple(Corner(label=k % 3) for k in range(count))
    weights = torch.rand(100, count, generator=rng)
    labels = interpolation.mixed_labels(corners, weights, 10)
    torch.testing.assert_close(labels.sum(dim=1), torch.ones(100))
    for k in range(0, 100, 7):
        assert torch.equal(interpolation.mixed_labels(corners, weights[k : k + 1], 10)[0], labels[k])
    for mixing in MIXINGS:
        together = interpolation.mixed_noise(noises(count), weights, mixing)
        for k in range(0, 100, 7):
            assert torch.equal(interpolation.mixed_noise(noises(count), weights[k : k + 1], mixing)[0], together[k])


def test_slerp_is_shoemakes() -> None:
    a, b = noises(2).double()
    for share in (0.0, 0.2, 0.5, 0.9, 1.0):
        found = interpolation.mixed_noise(torch.stack([a, b]), torch.tensor([[1 - share, share]]).double(), "slerp")[0]
        angle = math.acos(float((a * b).sum() / a.norm() / b.norm()))
        unit = (math.sin((1 - share) * angle) * a / a.norm() + math.sin(share * angle) * b / b.norm()) / math.sin(angle)
        torch.testing.assert_close(found, unit * ((1 - share) * a.norm() + share * b.norm()))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_slerp_keeps_the_norm_of_noise_and_lerp_shrinks_it(count: int) -> None:
    weights = torch.full((1, count), 1.0)
    round_, straight = (interpolation.mixed_noise(noises(count), weights, how)[0].norm() for how in ("slerp", "lerp"))
    assert float(round_) == pytest.approx(28, rel=0.05)
    assert float(straight) == pytest.approx(28 / math.sqrt(count), rel=0.07)


@pytest.mark.parametrize("corners", [(1, 1), (1, -1)])
def test_the_same_and_the_opposite_noise_have_an_in_between(corners: tuple[int, int]) -> None:
    ends = noises(1) * torch.tensor(corners).view(2, 1, 1, 1)
    found = interpolation.mixed_noise(ends, torch.tensor([[0.3, 0.7]]), "slerp")
    assert bool(found.isfinite().all()) and float(found.norm()) == pytest.approx(float(ends[0].norm()), rel=1e-3)


def test_weights_of_lines_loops_and_pads() -> None:
    assert interpolation_weights.path((0, 1), 3) == ((1, 0), (0.5, 0.5), (0, 1))
    assert interpolation_weights.path(range(3), 5) == ((1, 0, 0), (0.5, 0.5, 0), (0, 1, 0), (0, 0.5, 0.5), (0, 0, 1))
    loop = interpolation_weights.path((0, 1), 4, loop=True)
    assert loop == ((1, 0), (0.5, 0.5), (0, 1), (0.5, 0.5))  # and then the first again
    grid = interpolation_weights.pad(3, 3)
    assert [grid[k].index(1) for k in (0, 2, 6, 8)] == [0, 1, 2, 3] and grid[4] == (0.25,) * 4


def test_corners_are_the_images_of_their_seeds() -> None:
    corners = (Corner(seed=5, label=3), Corner(seed=8, label=7))
    weights = interpolation_weights.path((0, 1), 5)
    walk = sample(SampleRequest(labels=(NO_LABEL,) * 5, corners=corners, weights=weights))
    alone = sample(SampleRequest(labels=(3,), seed=5)), sample(SampleRequest(labels=(7,), seed=8))
    for ours, theirs in ((walk[0], alone[0][0]), (walk[-1], alone[1][0])):
        assert np.abs(ours.astype(int) - theirs).max() <= 1
    request = SampleRequest(labels=(NO_LABEL,) * 5, corners=corners, weights=weights)
    assert np.abs(sample(request.alone(2))[0].astype(int) - walk[2]).max() <= 1


def test_a_walk_stays_on_its_digit_and_takes_small_steps() -> None:
    corners = tuple(Corner(seed=seed, label=4) for seed in (1, 2))
    walk = sample(
        SampleRequest(labels=(NO_LABEL,) * 20, corners=corners, weights=interpolation_weights.path((0, 1), 20))
    )
    assert (Judge.bundled("cpu").judge(walk).labels == 4).mean() >= 0.9
    steps = np.abs(np.diff(walk.astype(int), axis=0)).mean(axis=(1, 2))
    assert steps.max() < 0.6 * np.abs(walk[-1].astype(int) - walk[0]).mean()


def test_classes_melt_into_one_another() -> None:
    corners = (Corner(seed=3, label=1), Corner(seed=3, label=7))
    walk = sample(SampleRequest(labels=(NO_LABEL,) * 9, corners=corners, weights=interpolation_weights.path((0, 1), 9)))
    verdict = Judge.bundled("cpu").judge(walk)
    assert (verdict.labels[0], verdict.labels[-1]) == (1, 7)
    assert np.isin(verdict.labels, (1, 7)).sum() >= 7


@pytest.mark.parametrize(
    "changes",
    [{"weights": ((1.0, 0.0),)}, {"weights": ((1.0,), (1.0,))}, {"weights": ((0.0, 0.0), (1.0, 0.0))},
     {"weights": ((1.0, -0.5), (1.0, 0.0))}, {"corners": ()}],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused(changes: dict[str, object]) -> None:
    good = {"labels": (-1, -1), "corners": (Corner(seed=1), Corner(seed=2)), "weights": ((1.0, 0.0), (0.0, 1.0))}
    SampleRequest.model_validate(good)
    with pytest.raises(ValueError, match="weights"):
        SampleRequest.model_validate(good | changes)


def test_a_class_that_the_model_lacks_and_a_mixture_of_words_are_refused() -> None:
    ends = {"labels": (-1, -1), "weights": ((1.0, 0.0), (0.0, 1.0))}
    with pytest.raises(BadRequest, match="not 12"):
        sample(SampleRequest.model_validate(ends | {"corners": (Corner(seed=1), Corner(seed=2, label=12))}))
    two = (Corner(seed=1, label=3), Corner(seed=2, label=5))
    with pytest.raises(BadRequest, match="can't be mixed"):
        sample(SampleRequest.model_validate(ends | {"model": "text", "route": "text", "corners": two}))
    same = (Corner(seed=1, label=3), Corner(seed=2, label=3))
    asked = SampleRequest.model_validate(ends | {"model": "text", "route": "text", "corners": same, "steps": 10})
    assert len(sample(asked)) == 2


def test_the_walk_from_the_command_line_is_a_film_that_proves_itself(tmp_path: Path) -> None:
    out = tmp_path / "walk.gif"
    ask = ["interpolate", "--from", "1", "--to", "9", "--label", "3", "--to-label", "8", "--frames", "6"]
    assert main([*ask, "--via", "4", "--loop", "--out", str(out)]) == 0
    with Image.open(out) as film:
        assert getattr(film, "n_frames", 1) == 6
    assert main(["verify", str(out)]) == 0
    assert main(["export", "--from-image", str(out)]) == 0
    assert main(["verify", str(tmp_path / "walk-again.gif")]) == 0
    assert main([*ask, "--out", str(tmp_path / "strip.png")]) == 0
    assert main(["verify", str(tmp_path / "strip.png")]) == 0


def test_a_real_digit_as_a_corner_is_drawn_again_and_walked_from(mnist_root: Path) -> None:
    test = datasets.load("mnist", mnist_root, split="test")
    picked = [int((test.labels == digit).nonzero()[4]) for digit in (4, 9)]
    digits = test.images[picked, 0].numpy()
    corners = tuple(Corner(picture=to_text(image), label=label) for image, label in zip(digits, (4, 9), strict=True))
    settings = load_header(model_cards.find("digits")).defaults.with_changes(sampler="ddim", steps=20)
    weights = interpolation_weights.path((0, 1), 7)
    request = SampleRequest.model_validate(
        settings.model_dump() | {"model": "digits", "labels": (NO_LABEL,) * 7, "corners": corners, "weights": weights}
    )
    walk = sample(request)
    apart = np.abs(walk[[0, -1]].astype(int) - digits).mean(axis=(1, 2))
    assert (apart < 4).all(), apart  # of 255: through noise and back
    read = Judge.bundled().judge(walk)
    assert read.labels[0] == 4 and read.labels[-1] == 9 and set(read.labels) <= {4, 9}
    assert np.array_equal(sample(request.alone(3))[0], walk[3])


def test_a_picture_of_another_size_is_no_corner(tiny_run: Path) -> None:
    corners = (Corner(picture=to_text(np.zeros((20, 20), np.uint8))),)
    with pytest.raises(BadRequest, match="cannot be read"):
        sample(SampleRequest(model=str(tiny_run), steps=2, corners=corners, weights=((1.0,),)))
