"""What older versions wrote opens in this one; what a newer one wrote is refused with a clear word."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from desktop_app import lesson_file, settings
from desktop_app.widgets.plots import export
from ml.cli.app import main
from ml.config import SampleRequest
from ml.errors import BadFile
from ml.events import RunFinished, Sampled
from ml.experiments import comparison_figure
from ml.export import files, metadata, plot_metadata
from ml.export.formats import FORMATS
from ml.generation import pipeline
from ml.registry import model_cards, presets
from ml.registry.checkpoint import KEY, load_header, load_model, load_state
from ml.registry.presets import read_config
from ml.registry.run_layout import CONFIG_FILE, MODEL_FILE, STATE_FILE
from ml.tracking.metrics_table import LOSS_COLUMNS, LOSS_FILE, Table, curve
from ml.tracking.preview_history import load_previews
from ml.training.trainer import train
from tests.support.tiny_model import few_digits

CORPUS = Path(__file__).parent / "corpus"
VERSIONS = sorted(CORPUS.glob("v*"))


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what a version wrote, as a person's folder."""
    folder = tmp_path / "old"
    shutil.copytree(request.param, folder)
    monkeypatch.setenv("NOISELOOM_HOME", str(folder))
    return folder


def test_old_settings_are_taken_over(old: Path) -> None:
    found = settings.load_settings()
    assert not found.trouble and found.theme == "dark"
    assert (found.generate.prompt, found.generate.seed, found.generate.guidance) == ("3,8", 11, 2.5)
    assert (found.train.preset, found.train.minutes) == ("standard", 7)


def test_old_lessons_and_presets_are_read(old: Path) -> None:
    lesson = lesson_file.read(old / f"lesson{lesson_file.SUFFIX}")
    assert (lesson.title, lesson.question, lesson.answer, lesson.hidden) == ("One", "Which?", "This.", ("Sampler",))
    assert isinstance(lesson.settings, settings.GenerateSettings) and lesson.settings.prompt == "3,8"
    assert read_config(old / "preset.json").model == presets.load("quality").model


def test_old_models_draw_what_they_drew(old: Path) -> None:
    card = model_cards.card(old / "model.safetensors")
    assert card and card.header.steps == 4 and card.header.model.widths == (8,)
    stamp = files.read_stamp(old / "digits.npz")
    request = stamp.request.with_changes(model=str(old / "model.safetensors"))
    *_, done = pipeline.sample(request, device="cpu", frames=False)
    assert isinstance(done, Sampled)
    assert abs(done.images.astype(int) - files.read_pixels(old / "digits.npz")).max() <= 1  # of 255: another processor


@pytest.mark.parametrize("suffix", FORMATS)
def test_old_exports_are_read_with_their_requests(old: Path, suffix: str) -> None:
    stamp = files.read_stamp(old / f"digits{suffix}")
    assert (stamp.request.labels, stamp.request.seed, stamp.request.steps) == ((3, 8), 5, 2)
    assert stamp.layout.columns == 2 and files.read_pixels(old / f"digits{suffix}").size > 0


def test_an_old_comparison_is_read_with_its_cells(old: Path) -> None:
    stamp = files.read_stamp(old / "comparison.png")
    assert stamp.comparison
    rows, columns = comparison_figure.axes_of(stamp.comparison)
    assert rows and rows.field == "steps" and rows.values == (1, 2) and columns is None
    assert [request.steps for request in comparison_figure.requests_of(stamp)] == [1, 2]


@pytest.mark.parametrize("suffix", export.SUFFIXES)
def test_old_plots_are_read_and_are_as_they_were_written(old: Path, suffix: str) -> None:
    path = old / f"loss{suffix}"
    told = plot_metadata.read(path)
    assert told and told.runs["run"] == read_config(old / "run" / CONFIG_FILE)
    assert plot_metadata.prove(path, told).same


def test_an_old_plot_of_schedules_brings_them_back(old: Path) -> None:
    told = plot_metadata.read(old / "schedules.svg")
    assert told and told.schedules and settings.ExploreSettings.model_validate(told.schedules)


def test_an_old_run_is_gone_on_with(old: Path, tmp_path: Path) -> None:
    run = old / "run"
    config = read_config(run / CONFIG_FILE)
    assert curve(run).shape == (3, 4) and len(load_previews(run, tuple(range(10)), 28)) == 2
    before = load_file(run / STATE_FILE)
    longer = config.with_changes(steps=8)
    events = list(train(longer, run, device="cpu", data_root=few_digits(tmp_path / "data"), resume=True))
    assert isinstance(events[-1], RunFinished) and events[-1].completed and events[-1].step == 8
    assert Table(run / LOSS_FILE, LOSS_COLUMNS).read()[0].tolist() == list(range(1, 9))
    after = load_file(run / STATE_FILE)
    assert before.keys() == after.keys() and any(not torch.equal(before[name], after[name]) for name in before)


def newer(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The same file as a version of the future would have written it."""

    def changed(text: str) -> str:
        values = json.loads(text)
        change(values)
        return json.dumps(values)

    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            text = file.metadata()[KEY]
        save_file(load_file(path), path, metadata={KEY: changed(text)})
    else:
        path.write_text(changed(path.read_text(encoding="utf-8")), encoding="utf-8")
    return path


def version_two(values: dict[str, Any]) -> None:
    values |= {"version": 2, "something": "new"}


def network_two(values: dict[str, Any]) -> None:
    values["model"] |= {"version": 2, "network": "of tomorrow"}


def configuration_two(values: dict[str, Any]) -> None:
    values["config"] |= {"version": 2, "optimizer": "of tomorrow"}


@pytest.mark.parametrize(
    ("name", "read", "change"),
    [
        ("preset.json", read_config, version_two),
        ("preset.json", read_config, network_two),
        (f"run/{MODEL_FILE}", load_model, version_two),
        (f"run/{MODEL_FILE}", load_header, network_two),
        (f"run/{STATE_FILE}", load_state, version_two),
        (f"run/{STATE_FILE}", load_state, configuration_two),
        (f"lesson{lesson_file.SUFFIX}", lesson_file.read, version_two),
    ],
    ids=["preset", "network", "model", "model's network", "checkpoint", "checkpoint's configuration", "lesson"],
)
def test_a_file_from_the_future_is_refused_and_left_alone(
    old: Path, name: str, read: Callable[[Path], object], change: Callable[[dict[str, Any]], None]
) -> None:
    path = newer(old / name, change)
    before = path.read_bytes()
    with pytest.raises(BadFile, match=r"newer Noiseloom.*Update Noiseloom"):
        read(path)
    assert path.read_bytes() == before


def test_a_picture_from_the_future_is_refused_in_one_line(
    old: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ml.export.metadata.Stamp.model_dump", lambda *_, **__: {"version": 2, "request": "of tomorrow"}
    )
    request = SampleRequest(labels=(1, 2))
    files.save(old / "new.png", files.read_pixels(old / "digits.npz"), request, metadata.Layout())
    assert main(["verify", str(old / "new.png")]) == 2
    said = capsys.readouterr().err
    assert "written by a newer Noiseloom" in said and said.count("\n") == 1
