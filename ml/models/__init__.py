"""Networks, each built from a `ModelConfig` alone."""

from collections.abc import Callable

from torch import nn

from ml.cancellation import import_interruptibly
from ml.config import ModelConfig
from ml.models.autoencoder import Autoencoder, LatentModel
from ml.models.classifier import Classifier
from ml.models.diffusers_unet import DiffusersUNet
from ml.models.shufflenet_unet import ShuffleUNet
from ml.models.textbook_unet import TextbookUNet
from ml.models.unet import UNet


def _digit_clip(config: ModelConfig) -> nn.Module:
    import_interruptibly("ml.system.torchvision_compat")  # open_clip takes a second to import
    from ml.models.digit_clip import DigitClip

    return DigitClip(config)


NETWORKS: dict[str, Callable[[ModelConfig], nn.Module]] = {
    "unet": UNet,
    "textbook": TextbookUNet,
    "shuffle": ShuffleUNet,
    "autoencoder": Autoencoder,
    "judge": Classifier,
    "clip": _digit_clip,
    "diffusers": DiffusersUNet,
}


def build(config: ModelConfig) -> nn.Module:
    """A network with fresh weights; with a `reader` or a `codec` it includes that network."""
    channels, side = config.codes
    network = NETWORKS[config.network](config.model_copy(update={"channels": channels, "image_size": side}))
    if config.reader:
        import_interruptibly("ml.system.torchvision_compat")
        from ml.models.digit_clip import TextModel

        network = TextModel(network, config.reader)
    return LatentModel(network, Autoencoder(config.codec)) if config.codec else network
