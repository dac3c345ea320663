"""Networks, each built from a `ModelConfig` alone."""

from torch import nn

from ml.config import ModelConfig
from ml.models.autoencoder import Autoencoder, LatentModel
from ml.models.classifier import Classifier
from ml.models.shuffle import ShuffleUNet
from ml.models.textbook import TextbookUNet
from ml.models.unet import UNet


def build(config: ModelConfig) -> nn.Module:
    """A network with fresh weights."""
    if config.codec is None:
        return _plain(config)
    channels, side = config.codes
    inner = config.model_copy(update={"codec": None, "channels": channels, "image_size": side})
    return LatentModel(_plain(inner), Autoencoder(config.codec))


def _plain(config: ModelConfig) -> nn.Module:
    if config.network == "unet":
        return UNet(config)
    if config.network == "textbook":
        return TextbookUNet(config)
    if config.network == "shuffle":
        return ShuffleUNet(config)
    if config.network == "autoencoder":
        return Autoencoder(config)
    if config.network == "clip":
        from ml.models.clip import DigitClip  # open_clip takes a second to import

        return DigitClip(config)
    return Classifier(config)
