"""The models that a run is built on: the frozen ones in it, its codec and its reader, and the one it begins with."""

from torch import Tensor

from ml.config import TrainConfig
from ml.errors import BadRequest
from ml.registry import model_cards
from ml.registry.checkpoint import load_model
from ml.training.initial_weights import load_initial_weights

PartWeights = dict[str, dict[str, Tensor]]  # by the name of a part of the network, "" for all of it


def with_base_models(config: TrainConfig) -> tuple[TrainConfig, PartWeights]:
    """The configuration with the descriptions of its codec and its reader, and the weights to begin with.

    Raises BadRequest, BadFile.
    """
    sources = {"codec": (config.codec_from, "autoencoder"), "reader": (config.reader_from, "clip")}
    model, weights = config.model.model_dump(), PartWeights()
    for name, (source, network) in sources.items():
        if not source:
            continue
        header, tensors = load_model(model_cards.find(source))
        if header.model.network != network or header.model.image_size != config.model.image_size:
            raise BadRequest(
                f"{source!r} is no {network} for images of {config.model.image_size} pixels.",
                f"Train one on the same data first, and name it in {name}_from.",
            )
        model[name], weights[name] = header.model.model_dump(), tensors
    config = config.with_changes(model=model) if weights else config
    whole = load_initial_weights(config)
    return config, weights if whole is None else {"": whole}
