"""The forward process as it is shown: the closed form, the same noise everywhere, images from where they are."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.data.datasets import load
from ml.errors import BadFile
from ml.evaluation import forward_process
from tests.support.tiny_model import few_digits


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return forward_process.example(7, 0, Path("/nowhere"))[0]


@pytest.mark.parametrize("timesteps", [10, 200, 1000, 4000])
def test_a_film_goes_from_the_image_to_noise(image: np.ndarray, timesteps: int) -> None:
    for noising in forward_process.forward_processes(image, timesteps):
        assert noising.film.shape == (forward_process.FILM, 28, 28) and len(noising.beta) == timesteps
        assert noising.times[0] == 0 and noising.times[-1] == timesteps - 1
        assert np.abs(noising.film[0].astype(int) - image).mean() < (6 if timesteps >= 1000 else 60)
        assert noising.alpha_bar[-1] < 0.05 and (np.diff(noising.alpha_bar) < 0).all()
        assert (np.diff(noising.snr) < 0).all()


def test_the_moments_shown_are_the_founding_projects_own(image: np.ndarray) -> None:
    linear, cosine, sigmoid = forward_process.forward_processes(image)
    assert [n.schedule for n in (linear, cosine, sigmoid)] == ["linear", "cosine", "sigmoid"]
    assert linear.strip_times.tolist() == [0, 100, 250, 500, 750, 999]
    # Closed form: x_t = sqrt(ab) x0 + sqrt(1 - ab) eps, so that two times tell the noise, and it is the same one.
    x0 = image / 127.5 - 1

    def noise(noising: forward_process.ForwardProcess, index: int) -> np.ndarray:
        bar = noising.alpha_bar[noising.strip_times[index]]
        x_t = noising.strip[index] / 127.5 - 1
        inside = (noising.strip[index] > 0) & (noising.strip[index] < 255)  # what was not clamped for showing
        return np.where(inside, (x_t - bar**0.5 * x0) / (1 - bar) ** 0.5, np.nan)

    for noising, index in ((linear, 3), (cosine, 2), (sigmoid, 3)):
        difference = noise(noising, index) - noise(linear, 2)
        assert np.nanmax(np.abs(difference)) < 0.05


def test_film_and_row_are_one_way_into_one_noise(image: np.ndarray) -> None:
    for noising in forward_process.forward_processes(image):
        for moment, frame in ((0, 0), (1, 10), (3, 50), (5, 100)):
            assert noising.strip_times[moment] == noising.times[frame]
            assert np.array_equal(noising.strip[moment], noising.film[frame])
    short = forward_process.forward_processes(image, 200)[0]
    assert short.strip_times.tolist() == [0, 20, 50, 100, 149, 199] and short.times[50] == 100
    again = forward_process.forward_processes(image, 200)[0]
    other = forward_process.forward_processes(image, 200, seed=1)[0]
    assert np.array_equal(short.film, again.film) and not np.array_equal(short.film[-1], other.film[-1])
    np.testing.assert_allclose(short.snr, short.alpha_bar / (1 - short.alpha_bar))
    np.testing.assert_allclose(short.alpha_bar, np.cumprod(1 - short.beta))


def test_examples_begin_anew_where_there_are_no_more(tmp_path: Path) -> None:
    root = few_digits(tmp_path, test=30)  # three of each
    first, second, fourth = (forward_process.example(4, number, root)[0] for number in (0, 1, 3))
    assert np.array_equal(first, fourth) and not np.array_equal(first, second)
    assert np.array_equal(first, load("mnist", root, "test").images[4, 0].numpy())


def test_a_picture_of_ones_own_is_used_and_a_wrong_file_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), (255, 255, 255)).save(tmp_path / "white.png")
    image, what = forward_process.example(3, 0, None, tmp_path / "white.png")
    assert image.shape == (28, 28) and image.min() == 255 and what == "white.png"
    (tmp_path / "x.png").write_bytes(b"no picture")
    with pytest.raises(BadFile, match="can't be opened as an image"):
        forward_process.example(3, 0, None, tmp_path / "x.png")


def test_examples_are_of_the_digit_and_differ(mnist_root: Path) -> None:
    from ml.evaluation.judge import Judge

    for root, said in ((mnist_root, "of MNIST"), (Path("/nowhere"), "a drawn")):
        images = [forward_process.example(digit, number, root) for digit in range(10) for number in (0, 1)]
        assert all(said in what for _, what in images)
        read = Judge.bundled("cpu").judge(np.stack([image for image, _ in images])).labels
        assert (read == np.repeat(np.arange(10), 2)).mean() >= 0.9
        assert not np.array_equal(images[0][0], images[1][0])
