"""A drawing in a request: varied, completed, rebuilt as another digit, and recognised by the diffusion model itself."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ml import data, export, pipeline
from ml.checkpoint import load_header
from ml.cli import main
from ml.config import SampleRequest
from ml.denoiser import Denoiser
from ml.drawn_image import as_drawing, from_text, to_text
from ml.errors import BadRequest
from ml.events import Sampled
from ml.guidance import completing
from ml.judge import Judge
from ml.library import find
from ml.recognise import recognise
from ml.schedules import Level


@pytest.fixture(scope="module")
def digits(mnist_root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Twenty test digits, two of each class."""
    test = data.load("mnist", mnist_root, "test")
    chosen = torch.cat([(test.labels == digit).nonzero()[30:32, 0] for digit in range(10)])
    return test.images[chosen, 0].numpy(), test.labels[chosen].numpy()


def draw(**changes: object) -> np.ndarray:
    settings = load_header(find("digits")).defaults.model_dump()
    *_, done = pipeline.sample(SampleRequest.model_validate(settings | changes), device="cpu", frames=False)
    assert isinstance(done, Sampled)
    return done.images


def read(images: np.ndarray) -> np.ndarray:
    return Judge.bundled("cpu").judge(images).labels


def test_a_drawing_goes_through_text_unharmed() -> None:
    rng = np.random.default_rng(0)
    for channels, shape in ((1, (28, 28)), (3, (32, 32, 3))):
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        found = from_text(to_text(pixels), channels, shape[0])
        assert found.shape == (1, channels, shape[0], shape[1])
        again = ((found[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy().reshape(shape)
        assert np.array_equal(again, pixels)


@pytest.mark.parametrize("text", ["", "!!", "aGVsbG8=", to_text(np.zeros((9, 9), np.uint8))])
def test_what_is_no_drawing_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        from_text(text, 1, 28)


def test_a_little_noise_varies_a_digit_and_much_noise_forgets_it(digits: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = digits
    near, far = [], []
    for image, label in zip(images[::4], labels[::4], strict=True):
        asked = {"source": to_text(image), "labels": (int(label),) * 4, "steps": 20}
        little, much = draw(**asked, vary_from=0.6), draw(**asked, vary_from=1000.0)
        near.append(np.abs(little.astype(int) - image).mean())
        far.append(np.abs(much.astype(int) - image).mean())
        assert (read(little) == label).mean() >= 0.75
    assert np.mean(near) < 0.6 * np.mean(far)


def test_half_a_digit_is_completed_and_what_is_known_stays(digits: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = digits
    mask = np.zeros((28, 28), np.uint8)
    mask[14:] = 255
    right = []
    for image, label in zip(images[1::2], labels[1::2], strict=True):
        asked = {"source": to_text(image), "mask": to_text(mask), "labels": (int(label),) * 4}
        made = draw(**asked, sampler="ddpm", steps=20, repeats=2)
        assert np.abs(made[:, :14].astype(int) - image[:14]).max() <= 1
        right.append((read(made) == label).mean())
    assert np.mean(right) >= 0.9


def test_a_digit_is_rebuilt_as_another(digits: tuple[np.ndarray, np.ndarray]) -> None:
    image = digits[0][2]  # a one
    made = draw(source=to_text(image), labels=(7,) * 8, steps=20, vary_from=6.0)
    assert (read(made) == 7).mean() >= 0.75


def test_only_the_masked_part_comes_from_the_model() -> None:
    denoise: Denoiser = lambda x_t, level: torch.full_like(x_t, 0.5)  # noqa: E731
    mask = torch.tensor([[1.0, 0.0]]).view(1, 1, 1, 2)
    seen = completing(denoise, torch.full((1, 1, 1, 2), -1.0), mask)(torch.zeros(3, 1, 1, 2), Level(0.5, 0.5, 0.5))
    assert seen[:, 0, 0].tolist() == [[0.5, -1.0]] * 3


def test_requests_that_make_no_sense_are_refused(digits: tuple[np.ndarray, np.ndarray]) -> None:
    source = to_text(digits[0][0])
    with pytest.raises(BadRequest, match="No step lies below"):
        draw(source=source, labels=(0,), vary_from=0.001)
    with pytest.raises(BadRequest, match="works in a latent"):
        draw(model="latent", source=source, labels=(0,))


def test_the_diffusion_model_recognises_digits(mnist_root: Path) -> None:
    test = data.load("mnist", mnist_root, "test")
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(3))[:30]
    *_, found = recognise(pipeline.load("digits", "cpu"), test.images[chosen].float() / 127.5 - 1)
    assert isinstance(found, torch.Tensor) and found.shape == (30, 10)
    assert float((found.argmax(dim=1) == test.labels[chosen]).float().mean()) >= 0.9
    assert torch.allclose(found.sum(dim=1), torch.ones(30))


@pytest.mark.slow
def test_two_hundred_test_digits_are_recognised(mnist_root: Path) -> None:
    test = data.load("mnist", mnist_root, "test")
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(9))[:200]
    *_, found = recognise(pipeline.load("digits", "cpu"), test.images[chosen].float() / 127.5 - 1)
    assert isinstance(found, torch.Tensor)
    assert float((found.argmax(dim=1) == test.labels[chosen]).float().mean()) >= 0.95


def test_a_model_without_classes_recognises_nothing() -> None:
    for name in ("unconditional", "text", "latent"):
        with pytest.raises(BadRequest, match="no classes to tell apart"):
            list(recognise(pipeline.load(name, "cpu"), torch.zeros(1, 1, 28, 28)))


def test_the_command_line_redraws_and_recognises_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seven = np.full((56, 56), 255, np.uint8)  # ink on white paper
    seven[12:17, 16:40] = 0
    for row in range(12, 46):
        seven[row, 38 - (row - 12) // 2 : 43 - (row - 12) // 2] = 0
    picture, mask = tmp_path / "seven.png", tmp_path / "mask.png"
    Image.fromarray(seven).save(picture)
    Image.fromarray(np.repeat(np.array([0] * 14 + [255] * 14, np.uint8), 28).reshape(28, 28)).save(mask)
    assert main(["recognise", str(picture), "--json"]) == 0
    shares = json.loads(capsys.readouterr().out)
    assert max(shares, key=lambda label: shares[label]) == "7" and sum(shares.values()) == pytest.approx(1, abs=0.01)
    ways = {"vary": ["--count", "3"], "complete": ["--complete", str(mask), "--count", "2"], "rebuild": ["--rebuild"]}
    for name, options in ways.items():
        out = tmp_path / f"{name}.npz"
        assert main(["redraw", str(picture), "--out", str(out), *options]) == 0
        images, _ = export.read_arrays(out)
        assert len(images) == {"vary": 3, "complete": 2, "rebuild": 11}[name]
        drawn = as_drawing(picture, 28)
        if name == "complete":
            assert np.abs(images[:, :14].astype(int) - drawn[:14]).max() <= 1
        if name == "rebuild":
            assert np.abs(images[0].astype(int) - drawn).mean() < 5
            assert (Judge.bundled("cpu").judge(images[1:]).labels == np.arange(10)).sum() >= 8
    assert main(["redraw", str(tmp_path / "none.png"), "--out", str(tmp_path / "x.png")]) == 2
    film = tmp_path / "walk.gif"
    ends = ["--from", str(picture), "--to", "5", "--label", "7", "--to-label", "3", "--frames", "4"]
    assert main(["interpolate", *ends, "--out", str(film)]) == 0
    request, _ = export.read_request(film)
    assert request.corners[0].picture and request.corners[1].seed == 5 and request.sampler == "ddim"
    assert main(["interpolate", "--from", "nothing", "--to", "5", "--out", str(film)]) == 2
    assert "neither a seed nor a picture" in capsys.readouterr().err
