"""Two programs at once: a run belongs to one of them, and what is drawn with while it trains is of one moment."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from ml.cli.app import main
from ml.control import RunControl
from ml.errors import BadRequest, CannotWrite
from ml.events import CheckpointSaved, RunFinished, TrainStep
from ml.generation import loaded_model
from ml.registry import local_models, model_cards
from ml.registry.checkpoint import load_state_header
from ml.registry.run_layout import MODEL_FILE, STATE_FILE
from ml.system import paths
from ml.system.files import make_folder
from ml.system.folder_lock import LOCK_FILE, is_locked, lock_folder
from ml.tracking import run_index
from ml.training.trainer import train
from tests.support.tiny_model import few_digits, tiny_config
from tests.support.warm_fork import Lives, wait_for

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks and kills as Unix does")


def command(tmp_path: Path, folder: Path, *more: object, **changes: object) -> list[object]:
    if not (tmp_path / "data").exists():
        few_digits(tmp_path / "data")
    config = tiny_config(**{"data": "mnist", "batch_size": 8, "steps": 100_000, "save_every_s": 0.1} | changes)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    start = ["--resume"] if (folder / STATE_FILE).exists() else ["--config", tmp_path / "config.json"]
    return ["train", *start, "--data-root", tmp_path / "data", "--run-dir", folder, "--device", "cpu", *more]


def test_a_run_is_locked_until_its_process_ends(lives: Lives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path))
    folder = make_folder(paths.user_runs() / "mine")
    config = tiny_config(data="mnist", batch_size=8)
    pid = lives.begin(command(tmp_path, folder), tmp_path / "log.txt")
    wait_for((folder / MODEL_FILE).exists, tmp_path / "log.txt")
    assert is_locked(folder) and run_index.unfinished_runs() == []
    with pytest.raises(BadRequest, match="being trained by another window or command"):
        list(train(config, folder, device="cpu", data_root=tmp_path / "data", resume=True))
    card = model_cards.card(folder / MODEL_FILE)
    assert card
    for meddle in (local_models.delete, lambda card: local_models.rename(card, "other")):
        with pytest.raises(BadRequest, match="being trained"):
            meddle(card)
    assert lives.end(pid, kill=True) == -signal.SIGKILL
    assert (folder / LOCK_FILE).exists() and not is_locked(folder)  # what is left of the lock holds nobody up
    (cut_short,) = run_index.unfinished_runs()
    step = cut_short.step
    *_, finished = train(
        config.with_changes(steps=step + 3), folder, device="cpu", data_root=tmp_path / "data", resume=True
    )
    assert isinstance(finished, RunFinished) and finished.completed and finished.step == step + 3
    local_models.delete(card)
    assert not folder.exists()


def test_of_two_that_start_in_one_folder_one_trains(
    lives: Lives, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    line = list(map(str, command(tmp_path, folder, steps=40)))
    pid = lives.begin(line, tmp_path / "log.txt")
    ours = main(line)
    codes = [lives.end(pid), ours]
    said = [(tmp_path / "log.txt").read_text(), capsys.readouterr().err]
    assert sorted(codes) == [0, 2], said
    refused = said[codes.index(2)]
    assert "being trained by another" in refused or "already holds a run" in refused
    assert load_state_header(folder / STATE_FILE).step == 40


def test_a_lock_is_seen_through_by_those_who_only_look(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    lock = lock_folder(tmp_path)
    assert is_locked(tmp_path)
    with pytest.raises(BadRequest):
        lock_folder(tmp_path)
    lock.release()
    assert not is_locked(tmp_path)
    lock_folder(tmp_path).release()


def test_two_checks_at_once_do_not_take_each_other_for_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = lock_folder(tmp_path)
    monkeypatch.setattr("filelock._api.time.sleep", lambda _seconds: other.release())  # while this check waits
    assert not is_locked(tmp_path)


def test_an_impossible_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match="Cannot make the folder"):
        lock_folder(tmp_path / "file" / "run")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the warm process has: sums of several round otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_what_is_drawn_with_while_a_run_trains_is_the_model_of_one_step(
    lives: Lives, tmp_path: Path, one_thread: None
) -> None:
    """Whether it goes on training meanwhile, or is held wherever it is just then, in the middle of writing, say."""
    steps = 30
    control = RunControl()
    weights: dict[int, dict[str, torch.Tensor]] = {}
    few_digits(tmp_path / "data")
    alone = tmp_path / "alone"
    config = tiny_config(data="mnist", batch_size=8, steps=steps)
    for event in train(config, alone, device="cpu", data_root=tmp_path / "data", control=control):
        if isinstance(event, CheckpointSaved | TrainStep):
            control.post("save")
        if isinstance(event, CheckpointSaved):
            model = loaded_model.load(str(alone))
            weights[model.header.steps] = model.network.state_dict()
    assert len(weights) == steps
    folder, seen = tmp_path / "run", set[int]()
    pid = lives.begin(command(tmp_path, folder, steps=steps, save_every_s=1e-9), tmp_path / "log.txt")
    wait_for((folder / MODEL_FILE).exists, tmp_path / "log.txt")
    try:
        while max(seen, default=0) < steps:
            for number in (signal.SIGCONT, signal.SIGSTOP):
                send(pid, number)
                model = loaded_model.load(str(folder))
                assert model.header.steps in weights
                ours, theirs = model.network.state_dict(), weights[model.header.steps]
                assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
                seen.add(model.header.steps)
    finally:
        send(pid, signal.SIGCONT)
        assert lives.end(pid) == 0
    assert len(seen) > 2


def send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has come to its end
        os.kill(pid, number)
