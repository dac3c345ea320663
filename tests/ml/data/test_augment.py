"""Training images are changed as described, by as much as described, and otherwise left alone."""

import math

import pytest
import torch
from torch import Tensor
from torchvision.transforms import functional  # pyright: ignore[reportMissingTypeStubs]

from ml.data.augment import INPUTS, SCALING, SHIFT, TURN, augmented

SIDE = 32


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth(count: int) -> Tensor:
    """A wave on grey that ends before the edge, where implementations differ."""
    place = (torch.arange(SIDE) + 0.5) * (2 * math.pi / SIDE)
    x = place.cos() * place.sin()[:, None] + 0.5 * (2 * place[:, None]).sin()
    window = (1 - place.cos()).clamp(max=1) * (1 - place.cos())[:, None].clamp(max=1)
    return (0.6 * x * window).expand(count, 2, SIDE, SIDE)


def test_with_nothing_asked_images_and_random_numbers_stay() -> None:
    x, generator = smooth(3), rng()
    x0, change = augmented(x, generator, mirror=False, share=0)
    assert torch.equal(x0, x) and not change.any() and change.shape == (3, INPUTS)
    assert torch.equal(generator.get_state(), rng().get_state())


def test_an_image_is_mirrored_whole_or_not_at_all() -> None:
    x0, change = augmented(smooth(200), rng(), mirror=True, share=0)
    mirrored = change[:, 0] == 1
    assert 70 < int(mirrored.sum()) < 130 and not change[:, 1:].any()
    assert torch.equal(x0[mirrored], smooth(200)[mirrored].flip(-1))
    assert torch.equal(x0[~mirrored], smooth(200)[~mirrored])


def test_an_image_that_is_not_described_as_changed_is_not_changed() -> None:
    x = smooth(500)
    x0, change = augmented(x, rng(), mirror=False, share=0.2)
    still = (change == 0).all(dim=1)
    assert 0.4 < float(still.float().mean()) < 0.62  # 0.8 ** 3
    assert torch.equal(x0[still], x[still])
    assert not any(torch.equal(image, x[0]) for image in x0[~still])


def test_changes_are_as_torchvision_has_them() -> None:
    x = smooth(40)
    x0, change = augmented(x, rng(), mirror=True, share=0.7)
    for image, (mirrored, right, down, turn, scaling) in zip(x0, change.tolist(), strict=True):
        shift = [right * SHIFT * SIDE, down * SHIFT * SIDE]
        assert shift == pytest.approx([round(pixels) for pixels in shift], abs=1e-5)
        expected = functional.affine(
            x[0].flip(-1) if mirrored else x[0], math.degrees(turn * TURN), [round(pixels) for pixels in shift],
            2 ** (scaling * SCALING), [0.0, 0.0], functional.InterpolationMode.BILINEAR,
        )  # fmt: skip
        torch.testing.assert_close(image[:, 6:-6, 6:-6], expected[:, 6:-6, 6:-6], rtol=0, atol=0.03)


def test_changes_reach_their_limits_and_go_both_ways() -> None:
    change = augmented(smooth(3000), rng(), mirror=True, share=1).change
    for least, most in list(zip(*change.aminmax(dim=0), strict=True))[1:]:
        assert -1 <= float(least) < -0.98 and 0.98 < float(most) <= 1
    assert change[:, 1:].mean(dim=0).abs().max() < 0.05


def test_a_whole_pixel_is_shifted_without_blur() -> None:
    x = (torch.rand(1, 1, SIDE, SIDE, generator=rng()) * 2 - 1).expand(300, -1, -1, -1)
    x0, change = augmented(x, rng(), mirror=False, share=0.5)
    only = (change[:, 3:] == 0).all(dim=1) & (change[:, 1:3] != 0).all(dim=1)
    assert only.sum() > 20
    for image, (_, right, down, *_) in zip(x0[only], change[only].tolist(), strict=True):
        where = [round(-down * SHIFT * SIDE), round(-right * SHIFT * SIDE)]
        rolled = x[0].roll([-place for place in where], (1, 2))
        torch.testing.assert_close(image[:, 4:-4, 4:-4], rolled[:, 4:-4, 4:-4], rtol=0, atol=1e-3)


@pytest.mark.parametrize("ground", [-1.0, 0.3, 1.0])
def test_a_ground_of_one_colour_stays_one(ground: float) -> None:
    x = torch.full((50, 3, SIDE, SIDE), ground)
    torch.testing.assert_close(augmented(x, rng(), mirror=True, share=1).x0, x)


def test_places_are_exact_in_mixed_precision() -> None:
    plain = augmented(smooth(20), rng(), mirror=True, share=1)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = augmented(smooth(20), rng(), mirror=True, share=1)
    assert torch.equal(plain.x0, mixed.x0) and mixed.x0.dtype == torch.float32
