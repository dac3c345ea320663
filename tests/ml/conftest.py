"""A tiny diffusion model, trained for a moment, for every test that only needs one that works."""

from pathlib import Path

import pytest

from ml.config import ModelConfig, TrainConfig
from ml.events import RunFinished
from ml.trainer import train

TINY = ModelConfig(widths=(8, 16), patch=2, embedding=16)


def tiny_config(**changes: object) -> TrainConfig:
    """A run of seconds on synthetic digits."""
    settings: dict[str, object] = {
        "name": "tiny", "model": TINY.model_dump(), "data": "synthetic", "steps": 30, "batch_size": 32, "lr": 2e-3,
        "precision": "fp32", "preview_every_s": 1000, "save_every_s": 1000, "defaults": {"steps": 4},
    }  # fmt: skip
    return TrainConfig.model_validate(settings | changes)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of a tiny model."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert any(isinstance(event, RunFinished) for event in train(tiny_config(), folder, device="cpu"))
    return folder
