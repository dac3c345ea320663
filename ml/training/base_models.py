"""The frozen models in a model: its codec and its reader."""

from torch import Tensor

from ml.config import TrainConfig
from ml.errors import BadRequest
from ml.registry import model_cards
from ml.registry.checkpoint import ModelHeader, load_model

BaseModels = dict[str, tuple[ModelHeader, dict[str, Tensor]]]


def load_base_models(config: TrainConfig) -> BaseModels:
    """The frozen models that a configuration names, by role (`codec`, `reader`); raises BadRequest, BadFile."""
    sources = {"codec": (config.codec_from, "autoencoder"), "reader": (config.reader_from, "clip")}
    found: BaseModels = {}
    for name, (source, network) in sources.items():
        if not source:
            continue
        header, weights = load_model(model_cards.find(source))
        if header.model.network != network or header.model.image_size != config.model.image_size:
            raise BadRequest(
                f"{source!r} is no {network} for images of {config.model.image_size} pixels.",
                f"Train one on the same data first, and name it in {name}_from.",
            )
        found[name] = (header, weights)
    return found


def with_base_models(config: TrainConfig, base_models: BaseModels) -> TrainConfig:
    """The configuration with the descriptions of its base models."""
    models = {name: header.model.model_dump() for name, (header, _) in base_models.items()}
    return config.with_changes(model=config.model.model_dump() | models) if models else config
