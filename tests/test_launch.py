"""The launcher: what it finds missing, what it says, and what it installs again and what not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import launch
from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parent.parent
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")

# A project that installs in a moment and without a network: it brings its own build backend, and counts its builds.
BACKEND = """
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    with open("builds", "a") as builds:
        builds.write("x")
    name, info = "tiny-1.0-py3-none-any.whl", "tiny-1.0.dist-info/"
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        wheel.writestr("tiny.pth", __file__.rpartition("/")[0])
        extras = "Provides-Extra: test\\n"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n" + extras)
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
APP = """
import os, sys
from pathlib import Path
if sys.argv[1] == "--tour":
    assert os.environ["QT_QPA_PLATFORM"] == "offscreen"
    folder = Path(sys.argv[2])
    folder.mkdir(exist_ok=True)
    for name in ("digits.png", "denoising.gif", "screenshot.png"):
        (folder / name).write_bytes(b"picture")
sys.exit(int(os.environ.get("APP_EXIT", "0")))
"""


def test_missing_names_what_cannot_be_loaded() -> None:
    packages = ("a", "b", "c")
    absent = launch.missing({"libnoiseloom-is-not-there.so.9": packages})
    assert absent == {"libnoiseloom-is-not-there.so.9": packages}


@linux_only
def test_nothing_is_missing_that_loads() -> None:
    assert launch.missing({"libc.so.6": ("a", "b", "c")}) == {}


def test_install_command_is_one_line_for_the_manager_at_hand() -> None:
    absent = {name: launch.QT_WINDOW[name] for name in ("libxcb-shape.so.0", "libxcb-randr.so.0", "libxcb-cursor.so.0")}
    apt = "apt-get install -y --no-install-recommends libxcb-cursor0 libxcb-randr0 libxcb-shape0"
    assert launch.install_command("apt-get", absent, root=True) == apt
    assert launch.install_command("apt-get", absent, root=False) == "sudo " + apt
    assert launch.install_command("dnf", absent, root=False) == "sudo dnf install -y libxcb xcb-util-cursor"
    assert launch.install_command("pacman", absent, root=True) == (
        "pacman -S --needed --noconfirm libxcb xcb-util-cursor"
    )
    assert launch.install_command(None, absent, root=False).startswith("the packages that hold libxcb-shape.so.0")


def test_fonts_are_found_where_there_are_some(tmp_path: Path) -> None:
    assert not launch.has_fonts((str(tmp_path), str(tmp_path / "none")))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "Some.ttf").touch()
    assert launch.has_fonts((str(tmp_path),))


@linux_only
@pytest.mark.parametrize(
    ("environment", "libraries", "shows"),
    [
        ({}, True, False),
        ({"DISPLAY": ":0"}, True, True),
        ({"DISPLAY": ":0"}, False, False),
        ({"WAYLAND_DISPLAY": "wayland-0"}, False, True),
        ({"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"}, True, False),
        ({"QT_QPA_PLATFORM": "vnc"}, False, True),
    ],
)
def test_a_window_opens_only_where_one_can(environment: dict[str, str], libraries: bool, shows: bool) -> None:
    assert launch.can_show(environment, libraries) is shows


def test_fingerprint_follows_versions_interpreter_and_place(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("a")
    (tmp_path / "constraints.txt").write_text("b")
    first = launch.fingerprint(tmp_path, "3.11.7")
    assert launch.fingerprint(tmp_path, "3.11.7") == first
    moved = shutil.copytree(tmp_path, tmp_path / "moved")
    others = {launch.fingerprint(tmp_path, "3.12.1"), launch.fingerprint(moved, "3.11.7")}
    (tmp_path / "constraints.txt").write_text("c")
    others.add(launch.fingerprint(tmp_path, "3.11.7"))
    assert len(others | {first}) == 4


def test_stamp_tells_the_extras_of_this_installation_only() -> None:
    assert launch.installed_extras("abc\ntest wandb", "abc") == {"test", "wandb"}
    assert launch.installed_extras("abc\n", "abc") == set()
    assert launch.installed_extras("old\ntest", "abc") is None
    assert launch.installed_extras("", "abc") is None
    assert launch.installed_extras(launch.INSTALLING, "abc") is None


@linux_only
def test_the_exit_code_of_a_killed_program_is_that_of_a_shell() -> None:
    assert launch.run(sys.executable, "-c", "import os; os.kill(os.getpid(), 9)") == 128 + 9
    assert launch.run(sys.executable, "-c", "raise SystemExit(3)") == 3


@pytest.mark.parametrize(
    ("cores", "gigabytes", "processes"), [(1, 64, 1), (2, 64, 2), (2, 6, 2), (16, 64, 16), (16, 16, 6), (4, 1, 1)]
)
def test_as_many_processes_share_the_tests_as_cores_and_memory_allow(
    monkeypatch: pytest.MonkeyPatch, cores: int, gigabytes: int, processes: int
) -> None:
    memory = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": gigabytes * 10**9 // 4096}
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)  # of which this process may use some
    monkeypatch.setattr(os, "sysconf", memory.__getitem__, raising=False)
    assert launch.workers() == processes
    shared = ["-n", str(processes), "--dist", "loadfile"] if processes > 1 else []
    assert launch.sharing(everything=False, arguments=["-x"]) == shared


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], ["-n", "2", "--dist", "loadfile"]),
        (["--", "-x"], ["-n", "2", "--dist", "loadfile", "-x"]),
        (["--", "tests/ml/test_x.py::test_y"], ["tests/ml/test_x.py::test_y"]),
        (["--all"], ["-m", ""]),
        (["--all", "--", "-m", "slow"], ["-m", "", "-m", "slow"]),
    ],
)
def test_the_default_tests_are_shared_and_what_is_named_or_measures_time_is_not(
    monkeypatch: pytest.MonkeyPatch, words: list[str], given: list[str]
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(launch, "workers", lambda: 2)
    monkeypatch.setattr(launch, "system_libraries", lambda testing: True)
    monkeypatch.setattr(launch, "ensure_installed", lambda extras: None)
    monkeypatch.setattr(launch, "run", lambda *command, cwd: commands.append([str(word) for word in command]) or 5)
    assert launch.main(["test", *words]) == 5
    assert commands == [[str(launch.PYTHON), "-m", "pytest", *given]]


def test_every_dependency_is_pinned() -> None:
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    lines = [line for line in (REPO / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = {Requirement(line).name.lower().replace("_", "-"): Requirement(line).specifier for line in lines}
    for text in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        wanted = Requirement(text)
        (pin,) = pins[wanted.name.lower().replace("_", "-")]
        assert pin.operator == "=="
        assert wanted.specifier.contains(pin.version), f"{wanted} does not allow its pin {pin}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A tiny project around a copy of the real launcher."""
    folder = tmp_path / "project"
    (folder / "desktop_app").mkdir(parents=True)
    shutil.copy(REPO / "launch.py", folder)
    for name, text in {
        "backend.py": BACKEND,
        "pyproject.toml": PROJECT,
        "constraints.txt": "",
        "desktop_app/__main__.py": APP,
    }.items():
        (folder / name).write_text(text)
    return folder


def start(project: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    hidden = {"PYTHONPATH", "DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden} | extra
    command = [sys.executable, str(project / "launch.py"), *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=WAIT_S)


@linux_only
def test_starting_installs_once_and_leaves_the_pictures(project: Path) -> None:
    first = start(project)
    assert first.returncode == 0, first.stderr
    for name in launch.PICTURES:
        assert (project / "noiseloom-output" / name).is_file()
        assert str(project / "noiseloom-output" / name) in first.stdout

    second = start(project, APP_EXIT="7")
    assert second.returncode == 7
    assert "installing" not in second.stderr
    assert (project / "builds").read_text() == "x"

    (project / "pyproject.toml").write_text(PROJECT + "\n")
    assert start(project).returncode == 0
    assert (project / "builds").read_text() == "xx"


@linux_only
@pytest.mark.slow
def test_a_broken_or_interrupted_environment_is_made_again(project: Path) -> None:
    assert start(project).returncode == 0
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/no/such/python")
    assert "creating" in start(project).stderr

    left_over = project / ".venv" / "left-over"
    left_over.touch()
    (project / ".venv" / launch.STAMP.name).write_text(launch.INSTALLING)
    assert start(project).returncode == 0
    assert not left_over.exists()
    assert (project / "builds").read_text() == "xxx"


@linux_only
@pytest.mark.slow
def test_a_failed_installation_is_not_taken_for_a_good_one(project: Path) -> None:
    (project / "backend.py").write_text(BACKEND.replace("import zipfile", "raise OSError('full')"))
    failed = start(project)
    assert failed.returncode != 0
    assert "the installation failed" in failed.stderr
    (project / "backend.py").write_text(BACKEND)
    assert start(project).returncode == 0


def test_a_wrong_word_is_refused_with_usage(project: Path) -> None:
    done = start(project, "tset")
    assert done.returncode == 2
    assert "invalid choice: 'tset'" in done.stderr
    assert not (project / ".venv").exists()
