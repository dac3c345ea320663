"""A file is whole or not there, and a place that cannot be written to is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ml import paths
from ml.errors import CannotWrite
from ml.files import atomic, check_writable, free_name, make_folder

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from ml.errors import CannotWrite
from ml.files import atomic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with atomic(sys.argv[1]) as temporary:
        temporary.write_bytes(bytes(5000))
except CannotWrite as error:
    print(error)
"""


def test_a_new_file_appears_whole_and_alone(tmp_path: Path) -> None:
    with atomic(tmp_path / "digits.png") as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".png"
        temporary.write_bytes(b"new")
        assert not (tmp_path / "digits.png").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["digits.png"]
    assert (tmp_path / "digits.png").read_bytes() == b"new"


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


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a Unix feature")
def test_a_place_that_takes_no_more_bytes_is_named_and_left_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    target.write_bytes(b"old")
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(target)], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    assert str(tmp_path) in done.stdout and "larger than this place allows" in done.stdout
    assert "another folder" in done.stdout
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
