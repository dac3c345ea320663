"""What a network is conditioned on: classes, words or mixtures of classes, and the CLIP that steers."""

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from ml.config import NO_LABEL, SampleRequest
from ml.diffusion.interpolation import mixed_labels
from ml.errors import BadRequest
from ml.generation.loaded_model import LoadedModel
from ml.specs import DeviceName
from ml.text import captions, tokenizer

if TYPE_CHECKING:
    from ml.generation.clip_matcher import Matcher


def condition_of(model: LoadedModel, request: SampleRequest, part: slice) -> tuple[Tensor, Tensor]:
    """The condition of each image of a part, and the null condition, shaped as one of them.

    Labels (N,), mixtures of classes (N, classes + 1), or tokens (N, CONTEXT) for a model with a reader.
    """
    if not request.corners:
        return _of_labels(model, request, request.labels[part])
    weights = torch.tensor(request.weights[part], device=model.device)
    if not model.config.reader:
        mixture = mixed_labels(request.corners, weights, model.config.num_classes)
        null = torch.zeros_like(mixture[0])
        null[-1] = 1
        return mixture, null
    labels = {corner.label for corner in request.corners}
    if len(labels) > 1:
        raise BadRequest(
            f"The model {request.model!r} reads words, which can't be mixed.",
            "Give all corners one label, or choose a model with classes.",
        )
    return _of_labels(model, request, tuple(labels) * len(weights))


def _of_labels(model: LoadedModel, request: SampleRequest, labels: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    if model.config.reader:
        texts = [request.prompt if label == NO_LABEL else captions.WORDS[label] for label in labels]
        tokens = tokenizer.tokens([*texts, ""]).to(model.device)
        return tokens[:-1], tokens[-1]
    null = model.config.num_classes
    classes = [null if label == NO_LABEL else label for label in labels]
    return torch.tensor(classes, device=model.device), torch.tensor(null, device=model.device)


def is_steered(request: SampleRequest) -> bool:
    """Whether CLIP steers, for which open_clip is imported: that takes seconds."""
    return request.route == "clip" and bool(request.prompt.strip())


def matcher_of(request: SampleRequest, model: LoadedModel) -> "Matcher | None":
    """The CLIP that compares images with the prompt; None where it does not steer."""
    if not is_steered(request):
        return None
    from ml.generation import clip_matcher

    return clip_matcher.matcher(request.prompt, request.clip, cast(DeviceName, model.device.type))
