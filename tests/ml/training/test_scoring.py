"""A run that is scored: the same run, with scores at every doubling of steps, and its best checkpoint can be kept."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ml.cli.app import main
from ml.config import TrainConfig
from ml.control import RunControl
from ml.errors import BadRequest
from ml.events import CheckpointScored, Progress, RunFinished, TrainEvent
from ml.registry import local_models, model_cards
from ml.registry.checkpoint import load_header
from ml.registry.model_cards import ModelCard
from ml.registry.run_layout import MODEL_FILE, SNAPSHOTS
from ml.tracking.score_curve import best, load_scores
from ml.training.trainer import train
from tests.ml.training.test_trainer import assert_same_run, of
from tests.support.tiny_model import few_digits, tiny_config

DROPOUT = {"widths": [8, 16], "patch": 2, "embedding": 16, "dropout": 0.3}  # which draws from torch's own generator


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_digits(tmp_path_factory.mktemp("digits"), test=200)


def quick(patch: pytest.MonkeyPatch, digits: Path) -> None:
    """Checkpoints after 2, 4, 8, ... steps, whose scores are of few images."""
    patch.setenv("NOISELOOM_DATA", str(digits))
    patch.setattr("ml.training.run.FIRST_SNAPSHOT", 2)
    patch.setattr("ml.evaluation.metrics.DRAWS", 1)
    patch.setattr("ml.training.scoring.IMAGES", 100)


@pytest.fixture(autouse=True)
def _quick(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch, digits)


def config_of(**changes: object) -> TrainConfig:
    return tiny_config(data="mnist", batch_size=8, steps=5, model=DROPOUT, **changes)


def run(config: TrainConfig, folder: Path, **more: object) -> list[TrainEvent]:
    return list(train(config, folder, device="cpu", **more))  # type: ignore[arg-type]


def card_of(folder: Path) -> ModelCard:
    card = model_cards.card(folder / MODEL_FILE)
    assert card is not None
    return card


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> tuple[Path, list[TrainEvent]]:
    """The folder of a finished run that was scored, and its events."""
    folder = tmp_path_factory.mktemp("runs") / "scored"
    with pytest.MonkeyPatch.context() as patch:
        quick(patch, digits)
        torch.manual_seed(99)
        return folder, run(config_of(score=True), folder)


def test_a_scored_run_is_the_same_run_and_every_doubling_and_the_end_have_scores(
    tmp_path: Path, scored: tuple[Path, list[TrainEvent]]
) -> None:
    folder, events = scored
    run(config_of(), tmp_path / "plain")
    assert_same_run(tmp_path / "plain", folder)
    points = of(CheckpointScored, events)
    assert [point.step for point in points] == [2, 4, 5]
    assert points == load_scores(folder) and load_scores(tmp_path / "plain") == []
    for point in points:
        assert point.accuracy is not None and point.frechet_ratio is not None and point.frechet_ratio > 1
        assert point.judge_accuracy and point.judge_accuracy > 0.9 and not point.reason
    assert [int(path.stem) for path in model_cards.snapshots(str(folder))] == [2, 4, 5]

    last = (tmp_path / "plain" / MODEL_FILE).read_bytes()  # of which there is no checkpoint
    local_models.keep_snapshot(card_of(tmp_path / "plain"), 4)
    assert (tmp_path / "plain" / SNAPSHOTS / "00000005.safetensors").read_bytes() == last
    local_models.keep_snapshot(card_of(tmp_path / "plain"), 5)
    assert (tmp_path / "plain" / MODEL_FILE).read_bytes() == last


def test_a_figure_that_is_not_given_has_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISELOOM_DATA", str(few_digits(tmp_path / "few", test=30)))
    (last,) = of(CheckpointScored, run(config_of(score=True).with_changes(steps=1), tmp_path / "run"))
    assert last.frechet_ratio is None and last.accuracy is not None and "are too few" in last.reason
    assert load_scores(tmp_path / "run") == [last]


def test_a_run_can_be_scored_from_its_resuming_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run(config_of(), folder)
    (folder / SNAPSHOTS / "00000008.safetensors").write_bytes(b"of a process that was killed later")
    (folder / SNAPSHOTS / "00000008.json").write_text("{}")
    events = run(config_of(score=True).with_changes(steps=6), folder, resume=True)
    assert [point.step for point in of(CheckpointScored, events)] == [6]
    assert not list((folder / SNAPSHOTS).glob("00000008*"))


def test_a_run_that_is_stopped_while_it_is_scored_ends_there(tmp_path: Path) -> None:
    control, seen = RunControl(), []
    for event in train(config_of(score=True), tmp_path / "run", device="cpu", control=control):
        seen.append(event)
        if isinstance(event, Progress) and event.what.startswith("Scoring step") and event.done == event.total:
            control.cancel()
    assert isinstance(seen[-1], RunFinished) and seen[-1].step == 2 and not of(CheckpointScored, seen)
    assert (tmp_path / "run" / SNAPSHOTS / "00000002.safetensors").is_file()


def test_the_best_checkpoint_becomes_the_model_and_the_last_can_be_taken_back(
    scored: tuple[Path, list[TrainEvent]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(scored[0], tmp_path / "run"))
    model, last = folder / MODEL_FILE, load_file(folder / MODEL_FILE)
    local_models.keep_snapshot(card_of(folder), 2)
    assert load_header(model).steps == 2 and "seed 5" in card_of(folder).scores
    assert model.read_bytes() == (folder / SNAPSHOTS / "00000002.safetensors").read_bytes()
    chosen = best(load_scores(folder))
    assert chosen is not None and main(["models", "keep", str(folder)]) == 0
    assert load_header(model).steps == chosen.step and f"step {chosen.step}  class accuracy" in capsys.readouterr().out
    assert main(["models", "keep", str(folder), "--step", "5"]) == 0
    again = load_file(model)
    assert load_header(model).steps == 5 and all(torch.equal(again[name], tensor) for name, tensor in last.items())
    with pytest.raises(BadRequest, match="no checkpoint of step 3"):
        local_models.keep_snapshot(card_of(folder), 3)
