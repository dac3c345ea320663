"""A plot that falls on the window brings back what it shows: a run with its set-up, or schedules."""

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from desktop_app.pages.explore import ExplorePage
from desktop_app.pages.train import TrainPage
from desktop_app.settings import AppSettings, TrainSettings
from desktop_app.viewmodels.nearest_preset import settings_of
from desktop_app.viewmodels.train import Train
from desktop_app.widgets.plots.export import SUFFIXES, Curve, Figure, save_plots
from desktop_app.window.main_window import MainWindow
from ml.cli.app import main as cli
from ml.errors import BadFile
from ml.export import plot_metadata
from ml.registry import presets
from ml.training.overrides import with_overrides
from tests.app.conftest import Opener
from tests.app.pages.test_exports import answer
from tests.patience import WAIT_MS

FIGURES = [Figure("Loss", "step", [Curve("one", np.arange(5.0), np.arange(5.0))])]
OWN = {"lr": 0.0123, "model.prediction": "x0"}


def trained(window: MainWindow, qtbot: QtBot) -> TrainPage:
    """A page whose run, with settings of one's own, was stopped after a few steps."""
    panel = window.page("train")
    assert isinstance(panel, TrainPage)
    train = window.session.train
    window.rail.set_page("train")
    window.show()
    train.change(preset="1-minute", data="synthetic", minutes=2.5, own=OWN)
    panel.start_button.click()
    qtbot.waitUntil(lambda: train.last is not None and train.last.step >= 20, timeout=WAIT_MS)
    qtbot.waitUntil(panel.noise_map.export.isEnabled, timeout=WAIT_MS)
    panel.stop_button.click()
    qtbot.waitUntil(lambda: not train.active and bool(train.curves), timeout=WAIT_MS)
    qtbot.waitUntil(panel.plot.export.isEnabled, timeout=WAIT_MS)
    return panel


def test_a_plot_of_a_run_brings_back_its_set_up_and_its_curves(
    opened: Opener, settings: AppSettings, qtbot: QtBot, tmp_path: Path
) -> None:
    panel = trained(opened(settings), qtbot)
    name, curve = panel._train.name, panel.plot.values(panel._train.name)
    for suffix in SUFFIXES:
        panel.plot.export.export_to(tmp_path / f"loss{suffix}")
        panel.noise_map.export.export_to(tmp_path / f"map{suffix}")
    window = opened(settings)  # which has shown nothing of it
    qtbot.waitUntil(lambda: bool(window.session.train.curves), timeout=WAIT_MS)
    train = window.session.train
    for suffix in SUFFIXES:
        train.change(preset="textbook", data="mnist")
        window.rail.set_page("draw")
        message = answer(window, qtbot, tmp_path / f"loss{suffix}")
        assert (message.tone, message.title) == ("success", f"Restored loss{suffix}")
        for words in ("set up like 1 minute", "Shown: the curves of 1 minute"):
            assert words in message.what_to_do
        assert window.rail.page() == "train"
        assert train.settings == TrainSettings(preset="1-minute", data="synthetic", minutes=2.5, own=OWN)
    again = window.page("train")
    assert isinstance(again, TrainPage)
    kept = again.plot.values(name)  # every report, of which a screen that is behind skips some
    assert again.plot.shown() == [name] and curve.shape[1] > 2 and set(curve[0]) <= set(kept[0])
    again._look_at("past")
    assert answer(window, qtbot, tmp_path / "map.pdf").tone == "success"
    assert again.looking.value() == "noise"
    qtbot.waitUntil(lambda: again.noise_map.export.isEnabled(), timeout=WAIT_MS)
    assert len(again.previews.slider.accessibleName()) and train.history_of == name
    again.noise_map.export.export_to(tmp_path / "once more.svg")
    once_more, first = plot_metadata.read(tmp_path / "once more.svg"), plot_metadata.read(tmp_path / "map.svg")
    assert once_more and first  # a screen that is behind shows other columns
    assert once_more == first.model_copy(update={"shown": once_more.shown})


def test_of_a_run_that_is_gone_the_settings_come_back(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    config = with_overrides(presets.load("standard").with_changes(name="old-one"), [("model.widths", [32, 96])])
    told = {"runs": {"old-one": config.model_dump(mode="json")}}
    save_plots(tmp_path / "x.png", FIGURES, told)
    message = answer(window, qtbot, tmp_path / "x.png")
    assert "the run was deleted: old-one" in message.what_to_do and "model.widths" in message.what_to_do
    assert window.session.train.settings == TrainSettings(preset="standard", data="mnist")
    assert "Shown" not in message.what_to_do


def test_a_plot_of_schedules_brings_them_back(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    explore, panel = window.session.explore, window.page("explore")
    assert isinstance(panel, ExplorePage)
    window.rail.set_page("explore")
    explore.change(timesteps=250, digit=4, tab="schedules")
    qtbot.waitUntil(panel.export.isEnabled, timeout=WAIT_MS)
    before = explore.settings
    for suffix in SUFFIXES:
        panel.export.export_to(tmp_path / f"x{suffix}")
    for suffix in SUFFIXES:
        explore.change(timesteps=1000, digit=7, tab="forward")
        window.rail.set_page("generate")
        message = answer(window, qtbot, tmp_path / f"x{suffix}")
        assert message.tone == "success" and "250 steps" in message.what_to_do
        assert window.rail.page() == "explore" and explore.settings == before
    Image.new("L", (28, 28), 255).save(tmp_path / "mine.png")
    told = {"schedules": before.model_dump(mode="json") | {"picture": str(tmp_path / "mine.png")}}
    save_plots(tmp_path / "y.svg", FIGURES, told)
    assert "mine.png: open it again" in answer(window, qtbot, tmp_path / "y.svg").what_to_do
    assert explore.settings.picture is None  # no file tells which others are opened


@pytest.mark.parametrize(
    "told",
    [
        {"runs": {"a": {"lr": "fast"}}},
        {"runs": {"../elsewhere": {}}},
        {"runs": {"/elsewhere": {}}},
        {"runs": {"a\0b": {}}},
        {"schedules": {"timesteps": -1}},
        {"runs": 3},
    ],
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_plot_that_tells_nonsense_is_refused(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, suffix: str, told: dict[str, object]
) -> None:
    save_plots(tmp_path / f"x{suffix}", FIGURES, told)
    before = window.session.train.settings, window.session.explore.settings
    assert answer(window, qtbot, tmp_path / f"x{suffix}").tone == "error"
    assert before == (window.session.train.settings, window.session.explore.settings)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_plot_that_was_changed_is_told_of(window: MainWindow, qtbot: QtBot, tmp_path: Path, suffix: str) -> None:
    """Its settings come back all the same."""
    path = tmp_path / f"x{suffix}"
    other = [replace(FIGURES[0], curves=[Curve("one", np.arange(5.0), np.arange(5.0) ** 2)])]
    written: list[bytes] = []
    for figures in (FIGURES, other):
        save_plots(path, figures, {"schedules": {"timesteps": 50}})
        written.append(path.read_bytes())
    told = [plot_metadata.read(path)]
    path.write_bytes(written[0])
    told.insert(0, plot_metadata.read(path))
    assert told[0] and told[1] and told[0].shown != told[1].shown
    path.write_bytes(written[1].replace(told[1].shown.encode(), told[0].shown.encode()))
    if suffix in (".svg", ".csv"):
        assert cli(["verify", str(path)]) == 1
        message = answer(window, qtbot, path)
        assert message.tone == "warning" and "not the same" in message.title
        assert window.session.explore.settings.timesteps == 50
    assert plot_metadata.digest(suffix, written[0]) == told[0].shown


def test_a_plot_without_a_run_says_so(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    save_plots(tmp_path / "x.csv", FIGURES, {"runs": {}})
    assert "without its settings" in answer(window, qtbot, tmp_path / "x.csv").title


def test_what_is_no_plot_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for suffix in SUFFIXES:
        save_plots(tmp_path / f"x{suffix}", FIGURES)
        found = plot_metadata.read(tmp_path / f"x{suffix}")
        assert found is not None and not found.runs
        assert cli(["verify", str(tmp_path / f"x{suffix}")]) == 0
        assert "the plot it was written with" in capsys.readouterr().out
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4\nnothing")
    assert plot_metadata.read(tmp_path / "a.csv") is None and plot_metadata.read(tmp_path / "a.pdf") is None
    bomb = zlib.compress(b'{"noiseloom": "' + b"0" * 200_000_000)
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4\n7 0 obj\n<<>>\nstream\n" + bomb + b"\nendstream\n<</EF <</F 7 0 R>>")
    with pytest.raises(BadFile, match="too much"):
        plot_metadata.read(tmp_path / "b.pdf")


def test_every_preset_is_recognised_in_its_runs() -> None:
    names = Train.preset_names()
    for name in names:
        settings, unsaid = settings_of(presets.load(name).with_changes(name=f"{name}-3", data="synthetic"), names)
        assert settings == TrainSettings(preset=name, data="synthetic") and not unsaid
