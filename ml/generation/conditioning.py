"""What a network is conditioned on: classes, words, mixtures of corners."""

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from ml.config import NO_LABEL, DeviceName, SampleRequest
from ml.diffusion.interpolation import mixed_labels
from ml.errors import BadRequest
from ml.generation.loaded_model import LoadedModel
from ml.generation.plan import BATCH
from ml.text import captions, tokenizer

if TYPE_CHECKING:
    from ml.generation.clip_matcher import Matcher


def told(model: LoadedModel, request: SampleRequest, first: int = 0) -> tuple[Tensor, Tensor]:
    """What the network is told of each image of a batch, and what it is told where nothing is asked for."""
    labels = request.labels[first : first + BATCH]
    if request.corners:
        weights = torch.tensor(request.weights[first : first + BATCH], device=model.device)
        return _between(model, request, weights)
    return _condition(model, request, labels)


def _condition(model: LoadedModel, request: SampleRequest, labels: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    if model.config.reader:
        said = [request.prompt if label == NO_LABEL else captions.WORDS[label] for label in labels]
        tokens = tokenizer.tokens([*said, ""]).to(model.device)
        return tokens[:-1], tokens[-1]
    null = torch.tensor(model.config.num_classes, device=model.device)
    wanted = [model.config.num_classes if label == NO_LABEL else label for label in labels]
    return torch.tensor(wanted, device=model.device), null


def _between(model: LoadedModel, request: SampleRequest, weights: Tensor) -> tuple[Tensor, Tensor]:
    """What the network is told of images between corners: mixtures of their labels; see `_condition`."""
    if model.config.reader:
        labels = {corner.label for corner in request.corners}
        if len(labels) > 1:
            raise BadRequest(
                f"The model {request.model!r} reads words, of which there is no mixture.",
                "Give all corners one label, or choose a model with classes.",
            )
        return _condition(model, request, tuple(labels) * len(weights))
    wanted = mixed_labels(request.corners, weights, model.config.num_classes)
    null = torch.zeros_like(wanted[0])
    null[-1] = 1
    return wanted, null


def is_steered(request: SampleRequest) -> bool:
    """Whether CLIP steers, for which open_clip has to be imported: that takes seconds."""
    return request.route == "clip" and bool(request.prompt.strip())


def matcher_of(request: SampleRequest, model: LoadedModel) -> "Matcher | None":
    """What compares images with the prompt; None where it does not steer: on another route, or empty."""
    if not is_steered(request):
        return None
    from ml.generation import clip_matcher

    return clip_matcher.matcher(request.prompt, request.clip, cast(DeviceName, model.device.type))
