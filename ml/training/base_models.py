"""Models that a run builds on: codec, reader, teacher."""

from torch import Tensor

from ml.config import TrainConfig
from ml.errors import BadRequest
from ml.registry import model_cards
from ml.registry.checkpoint import ModelHeader, load_model

Parts = dict[str, tuple[ModelHeader, dict[str, Tensor]]]


def parts_of(config: TrainConfig) -> Parts:
    """The models that a model builds on and leaves as they are, by what they are to it; raises BadRequest, BadFile."""
    wanted = {"codec": (config.codec_from, "autoencoder"), "reader": (config.reader_from, "clip")}
    found: Parts = {}
    for name, (source, network) in wanted.items():
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


def with_parts(config: TrainConfig, built_on: Parts) -> TrainConfig:
    """The configuration whose model knows what it is built on."""
    own = {name: header.model.model_dump() for name, (header, _) in built_on.items()}
    return config.with_changes(model=config.model.model_dump() | own) if own else config
