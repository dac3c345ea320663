"""CLIP as a judge of images and texts: how well images fit a text, and whether a text is about digits at all."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ml.errors import BadFile
from ml.events import Progress
from ml.models.digit_clip import DigitClip
from ml.models.weights import load_weights
from ml.registry import model_cards
from ml.registry.checkpoint import load_model
from ml.specs import CLIP_MODEL, DeviceName
from ml.system.device import choose_device
from ml.text import captions, tokenizer
from ml.threads import one_thread

SAME = 0.9  # similarity from which two texts mean the same
BLOCK = 8  # images that the digit CLIP steers at a time
FAMILIAR = 0.45  # similarity to one of the ten digits from which a text with unknown words is about digits


class Clip(Protocol):
    """A network for which images and texts are unit vectors of one space."""

    def encode_images(self, x: Tensor) -> Tensor: ...
    def encode_texts(self, texts: Sequence[str]) -> Tensor: ...
    @property
    def scale(self) -> Tensor: ...


class Matcher:
    """How well images fit one text rather than other texts.

    On a CPU images are steered in blocks of `block`.
    """

    def __init__(self, clip: Clip, text: str, others: Sequence[str], block: int = 1) -> None:
        self.clip, self.block = clip, block
        with torch.no_grad(), one_thread():  # the same to the bit with any number of threads
            self.texts = clip.encode_texts([text, *others])

    def similarity(self, x0: Tensor) -> Tensor:
        """Cosine between images (B, C, H, W) in [-1, 1] and the text: (B,)."""
        return self.clip.encode_images(x0) @ self.texts[0]

    def log_probability(self, x0: Tensor) -> Tensor:
        """log p(text | image) over the text and the others: (B,)."""
        logits = self.clip.scale * self.clip.encode_images(x0) @ self.texts.T
        return logits.log_softmax(dim=1)[:, 0]


def obtain(name: str) -> Iterator[Progress]:
    """Download the CLIP of that name where it is missing; raises DataUnavailable, CannotWrite."""
    if name != CLIP_MODEL:
        from ml.models import openai_clip

        if name == openai_clip.NAME:
            yield from openai_clip.obtain()


def matcher(text: str, name: str = CLIP_MODEL, device: DeviceName = "auto") -> Matcher:
    """The CLIP of that name, comparing images with a text rather than with the digits that the text does not name.

    Raises BadFile, NoDevice.
    """
    if name == CLIP_MODEL:
        return Matcher(_load(device), text, _unlike(text, _load(device)), BLOCK)
    named = digits_in(text)
    others = [word for digit, word in enumerate(captions.WORDS) if digit not in named]
    return Matcher(_load_openai(name, device), text, others)


@torch.no_grad()
def _unlike(text: str, clip: Clip) -> list[str]:
    """The digits' words that mean something else than the text."""
    texts = clip.encode_texts([text, *captions.WORDS])
    return [word for word, same in zip(captions.WORDS, texts[1:] @ texts[0], strict=True) if same < SAME]


def digits_in(text: str) -> set[int]:
    """The digits that a text names, by word or numeral."""
    words = set(re.findall(r"[a-z]+|\d", text.casefold()))
    return {digit for digit, word in enumerate(captions.WORDS) if words & {word, str(digit)}}


def is_about_digits(text: str, device: DeviceName = "cpu") -> bool:
    """Whether a text is about digits: every word is in the vocabulary, or it means a digit."""
    numbers = tokenizer.encode(text)
    if numbers and tokenizer.UNKNOWN not in numbers:
        return True
    clip = _load(device)
    with torch.no_grad():
        digits = clip.encode_tokens(tokenizer.tokens(list(captions.WORDS)))
        return float((clip.encode_tokens(tokenizer.rows([numbers])) @ digits.T).max()) >= FAMILIAR


@lru_cache(maxsize=4)
def _load(device: DeviceName) -> DigitClip:
    path = model_cards.bundled_folder() / f"{CLIP_MODEL}.safetensors"
    header, weights = load_model(path)
    if header.model.network != "clip" or header.model.vocabulary != tokenizer.vocabulary_size():
        raise BadFile(f"{path} is not the digit CLIP of this version.", "Install Noiseloom again.")
    clip = DigitClip(header.model)
    load_weights(clip, weights, str(path))
    return clip.to(choose_device(device).torch_device).eval().requires_grad_(False)


@lru_cache(maxsize=1)
def _load_openai(name: str, device: DeviceName) -> Clip:
    from ml.models import openai_clip

    path = openai_clip.weights_path() if name == openai_clip.NAME else Path(name).expanduser()
    return openai_clip.load(path).to(choose_device(device).torch_device)
