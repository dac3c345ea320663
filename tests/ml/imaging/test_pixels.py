"""Pixels are rounded exactly, and grids put every image where it belongs."""

import numpy as np
import pytest
import torch

from ml.events import Frame
from ml.imaging.pixels import film, grid, to_uint8


def test_bytes_come_back_as_themselves_and_the_rest_is_clamped() -> None:
    every = torch.arange(256).reshape(1, 1, 16, 16)
    assert np.array_equal(to_uint8(every.float() / 127.5 - 1).ravel(), np.arange(256))
    wild = torch.tensor([-9.0, 9.0, float("nan"), float("inf"), 0.0]).reshape(1, 1, 1, 5)
    assert to_uint8(wild).ravel().tolist() == [0, 255, 0, 255, 128]  # 127.5 is rounded to even


def test_colours_come_last_and_nothing_is_shared_with_torch() -> None:
    x = torch.rand(2, 3, 4, 5) * 2 - 1
    pixels = to_uint8(x.double())
    assert pixels.shape == (2, 4, 5, 3)
    assert pixels.flags.c_contiguous
    expected = round((x[1, 2, 3, 4].item() + 1) * 127.5)
    assert pixels[1, 3, 4, 2] == expected
    x.zero_()
    assert pixels[1, 3, 4, 2] == expected


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 2, 8, 8), (28,)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        to_uint8(torch.zeros(shape))


@pytest.mark.parametrize("colours", [(), (3,)])
def test_a_grid_has_gaps_between_images_and_background_in_the_last_row(colours: tuple[int, ...]) -> None:
    images = np.stack([np.full((2, 3, *colours), k, np.uint8) for k in (10, 20, 30, 40, 50)])
    picture = grid(images, columns=3, gap=1, background=7)
    assert picture.shape == (2 * 2 + 1, 3 * 3 + 2, *colours)
    for k, image in enumerate(images):
        top, left = k // 3 * 3, k % 3 * 4
        assert np.array_equal(picture[top : top + 2, left : left + 3], image)
    assert (picture[2] == 7).all()
    assert (picture[:, 3] == 7).all()
    assert (picture[3:, 8:] == 7).all()


def test_scaling_makes_every_pixel_a_square() -> None:
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    small, large = grid(images, 2, gap=1), grid(images, 2, gap=1, scale=3)
    assert large.shape == (6, 15)
    for row in range(3):
        for column in range(3):
            assert np.array_equal(large[row::3, column::3], small)


def test_a_grid_is_no_wider_than_its_images() -> None:
    assert grid(np.zeros((1, 28, 28), np.uint8), columns=10).shape == (28, 28)


def frame(first: int, step: int, value: int, count: int) -> Frame:
    pixels = np.full((count, 2, 2), value, np.uint8)
    return Frame(first, step, 1, 0.5, 0.5, 0.5, pixels, pixels + 1)


def test_a_film_joins_the_parts_of_every_step() -> None:
    frames = [frame(0, 0, 10, 2), frame(0, 1, 20, 2), frame(2, 0, 30, 1), frame(2, 1, 40, 1)]
    film_x_t = film(frames, 3)
    assert [images[:, 0, 0].tolist() for images in film_x_t] == [[10, 10, 30], [20, 20, 40]]
    assert film(frames, 3, "x0_hat")[1][2, 1, 1] == 41


def test_what_was_never_drawn_is_black_in_a_film() -> None:
    assert film([frame(0, 0, 9, 1)], 2)[0][:, 0, 0].tolist() == [9, 0]
    assert film([], 2) == []
