"""A file is whole or not there, and a place that cannot be written to is named."""

import os
from pathlib import Path

import pytest

from ml.errors import BadFile, CannotWrite
from ml.system import paths
from ml.system.files import (
    atomic,
    atomic_folder,
    check_writable,
    copy_into,
    free_name,
    make_folder,
    modified,
    move,
    read_short,
    sweep,
)
from tests.support.full_disk import small_files


def test_a_new_file_appears_whole_and_alone(tmp_path: Path) -> None:
    with atomic(tmp_path / "digits.png") as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".png"
        temporary.write_bytes(b"new")
        assert not (tmp_path / "digits.png").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["digits.png"]
    assert (tmp_path / "digits.png").read_bytes() == b"new"


def test_a_file_is_on_the_disk_before_it_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a power cut leaves an empty file under the name of a whole one."""
    target = tmp_path / "model.safetensors"
    target.write_bytes(b"old")
    steps: list[tuple[object, ...]] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(number: int) -> None:
        steps.append(("fsync", os.fstat(number).st_ino, os.fstat(number).st_size, target.read_bytes()))
        fsync(number)

    def noted_replace(source: Path, goal: Path) -> None:
        steps.append(("replace", source.stat().st_ino, goal))
        replace(source, goal)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    with atomic(target) as temporary:
        temporary.write_bytes(b"newer")
        node = temporary.stat().st_ino
    assert steps == [("fsync", node, 5, b"old"), ("replace", node, target)]
    assert target.read_bytes() == b"newer" and target.stat().st_ino == node


def test_a_name_as_long_as_any_can_be_written(tmp_path: Path) -> None:
    with atomic(tmp_path / ("x" * 251 + ".png")) as temporary:
        temporary.write_bytes(b"x")
    assert [len(path.name) for path in tmp_path.iterdir()] == [255]
    with pytest.raises(CannotWrite, match="the name is too long"), atomic(tmp_path / ("x" * 252 + ".png")) as temporary:
        temporary.write_bytes(b"x")
    assert len(list(tmp_path.iterdir())) == 1


def test_files_come_into_a_folder_beside_those_that_are_there(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    for content in (b"first", b"second"):
        with atomic_folder(mine) as temporary:
            (temporary / "a.png").write_bytes(content)
            assert sorted(path.name for path in mine.glob("[!.]*")) == (
                [] if content == b"first" else ["a.png", "note"]
            )
        assert (mine / "a.png").read_bytes() == content
        (mine / "note").touch()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.png", "mine", "note"]


def test_nothing_is_moved_over_something_else(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    with pytest.raises(CannotWrite, match=r"move one to .*: a file has that name"):
        move(one, other)
    assert (one.read_text(), other.read_text()) == ("1", "2")
    move(one, one)  # as where only capitals differ, on a disk that takes them for the same
    move(one, tmp_path / "new" / "place")
    assert (tmp_path / "new" / "place").read_text() == "1" and not one.exists()


def test_a_file_is_copied_into_a_folder_where_it_is_there(tmp_path: Path) -> None:
    source, folder = tmp_path / "loss.csv", tmp_path / "new"
    folder.mkdir()
    copy_into(source, folder)
    assert not list(folder.iterdir())
    source.write_text("1")
    copy_into(source, folder)
    copy_into(source, tmp_path)
    assert (folder / "loss.csv").read_text() == source.read_text() == "1"


def test_a_file_of_words_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"1234")
    assert read_short(path, 4) == b"1234"
    with pytest.raises(BadFile, match="larger than any"):
        read_short(path, 3)
    with pytest.raises(BadFile, match="no file"):
        read_short(tmp_path)


def test_a_missing_file_has_modification_time_zero(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    os.utime(path, (50, 100))
    assert modified(path) == 100 and modified(tmp_path / "gone") == 0


def test_only_what_a_killed_process_left_is_swept_away(tmp_path: Path) -> None:
    kept = (
        ".hidden-file",
        "a-0123456789ab.png",
        ".a-0123456789ab.png.bak.zip",
        ".a-0123456789ag.png",
        ".-0123456789ab",
    )
    for name in (*kept, ".a-0123456789ab.png", ".loss-0123456789ab"):
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(kept)


def test_permissions_are_those_of_an_ordinary_new_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    with atomic(tmp_path / "ours") as temporary:
        temporary.write_bytes(b"x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_failure_halfway_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "digits.png"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic(target) as temporary:
        temporary.write_bytes(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_place_that_takes_no_more_bytes_is_named_and_left_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    target.write_bytes(b"old")
    with small_files(1000), pytest.raises(CannotWrite) as refused, atomic(target) as temporary:
        temporary.write_bytes(bytes(5000))
    assert str(tmp_path) in refused.value.message and "larger than this place allows" in refused.value.message
    assert "another folder" in refused.value.what_to_do
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_called_full(tmp_path: Path) -> None:
    with (
        pytest.raises(CannotWrite, match="the disk is full"),
        atomic(tmp_path / "x.png"),
        open("/dev/full", "wb") as full,
    ):
        full.write(b"x")
        full.flush()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_and_a_file_in_its_place_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="the folder does not exist"), atomic(tmp_path / "no" / "x.png"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match="a file, not a folder"), atomic(tmp_path / "file" / "x.png"):
        pass
    with pytest.raises(CannotWrite, match="Cannot make the folder"):
        make_folder(tmp_path / "file" / "sub")
    assert make_folder(tmp_path / "a" / "b").is_dir()


def test_a_place_can_be_tried_before_long_work(tmp_path: Path) -> None:
    check_writable(tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CannotWrite, match="the folder does not exist"):
        check_writable(tmp_path / "no" / "x.png")


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CannotWrite, match="not permitted"), atomic(tmp_path / "x.png"):
            pass
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_in_the_files_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    with pytest.raises(CannotWrite), atomic(tmp_path / "x.png") as temporary:
        temporary.write_bytes(b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


def test_free_names_never_overwrite(tmp_path: Path) -> None:
    first = tmp_path / "digits.png"
    assert free_name(first) == first
    first.touch()
    (tmp_path / "digits-2.png").touch()
    assert free_name(first).name == "digits-3.png"


def test_the_persons_folder_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path))
    folders = {paths.user_runs(), paths.user_models(), paths.user_datasets()}
    assert len(folders) == 3 and all(folder.parent == tmp_path for folder in folders)
    monkeypatch.delenv("NOISELOOM_HOME")
    assert "noiseloom" in str(paths.user_data())


def test_downloads_go_to_the_chosen_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NOISELOOM_DOWNLOADS", raising=False)
    monkeypatch.setattr(paths, "_downloads", [])
    assert paths.downloads() == tmp_path / "home" / "downloads" and paths.chosen_downloads() is None
    monkeypatch.setenv("NOISELOOM_DOWNLOADS", str(tmp_path / "large"))
    assert paths.downloads() == paths.usual_downloads() == tmp_path / "large"
    paths.use_downloads(tmp_path / "mine")
    assert (paths.downloads(), paths.usual_downloads()) == (tmp_path / "mine", tmp_path / "large")
    paths.use_downloads(None)
    assert paths.downloads() == tmp_path / "large"


def test_a_new_run_gets_a_name_that_no_model_and_no_run_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path))
    assert paths.new_run("mine") == tmp_path / "runs" / "mine"
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine-2.safetensors").touch()
    assert paths.new_run("mine") == tmp_path / "runs" / "mine-3"
    assert paths.new_run("Digits").name == "Digits-2" and paths.is_bundled("DIGITS")
