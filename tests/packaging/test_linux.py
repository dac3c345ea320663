"""The Debian package and the one file that runs: laid out as Debian wants it, installed, upgraded, removed, started."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from desktop_app.packaging import linux
from ml import __version__
from tests.patience import WAIT_S

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg")
REPO = Path(__file__).resolve().parents[2]
PROGRAM = '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\ncat "$here/_internal/text"\necho "$@"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder like that of the built program, in which the program is a script."""
    program = tmp_path / "built" / "noiseloom"
    for place, name in {
        "applications": "packaging/noiseloom.desktop",
        "metainfo": "packaging/org.noiseloom.Noiseloom.metainfo.xml",
        "icons/hicolor/256x256/apps": "icons/noiseloom.png",
    }.items():
        (program / "share" / place).mkdir(parents=True)
        shutil.copy(REPO / "resources" / name, program / "share" / place)
    (program / "_internal").mkdir()
    (program / "_internal/text").write_text("drawn by the program\n")
    (program / "noiseloom").write_text(PROGRAM)
    (program / "noiseloom").chmod(0o755)
    return program


def output(*command: str | Path, **more: str) -> str:
    environment = {**os.environ, **more}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dpkg(root: Path, *arguments: str | Path) -> str:
    """Run dpkg on a system of its own, whose packages' dependencies are not there."""
    own = (f"--root={root}", "--force-not-root", "--force-depends", "--force-script-chrootless", "--log=/dev/null")
    return output("dpkg", *own, *arguments)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A clean root for dpkg."""
    place = tmp_path / "root"
    for name in ("info", "updates", "triggers"):
        (place / "var/lib/dpkg" / name).mkdir(parents=True)
    for name in ("status", "available"):
        (place / "var/lib/dpkg" / name).touch()
    return place


def files_in(root: Path) -> set[str]:
    found = (path.relative_to(root).as_posix() for path in root.rglob("*"))
    return {path for path in found if not path.startswith("var/lib/dpkg")}


@pytest.mark.slow
@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="dpkg changes owners")
def test_the_package_is_installed_started_upgraded_and_removed(folder: Path, root: Path, tmp_path: Path) -> None:
    kept = root / "home/ann/.local/share/noiseloom/models"
    kept.mkdir(parents=True)
    before = files_in(root)
    dpkg(root, "--install", linux.debian_package(folder, tmp_path))
    assert output(root / "usr/bin/noiseloom", "--version") == "drawn by the program\n--version\n"
    for name in ("applications/noiseloom.desktop", "mime/packages/noiseloom.xml", "man/man1/noiseloom.1.gz",
                 "metainfo/org.noiseloom.Noiseloom.metainfo.xml", "icons/hicolor/256x256/apps/noiseloom.png",
                 "doc/noiseloom/copyright"):  # fmt: skip
        assert (root / "usr/share" / name).is_file(), name
    assert __version__ in dpkg(root, "--status", "noiseloom")

    (folder / "_internal/text").rename(folder / "_internal/other")
    (folder / "noiseloom").write_text(PROGRAM.replace("/text", "/other"))
    dpkg(root, "--install", linux.debian_package(folder, tmp_path, "99.0"))
    assert output(root / "usr/bin/noiseloom") == "drawn by the program\n\n"
    assert not (root / "usr/lib/noiseloom/_internal/text").exists()

    dpkg(root, "--purge", "noiseloom")
    assert files_in(root) == before


def test_the_man_page_has_every_command_and_option() -> None:
    page = linux.man_page()
    for word in (r"\-\-version", r"\-\-self\-test", ".B noiseloom ml sample", ".B noiseloom ml doctor"):
        assert word in page
    lines = page.splitlines()
    assert not [line for line in lines if line.startswith("'") or (line.startswith(".") and line[1:3] == "  ")]


def test_a_lesson_opens_with_the_program(folder: Path, tmp_path: Path) -> None:
    entry = (folder / "share/applications/noiseloom.desktop").read_text()
    assert linux.LESSON_TYPE in entry and "Exec=noiseloom %f" in entry
    assert f'pattern="*{linux.SUFFIX}"' in linux.MIME


def test_the_one_file_starts_from_a_read_only_place_and_unpacks_once(folder: Path, tmp_path: Path) -> None:
    made = linux.one_file(folder, tmp_path)
    place = tmp_path / "a read-only place"
    place.mkdir()
    program = Path(shutil.move(made, place / "noiseloom.run"))
    program.chmod(0o555)
    place.chmod(0o555)
    home = tmp_path / "home"
    home.mkdir()
    own = {"HOME": str(home), "XDG_CACHE_HOME": ""}
    assert output(program, "a b", **own) == "drawn by the program\na b\n"
    (unpacked,) = (home / ".cache/noiseloom").iterdir()
    (unpacked / "_internal/text").write_text("unpacked before\n")
    again = subprocess.run([program], env={**os.environ, **own}, capture_output=True, text=True, timeout=WAIT_S)
    assert (again.stdout, again.stderr) == ("unpacked before\n\n", "")
    assert [path.name for path in place.iterdir()] == ["noiseloom.run"]
    place.chmod(0o755)


def test_without_a_program_the_command_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert linux.main(["--out", str(tmp_path)]) == 2
    assert "run python -m desktop_app.packaging.build" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("lintian") is None, reason="needs lintian")
def test_lintian_finds_no_error(folder: Path, tmp_path: Path) -> None:
    package = linux.debian_package(folder, tmp_path)
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error", package], capture_output=True, text=True, timeout=WAIT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("man") is None, reason="needs man")
def test_the_man_page_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "noiseloom.1.gz").write_bytes(gzip.compress(linux.man_page().encode()))
    text = output("man", "--warnings", "-l", tmp_path / "noiseloom.1.gz", MANWIDTH="80", LC_ALL="C.UTF-8")
    assert "noiseloom ml sample" in text and "--self-test" in text


@pytest.mark.slow
def test_the_command_is_one_that_can_be_run() -> None:
    text = output(sys.executable, "-m", "desktop_app.packaging.linux", "--help")
    assert "--out" in text
