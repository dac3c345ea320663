"""A run's folder: what is in it moves as a whole, goes back as a whole, and belongs to one at a time."""

import os
from pathlib import Path

import numpy as np
import pytest

from ml.errors import BadRequest, CannotWrite
from ml.events import Preview
from ml.registry.run_layout import SNAPSHOTS, STATE_FILE
from ml.system import paths
from ml.system.folder_lock import is_locked, lock_folder
from ml.tracking import preview_history, run_index
from ml.tracking.metrics_table import LOSS_FILE, NOISE_FILE, VALIDATION_FILE, Table
from ml.tracking.run_folder import RunFolder
from ml.training.trainer import train
from tests.support.tiny_model import few_digits, tiny_config

TABLES = (LOSS_FILE, NOISE_FILE, VALIDATION_FILE)


def filled(path: Path) -> RunFolder:
    """A folder with three of everything, of the steps 10, 20 and 30."""
    place = RunFolder(path)
    place.lock()
    film = np.zeros((2, 1, 8, 8), np.uint8)
    (path / SNAPSHOTS).mkdir()
    for step in (10, 20, 30):
        for table in (place.losses, place.noise, place.validation):
            table.add(step, *[0.5] * (len(table.columns) - 1))
        preview_history.save_preview(path, Preview(step, film[-1], (3,), film))
        (path / SNAPSHOTS / f"{step:08d}.safetensors").touch()
    place.write()
    return place


def steps_in(path: Path) -> list[list[int]]:
    """Of what there is in each table, of previews and of snapshots."""
    names = [RunFolder(path).losses, RunFolder(path).noise, RunFolder(path).validation]
    tables = [Table(path / table.path.name, table.columns).read()[0].astype(int).tolist() for table in names]
    return [*tables, *(sorted(int(f.stem) for f in (path / n).iterdir()) for n in (preview_history.FOLDER, SNAPSHOTS))]


def test_everything_after_a_checkpoint_and_temporary_files_are_removed(tmp_path: Path) -> None:
    place = filled(tmp_path / "run")
    assert steps_in(place.path) == [[10, 20, 30]] * 5
    left = [place.path / where / ".half-0123456789ab.png" for where in (".", SNAPSHOTS, preview_history.FOLDER)]
    for path in left:
        path.touch()
    place.remove_after(20)
    assert steps_in(place.path) == [[10, 20]] * 5
    assert not any(path.exists() for path in left)
    place.unlock()


def test_a_run_moves_with_all_it_has_and_leaves_the_old_place_to_others(tmp_path: Path) -> None:
    place = filled(tmp_path / "run")
    place.losses.add(40, *[0.5] * 6)
    place.move_to(tmp_path / "other" / "run")
    assert place.path == tmp_path / "other" / "run"
    assert steps_in(place.path) == [[10, 20, 30]] * 5 == steps_in(tmp_path / "run")
    assert is_locked(place.path) and not is_locked(tmp_path / "run")
    place.write()
    assert steps_in(place.path)[0] == [10, 20, 30, 40] and steps_in(tmp_path / "run")[0] == [10, 20, 30]
    place.unlock()
    assert not is_locked(place.path)


def test_a_run_does_not_move_to_where_another_one_is(tmp_path: Path) -> None:
    place = filled(tmp_path / "run")
    for name in ("has a run", "is in use"):
        (tmp_path / name).mkdir()
    (tmp_path / "has a run" / STATE_FILE).touch()
    lock = lock_folder(tmp_path / "is in use")
    with pytest.raises(CannotWrite, match="already holds a run"):
        place.move_to(tmp_path / "has a run")
    with pytest.raises(BadRequest, match="being trained by another"):
        place.move_to(tmp_path / "is in use")
    assert place.path == tmp_path / "run" and is_locked(place.path)
    lock.release()
    place.unlock()


def test_a_move_that_fails_leaves_the_new_place_free_and_the_run_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = filled(tmp_path / "run")

    def full(*_: object) -> None:
        raise CannotWrite("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr("ml.tracking.run_folder.copy_into", full)
        with pytest.raises(CannotWrite):
            place.move_to(tmp_path / "other")
    assert not is_locked(tmp_path / "other") and place.path == tmp_path / "run" and is_locked(place.path)
    assert place.losses.path == tmp_path / "run" / LOSS_FILE
    place.unlock()


def test_a_place_that_can_be_written_in_again_is_the_same_and_stays_held(tmp_path: Path) -> None:
    place = filled(tmp_path / "run")
    place.move_to(tmp_path / "run")
    assert steps_in(place.path) == [[10, 20, 30]] * 5 and is_locked(place.path)
    place.unlock()


def test_checking_a_lock_creates_no_file(tmp_path: Path) -> None:
    assert not is_locked(tmp_path) and not list(tmp_path.iterdir())
    assert not is_locked(tmp_path / "nothing")


def test_resumable_runs_are_the_users_and_those_that_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path / "home"))
    root = few_digits(tmp_path / "data")
    own = paths.user_runs()
    places = [own / "old", own / "new", tmp_path / "disk" / "old", own / "whole", own / "held"]
    for number, place in enumerate(places):
        config = tiny_config(data="mnist", steps=2, batch_size=4)
        events = train(config, place, device="cpu", data_root=root)
        for event in events:
            if place.name != "whole" and getattr(event, "step", 0) == 1:
                break
        events.close()  # type: ignore[attr-defined]
        os.utime(place / STATE_FILE, (number, number))
        os.utime(place / LOSS_FILE, (number, number))
    lock = lock_folder(own / "held")
    found = run_index.unfinished_runs([tmp_path / "disk" / "old"])
    assert [run.folder for run in found] == [tmp_path / "disk" / "old", own / "new"]  # which moved is the later one
    assert [(run.name, run.step, run.progress) for run in found] == [("old", 1, 0.5), ("new", 1, 0.5)]
    assert [run.name for run in run_index.unfinished_runs()] == ["new", "old"]
    assert [folder.name for folder in run_index.runs_with_curves()] == ["held", "whole", "new", "old"]
    assert [folder.name for folder in run_index.runs_with_curves(most=2)] == ["held", "whole"]
    lock.release()
    assert [run.name for run in run_index.unfinished_runs()] == ["held", "new", "old"]
