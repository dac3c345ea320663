"""Settings that a person typed, applied to the configuration of a preset, a file or a run."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ml.config import TrainConfig, validate
from ml.errors import BadRequest
from ml.registry import presets
from ml.registry.presets import read_config, recorded_config

BUDGETS = ("steps", "epochs", "minutes")


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


def starting_point(preset: str | None, config: Path | None, run_dir: Path | None) -> TrainConfig:
    """The configuration before changes: of the preset, the file, or the run to resume. Raises BadRequest, BadFile."""
    if preset is not None and config is not None:
        raise BadRequest("Both --preset and --config were given.", "Give one of them.")
    if preset is not None:
        return presets.load(preset)
    if config is not None:
        return read_config(config)
    if run_dir is not None:
        return recorded_config(run_dir)
    raise BadRequest(
        "There is nothing to train.", f"Give --config FILE.json or --preset: {', '.join(presets.names())}."
    )


def check_same_settings(config: TrainConfig, run_dir: Path) -> None:
    """Raises BadRequest where a setting other than the budget differs from that of the run in the folder; BadFile."""
    started_with = recorded_config(run_dir).model_dump()
    other = [name for name, value in config.model_dump().items() if name not in BUDGETS and started_with[name] != value]
    if other:
        raise BadRequest(
            f"The run in {run_dir} was started with {other[0]} = {started_with[other[0]]!r}; that cannot be changed.",
            "Leave it out to resume the run, or start a new run without --resume.",
        )
