"""What a person can choose is described once, and all of it is there."""

from collections.abc import Mapping
from typing import Any, get_args

import pytest
import torch

from ml import specs
from ml.config import SampleSettings, TrainConfig
from ml.diffusion import guidance, interpolation, parameterization, samplers, schedules

TABLES: Mapping[str, tuple[Any, Mapping[Any, specs.Spec]]] = {
    "samplers": (specs.SamplerName, specs.SAMPLERS),
    "predictions": (specs.Prediction, specs.PREDICTIONS),
    "schedules": (specs.ScheduleName, specs.SCHEDULES),
    "spacings": (specs.Spacing, specs.SPACINGS),
    "clippings": (specs.Clipping, specs.CLIPPINGS),
    "mixings": (specs.Mixing, specs.MIXINGS),
    "weightings": (specs.Weighting, specs.WEIGHTINGS),
    "losses": (specs.LossName, specs.LOSSES),
    "optimizers": (specs.OptimizerName, specs.OPTIMIZERS),
    "lr schedules": (specs.LrScheduleName, specs.LR_SCHEDULES),
    "networks": (specs.NetworkName, specs.NETWORKS),
    "routes": (specs.Route, specs.ROUTES),
}


@pytest.mark.parametrize("table", TABLES)
def test_every_name_has_a_description_with_a_title_of_its_own(table: str) -> None:
    names, described = TABLES[table]
    assert {*get_args(names)} == {*described}
    assert len({spec.title for spec in described.values()}) == len(described)


@pytest.mark.parametrize(
    ("described", "implemented"),
    [
        (specs.SAMPLERS, samplers.SAMPLERS),
        (specs.PREDICTIONS, parameterization.PARAMETERIZATIONS),
        (specs.SCHEDULES, schedules.SCHEDULES),
        (specs.CLIPPINGS, guidance.CLIPPINGS),
        (specs.MIXINGS, interpolation.MIXINGS),
        (specs.WEIGHTINGS, parameterization.WEIGHTINGS),
    ],
)
def test_what_is_described_is_implemented(described: Mapping[str, object], implemented: Mapping[str, object]) -> None:
    assert {*described} == {*implemented}


def test_a_sampler_uses_settings_that_there_are() -> None:
    used = {name for spec in specs.SAMPLERS.values() for name in spec.uses}
    assert used <= {*SampleSettings.model_fields} & {*specs.SETTINGS}


def test_what_augmentation_is_described_can_be_set() -> None:
    assert {*specs.AUGMENTATIONS} <= {*TrainConfig.model_fields}


def test_a_name_that_is_only_declared_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samplers, "SAMPLERS", {})
    with pytest.raises(KeyError, match="ddpm"):
        samplers.run_sampler(
            SampleSettings(sampler="ddpm"), lambda x, level: x, torch.zeros(1), [], lambda: torch.zeros(1)
        )
