"""Settings that a person typed, applied to the configuration of a preset, a file or a run."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ml.config import TrainConfig, validate
from ml.errors import BadRequest
from ml.registry import model_cards, presets
from ml.registry.checkpoint import ModelHeader, load_header
from ml.registry.presets import read_config, recorded_config
from ml.registry.run_layout import CONFIG_FILE, MODEL_FILE
from ml.specs import DIGITS

BUDGETS = ("steps", "epochs", "minutes")
BEGIN_LR = 0.5  # of the learning rate from random weights, where a run begins with a model
BEGIN_BATCH = 32  # images at most, since such a run is short
BEGIN_MINUTES = 5.0
BEGIN_GUIDANCE = 2.0  # at least, of a model that is guided: after a short run its new classes are weak without
BEGIN_IMAGES = 500  # of each class, with copies, where a model of grey images goes on learning
LIKE_BEFORE = (  # settings that a run takes over from the one that trained the model it begins with
    "batch_size", "optimizer", "lr", "lr_schedule", "warmup", "weight_decay", "grad_clip", "ema_gamma",
    "label_dropout", "loss", "weighting", "time_mean", "time_std", "time_uniform", "precision", "file_precision",
)  # fmt: skip


def with_overrides(config: TrainConfig, changes: Iterable[tuple[str, Any]]) -> TrainConfig:
    """The configuration with fields replaced, dotted where nested; one budget replaces another. Raises BadRequest.

    Unset fields stay unset: they follow from the data (see `ml.training.config_from_data`).
    """
    values, all_values = config.model_dump(mode="json", exclude_unset=True), config.model_dump(mode="json")
    for key, value in changes:
        *groups, name = key.split(".")
        place: Any = values
        known: Any = all_values
        for group in groups:
            place = place.setdefault(group, {}) if isinstance(place, dict) else None
            known = known.get(group) if isinstance(known, dict) else None
        if not isinstance(place, dict) or not isinstance(known, dict) or name not in known:
            names = ", ".join(known if isinstance(known, dict) else all_values)
            raise BadRequest(f"There is no setting {key!r}.", f"Use one of: {names}.")
        if key in BUDGETS:
            values |= dict.fromkeys(BUDGETS)
        place[name] = value
    return validate(TrainConfig, values)


def get_setting(config: TrainConfig, key: str) -> Any:
    """The value of a setting by its name, dotted where nested."""
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value


def parse_assignment(text: str) -> tuple[str, Any]:
    """`model.widths=[32,64]` -> ("model.widths", [32, 64]); a value that is not JSON is a text. Raises BadRequest."""
    key, equals, value = text.partition("=")
    if not equals:
        raise BadRequest(f"--set {text}: there is no '='.", "Write --set key=value, for example --set lr=0.001.")
    try:
        return key.strip(), json.loads(value)
    except (ValueError, RecursionError):
        return key.strip(), value


def starting_point(
    preset: str | None, config: Path | None, run_dir: Path | None, begin_with: str | None = None
) -> TrainConfig:
    """The configuration before changes: of the preset, the file, the run to resume, or the model to begin with.

    Raises BadRequest, BadFile.
    """
    if preset is not None and config is not None:
        raise BadRequest("Both --preset and --config were given.", "Give one of them.")
    if preset is not None:
        return presets.load(preset)
    if config is not None:
        return read_config(config)
    if run_dir is not None:
        return recorded_config(run_dir)
    if begin_with:
        return to_begin_with(begin_with)
    raise BadRequest(
        "There is nothing to train.",
        f"Give --config FILE.json, --from MODEL or --preset: {', '.join(presets.names())}.",
    )


def to_begin_with(model: str) -> TrainConfig:
    """The configuration of a run that begins with a model: batches, optimizer and losses of the run that trained it.

    The learning rate is BEGIN_LR of that run's, since the weights are good already: at the full rate they would lose
    what they know before they learn anything new. Raises BadRequest, BadFile.
    """
    path = model_cards.find(model)
    header = load_header(path)
    trained_by = path.parent / CONFIG_FILE
    if os.path.isfile(trained_by):
        trained = read_config(trained_by).model_dump(include=set(LIKE_BEFORE))
    else:
        known = header.name in presets.names()
        trained = presets.load(header.name).model_dump(include=set(LIKE_BEFORE)) if known else {}
    guidance = header.defaults.guidance
    defaults = header.defaults.with_changes(guidance=max(guidance, BEGIN_GUIDANCE) if guidance > 1 else guidance)
    lr = BEGIN_LR * trained.get("lr", TrainConfig.model_fields["lr"].default)
    values = trained | {
        "lr": lr,
        "batch_size": min(BEGIN_BATCH, trained.get("batch_size", BEGIN_BATCH)),
        "model": header.model.model_dump(exclude={"channels", "num_classes", "attention"}),
        "defaults": defaults.model_dump(),
        "name": f"from-{path.parent.name if path.name == MODEL_FILE else path.stem}",
        "note": f"Goes on from the weights of {model}.",
        "data": header.data or TrainConfig.model_fields["data"].default,
        "begin_with": model,
        "images_per_class": BEGIN_IMAGES if header.model.channels == 1 else 0,
        "minutes": BEGIN_MINUTES,
    }
    return validate(TrainConfig, values)


def check_can_begin(config: TrainConfig, base: ModelHeader) -> None:
    """Raises BadRequest for a model that a run with this configuration cannot begin with."""
    if base.teacher:
        raise BadRequest(
            f"{config.begin_with} is a few-step student; training it on images undoes that.",
            f"Begin with its teacher, {base.teacher}, and distill a student of the result.",
        )
    if base.model.reader and config.data not in DIGITS:
        raise BadRequest(
            f"{config.begin_with} learns from captions, which only digits have.",
            "Begin with a model of classes, or train it on mnist or synthetic.",
        )
    if base.model.codec and config.augments:
        raise BadRequest(
            f"{config.begin_with} learns from latents, which cannot be mirrored or shifted.",
            "Leave out mirror and augment_share, or begin with a model that works in pixels.",
        )
    for name in ("codec_from", "reader_from", "teacher_from"):
        if getattr(config, name):
            raise BadRequest(
                f"{name} is set, and {config.begin_with} brings its own parts.", f"Leave out {name} or begin_with."
            )


def check_same_settings(config: TrainConfig, run_dir: Path) -> None:
    """Raises BadRequest where a setting other than the budget differs from that of the run in the folder; BadFile."""
    started_with = recorded_config(run_dir).model_dump()
    free = (*BUDGETS, "score")  # which does not change the run
    other = [name for name, value in config.model_dump().items() if name not in free and started_with[name] != value]
    if other:
        raise BadRequest(
            f"The run in {run_dir} was started with {other[0]} = {started_with[other[0]]!r}; that cannot be changed.",
            "Leave it out to resume the run, or start a new run without --resume.",
        )
