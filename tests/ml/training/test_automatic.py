"""An automatic configuration: what it leaves open follows from images and device, what is set stays, with reasons."""

import time
from pathlib import Path

import pytest
import torch

from ml.cli.app import main
from ml.config import TrainConfig
from ml.data.dataset import Dataset
from ml.errors import BadRequest
from ml.registry import presets
from ml.registry.presets import recorded_config
from ml.training import automatic
from ml.training.automatic import DataFacts, choose, images_per_second, patch_for
from ml.training.config_from_data import fit_to_data
from ml.training.overrides import with_overrides
from tests.support.tiny_model import few_digits

EMOJI, DIGITS = DataFacts(32, 3, 1708), DataFacts(28, 1, 60_000)


def few(side: int) -> Dataset:
    images = torch.zeros(4, 3, side, side, dtype=torch.uint8)
    return Dataset("few", images, torch.arange(4) % 3, ("a", "b", "c"))


def speed(peak: float, asked: list[TrainConfig] | None = None) -> automatic.Speed:
    """A device that trains the network of 64 and 128 channels with `peak` images a second."""

    def images_per_second(config: TrainConfig) -> float:
        if asked is not None:
            asked.append(config)
        return peak * (64 / config.model.widths[0]) ** 1.5

    return images_per_second


def chosen(facts: DataFacts, peak: float, *changes: tuple[str, object]) -> TrainConfig:
    return choose(with_overrides(presets.load("automatic"), changes), facts, "cpu", speed(peak))


@pytest.mark.parametrize(
    ("peak", "widths", "minutes"),
    [(10, (32, 64), 20), (40, (32, 64), 20), (80, (48, 96), 20), (120, (64, 128), 20), (5000, (128, 256), 3)],
)
def test_the_network_is_the_widest_that_sees_enough_in_twenty_minutes(
    peak: float, widths: tuple[int, ...], minutes: int
) -> None:
    config = chosen(EMOJI, peak)
    assert (config.model.widths, config.minutes) == (widths, minutes)
    assert f"U-Net of {widths[0]} and {widths[1]} channels" in config.note


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("a mistake")])
def test_a_network_that_memory_does_not_hold_is_not_chosen(error: RuntimeError) -> None:
    def fast(config: TrainConfig) -> float:
        if config.model.widths[0] > 64:
            raise error
        return 5000.0

    if isinstance(error, torch.OutOfMemoryError):
        assert choose(presets.load("automatic"), EMOJI, "cpu", fast).model.widths == (64, 128)
    else:
        with pytest.raises(RuntimeError, match="a mistake"):
            choose(presets.load("automatic"), EMOJI, "cpu", fast)


def test_colour_images_seen_often_are_changed_and_mirrored() -> None:
    config = chosen(EMOJI, 120)
    model = config.model
    assert (model.image_size, model.channels, model.patch, model.attention) == (32, 3, 2, (8,))
    assert (config.augment_share, config.mirror, config.batch_size, config.time_mean) == (0.12, True, 32, 0.0)
    assert "each of the 1,708 about 84 times" in config.note
    assert "copies are mirrored or shifted, turned and scaled, which is not drawn" in config.note


def test_digits_are_neither_mirrored_nor_changed() -> None:
    config = chosen(DIGITS, 300)
    assert (config.mirror, config.augment_share, config.model.attention, config.time_mean) == (False, 0.0, (), 0.4)
    assert "does not need changed copies" in config.note
    little = chosen(DataFacts(28, 1, 200), 300)
    assert (little.mirror, little.augment_share) == (False, 0.12)


def test_few_images_are_not_seen_for_ever() -> None:
    little, much = chosen(DataFacts(32, 3, 100), 300), chosen(DataFacts(32, 3, 50_000), 300)
    assert little.minutes is not None and much.minutes is not None
    assert little.minutes < much.minutes <= 20


def test_what_is_set_stays() -> None:
    config = chosen(
        EMOJI, 120, ("model.widths", [16, 32]), ("model.patch", 4), ("batch_size", 7), ("mirror", False), ("steps", 90)
    )
    assert (config.model.widths, config.model.patch, config.model.attention) == ((16, 32), 4, (4,))
    assert (config.batch_size, config.mirror, config.steps, config.minutes) == (7, False, 90, None)
    assert "In this run it sees about 630 images" in config.note
    assert not config.augment_share  # each image is hardly seen once


def test_a_shorter_run_gets_a_narrower_network() -> None:
    assert chosen(EMOJI, 120, ("minutes", 7)).model.widths == (32, 64)
    assert chosen(EMOJI, 120, ("minutes", 60)).model.widths == (128, 256)
    assert chosen(EMOJI, 120, ("minutes", 60)).minutes == 60


def test_the_speed_is_asked_for_the_networks_that_come_into_question() -> None:
    asked: list[TrainConfig] = []
    choose(presets.load("automatic"), EMOJI, "cpu", speed(120, asked))
    assert [config.model.widths for config in asked] == [(32, 64), (48, 96), (64, 128), (96, 192)]
    assert {(config.model.patch, config.model.attention, config.batch_size) for config in asked} == {(2, (8,), 32)}


@pytest.mark.parametrize(
    ("side", "patch"), [(16, 1), (28, 2), (29, 1), (32, 2), (48, 3), (64, 4), (92, 4), (96, 6), (100, 5), (128, 8)]
)
def test_the_patch_divides_the_image_into_about_sixteen(side: int, patch: int) -> None:
    assert patch_for(side) == patch


def test_what_was_chosen_is_an_ordinary_configuration() -> None:
    config = chosen(EMOJI, 120)
    assert (
        not config.automatic
        and fit_to_data(config, few(32), "cpu").with_changes(model=config.model, data=config.data) == config
    )


def test_the_speed_of_a_device_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([10.0, 12.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    config = with_overrides(presets.load("automatic"), [("model.widths", [8, 16]), ("batch_size", 5)])
    assert images_per_second(config, "cpu") == automatic.STEPS * 5 / 2.0


def test_only_an_automatic_configuration_may_lack_a_length() -> None:
    with pytest.raises(ValueError, match="exactly one of steps, epochs or minutes"):
        TrainConfig()
    with pytest.raises(ValueError, match="found: steps, minutes"):
        TrainConfig(automatic=True, steps=1, minutes=1)


def test_it_is_completed_with_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic, "images_per_second", lambda config, device: 300.0)
    images = few(64)
    config = fit_to_data(presets.load("automatic"), images, "cpu")
    assert (config.model.image_size, config.model.num_classes, config.model.patch) == (64, 3, 4)
    assert config.model.augment_inputs == 5 and "each of the 4 about" in config.note
    assert "each of the 5,000 about" in fit_to_data(presets.load("automatic"), images, "cpu", 5000).note


def test_the_command_line_says_why_and_the_run_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(automatic, "images_per_second", lambda config, device: 1.0)
    data, run = few_digits(tmp_path / "data"), tmp_path / "run"
    command = ["train", "--preset", "automatic", "--data-root", str(data), "--device", "cpu", "--steps", "2"]
    assert main([*command, "--run-dir", str(run), "--set", "model.widths=[8,16]"]) == 0
    config = recorded_config(run)
    assert config.note in capsys.readouterr().err and "U-Net of 8 and 16 channels" in config.note
    assert (config.model.patch, config.batch_size, config.steps) == (2, 16, 2)
    assert main(["train", "--resume", "--run-dir", str(run), "--data-root", str(data), "--steps", "3"]) == 0
    assert recorded_config(run).with_changes(steps=2) == config
    assert "U-Net" not in capsys.readouterr().err


def test_images_of_other_channels_are_refused_as_elsewhere() -> None:
    with pytest.raises(BadRequest, match="image_size 30 is not a multiple of patch 4"):
        chosen(DataFacts(30, 3, 10), 100, ("model.patch", 4))
