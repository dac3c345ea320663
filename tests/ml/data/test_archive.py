"""Archives of images: understood as the folder that they hold, and nothing in them leads anywhere."""

import io
import os
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ml.cli.app import main
from ml.data import archive, datasets, survey_cache
from ml.data.archive import ENCRYPTED, LARGE, LINKS, OUTSIDE
from ml.data.survey import Survey
from ml.errors import BadFile, DataUnavailable

KINDS = ("x.zip", "x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.TAR.XZ")
SIDE = 16


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path / "home"))


def picture(value: int) -> bytes:
    content = io.BytesIO()
    noise = np.random.default_rng(value).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(noise).save(content, "PNG")
    return content.getvalue()


def images(classes: int = 2, each: int = 12) -> dict[str, bytes]:
    """Names and contents of pictures in folders of classes."""
    return {f"{k}/{n}.png": picture(100 * k + n) for k in range(classes) for n in range(each)}


def pack(path: Path, files: Mapping[str, bytes]) -> Path:
    """An archive of files, whose kind its name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        return path
    how = {"r": "w", ".tar": "w:", ".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}
    with tarfile.open(path, how[path.suffix.lower()]) as packed:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return path


def survey_of(path: Path) -> Survey:
    survey = datasets.survey(f"folder:{path}")
    while True:
        try:
            next(survey)
        except StopIteration as finished:
            return finished.value


def left_out(path: Path) -> dict[str, int]:
    return {one.reason: one.count for one in survey_of(path).left_out}


@pytest.mark.parametrize("name", KINDS)
def test_an_archive_is_what_its_folder_is(tmp_path: Path, name: str) -> None:
    files = images()
    folder = tmp_path / "photos"
    for relative, content in files.items():
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        (folder / relative).write_bytes(content)
    path = pack(tmp_path / name, dict(reversed(files.items())))
    unpacked, packed = (datasets.load(f"folder:{place}") for place in (folder, path))
    assert packed.classes == unpacked.classes == ("0", "1") and packed.digest == unpacked.digest
    assert torch.equal(packed.images, unpacked.images) and torch.equal(packed.labels, unpacked.labels)
    ours, theirs = (survey_of(place).model_dump(exclude={"name"}) for place in (path, folder))
    assert ours == theirs
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(["home", "photos", name])


def test_an_archive_of_one_class_is_called_after_it(tmp_path: Path) -> None:
    path = pack(tmp_path / "my photos.tar.gz", {f"{n}.png": picture(n) for n in range(4)})
    assert datasets.load(f"folder:{path}").classes == ("my photos",)


def test_what_an_archive_holds_besides_is_counted(tmp_path: Path) -> None:
    more = {"__MACOSX/0/._1.png": b"", "0/.hidden.png": b"", "read me.txt": b"", "0/photo.heic": b"", "0/bad.png": b"x"}
    for name in ("x.zip", "x.tar.gz"):
        counts = left_out(pack(tmp_path / name, images() | more))
        damaged = "images that cannot be read (damaged, or not what their names say)"
        assert counts == {"hidden files and folders": 2, "files of other kinds": 1, "HEIC files": 1, damaged: 1}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_no_name_leads_out_of_an_archive(tmp_path: Path, name: str) -> None:
    names = ["../up.png", "/etc/abs.png", "0/../../up.png", "C:/x.png", "..\\up.png"]
    path = pack(tmp_path / name, images() | dict.fromkeys(names, picture(1)))
    assert left_out(path) == {OUTSIDE: len(names)}
    assert {entry.name for entry in tmp_path.iterdir()} == {"home", name}


def test_links_and_devices_in_an_archive_are_left_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture(5))
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)
    for name in ("x.tar", "x.tar.gz"):
        path = pack(tmp_path / name, {})
        with tarfile.open(path, "w:gz" if name.endswith("gz") else "w:") as packed:
            for relative, content in images().items():
                entry = tarfile.TarInfo(relative)
                entry.size = len(content)
                packed.addfile(entry, io.BytesIO(content))
            for number, kind in enumerate(kinds):
                entry = tarfile.TarInfo(f"0/link{number}.png")
                entry.type, entry.linkname = kind, str(secret)
                packed.addfile(entry)
        assert left_out(path) == {LINKS: len(kinds)}
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        for relative, content in images().items():
            packed.writestr(relative, content)
        link = zipfile.ZipInfo("0/link.png")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, str(secret))
    assert left_out(tmp_path / "x.zip") == {LINKS: 1}


def test_a_bomb_does_not_go_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILE", 2**16)
    files = images() | {"0/bomb.png": bytes(2**20)}
    assert left_out(pack(tmp_path / "x.zip", files)) == {LARGE: 1}
    assert left_out(pack(tmp_path / "x.tar.gz", files)) == {LARGE: 1}
    monkeypatch.setattr(archive, "MAX_UNPACKED", 2**18)
    with pytest.raises(BadFile, match="unpacks to more than 262144 bytes"):
        survey_of(pack(tmp_path / "y.tar.gz", files))
    monkeypatch.setattr(archive, "MAX_FILES", 5)
    with pytest.raises(BadFile, match="more than 5 files"):
        survey_of(pack(tmp_path / "y.zip", images()))


def test_a_zip_that_announces_less_than_it_holds_gives_no_more(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", images() | {"0/long.png": bytes(1_234_567)})
    content = path.read_bytes()
    path.write_bytes(content.replace((1_234_567).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    assert sum(left_out(path).values()) == 1


def test_an_encrypted_file_is_left_out(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", images())
    content = bytearray(path.read_bytes())
    first = content.index(b"PK\x01\x02")
    content[first + 8] |= 1
    path.write_bytes(content)
    assert left_out(path) == {ENCRYPTED: 1}


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_archive_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for content in (
        b"",
        b"no archive at all" * 100,
        pack(tmp_path / f"good{path.suffix}", images()).read_bytes()[:400],
    ):
        path.write_bytes(content)
        with pytest.raises((BadFile, DataUnavailable), match=name):
            survey_of(path)


def test_an_archive_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar.gz", images(2))
    assert len(survey_of(path).classes) == 2
    pack(path, images(3))
    assert len(datasets.load(f"folder:{path}").classes) == len(survey_of(path).classes) == 3


def test_an_archive_is_described_at_once_the_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "x.tar.gz", images())
    first = survey_of(path)
    monkeypatch.setattr(archive, "index_of", None)
    assert survey_of(path) == first
    os.utime(path, (0, 0))
    with pytest.raises(TypeError):
        survey_of(path)
    assert survey_cache.MOST > 1


def test_other_archives_are_named_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.rar").write_bytes(b"Rar!")
    assert main(["data", str(tmp_path / "x.rar")]) == 2
    assert "archive of another kind" in capsys.readouterr().err
    assert main(["data", str(pack(tmp_path / "x.zip", images()))]) == 0
    assert "16 x 16" in capsys.readouterr().out
