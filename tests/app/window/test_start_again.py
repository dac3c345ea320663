"""A run that diverged is started again, slower."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop_app.settings import TrainSettings
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.train import Train
from ml.config import TrainConfig
from tests.support.fake_engine import FakeEngine
from tests.support.tiny_model import tiny_config


def test_a_run_that_diverged_is_started_again_at_half_the_rate_in_a_folder_of_its_own(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Train(AppContext(FakeEngine()), TrainSettings(data="synthetic"))
    begun: list[tuple[TrainConfig, Path, bool]] = []
    monkeypatch.setattr(page, "_begin", lambda config, folder, *, resume: begun.append((config, folder, resume)))
    page.start_slower()
    assert not begun  # there was no run yet
    config, folder = tiny_config(name="wild", lr=0.6), tmp_path / "wild"
    folder.mkdir()
    page._started = config, folder
    page.start_slower()
    page.state = "running"
    page.start_slower()  # nothing, while one is trained
    assert begun == [(config.with_changes(name="wild-2", lr=0.3), tmp_path / "wild-2", False)]
