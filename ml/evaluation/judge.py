"""The judge: a small bundled classifier of digits. Its last hidden layer is the feature space of the scores."""

from functools import lru_cache
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
from ml.registry import model_cards
from ml.registry.checkpoint import load_model
from ml.specs import DIGITS, DeviceName
from ml.system.device import choose_device

NAME = "judge"
BATCH = 500
SIDE = 28


def can_judge(data: str, images: Pixels) -> bool:
    """Whether the judge can classify images of a model that was trained on `data`."""
    return data in DIGITS and images.shape[1:] == (SIDE, SIDE)


class Predictions(NamedTuple):
    """The judge's labels of N images."""

    labels: NDArray[np.int64]  # (N,)
    confidence: NDArray[np.float32]  # (N,), the probability of that label, which is no measure of quality
    probabilities: NDArray[np.float32]  # (N, classes)


class Judge:
    """A trained `Classifier` on a device."""

    def __init__(self, network: Classifier, side: int, device: torch.device) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last).eval()
        self.side, self.device = side, device

    @staticmethod
    def bundled(device: DeviceName = "auto") -> "Judge":
        """The bundled judge, loaded once per device; raises BadFile, NoDevice."""
        return _load(device)

    def judge(self, images: Pixels) -> Predictions:
        """Classify images (N, side, side), uint8; raises BadRequest for another shape."""
        return self.judge_features(self.features(images))

    @torch.no_grad()
    def features(self, images: Pixels) -> Tensor:
        """The feature space of Frechet distances, precision and recall: float32 (N, embedding), on the CPU."""
        self.check(images)
        pixels = torch.from_numpy(images).unsqueeze(1)
        parts: list[Tensor] = []
        for part in pixels.split(BATCH):
            check_cancelled()
            parts.append(self.network.features(part.to(self.device).float() / 127.5 - 1).cpu())
        return torch.cat(parts)

    def check(self, images: Pixels) -> None:
        """Raises BadRequest for images that are not (N, side, side)."""
        if images.ndim != 3 or images.shape[1:] != (self.side, self.side):
            raise BadRequest(
                f"The judge reads grey images of {self.side} x {self.side}, these are {images.shape[1:]}.",
                "Judge digits of that size.",
            )

    @torch.no_grad()
    def judge_features(self, features: Tensor) -> Predictions:
        """Classify images by their `features`."""
        probabilities = logits_from_features(self.network, features.to(self.device)).softmax(dim=1).cpu()
        confidence, labels = probabilities.max(dim=1)
        return Predictions(labels.numpy(), confidence.numpy(), probabilities.numpy())


@lru_cache(maxsize=4)
def _load(device: DeviceName) -> Judge:
    path = model_cards.bundled_folder() / f"{NAME}.safetensors"
    header, weights = load_model(path)
    if header.model.network != "judge":
        raise BadFile(f"{path} is not a judge.", "Install Noiseloom again.")
    network = Classifier(header.model)
    load_weights(network, weights, str(path))
    return Judge(network, header.model.image_size, choose_device(device).torch_device)
