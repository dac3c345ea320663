"""Settings that a person typed, presets that they begin from, and how long what they ask for would take."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ml.config import TrainConfig
from ml.data import datasets
from ml.errors import BadFile, BadRequest
from ml.registry import presets
from ml.registry.presets import read_config, recorded_config
from ml.registry.run_layout import CONFIG_FILE
from ml.training import throughput
from ml.training.loss_by_noise import LossByNoise
from ml.training.microbatch import Microbatches
from ml.training.overrides import check_same_settings, get_setting, parse_assignment, starting_point, with_overrides
from tests.support.tiny_model import tiny_config


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("lr=0.001", "lr", 0.001),
        (" model.widths =[32,64]", "model.widths", [32, 64]),
        ("name=a=b", "name", "a=b"),
        ("data=mnist", "data", "mnist"),
        ("augment=true", "augment", True),
    ],
)
def test_an_assignment_is_a_name_and_a_value(text: str, key: str, value: object) -> None:
    assert parse_assignment(text) == (key, value)


def test_an_assignment_without_a_value_is_refused() -> None:
    with pytest.raises(BadRequest, match="there is no '='"):
        parse_assignment("lr")


def test_one_budget_replaces_another() -> None:
    config = tiny_config(steps=30)
    for name, value in (("epochs", 2.0), ("minutes", 3.0), ("steps", 5)):
        config = with_overrides(config, [(name, value)])
        assert {key: get_setting(config, key) for key in ("steps", "epochs", "minutes")} == {
            **dict.fromkeys(("steps", "epochs", "minutes")),
            name: value,
        }


def test_a_nested_setting_is_changed_alone_in_a_copy() -> None:
    config = tiny_config()
    other = with_overrides(config, [("model.embedding", 32), ("lr", 0.01)])
    assert (other.model.embedding, other.lr) == (32, 0.01)
    assert other.model.widths == config.model.widths and config.model.embedding == 16
    assert get_setting(other, "model.embedding") == 32


@pytest.mark.parametrize("key", ["nosuch", "model.nosuch", "nosuch.lr", "lr.model", "model"])
def test_a_setting_that_there_is_none_of_is_refused(key: str) -> None:
    with pytest.raises(BadRequest):
        with_overrides(tiny_config(), [(key, 1)])


def test_the_first_value_that_is_wrong_is_named_and_where() -> None:
    with pytest.raises(BadRequest, match=r"model\.embedding: Input should be greater than or equal to 8"):
        with_overrides(tiny_config(), [("model.embedding", 1)])


def test_a_run_begins_from_one_of_three(tmp_path: Path) -> None:
    file, run = tmp_path / "c.json", tmp_path / "run"
    run.mkdir()
    file.write_text(tiny_config(name="file").model_dump_json())
    (run / CONFIG_FILE).write_text(tiny_config(name="before").model_dump_json())
    assert starting_point("1-minute", None, run) == presets.load("1-minute")
    assert starting_point(None, file, run).name == "file"
    assert starting_point(None, None, run).name == recorded_config(run).name == "before"
    with pytest.raises(BadRequest, match="Both"):
        starting_point("1-minute", file, None)
    with pytest.raises(BadRequest, match="nothing to train") as error:
        starting_point(None, None, None)
    assert "1-minute" in error.value.what_to_do
    with pytest.raises(BadFile, match="Cannot read"):
        read_config(tmp_path / "none.json")


def test_a_run_resumes_with_its_own_settings_and_another_budget(tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_text(tiny_config().model_dump_json())
    check_same_settings(tiny_config(steps=None, minutes=5.0), tmp_path)
    with pytest.raises(BadRequest, match=r"started with lr = 0\.002"):
        check_same_settings(tiny_config(lr=0.1), tmp_path)


def test_presets_are_in_order_wherever_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(glob=lambda _: [Path("b.json"), Path("c.json"), Path("a.json")])
    monkeypatch.setattr(presets, "folder", lambda: found)
    assert presets.names() == ["a", "b", "c"]


def test_presets_are_read_anew_once_they_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "folder", lambda: tmp_path)
    for number, name in enumerate(("later", "early")):
        (tmp_path / f"{name}.json").write_text(tiny_config(name=name, seed=number).model_dump_json())
    (tmp_path / "notes.txt").touch()
    assert presets.names() == ["early", "later"]
    assert presets.load("later").seed == 0
    (tmp_path / "later.json").write_text(tiny_config(name="later", seed=7).model_dump_json())
    os.utime(tmp_path / "later.json", ns=(1, 1))
    assert presets.load("later").seed == 7
    with pytest.raises(BadRequest, match="no preset 'nosuch'") as error:
        presets.load("nosuch")
    assert "early, later" in error.value.what_to_do


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"steps": 100}, 100 * 8 / 4),
        ({"steps": None, "epochs": 0.5}, 0.5 * 1000 / 4),
        ({"steps": None, "minutes": 2.0}, 120.0),
    ],
)
def test_a_run_is_estimated_from_a_few_of_its_steps(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], seconds: float
) -> None:
    """Here a step takes as many seconds as a quarter of its images; the first one, which finds its memory, an hour."""
    now, sizes, begun, work = 0.0, list[int](), set[Microbatches](), Microbatches._backward

    def take(batches: Microbatches, chosen: torch.Tensor, by_noise: LossByNoise) -> torch.Tensor:
        nonlocal now
        now += len(chosen) / 4 if batches in begun else 3600
        begun.add(batches)
        sizes.append(len(chosen))
        return work(batches, chosen, by_noise)

    monkeypatch.setattr(Microbatches, "_backward", take)
    monkeypatch.setattr(throughput, "time", SimpleNamespace(perf_counter=lambda: now))
    monkeypatch.setattr(throughput, "PATIENCE_S", 10.5)
    found = throughput.estimate(tiny_config(batch_size=8, **changes), "cpu", images=1000)
    assert found.images_per_s == pytest.approx(4) and found.seconds == pytest.approx(seconds)
    assert sizes == [4, 4] + [8] * 6
    monkeypatch.setattr(throughput, "PATIENCE_S", 9.5)  # for which five steps of eight are too many
    sizes.clear()
    throughput.estimate(tiny_config(batch_size=8, **changes), "cpu", images=1000)
    assert sizes == [4, 4]


def test_a_configuration_is_kept_as_text(tmp_path: Path) -> None:
    config = tiny_config(seed=3)
    path = tmp_path / "c.json"
    path.write_text(json.dumps(config.model_dump(mode="json")))
    assert read_config(path) == config == TrainConfig.model_validate(config.model_dump())


def test_data_are_named_where_there_are_none_of_that_name() -> None:
    with pytest.raises(BadRequest, match="no data set called 'nosuch'"):
        datasets.load("nosuch")
