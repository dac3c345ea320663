"""The packaged program, really built, moved, and started as on a machine without Python."""

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

from desktop_app.packaging import linux, sbom
from desktop_app.packaging.build import parts
from ml.export.files import read_request
from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parents[2]
PLACE = "a place with spaces, Größe und 雑音"
MOST_MB = {"cpu": 800, "cuda": 4000}
SLOWER = 1.5  # times as late as from source may window and first grid be
BUILD_S, RUN_S = 20 * WAIT_S, 5 * WAIT_S

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(BUILD_S + RUN_S),
    pytest.mark.skipif(find_spec("PyInstaller") is None, reason="needs the extra `package`"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the folder is laid out otherwise elsewhere"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executable, in a read-only folder that is not where it was built."""
    build = tmp_path_factory.mktemp("build")
    command = [
        sys.executable,
        "-m",
        "desktop_app.packaging.build",
        "--no-archive",
        "--out",
        build / "dist",
        "--work",
        build,
    ]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=BUILD_S)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    folder = tmp_path_factory.mktemp("moved") / PLACE
    shutil.move(build / "dist" / "noiseloom", folder)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    return folder / "noiseloom"


def bare(program: Path, *arguments: str | Path, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the program with next to no environment, and see that it writes nothing beside itself."""
    home.mkdir(exist_ok=True)
    before = sorted(program.parent.rglob("*"))
    environment = {"HOME": str(home), "PATH": "/nowhere", **more}
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=RUN_S)
    assert sorted(program.parent.rglob("*")) == before
    return done


def test_it_passes_its_own_test(program: Path, tmp_path: Path) -> None:
    done = bare(program, "--self-test", home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_no_larger_than_promised(program: Path) -> None:
    flavour = "cpu" if "+cpu" in metadata.version("torch") else "cuda"
    assert sum(parts(program.parent).values()) / 1e6 <= MOST_MB[flavour]


def test_what_comes_with_it_is_there(program: Path) -> None:
    folder = program.parent
    assert "torch" in (folder / "licences" / "CONTENTS.txt").read_text()
    assert {"torch", "numpy", "pillow"} <= set(sbom.names(folder / "licences" / sbom.FILE))
    for package in ("torch", "numpy", "pillow", "noiseloom"):
        assert any((folder / "licences" / package).rglob("*")), package
    for name in ("applications/noiseloom.desktop", "metainfo/org.noiseloom.Noiseloom.metainfo.xml"):
        assert (folder / "share" / name).is_file()


def test_the_command_line_draws(program: Path, tmp_path: Path) -> None:
    out = tmp_path / "digits.png"
    done = bare(program, "ml", "sample", "--labels", "0-9", "--out", out, home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert read_request(out)[0].labels == tuple(range(10))


@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs Xvfb")
def test_its_window_opens_on_a_display_and_leaves_a_picture(program: Path, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "QT_QPA_PLATFORM": "xcb"}
    command = ["xvfb-run", "-a", "-s", "-screen 0 1280x800x24", program, "--tour", tmp_path / "out"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=RUN_S)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "screenshot.png").stat().st_size > 20_000


@pytest.mark.skipif("+cpu" not in metadata.version("torch"), reason="the CUDA edition takes half an hour to compress")
def test_it_becomes_a_debian_package_and_one_file(program: Path, tmp_path: Path) -> None:
    package, single = linux.debian_package(program.parent, tmp_path), linux.one_file(program.parent, tmp_path)
    assert max(package.stat().st_size, single.stat().st_size) <= 200e6
    if shutil.which("lintian"):
        command = ["lintian", "--allow-root", "--fail-on", "error", package]
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S)
        assert done.returncode == 0, done.stdout
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path / "root"], check=True, timeout=RUN_S)
    for command in (tmp_path / "root/usr/bin/noiseloom", single):
        environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
        done = subprocess.run([command, "--self-test"], env=environment, capture_output=True, text=True, timeout=RUN_S)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.bench
def test_it_starts_nearly_as_fast_as_from_source(program: Path, tmp_path: Path) -> None:
    def started(command: list[str]) -> dict[str, float]:
        environment = {**os.environ, "HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}
        whole = [*command, "--startup-report", "--json"]
        runs = [subprocess.run(whole, cwd=REPO, env=environment, capture_output=True, timeout=RUN_S) for _ in range(3)]
        found = [json.loads(run.stdout) for run in runs]
        return {name: min(times[name] for times in found) for name in found[0]}

    source, packaged = started([sys.executable, "-m", "desktop_app"]), started([str(program)])
    print(source, packaged)
    for name, seconds in source.items():
        assert packaged[name] <= SLOWER * seconds, (name, source, packaged)
