"""A drawing in a request: varied, completed, rebuilt as another digit, and recognised by the diffusion model itself."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ml.cli.app import main
from ml.config import NO_LABEL, SampleRequest, SampleSettings
from ml.control import RunControl
from ml.data import datasets
from ml.data.image_reader import as_drawing
from ml.diffusion.denoiser import Denoiser
from ml.diffusion.guidance import completing
from ml.diffusion.schedules import Level, karras_ratios
from ml.errors import BadRequest
from ml.evaluation.diffusion_classifier import classify
from ml.evaluation.judge import Judge
from ml.events import Progress, Sampled
from ml.export import files, npz
from ml.generation import loaded_model, pipeline
from ml.generation.initial_noise import image_from_png
from ml.generation.requests import rebuilt, redrawn
from ml.imaging.embedded_png import to_text
from ml.registry.checkpoint import load_header
from ml.registry.model_cards import find
from tests.support.gaussians import gaussians


@pytest.fixture(scope="module")
def digits(mnist_root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Twenty test digits, two of each class."""
    test = datasets.load("mnist", mnist_root, "test")
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
        found = image_from_png(to_text(pixels), channels, shape[0])
        assert found.shape == (1, channels, shape[0], shape[1])
        again = ((found[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy().reshape(shape)
        assert np.array_equal(again, pixels)


@pytest.mark.parametrize("text", ["", "!!", "aGVsbG8=", to_text(np.zeros((9, 9), np.uint8))])
def test_what_is_no_drawing_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        image_from_png(text, 1, 28)


def test_requests_for_a_drawing_say_what_is_wanted_of_it() -> None:
    rng = np.random.default_rng(0)
    drawing, mask = (rng.integers(0, 256, (28, 28), dtype=np.uint8) for _ in "dm")
    defaults = SampleSettings(guidance=2.5, steps=7, sampler="dpm++")
    varied = redrawn("digits", defaults, drawing, (3, 4), None, 1.5)
    assert (varied.model, varied.labels, varied.guidance) == ("digits", (3, 4), 2.5)
    assert (varied.source, varied.mask, varied.vary_from, varied.steps) == (to_text(drawing), "", 1.5, 20)
    completed = redrawn("digits", defaults, drawing, (3,), mask, 1.5)
    assert (completed.source, completed.mask, completed.vary_from) == (to_text(drawing), to_text(mask), 0)
    assert (completed.sampler, completed.steps, completed.repeats) == ("ddpm", 20, 2)
    back = rebuilt("digits", defaults, drawing, 3)
    assert back.parent and back.branch_at == 0 and back.guidance == 2.5
    assert (back.sampler, back.eta, back.steps) == ("ddim", 0.0, 20)
    assert [(corner.picture, corner.label) for corner in back.parent.corners] == [(to_text(drawing), NO_LABEL)]
    assert [corner.label for corner in back.corners] == [NO_LABEL, 0, 1, 2]
    assert back.weights == tuple(tuple(float(a == b) for b in range(4)) for a in range(4))


def test_ink_on_white_paper_is_turned_around(tmp_path: Path) -> None:
    for paper, ink in ((255, 0), (0, 255)):
        page = np.full((28, 28), paper, np.uint8)
        page[10:14] = ink
        Image.fromarray(page).save(tmp_path / "page.png")
        found = as_drawing(tmp_path / "page.png", 28)
        assert found[12].min() == 255 and found[:8].max() == 0


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
    for image, label in zip(images[1::4], labels[1::4], strict=True):
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
    test = datasets.load("mnist", mnist_root, "test")
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(3))[:15]
    *_, found = classify(loaded_model.load("digits", "cpu"), test.images[chosen].float() / 127.5 - 1)
    assert isinstance(found, torch.Tensor) and found.shape == (15, 10)
    assert float((found.argmax(dim=1) == test.labels[chosen]).float().mean()) >= 0.9
    assert torch.allclose(found.sum(dim=1), torch.ones(15))


def test_every_image_is_recognised_by_the_class_that_explains_it_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.evaluation.diffusion_classifier.SHARPNESS", 300.0)
    monkeypatch.setattr("ml.evaluation.diffusion_classifier.BATCH", 40)  # four images at a time
    labels = torch.tensor([3, 9, 0, 5, 7, 1, 1, 8, 2])
    images = (labels / 10).view(-1, 1, 1, 1).expand(-1, 1, 8, 8).contiguous()
    *progress, found = classify(gaussians(), images)
    assert isinstance(found, torch.Tensor) and found.argmax(dim=1).tolist() == labels.tolist()
    assert [step.done for step in progress if isinstance(step, Progress)] == list(range(16))
    *_, again = classify(gaussians(), images[6:])
    *_, other = classify(gaussians(), images[6:], seed=1)
    assert isinstance(again, torch.Tensor) and isinstance(other, torch.Tensor)
    torch.testing.assert_close(again, found[6:])  # whoever it is asked with
    assert not torch.equal(again, other)


def test_recognising_weighs_every_noise_level_by_what_it_leaves_open() -> None:
    image = torch.full((1, 1, 8, 8), 0.3)
    *_, found = classify(gaussians(), image)
    errors = torch.zeros(10)
    eps = torch.Generator().manual_seed(0)
    for ratio in karras_ratios(16, 4.0, 0.4):
        t = ratio / (1 + ratio)
        x_t = (1 - t) * image + t * torch.randn(1, 1, 8, 8, generator=eps)
        seen = gaussians().network(x_t.expand(10, -1, -1, -1), torch.tensor([1000 * t]), torch.arange(10))
        errors += (seen - image).square().mean(dim=(1, 2, 3)) / ratio / 16
    assert isinstance(found, torch.Tensor)
    torch.testing.assert_close(found[0], (-600 * errors).softmax(dim=0), rtol=1e-3, atol=1e-5)


def test_recognising_stops_when_told_to() -> None:
    control = RunControl()
    asking = classify(gaussians(), torch.zeros(1, 1, 8, 8), control=control)
    next(asking)
    control.cancel()
    assert list(asking) == []


@pytest.mark.slow
def test_two_hundred_test_digits_are_recognised(mnist_root: Path) -> None:
    test = datasets.load("mnist", mnist_root, "test")
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(9))[:200]
    *_, found = classify(loaded_model.load("digits", "cpu"), test.images[chosen].float() / 127.5 - 1)
    assert isinstance(found, torch.Tensor)
    assert float((found.argmax(dim=1) == test.labels[chosen]).float().mean()) >= 0.95


def test_a_model_without_classes_recognises_nothing() -> None:
    for name in ("unconditional", "text", "latent"):
        with pytest.raises(BadRequest, match="no classes to tell apart"):
            list(classify(loaded_model.load(name, "cpu"), torch.zeros(1, 1, 28, 28)))


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
        images, _ = npz.read_arrays(out)
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
    request, _ = files.read_request(film)
    assert request.corners[0].picture and request.corners[1].seed == 5 and request.sampler == "ddim"
    assert main(["interpolate", "--from", "nothing", "--to", "5", "--out", str(film)]) == 2
    assert "neither a seed nor a picture" in capsys.readouterr().err
