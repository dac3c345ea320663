"""The launcher: what it finds missing, what it says, and what it installs again and what not."""

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import launch
from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parent.parent
SECOND_START_S = 0.3  # until the program runs, its interpreter included
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
        extras = "Provides-Extra: test\\n" + open("requirements").read()
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


def test_a_stamp_is_read_as_it_was_written_and_so_is_one_from_before_there_was_a_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "STAMP", tmp_path / "stamp")
    assert launch.read_stamp() is None
    launch.write_stamp("abc", {"test", "wandb"}, "cuda")
    assert launch.read_stamp() == ("abc", {"test", "wandb"}, "cuda")
    for old, meaning in (
        ("abc\ntest wandb", ("abc", {"test", "wandb"}, "default")),
        ("abc\n", ("abc", set(), "default")),
        (launch.INSTALLING, (launch.INSTALLING, set(), "default")),
    ):
        (tmp_path / "stamp").write_text(old)
        assert launch.read_stamp() == meaning


# PyTorch's build


class Index(SimpleHTTPRequestHandler):
    """A folder as a package index. It keeps whoever asks for a path with `held` in it waiting for `go`."""

    held = ""
    asked = threading.Event()
    go = threading.Event()

    def do_GET(self) -> None:
        if self.held and self.held in self.path:
            self.asked.set()
            self.go.wait(WAIT_S)
        with suppress(BrokenPipeError):
            super().do_GET()

    def log_message(self, *_: object, **__: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of a package index: /simple is that of all packages, /whl that of PyTorch."""
    Index.held = ""
    for event in (Index.asked, Index.go):
        event.clear()
    handler = partial(Index, directory=str(tmp_path / "index"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Index.go.set()
        server.shutdown()
        thread.join()


def put_wheel(folder: Path, package: str, version: str) -> None:
    """A wheel in a package index, for this Python and machine."""
    (folder / package).mkdir(parents=True, exist_ok=True)
    tag = "cp{0}{1}-cp{0}{1}".format(*sys.version_info[:2]) + f"-linux_{platform.machine()}"
    info = f"{package}-{version}.dist-info/"
    with zipfile.ZipFile(folder / package / f"{package}-{version}-{tag}.whl", "w") as wheel:
        wheel.writestr(f"{package}.py", f"build = {version!r}\n")
        wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        wheel.writestr(info + "WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        wheel.writestr(info + "RECORD", "")


def fill_index(tmp_path: Path, *builds: str) -> None:
    """Version 2.0 of PyTorch: the default build, and these ones in PyTorch's own index."""
    for package in ("torch", "torchvision"):
        put_wheel(tmp_path / "index" / "simple", package, "2.0")
        for build in builds:
            put_wheel(tmp_path / "index" / "whl", package, f"2.0+{build}")
            put_wheel(tmp_path / "index" / "whl", package, f"1.9+{build}")


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tested versions are those of the index; this machine has no GPU."""
    (tmp_path / "constraints.txt").write_text("# torch itself\ntorch==2.0\ntorchvision==2.0\n")
    monkeypatch.setattr(launch, "ROOT", tmp_path)
    monkeypatch.setattr("ml.system.gpu_driver.pytorch_build", lambda: "")
    monkeypatch.setattr("ml.system.gpu_driver.cuda_version", lambda: None)


HERE = platform.python_version()


@linux_only
@pytest.mark.parametrize(
    ("torch", "driver", "build"),
    [
        ("auto", None, "cpu"),
        ("auto", 127, "cu126"),
        ("auto", 128, "cu128"),
        ("auto", 131, "cu128"),
        ("auto", 132, "cu132"),
        ("auto", 118, None),
        ("cpu", 132, "cpu"),
        ("cuda", None, "cu132"),
        ("rocm", None, "rocm6.10"),
        ("default", 132, ""),
    ],
)
@pytest.mark.usefixtures("pins")
def test_the_build_follows_the_driver_and_the_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch: str, driver: int | None, build: str | None
) -> None:
    fill_index(tmp_path, "cpu", "cu126", "cu128", "cu132", "rocm6.4", "rocm6.10")
    put_wheel(tmp_path / "index" / "whl", "torch", "2.0+cu127")  # without a torchvision
    page = {name: "\n".join(path.name for path in (tmp_path / "index/whl" / name).iterdir()) for name in ("torch",)}
    pages = [page["torch"], "\n".join(path.name for path in (tmp_path / "index/whl/torchvision").iterdir())]
    monkeypatch.setattr(launch, "index_pages", lambda *packages: [text.replace("+", "%2B", 1) for text in pages])
    monkeypatch.setattr("ml.system.gpu_driver.cuda_version", lambda: driver)
    monkeypatch.setattr("ml.system.gpu_driver.pytorch_build", lambda: "cuda" if driver else "")
    assert launch.choose_build(torch, HERE) == build


@linux_only
@pytest.mark.usefixtures("pins")
def test_an_index_is_read_or_said_to_be_silent_or_without_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_index(tmp_path, "cpu")
    monkeypatch.setattr(launch, "TORCH_INDEX", f"{index}/whl")
    assert launch.choose_build("auto", HERE) == "cpu"
    assert capsys.readouterr().err == ""

    assert launch.choose_build("cpu", "3.10.2") is None  # another Python
    assert launch.choose_build("rocm", HERE) is None
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "does not have PyTorch 2.0 for rocm" in said[1]

    monkeypatch.setattr(launch, "INDEX_S", 0.2)
    Index.held = "torch"
    assert launch.choose_build("auto", HERE) is None
    (said,) = capsys.readouterr().err.splitlines()
    assert "did not answer within 0.2 seconds: PyTorch's default build is installed" in said

    monkeypatch.setattr(launch, "TORCH_INDEX", "http://127.0.0.1:9/whl")  # nobody listens there
    assert launch.choose_build("auto", HERE) is None


@linux_only
@pytest.mark.usefixtures("pins")
def test_a_name_that_takes_long_to_look_up_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answered, go = threading.Event(), threading.Event()

    def look_up(*_: object, **__: object) -> None:
        go.wait(WAIT_S / 30)
        answered.set()
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(launch, "INDEX_S", 0.01)
    assert launch.index_pages("torch") is None
    assert not answered.is_set()
    go.set()
    assert answered.wait(WAIT_S)


@pytest.mark.usefixtures("pins")
def test_no_index_is_asked_where_the_default_build_is_the_one_for_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "index_pages", lambda *packages: pytest.fail("the index was asked"))
    for system in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", system)
        assert launch.choose_build("auto", HERE) == ""
        assert launch.choose_build("cpu", HERE) == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Collecting av>=15 (from noiseloom==0.1.0)", "looking up av"),
        ("Collecting pyright[nodejs]>=1.1.400", "looking up pyright"),
        ("  Downloading torch-2.15.0+cpu-cp311-cp311-linux_x86_64.whl (188.1 MB)", "downloading torch (188.1 MB)"),
        ("  Downloading numpy-2.4.6-cp311-cp311-linux_x86_64.whl.metadata (62 kB)", "downloading numpy (62 kB)"),
        ("  Using cached idna-3.20-py3-none-any.whl (70 kB)", "downloading idna (70 kB)"),
        ("Installing collected packages: idna, numpy, torch", "unpacking 3 packages"),
        ("  Getting requirements to build editable: started", ""),
        ("", ""),
    ],
)
def test_what_pip_does_is_said_in_a_few_words(line: str, words: str) -> None:
    assert launch.progress_of(line) == words


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
    monkeypatch.setattr(launch, "ensure_installed", lambda extras, torch: None)
    monkeypatch.setattr(launch, "run", lambda *command, cwd: commands.append([str(word) for word in command]) or 5)
    assert launch.main(["test", *words]) == 5
    assert commands == [[str(launch.PYTHON), "-m", "pytest", *given]]


@linux_only
def test_libraries_alone_install_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(launch, "system_libraries", lambda testing: asked.append(testing) or True)
    monkeypatch.setattr(launch, "ensure_installed", lambda extras, torch: pytest.fail("an installation"))
    assert launch.main(["--libraries"]) == 0
    assert asked == [True]  # with Xvfb, for the tests


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
    for name in ("desktop_app", "ml/system"):
        (folder / name).mkdir(parents=True)
    for name in ("launch.py", "ml/__init__.py", "ml/system/__init__.py", "ml/system/gpu_driver.py"):
        shutil.copy(REPO / name, folder / name)
    for name, text in {
        "backend.py": BACKEND,
        "requirements": "",
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
    assert "setting up" not in second.stderr
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


@pytest.fixture
def needs_torch(project: Path, tmp_path: Path) -> Path:
    """The tiny project needs PyTorch, of which the index has three builds and the default one."""
    fill_index(tmp_path, "cpu", "cu128", "cu132")
    (project / "constraints.txt").write_text("torch==2.0\ntorchvision==2.0\n")
    (project / "requirements").write_text("Requires-Dist: torch\nRequires-Dist: torchvision\n")
    return project


def pip_settings(index: str) -> dict[str, str]:
    """Settings under which pip and the launcher know this index alone."""
    return {
        "NOISELOOM_TORCH_INDEX": f"{index}/whl",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": f"{index}/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_NO_CACHE_DIR": "1",
    }


def build_in(project: Path) -> str:
    """The build of PyTorch in the project's environment."""
    command = [project / ".venv/bin/python", "-c", "import torch, torchvision as v; print(torch.build, v.build)"]
    one, other = subprocess.run(command, capture_output=True, text=True, check=True, timeout=WAIT_S).stdout.split()
    assert one == other
    return one


@linux_only
@pytest.mark.slow
def test_each_choice_installs_its_build_and_another_one_starts_afresh(needs_torch: Path, index: str) -> None:
    settings = pip_settings(index)
    first = start(needs_torch, "--torch", "cpu", **settings)
    assert first.returncode == 0, first.stderr
    steps = (
        "[1/3] creating",
        "[2/3] installing PyTorch 2.0, the build for cpu",
        "[3/3] installing the tested versions",
    )
    assert all(step in first.stderr for step in steps)
    assert len(first.stderr.splitlines()) < 10
    assert build_in(needs_torch) == "2.0+cpu"

    for again in ((), ("--torch", "cpu")):
        assert "setting up" not in start(needs_torch, *again, **settings).stderr
    (needs_torch / "pyproject.toml").write_text(PROJECT + "\n")  # a new version keeps the build
    assert "creating" not in start(needs_torch, **settings).stderr
    assert build_in(needs_torch) == "2.0+cpu"

    for word, build in (("cuda", "2.0+cu132"), ("default", "2.0")):
        assert start(needs_torch, "--torch", word, **settings).returncode == 0
        assert build_in(needs_torch) == build


@linux_only
@pytest.mark.slow
def test_a_silent_index_leaves_the_default_build_and_the_same_words_try_again(needs_torch: Path, index: str) -> None:
    settings = pip_settings(index)
    silent = start(needs_torch, "--torch", "cpu", **settings | {"NOISELOOM_TORCH_INDEX": "http://127.0.0.1:9"})
    assert silent.returncode == 0, silent.stderr
    assert "did not answer within 3 seconds" in silent.stderr
    assert build_in(needs_torch) == "2.0"
    assert start(needs_torch, "--torch", "cpu", **settings).returncode == 0
    assert build_in(needs_torch) == "2.0+cpu"


@linux_only
@pytest.mark.slow
def test_an_installation_interrupted_halfway_starts_again_with_the_same_build(needs_torch: Path, index: str) -> None:
    settings = pip_settings(index)
    wheel = next((needs_torch.parent / "index/whl/torch").glob("*2.0+cu132*"))
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[:100])  # what a connection that broke leaves
    failed = start(needs_torch, "--torch", "cuda", **settings)
    assert failed.returncode not in (0, 130)
    assert "noiseloom-setup.log has all of it" in failed.stderr

    wheel.write_bytes(whole)
    Index.held = ".whl"
    command = [sys.executable, str(needs_torch / "launch.py")]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | settings
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as stopped:
        assert Index.asked.wait(WAIT_S)
        os.killpg(stopped.pid, signal.SIGINT)  # Ctrl+C
        assert stopped.wait(WAIT_S) == 130
        assert stopped.stderr and "interrupted; the same command starts again" in stopped.stderr.read()

    Index.held = ""
    done = start(needs_torch, **settings)
    assert done.returncode == 0, done.stderr
    assert "creating" in done.stderr
    assert build_in(needs_torch) == "2.0+cu132"


def test_a_wrong_word_is_refused_with_usage(project: Path) -> None:
    done = start(project, "tset")
    assert done.returncode == 2
    assert "invalid choice: 'tset'" in done.stderr
    assert not (project / ".venv").exists()


@linux_only
@pytest.mark.slow
@pytest.mark.bench
def test_a_second_start_takes_a_moment(project: Path) -> None:
    assert start(project).returncode == 0
    began = project / "began"
    (project / "desktop_app/__main__.py").write_text(f"import time; open({str(began)!r}, 'w').write(str(time.time()))")
    took = []
    for _ in range(5):
        now = time.time()
        start(project, DISPLAY=":99", QT_QPA_PLATFORM="vnc")
        took.append(float(began.read_text()) - now)
    assert min(took) < SECOND_START_S, took
