"""The model that a run begins with: its settings, its classes and its weights."""

from torch import Tensor

from ml.config import TrainConfig
from ml.data.dataset import Dataset
from ml.errors import BadRequest
from ml.models.transfer import transferred
from ml.registry import model_cards
from ml.registry.checkpoint import ModelHeader, load_header, load_model
from ml.training.config_from_data import attention_at
from ml.training.data_record import with_classes
from ml.training.overrides import check_can_begin


def fit_to_base(config: TrainConfig) -> TrainConfig:
    """The configuration with the settings of the model it begins with, where it sets none; itself without one.

    The channels and classes follow from the data; the channels are those of the model where it has a codec. Raises
    BadRequest for a model that cannot be begun with, and for a setting that contradicts it; BadFile.
    """
    if not config.begin_with:
        return config
    base = load_header(model_cards.find(config.begin_with))
    check_can_begin(config, base)
    given = config.model.model_dump(exclude_unset=True)
    of_data = {"num_classes"} if base.model.codec else {"num_classes", "channels"}
    free = of_data | {"version", "dropout", "augment_inputs"} | (set() if base.model.codec else {"image_size"})
    side = given.get("image_size", base.model.image_size)
    fixed = base.model.model_dump() | {"image_size": base.model.image_size if base.model.codec else side}
    fixed["attention"] = attention_at(base.model, side)
    for name, value in given.items():
        if name not in free and value != fixed[name]:
            raise BadRequest(
                f"model.{name} is {value!r} here, and {fixed[name]!r} in {config.begin_with}.",
                f"Leave it out to begin with {config.begin_with}, or begin with another model or with none.",
            )
    changes: dict[str, object] = {"model": {k: v for k, v in fixed.items() if k not in of_data} | given}
    if "defaults" not in config.model_fields_set:
        changes["defaults"] = base.defaults.model_dump()
    return config.with_changes(**changes)


def with_base_classes(config: TrainConfig, dataset: Dataset) -> tuple[TrainConfig, Dataset]:
    """The configuration with the names of its classes, and the data with labels in their order.

    Classes of the same name are the same. With `keep_classes` those of the model to begin with come first. A run
    without one, whose configuration names no classes, is left as it is. Raises BadRequest for data with a class that
    the configuration does not name, BadFile.
    """
    if not config.begin_with and not config.classes:
        return config, dataset
    classes = config.classes or dataset.classes
    if config.keep_classes and not config.classes:
        kept = load_header(model_cards.find(config.begin_with)).class_names
        classes = (*kept, *(name for name in dataset.classes if name not in kept))
    if unknown := [name for name in dataset.classes if name not in classes]:
        raise BadRequest(
            f"{dataset.name} has a class {unknown[0]!r}, which is none of the run's: {', '.join(classes)}.",
            "Take it out of the data, or start a new run.",
        )
    return config.with_changes(classes=classes), with_classes(dataset, classes)


def load_initial_weights(config: TrainConfig) -> dict[str, Tensor] | None:
    """The weights that a run begins with, of its `begin_with` or its teacher; None for random ones.

    A class that is new begins with a random row, by the seed of the run. Raises BadRequest for weights of another
    shape, BadFile.
    """
    source = config.begin_with or config.teacher_from
    if not source:
        return None
    base, weights = load_model(model_cards.find(source))
    rows = range(config.model.num_classes + 1) if config.teacher_from else _rows(base, config)
    return transferred(weights, base.model, config.model, rows, source, config.seed)


def _rows(base: ModelHeader, config: TrainConfig) -> list[int | None]:
    """The row of the old table for each class of the new one, None for a new class; and that of the null label."""
    old, names = base.class_names, config.classes[: config.model.num_classes]
    unnamed = [None] * (config.model.num_classes - len(names))
    return [*(old.index(name) if name in old else None for name in names), *unnamed, base.model.num_classes]
