"""The settings of the Train page for a run: the nearest preset, and the settings that differ from it."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from desktop_app.settings import TrainSettings
from ml.config import TrainConfig
from ml.errors import NoiseloomError
from ml.registry import presets
from ml.training.overrides import BUDGETS, to_begin_with

CHOSEN = ("model.widths", "model.patch", "batch_size", "time_mean", "augment_share", "mirror")  # by `automatic`
APART = (  # not compared
    "name", "note", "version", "automatic", "data", "begin_with", "keep_classes", "classes",
    "preview_every_s", "save_every_s", *BUDGETS,
)  # fmt: skip
BY_DATA = (
    "model.image_size",
    "model.channels",
    "model.num_classes",
    "model.attention",
    "model.augment_inputs",
)  # where a preset leaves them open
Leaves = dict[str, Any]


def settings_of(config: TrainConfig, names: list[str]) -> tuple[TrainSettings, list[str]]:
    """The set-up of a run from the nearest of these presets, and the names of settings that the page lacks."""

    def apart(name: str) -> tuple[int, bool]:
        return len(_unlike(presets.load(name), config)), not config.name.startswith(name)

    nearest = min(names, key=apart)
    preset = presets.load(nearest)
    if config.begin_with:
        with suppress(NoiseloomError):  # that model is gone
            preset = to_begin_with(config.begin_with)
    unlike = _unlike(preset, config)
    own = {key: value for key, value in unlike.items() if isinstance(value, str | float | int)}
    minutes = config.minutes if config.minutes != preset.minutes else None
    for budget in ("steps", "epochs"):
        value = getattr(config, budget)
        if value is not None and value != getattr(preset, budget):
            own[budget] = value
    settings = TrainSettings(
        preset=nearest, begin_with=config.begin_with, keep_classes=config.keep_classes, data=config.data,
        minutes=minutes, own=own,
    )  # fmt: skip
    return settings, [key for key in unlike if key not in own]


def _unlike(preset: TrainConfig, config: TrainConfig) -> Leaves:
    """The settings of a run that differ from a preset's, by dotted names, except those set by the data."""
    theirs = dict(_leaves(config.model_dump(mode="json")))
    default = dict(_leaves(preset.model_dump(mode="json")))
    named = dict(_leaves(preset.model_dump(mode="json", exclude_unset=True)))
    by_data = (*BY_DATA, *CHOSEN) if preset.automatic else BY_DATA
    open_ones = {key for key in by_data if key not in named}
    return {
        key: value for key, value in theirs.items()
        if key in default and value != default[key] and key not in open_ones and key not in APART
    }  # fmt: skip


def _leaves(values: dict[str, Any], group: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{group}{name}.")
        else:
            yield f"{group}{name}", value
