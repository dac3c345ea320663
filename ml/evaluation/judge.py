"""The judge of a data set: a small classifier of its images. Its last hidden layer is the feature space of the scores.

The judge of digits is bundled; those of other data sets are trained by `ml.training.judges` and kept. On images without
classes, a judge tells single images apart, and only its features are of use.
"""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.cancellation import check_cancelled
from ml.errors import BadFile, BadRequest
from ml.events import Pixels
from ml.models.classifier import Classifier, logits_from_features
from ml.models.weights import load_weights
from ml.registry import judges, model_cards
from ml.registry.checkpoint import ModelHeader, load_model
from ml.registry.model_cards import ModelCard
from ml.specs import DeviceName
from ml.system.device import choose_device
from ml.system.files import modified

BATCH = 500


class Predictions(NamedTuple):
    """The judge's labels of N images."""

    labels: NDArray[np.int64]  # (N,)
    confidence: NDArray[np.float32]  # (N,), the calibrated probability of that label, which is no measure of quality
    probabilities: NDArray[np.float32]  # (N, classes)


def planes(images: Pixels) -> Tensor:
    """Images (N, H, W[, 3]) as a tensor (N, C, H, W), uint8."""
    pixels = torch.from_numpy(images)
    return pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)


class Judge:
    """A trained `Classifier` on a device, with its classes and the share of real test images that it gets right."""

    def __init__(
        self,
        network: Classifier,
        header: ModelHeader,
        device: torch.device,
        accuracy: float | None = None,
        temperature: float = 1.0,
    ) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last).eval()
        self.side, self.channels, self.dimensions = (
            header.model.image_size,
            header.model.channels,
            header.model.embedding,
        )
        self.classes = judges.classes_of(header)  # none on images without classes
        self.device, self.accuracy, self.temperature = device, accuracy, temperature

    @staticmethod
    def bundled(device: DeviceName = "auto") -> "Judge":
        """The bundled judge of digits, loaded once per device; raises BadFile, NoDevice."""
        card = model_cards.card(model_cards.bundled_folder() / f"{judges.BUNDLED}.safetensors")
        if card is None:
            raise BadFile("The bundled judge is missing or damaged.", "Install Noiseloom again.")
        return load(card, device)

    def judge(self, images: Pixels) -> Predictions:
        """Classify images (N, side, side[, 3]), uint8; raises BadRequest for another shape."""
        return self.judge_features(self.features(images))

    @torch.no_grad()
    def features(self, images: Pixels) -> Tensor:
        """The feature space of Frechet distances, precision and recall: float32 (N, embedding), on the CPU."""
        self.check(images)
        parts: list[Tensor] = []
        for part in planes(images).split(BATCH):
            check_cancelled()
            parts.append(self.network.features(part.to(self.device).float() / 127.5 - 1).cpu())
        return torch.cat(parts)

    def check(self, images: Pixels) -> None:
        """Raises BadRequest for images that are not (N, side, side), or (N, side, side, 3) for a judge of colour."""
        colours = () if self.channels == 1 else (self.channels,)
        if images.shape[1:] != (self.side, self.side, *colours):
            colour = "grey" if self.channels == 1 else "colour"
            raise BadRequest(
                f"The judge reads {colour} images of {self.side} x {self.side}, these are {images.shape[1:]}.",
                "Judge images of that form.",
            )

    @torch.no_grad()
    def judge_features(self, features: Tensor, *, calibrated: bool = True) -> Predictions:
        """Classify images by their `features`, at the judge's temperature or, for scores of before, at 1."""
        logits = logits_from_features(self.network, features.to(self.device))
        probabilities = (logits / (self.temperature if calibrated else 1.0)).softmax(dim=1).cpu()
        confidence, labels = probabilities.max(dim=1)
        return Predictions(labels.numpy(), confidence.numpy(), probabilities.numpy())


def judge_for(header: ModelHeader, device: DeviceName = "auto") -> Judge | None:
    """The judge that classifies what a model draws: bundled for digits, else a kept one; None without one.

    Raises BadFile, NoDevice.
    """
    card = judges.find(header)
    return load(card, device) if card and judges.classes_of(card.header) else None


def load(card: ModelCard, device: DeviceName = "auto") -> Judge:
    """The judge of a card, loaded once per device; raises BadFile, NoDevice."""
    accuracy = card.scores.get("test_accuracy")
    known = float(accuracy) if isinstance(accuracy, int | float) else None
    return _load(card.path, modified(card.path), known, card.temperature, device)


@lru_cache(maxsize=4)
def _load(path: Path, _modified: float, accuracy: float | None, temperature: float, device: DeviceName) -> Judge:
    header, weights = load_model(path)
    if header.model.network != "judge":
        raise BadFile(f"{path} is not a judge.", "Delete it, or install Noiseloom again.")
    network = Classifier(header.model)
    load_weights(network, weights, str(path))
    return Judge(network, header, choose_device(device).torch_device, accuracy, temperature)
