"""The bundled digit CLIP: reads digits by words, knows what it does not know, steers the model without classes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ml import captions, clip, data, pipeline
from ml.config import NO_LABEL, SampleRequest, for_route
from ml.events import Sampled
from ml.judge import Judge
from ml.library import bundled_folder, card

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
    test = data.load("mnist", mnist_root, split="test")
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:1000]
    x = test.images[chosen].float() / 127.5 - 1
    image = clip.matcher("seven", device="cpu").clip.image(x)
    for names in (captions.WORDS, [str(k) for k in range(10)]):
        words = clip.matcher("seven", device="cpu").clip.sentences([form.format(name) for name in names])
        assert float(((image @ words.T).argmax(dim=1) == test.labels[chosen]).float().mean()) > 0.96


@pytest.mark.parametrize("asked", DIGIT_PHRASES)
def test_phrases_about_digits_pass(asked: str) -> None:
    assert clip.is_about_digits(asked)


@pytest.mark.parametrize("asked", FOREIGN)
def test_what_is_no_digit_is_flagged(asked: str) -> None:
    assert not clip.is_about_digits(asked)


def test_words_steer_the_model_that_knows_no_classes() -> None:
    right = [Judge.bundled("cpu").judge(draw(word, 4, 50 * k)).labels == k for k, word in enumerate(captions.WORDS)]
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
