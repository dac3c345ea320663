"""Any preset trains on any data: what a configuration leaves open follows from the images."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ml.cli.app import main
from ml.config import ModelConfig, SampleRequest, TrainConfig
from ml.data.dataset import Dataset
from ml.errors import BadRequest
from ml.events import Preview, Progress, RunStarted, Sampled
from ml.export import files
from ml.generation import pipeline
from ml.registry import checkpoint, presets
from ml.training.config_from_data import fit_to_data, form_for
from ml.training.overrides import with_overrides
from ml.training.trainer import train

QUICK = ["--steps", "2", "--batch-size", "4", "--device", "cpu", "--set", "model.widths=[8,16]"]


def images(side: int, channels: int, classes: int) -> Dataset:
    names = tuple(f"class {k}" for k in range(classes))
    return Dataset("few", torch.zeros(4, channels, side, side, dtype=torch.uint8), torch.zeros(4).long(), names)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of coloured squares, 16 x 16."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name, color in (("blue", (20, 40, 220)), ("green", (30, 200, 60)), ("red", (220, 30, 30))):
        (folder / name).mkdir()
        for k in range(20):
            pixels = np.clip(np.array(color) + rng.normal(0, 10, (16, 16, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{k}.png")
    return folder


@pytest.mark.parametrize("name", [name for name in presets.names() if name != "digit-clip"])
def test_every_preset_takes_its_images_from_the_data(name: str) -> None:
    model = fit_to_data(presets.load(name), images(32, 3, 7)).model
    assert (model.image_size, model.channels) == (32, 3)
    assert model.num_classes == (7 if presets.load(name).model.num_classes else 0)


def test_given_image_settings_are_kept() -> None:
    config = with_overrides(
        presets.load("1-minute"), [("model.image_size", 64), ("model.num_classes", 12), ("lr", 0.01)]
    )
    assert (form_for(config).side, form_for(config).channels) == (64, None)
    model = fit_to_data(config.with_changes(seed=3), images(64, 3, 7)).model
    assert (model.image_size, model.channels, model.num_classes) == (64, 3, 12)
    assert form_for(TrainConfig.model_validate_json(config.model_dump_json())).channels == 1  # as it was saved


def test_a_single_class_is_no_class() -> None:
    assert fit_to_data(presets.load("standard"), images(32, 1, 1)).model.num_classes == 0


@pytest.mark.parametrize(("side", "attention"), [(28, (7,)), (32, (8,)), (30, (8,)), (64, (16,)), (128, (32,))])
def test_attention_stays_at_its_level(side: int, attention: tuple[int, ...]) -> None:
    assert fit_to_data(presets.load("v-cosine"), images(side, 1, 10)).model.attention == attention


def test_a_size_that_does_not_fit_the_network_is_refused() -> None:
    config = TrainConfig(model=ModelConfig(patch=4), steps=1)
    with pytest.raises(BadRequest, match="image_size 30 is not a multiple of patch 4"):
        fit_to_data(config, images(30, 1, 10))


def test_a_colour_folder_is_learnt(photos: Path, tmp_path: Path) -> None:
    model = ModelConfig(widths=(16, 32), patch=2, embedding=32)
    config = TrainConfig(name="photos", model=model, data=f"folder:{photos}", steps=60, batch_size=16,
                         optimizer="muon", lr=4e-3, precision="fp32")  # fmt: skip
    events = list(train(config, tmp_path / "run", device="cpu"))
    assert events[0] == Progress(f"Looking for images in {photos.name}", 0, 0)
    started = next(event for event in events if isinstance(event, RunStarted))
    assert (started.config.model.image_size, started.config.model.channels) == (16, 3)
    last = [event for event in events if isinstance(event, Preview)][-1]
    assert last.images.shape == (3, 16, 16, 3) and last.labels == (0, 1, 2)
    request = SampleRequest(model=str(tmp_path / "run"), labels=(0, 1, 2) * 4, steps=10, guidance=1.5)
    *_, drawn = pipeline.sample(request, device="cpu")
    assert isinstance(drawn, Sampled)
    means = drawn.images.reshape(4, 3, -1, 3).mean((0, 2))  # (class, colour)
    assert means.argmax(1).tolist() == [2, 1, 0]


@pytest.mark.parametrize("preset", ["1-minute", "textbook", "v-cosine"])
def test_the_command_line_trains_any_preset_on_a_folder_and_goes_on(
    photos: Path, tmp_path: Path, preset: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photos.parent)
    run = str(tmp_path / "run")
    assert main(["train", "--preset", preset, "--data", f"folder:{photos.name}", "--run-dir", run, *QUICK]) == 0
    header = checkpoint.load_header(tmp_path / "run" / "model.safetensors")
    assert (header.model.image_size, header.model.channels, header.model.num_classes) == (16, 3, 3)
    assert header.data == f"folder:{photos}"
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--resume", "--run-dir", run, "--steps", "3"]) == 0
    assert main(["sample", "--model", run, "--labels", "0-2", "--steps", "2", "--out", str(tmp_path / "x.png")]) == 0
    assert files.read_pixels(tmp_path / "x.png").shape[2] == 3


def test_the_command_line_keeps_what_is_set(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = ["train", "--preset", "1-minute", "--data", f"folder:{photos}", *QUICK]
    settings = ["--set", "model.image_size=24", "--set", "model.channels=1", "--set", "model.num_classes=5"]
    assert main([*train, "--run-dir", str(tmp_path / "run"), *settings]) == 0
    model = json.loads((tmp_path / "run" / "config.json").read_text())["model"]
    assert (model["image_size"], model["channels"], model["num_classes"]) == (24, 1, 5)
    capsys.readouterr()
    assert main([*train, "--run-dir", str(tmp_path / "other"), "--set", "model.num_classes=2"]) == 2
    assert "3 classes, the model knows 2. Set model.num_classes to 3" in capsys.readouterr().err
    assert main([*train, "--run-dir", str(tmp_path / "other"), "--set", "model.channels=2"]) == 2
    assert "1 channel (grey) or 3 (colour), not 2" in capsys.readouterr().err
