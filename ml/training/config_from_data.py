"""Unset image settings of a configuration, taken from its data set."""

from ml.config import ModelConfig, TrainConfig, validate
from ml.data import augment
from ml.data.dataset import Dataset, Form
from ml.models.memory import check_training
from ml.specs import DeviceName
from ml.system.device import choose_device
from ml.training import automatic
from ml.training.distributed_training import config_of_main


def form_for(config: TrainConfig) -> Form:
    """The size and channels that the model's configuration sets, None where unset, for those of the data; the fit."""
    model, given = config.model, config.model.model_fields_set
    side = model.image_size if "image_size" in given else None
    return Form(side, model.channels if "channels" in given else None, config.fit, config.ground)


def fit_to_data(
    config: TrainConfig, dataset: Dataset, device: DeviceName = "auto", images: int | None = None
) -> TrainConfig:
    """The configuration with the data's image size, channels and classes where it sets none.

    With a single class, the model is trained without labels. Attention keeps its levels of the network. Augmentation is
    an input of the network. An automatic configuration is completed, in several processes by the first; `images` is the
    number of images, where the data set stands for a larger one.
    Raises BadRequest, also for a model that exceeds the device's memory; NoDevice.
    """
    classes = len(dataset.classes)
    _, channels, side, _ = dataset.images.shape
    if config.automatic:
        facts, given = automatic.DataFacts(side, channels, images or len(dataset)), config
        config = config_of_main(lambda: automatic.choose(given, facts, device))
    of_data = {"image_size": side, "channels": channels, "num_classes": classes if classes > 1 else 0}
    model = config.model.model_dump()
    model |= {name: value for name, value in of_data.items() if name not in config.model.model_fields_set}
    model["augment_inputs"] = augment.INPUTS if config.augments else 0
    if side != config.model.image_size:
        model["attention"] = attention_at(config.model, side)
    whole = validate(TrainConfig, config.model_dump() | {"model": model, "data": dataset.name})
    check_training(whole, choose_device(device).torch_device)
    return whole


def attention_at(model: ModelConfig, side: int) -> tuple[int, ...]:
    """The resolutions with attention for images of that side: those of the same levels of the network."""
    if side == model.image_size:
        return model.attention
    levels = zip(_resolutions(model, model.image_size), _resolutions(model, side), strict=True)
    return tuple(after for before, after in levels if before in model.attention)


def _resolutions(model: ModelConfig, side: int) -> list[int]:
    """The side in pixels at each level of the network, which halves it and rounds up."""
    return [-(-(side // model.patch) // 2**level) for level in range(len(model.widths))]
