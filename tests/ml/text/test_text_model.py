"""The bundled model that reads words: it draws what they say, however they say it."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from ml.config import NO_LABEL, SampleRequest
from ml.errors import BadRequest
from ml.evaluation.judge import Judge
from ml.events import Sampled
from ml.generation import pipeline
from ml.registry.checkpoint import load_header
from ml.registry.model_cards import find
from ml.text import captions


@cache
def draw(prompt: str, labels: tuple[int, ...], seed: int) -> np.ndarray:
    settings = load_header(find("text")).defaults.model_dump()
    request = SampleRequest(**settings, model="text", route="text", prompt=prompt, labels=labels, seed=seed)
    *_, done = pipeline.sample(request, device="cpu", frames=False)
    assert isinstance(done, Sampled)
    return done.images


def read(images: np.ndarray) -> np.ndarray:
    return Judge.bundled("cpu").judge(images).labels


@pytest.mark.parametrize("count", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_every_word_is_drawn(count: int) -> None:
    drawn = [draw(word, (NO_LABEL,) * count, 900 + 20 * k) for k, word in enumerate(captions.WORDS)]
    assert np.mean([(read(images) == k).mean() for k, images in enumerate(drawn)]) >= 0.98


def test_labels_are_their_words() -> None:
    labels = tuple(range(10))
    assert np.array_equal(draw("", labels, 3)[4:5], draw("four", (NO_LABEL,), 7))
    assert (read(draw("", labels, 3)) == np.arange(10)).mean() >= 0.9


@pytest.mark.parametrize("prompt", ["number seven", "a handwritten 7", "the digit seven", "please draw 7"])
def test_paraphrases_draw_the_same(prompt: str) -> None:
    apart = (read(draw(prompt, (NO_LABEL,) * 15, 50)) == 7).mean() - (
        read(draw("seven", (NO_LABEL,) * 15, 50)) == 7
    ).mean()
    assert abs(apart) <= 0.034


@pytest.mark.parametrize(
    ("less", "more", "measure"),
    [
        ("a thin {}", "a bold {}", captions.stroke_width),
        ("a {} slanted to the left", "a {} slanted to the right", captions.slant),
    ],
)
def test_attributes_move_what_they_name(less: str, more: str, measure: Callable[[Tensor], Tensor]) -> None:
    moved = []
    for digit in (0, 5, 7):
        pair = [
            measure(torch.from_numpy(draw(form.format(captions.WORDS[digit]), (NO_LABEL,) * 7, 60)).float() / 255)
            for form in (less, more)
        ]
        moved.append((pair[1] > pair[0]).float().mean())
    assert float(torch.stack(moved).mean()) >= 0.9


def test_a_model_of_labels_reads_no_words() -> None:
    request = SampleRequest(model="digits", route="text", prompt="seven")
    with pytest.raises(BadRequest, match="does not read words"):
        list(pipeline.sample(request, device="cpu"))
