"""Networks, each built from a `ModelConfig` alone."""

from torch import nn

from ml.cancellation import import_interruptibly
from ml.config import ModelConfig
from ml.models.autoencoder import Autoencoder, LatentModel
from ml.models.classifier import Classifier
from ml.models.shufflenet_unet import ShuffleUNet
from ml.models.textbook_unet import TextbookUNet
from ml.models.unet import UNet


def build(config: ModelConfig) -> nn.Module:
    """A network with fresh weights."""
    channels, side = config.codes
    network = _plain(config.model_copy(update={"channels": channels, "image_size": side}))
    if config.reader:
        import_interruptibly("ml.system.torchvision_compat")
        from ml.models.digit_clip import TextModel

        network = TextModel(network, config.reader)
    return LatentModel(network, Autoencoder(config.codec)) if config.codec else network


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
        import_interruptibly("ml.system.torchvision_compat")
        from ml.models.digit_clip import DigitClip  # open_clip takes a second to import

        return DigitClip(config)
    return Classifier(config)
