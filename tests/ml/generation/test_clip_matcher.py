"""The bundled digit CLIP: reads digits by words, knows what it does not know, steers the model without classes."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ml.config import NO_LABEL, SampleRequest, for_route
from ml.data import datasets
from ml.evaluation.judge import Judge
from ml.events import Sampled
from ml.generation import clip_matcher, pipeline
from ml.registry.model_cards import bundled_folder, card
from ml.text import captions

DIGIT_PHRASES = (
    "seven", "7", "number four", "a handwritten 3", "the digit eight", "draw me a lovely two", "an elegant nine",
    "zero please", "my favourite number is six", "bold slanted 5", "a very thin one", "five leaning to the left",
    "handwritten digit 0", "a wide 2", "some kind of four", "please sketch a 6 for me",
)  # fmt: skip
FOREIGN = (
    "dog", "banana", "a cat", "a photo of a house", "hello", "the moon", "a red car", "guitar", "sunflower", "castle",
    "a drawing of a fish", "an image of the sea", "politics", "xyzzy", "handwritten letter", "a picture of a tree",
)  # fmt: skip


def draw(prompt: str, count: int, seed: int) -> np.ndarray:
    found = card(bundled_folder() / "unconditional.safetensors")
    assert found is not None
    settings = for_route(found.header.defaults, "clip").model_dump()
    request = SampleRequest.model_validate(
        settings
        | {"model": "unconditional", "route": "clip", "prompt": prompt, "labels": (NO_LABEL,) * count, "seed": seed}
    )
    *_, done = pipeline.sample(request, device="cpu", frames=False)
    assert isinstance(done, Sampled)
    return done.images


@pytest.mark.parametrize("form", ["{}", "the digit {}", "number {}", "a handwritten {}"])
def test_real_digits_are_read_by_words(form: str, mnist_root: Path) -> None:
    test = datasets.load("mnist", mnist_root, split="test")
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:1000]
    x = test.images[chosen].float() / 127.5 - 1
    image = clip_matcher.matcher("seven", device="cpu").clip.encode_images(x)
    for names in (captions.WORDS, [str(k) for k in range(10)]):
        words = clip_matcher.matcher("seven", device="cpu").clip.encode_texts([form.format(name) for name in names])
        assert float(((image @ words.T).argmax(dim=1) == test.labels[chosen]).float().mean()) > 0.96


@pytest.mark.parametrize("asked", DIGIT_PHRASES)
def test_phrases_about_digits_pass(asked: str) -> None:
    assert clip_matcher.is_about_digits(asked)


@pytest.mark.parametrize("asked", FOREIGN)
def test_what_is_no_digit_is_flagged(asked: str) -> None:
    assert not clip_matcher.is_about_digits(asked)


@pytest.mark.parametrize(
    ("asked", "excluded"),
    [("seven", {7}), ("7", {7}), ("the digit two", {2}), ("a slanted digit", set()), ("dog", set())],
)
def test_a_text_is_held_against_the_digits_that_it_is_not_about(asked: str, excluded: set[int]) -> None:
    found = clip_matcher.matcher(asked, device="cpu")
    with torch.no_grad():
        words = found.clip.encode_texts([word for k, word in enumerate(captions.WORDS) if k not in excluded])
        torch.testing.assert_close(found.texts[1:], words)
        torch.testing.assert_close(found.texts[:1], found.clip.encode_texts([asked]))


class Plane:
    """Sees two pixels as they are, and knows three texts."""

    scale = torch.tensor(2.0)

    def encode_images(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :2]

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        known = {"right": (1.0, 0.0), "up": (0.0, 1.0), "left": (-1.0, 0.0)}
        return torch.tensor([known[text] for text in texts])


def test_how_well_an_image_fits_is_told_against_everything_else_that_it_could_be() -> None:
    matcher = clip_matcher.Matcher(Plane(), "up", ["right", "left"])
    x = torch.tensor([[0.6, 0.8], [0.0, 1.0]]).view(2, 1, 1, 2)
    assert matcher.similarity(x).tolist() == pytest.approx([0.8, 1.0])
    expected = [
        math.log(math.exp(2 * up) / sum(math.exp(2 * k) for k in (up, x, -x))) for x, up in ((0.6, 0.8), (0, 1))
    ]
    assert matcher.log_probability(x).tolist() == pytest.approx(expected)


def test_the_bundled_clip_is_not_downloaded_and_digits_are_found_in_words_and_numerals() -> None:
    assert list(clip_matcher.obtain("digit-clip")) == [] == list(clip_matcher.obtain("/a/file"))
    assert clip_matcher.digits_in("Seven or 3, not seventeen or zeroes") == {7, 3}


@pytest.mark.parametrize("count", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_words_steer_the_model_that_knows_no_classes(count: int) -> None:
    drawn = [draw(word, count, 50 * k) for k, word in enumerate(captions.WORDS)]
    right = [Judge.bundled("cpu").judge(images).labels == k for k, images in enumerate(drawn)]
    assert np.mean(right) >= 0.9


@pytest.mark.parametrize(
    ("less", "more", "measure"),
    [
        ("a thin three", "a bold three", captions.stroke_width),
        ("a five slanted to the left", "a five slanted to the right", captions.slant),
    ],
)
def test_adjectives_move_what_they_say(less: str, more: str, measure: Callable[[Tensor], Tensor]) -> None:
    low, high = (measure(torch.from_numpy(draw(prompt, 10, 7)).float() / 255) for prompt in (less, more))
    assert int((high > low).sum()) >= 9
