"""The digit CLIP at work: how well images fit a text, and whether a text is about digits at all."""

from functools import lru_cache

import torch
from torch import Tensor

from ml import captions, library, text
from ml.checkpoint import fit, load_model
from ml.config import CLIP_MODEL, DeviceName
from ml.device import pick
from ml.errors import BadFile
from ml.models.clip import DigitClip

SAME = 0.9  # similarity from which two texts mean the same
FAMILIAR = 0.45  # similarity to one of the ten digits below which a text with unknown words is about something else


class Matcher:
    """How well images fit one text, against other things that could be said of digits."""

    def __init__(self, clip: DigitClip, wanted: str, device: torch.device) -> None:
        self.clip = clip
        with torch.no_grad():
            self.wanted = clip.text(text.tokens([wanted]).to(device))
            others = clip.text(text.tokens(list(captions.WORDS)).to(device))
        self.others = others[(others @ self.wanted[0]) < SAME]

    def similarity(self, x0: Tensor) -> Tensor:
        """Cosine between images (B, C, H, W) in [-1, 1] and the text: (B,)."""
        return (self.clip.image(x0) @ self.wanted.T)[:, 0]

    def log_probability(self, x0: Tensor) -> Tensor:
        """log p(text | image) where it could also be any of the ten digit words that means something else: (B,)."""
        image = self.clip.image(x0)
        logits = self.clip.scale * image @ torch.cat([self.wanted, self.others]).T
        return logits.log_softmax(dim=1)[:, 0]


def matcher(wanted: str, device: DeviceName = "auto") -> Matcher:
    """The bundled digit CLIP, looking for that text; raises BadFile, NoDevice."""
    return Matcher(_load(device), wanted, pick(device).torch_device)


def is_about_digits(asked: str, device: DeviceName = "cpu") -> bool:
    """Whether a model of digits can know what the text is about: every word is known, or it means a digit."""
    numbers = text.encode(asked)
    if numbers and text.UNKNOWN not in numbers:
        return True
    clip = _load(device)
    with torch.no_grad():
        digits = clip.text(text.tokens(list(captions.WORDS)))
        return float((clip.text(text.rows([numbers])) @ digits.T).max()) >= FAMILIAR


@lru_cache(maxsize=4)
def _load(device: DeviceName) -> DigitClip:
    path = library.bundled_folder() / f"{CLIP_MODEL}.safetensors"
    header, weights = load_model(path)
    if header.model.network != "clip" or header.model.vocabulary != text.vocabulary_size():
        raise BadFile(f"{path} is not the digit CLIP of this version.", "Install Noiseloom again.")
    clip = DigitClip(header.model)
    fit(clip, weights, str(path))
    return clip.to(pick(device).torch_device).eval().requires_grad_(False)
