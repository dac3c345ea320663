"""What a configuration leaves open about its images, taken from the data it is trained on."""

from ml.config import ModelConfig, TrainConfig, checked
from ml.data.dataset import Dataset, Form
from ml.models.memory import check_training
from ml.specs import DeviceName
from ml.system.device import pick


def form_for(model: ModelConfig) -> Form:
    """How a model wants its images: as it says, and as they are where it does not; raises BadRequest."""
    named = model.model_fields_set
    return Form(model.image_size if "image_size" in named else None, model.channels if "channels" in named else None)


def fitted(config: TrainConfig, dataset: Dataset, device: DeviceName = "auto") -> TrainConfig:
    """The configuration with the data's image size, channels and classes where it names none itself.

    A single class tells a model nothing, so it is trained without labels. Attention stays at the levels of the network
    that it was at. Raises BadRequest, also for more than the device's memory can hold; NoDevice.
    """
    classes = len(dataset.classes)
    _, channels, side, _ = dataset.images.shape
    own = {"image_size": side, "channels": channels, "num_classes": classes if classes > 1 else 0}
    model = config.model.model_dump()
    model |= {name: value for name, value in own.items() if name not in config.model.model_fields_set}
    if side != config.model.image_size:
        levels = zip(_resolutions(config.model, config.model.image_size), _resolutions(config.model, side), strict=True)
        model["attention"] = [after for before, after in levels if before in config.model.attention]
    whole = checked(TrainConfig, config.model_dump() | {"model": model, "data": dataset.name})
    check_training(whole, pick(device).torch_device)
    return whole


def _resolutions(model: ModelConfig, side: int) -> list[int]:
    """Pixels across at each level of the network, which halves them and rounds up."""
    return [-(-(side // model.patch) // 2**level) for level in range(len(model.widths))]
