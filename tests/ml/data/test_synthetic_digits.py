"""Synthetic digits: reproducible, balanced, and drawn as their attributes say."""

import pytest
import torch
from torch import Tensor

from ml.data import synthetic_digits
from ml.data.synthetic_digits import SyntheticDigits, digits


@pytest.fixture(scope="module")
def drawn() -> SyntheticDigits:
    return digits(2000, seed=3)


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1])


def measured_slant(images: Tensor) -> Tensor:
    """Rightward shift of the top per unit of height, from the ink's second moments."""
    ink = images[:, 0].double()
    ink = ink / ink.sum((1, 2), keepdim=True)
    place = torch.arange(ink.shape[-1], dtype=torch.float64)
    x = place[None, None, :] - (ink.sum(1) @ place)[:, None, None]
    y = place[None, :, None] - (ink.sum(2) @ place)[:, None, None]
    return -(ink * x * y).sum((1, 2)) / (ink * y * y).sum((1, 2))


def test_the_same_seed_gives_the_same_digits_whatever_their_number() -> None:
    few, many = digits(30, seed=5), digits(synthetic_digits.BATCH + 7, seed=5)
    assert torch.equal(few.images, many.images[:30])
    assert torch.equal(few.slant, many.slant[:30])
    assert torch.equal(many.images, digits(synthetic_digits.BATCH + 7, seed=5).images)
    assert not torch.equal(few.images, digits(30, seed=6).images)
    assert not torch.equal(many.images[:7], many.images[-7:])


@pytest.mark.parametrize("size", [16, 28, 56])
def test_shapes_and_types(size: int) -> None:
    drawn = digits(25, seed=0, size=size)
    assert drawn.images.shape == (25, 1, size, size)
    assert drawn.images.dtype == torch.uint8
    assert drawn.labels.dtype == torch.int64
    for attribute in (drawn.thickness, drawn.slant, drawn.aspect, drawn.rotation):
        assert attribute.shape == (25,)
        assert attribute.dtype == torch.float32


def test_classes_are_balanced_and_no_two_images_alike(drawn: SyntheticDigits) -> None:
    assert drawn.labels.bincount().tolist() == [200] * 10
    assert len(torch.unique(drawn.images.flatten(1), dim=0)) == 2000


def test_ink_lies_as_in_mnist(drawn: SyntheticDigits) -> None:
    ink = drawn.images[:, 0].float() / 255
    assert ink.amax((1, 2)).min() > 0.7
    assert 0.1 < ink.mean() < 0.16  # MNIST: 0.13
    place = torch.arange(28) + 0.5
    mass = ink.sum((1, 2))
    for axis in (1, 2):
        assert ((ink.sum(axis) @ place) / mass - 14).abs().mean() < 0.6  # the centre of mass is in the middle
        extent = (ink.amax(axis) > 0.5).sum(1)
        assert extent.max() <= 21
    assert torch.stack([(ink.amax(axis) > 0.5).sum(1) for axis in (1, 2)]).amax(0).min() >= 17


def test_attributes_are_what_is_seen(drawn: SyntheticDigits) -> None:
    ink = drawn.images.float().mean((1, 2, 3))
    slant = measured_slant(drawn.images)
    for digit in range(10):
        chosen = drawn.labels == digit
        assert correlation(ink[chosen], drawn.thickness[chosen]) > 0.7
        assert correlation(slant[chosen], drawn.slant[chosen]) > 0.8
        assert correlation(slant[chosen], drawn.slant[chosen] + drawn.rotation[chosen]) > 0.84
