"""Set Noiseloom up and start it: `python3 launch.py`. Test it: `python3 launch.py test [--all] [-- PYTEST ARGUMENTS]`.

Needs Python 3.11 or newer and nothing else. Creates `.venv` beside this file, installs the tested versions into it
(only when something changed), and checks the system libraries that Qt needs. PyTorch's build is the one for the GPU
that is found, and the small one for CPUs without a GPU; `--torch` chooses another. Without a display the app runs
offscreen and writes its pictures to ./noiseloom-output/. Exit code: that of the app or of the tests.
"""

import argparse
import ctypes
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

if sys.version_info < (3, 11):  # noqa: UP036  (an older Python gets a sentence: so no newer syntax in this file)
    found = sys.version.split()[0]
    sys.exit(f"Noiseloom needs Python 3.11 or newer; this is Python {found}. Install a newer one and use that.")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "noiseloom-installed"
LOG = VENV / "noiseloom-setup.log"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
PICTURES = ("digits.png", "denoising.gif", "screenshot.png")
INSTALLING = "installing"
TORCH = ("auto", "cpu", "cuda", "rocm", "default")
TORCH_INDEX = os.environ.get("NOISELOOM_TORCH_INDEX", "https://download.pytorch.org/whl")
INDEX_S = 3  # until PyTorch's index counts as out of reach
WORKER_BYTES = 2_500_000_000  # memory of a process that runs tests

# Shared library -> its package for apt, dnf and pacman. Without the first set Qt cannot even be imported.
QT_CORE = {
    "libglib-2.0.so.0": ("libglib2.0-0", "glib2", "glib2"),
    "libGL.so.1": ("libgl1", "libglvnd-glx", "libglvnd"),
    "libEGL.so.1": ("libegl1", "libglvnd-egl", "libglvnd"),
    "libX11.so.6": ("libx11-6", "libX11", "libx11"),
    "libxkbcommon.so.0": ("libxkbcommon0", "libxkbcommon", "libxkbcommon"),
    "libdbus-1.so.3": ("libdbus-1-3", "dbus-libs", "dbus"),
    "libfontconfig.so.1": ("libfontconfig1", "fontconfig", "fontconfig"),
}
QT_WINDOW = {
    "libX11-xcb.so.1": ("libx11-xcb1", "libX11-xcb", "libx11"),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11"),
    "libxcb-cursor.so.0": ("libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor"),
    "libxcb-icccm.so.4": ("libxcb-icccm4", "xcb-util-wm", "xcb-util-wm"),
    "libxcb-image.so.0": ("libxcb-image0", "xcb-util-image", "xcb-util-image"),
    "libxcb-keysyms.so.1": ("libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms"),
    "libxcb-randr.so.0": ("libxcb-randr0", "libxcb", "libxcb"),
    "libxcb-render-util.so.0": ("libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil"),
    "libxcb-shape.so.0": ("libxcb-shape0", "libxcb", "libxcb"),
    "libxcb-sync.so.1": ("libxcb-sync1", "libxcb", "libxcb"),
    "libxcb-xfixes.so.0": ("libxcb-xfixes0", "libxcb", "libxcb"),
    "libxcb-xkb.so.1": ("libxcb-xkb1", "libxcb", "libxcb"),
}
FONTS = ("fonts-dejavu", "dejavu-sans-fonts", "ttf-dejavu")
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
XVFB = ("xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb")
MANAGERS = {
    "apt-get": "apt-get install -y --no-install-recommends",
    "dnf": "dnf install -y",
    "pacman": "pacman -S --needed --noconfirm",
}
Packages = dict[str, tuple[str, str, str]]


def say(text: str) -> None:
    print("noiseloom: " + text, file=sys.stderr, flush=True)


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> int:
    """Run a command to its end and return its exit code; Ctrl+C is the command's to handle, 128 + n for signal n."""
    with subprocess.Popen([str(part) for part in command], cwd=cwd, env={**os.environ, **environment}) as process:
        while True:
            try:
                code = process.wait()
                return code if code >= 0 else 128 - code
            except KeyboardInterrupt:
                continue


# System libraries


def loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing(libraries: Packages) -> Packages:
    """The libraries that cannot be loaded here, with their packages."""
    return {name: packages for name, packages in libraries.items() if not loads(name)}


def has_fonts(folders: tuple[str, ...] = FONT_FOLDERS) -> bool:
    return any(path.suffix in (".ttf", ".otf") for folder in folders for path in Path(folder).expanduser().rglob("*"))


def package_manager() -> str | None:
    return next((name for name in MANAGERS if shutil.which(name)), None)


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def install_command(manager: str | None, absent: Packages, root: bool) -> str:
    """The one command that installs what is absent; without a known package manager, the libraries to look for."""
    if manager is None:
        return "the packages that hold " + ", ".join(absent)
    column = list(MANAGERS).index(manager)
    names = sorted({packages[column] for packages in absent.values()})
    return " ".join(["" if root else "sudo", MANAGERS[manager], *names]).strip()


def install_system(manager: str | None, absent: Packages) -> None:
    """As root on Debian or Ubuntu: install without asking. Elsewhere nothing: `system_libraries` prints the command."""
    if manager != "apt-get" or not is_root():
        return
    say("installing system packages for: " + ", ".join(absent))
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ("apt-get update", install_command(manager, absent, root=True)):
        done = subprocess.run(command.split(), env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            say(f"`{command}` failed: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")


def system_libraries(testing: bool) -> bool:
    """Find or install what Qt needs on Linux, or name it; exits where Qt cannot load at all.

    Returns whether a window can open on X11. Everything else works offscreen, too.
    """

    def absent() -> Packages:
        return {**missing(QT_CORE), **missing(QT_WINDOW), **({} if has_fonts() else {"fonts": FONTS})}

    manager, lacking = package_manager(), absent()
    wanted = {**lacking, "Xvfb": XVFB} if testing and not shutil.which("Xvfb") else lacking
    if wanted:
        install_system(manager, wanted)
        lacking = absent()
    if lacking:
        say(f"missing: {', '.join(lacking)}. Install: {install_command(manager, lacking, is_root())}")
    if not lacking.keys().isdisjoint(QT_CORE):
        sys.exit(1)
    return lacking.keys().isdisjoint(QT_WINDOW)


# The virtual environment


class Installed(NamedTuple):
    """What the stamp says: the fingerprint of the installation, its extras, and which PyTorch was asked for."""

    fingerprint: str
    extras: set[str]
    torch: str


class Interpreter(NamedTuple):
    """The environment's Python."""

    version: str
    pip: tuple[int, ...]
    has_torch: bool


def fingerprint(root: Path, python: str) -> str:
    """Hash of what an installation depends on: the two files with versions, the interpreter, and the folder."""
    files = [(root / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join([*files, python.encode(), str(root).encode()])).hexdigest()


def interpreter_file() -> str:
    """The file behind the environment's Python, its size and age; "" where it is gone. Starts no process."""
    try:
        settings = (VENV / "pyvenv.cfg").read_text(encoding="utf-8")
        home = re.search(r"^home *= *(.+)$", settings, re.MULTILINE)
        file = Path(home[1], "python.exe") if os.name == "nt" and home else PYTHON.resolve(strict=True)
        status = file.stat()
    except OSError:
        return ""
    return f"{file} {status.st_size} {status.st_mtime_ns}" if PYTHON.exists() else ""


def read_stamp() -> Installed | None:
    """The stamp of the last installation, None without one. A stamp of two lines is from when PyTorch had no choice."""
    if not STAMP.is_file():
        return None
    head, extras, torch = [*STAMP.read_text(encoding="utf-8").split("\n"), "", "", ""][:3]
    return Installed(head, set(extras.split()), torch or "default")


def write_stamp(head: str, extras: set[str], torch: str) -> None:
    STAMP.write_text("\n".join([head, " ".join(sorted(extras)), torch]), encoding="utf-8")


def venv_python() -> Interpreter | None:
    """The environment's interpreter, or None where it, or its pip, does not run or is too old."""
    script = (
        "import importlib.util as u, pip, platform, sys; assert sys.version_info >= (3, 11); "
        "print(platform.python_version(), pip.__version__, bool(u.find_spec('torch')))"
    )
    try:
        answer = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode:
        return None
    version, pip, torch = answer.stdout.split()
    return Interpreter(version, tuple(map(int, re.findall(r"\d+", pip))), torch == "True")


def have_ensurepip() -> None:
    """Debian ships Python without ensurepip: install it, or name it and exit."""
    if importlib.util.find_spec("ensurepip"):
        return
    package = "python{}.{}-venv".format(*sys.version_info[:2])
    absent = {"ensurepip": (package, "python3-pip", "python")}
    install_system(package_manager(), absent)
    importlib.invalidate_caches()
    if importlib.util.find_spec("ensurepip") is None:
        command = install_command(package_manager(), absent, is_root())
        sys.exit(f"noiseloom: this Python cannot create environments (no ensurepip). Install: {command}")


def make_venv() -> None:
    """A fresh, empty environment."""
    have_ensurepip()
    if run(sys.executable, "-m", "venv", "--clear", VENV) or venv_python() is None:
        sys.exit(f"noiseloom: cannot create a working environment in {VENV}: is the disk full, or mounted noexec?")


# PyTorch's build


def pinned(package: str) -> str:
    """The tested version of a package, "" where it has none."""
    found = re.search(rf"^{package}==(\S+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def index_pages(*packages: str) -> list[str] | None:
    """What PyTorch's index lists of these packages, None where it does not answer in time."""
    from urllib.request import urlopen

    pages: list[str] = []

    def fetch() -> None:
        try:
            found = [urlopen(f"{TORCH_INDEX}/{package}/", timeout=INDEX_S).read() for package in packages]
        except (OSError, ValueError):
            return
        pages.extend(page.decode("utf-8", "replace") for page in found)

    thread = threading.Thread(target=fetch, daemon=True)  # a name's address can take longer than urlopen's limit
    thread.start()
    thread.join(INDEX_S)
    return pages if len(pages) == len(packages) else None


def builds(page: str, package: str, python: str) -> set[str]:
    """The builds of the tested version that a page of the index has for this machine: cpu, cu128, rocm6.4."""
    tag = "cp" + "".join(python.split(".")[:2])
    version, machine = re.escape(pinned(package)), re.escape(platform.machine().lower())
    return set(re.findall(rf"{package}-{version}(?:\+|%2B)([\w.]+?)-{tag}-{tag}-[^\s\"'<>#]*{machine}\.whl", page))


def choose_build(torch: str, python: str) -> str | None:
    """The build of PyTorch to install: "" for the default one of PyPI, None for that as a makeshift."""
    from ml.system import gpu_driver

    cuda = gpu_driver.cuda_version() if torch in ("auto", "cuda") else None
    if torch == "auto":
        torch = gpu_driver.pytorch_build() or "cpu"
    linux = sys.platform.startswith("linux")
    if not pinned("torch") or torch == "default" or (torch == "cpu" and not linux):  # which is the default elsewhere
        return ""
    pages = index_pages("torch", "torchvision")
    if pages is None:
        say(f"{TORCH_INDEX} did not answer within {INDEX_S} seconds: PyTorch's default build is installed instead")
        return None
    found = builds(pages[0], "torch", python) & builds(pages[1], "torchvision", python)
    return best_build(found, torch, cuda)


def best_build(found: set[str], torch: str, cuda: int | None) -> str | None:
    """The newest build of that kind that the driver runs; says so and returns None where there is none."""

    def numbers(build: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", build)]

    name = {"cpu": r"cpu", "cuda": r"cu\d+", "rocm": r"rocm[\d.]+"}[torch]
    fitting = [build for build in found if re.fullmatch(name, build)]
    if torch == "cuda" and cuda:
        fitting = [build for build in fitting if numbers(build)[0] <= cuda]
    if not fitting:
        what = f"PyTorch {pinned('torch')} for {torch} on this machine"
        say(f"{TORCH_INDEX} does not have {what}: PyTorch's default build is installed instead")
        return None
    return max(fitting, key=numbers)


# Installing


def pip_install(pip: tuple[int, ...], *arguments: str | Path) -> None:
    """Install, with pip's words in the log, and how far it is in a line of the terminal. Exits where that fails."""
    bar = "raw" if pip >= (24, 1) else "off"
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", bar, *arguments]
    interrupted = False
    with (
        LOG.open("a", encoding="utf-8") as log,
        subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        assert process.stdout
        doing = ""
        while True:
            try:
                line = process.stdout.readline()
                if not line:
                    break
                if done := re.match(r"Progress (\d+) of (\d+)", line):
                    show(f"{doing}, {int(done[1]) / max(int(done[2]), 1):.0%}")
                    continue
                log.write(line)
                log.flush()
                doing = progress_of(line) or doing
                show(doing)
            except KeyboardInterrupt:  # which pip has heard, too
                interrupted = True
    show("")
    if interrupted:
        say("interrupted; the same command starts again")
        sys.exit(130)
    if process.returncode:
        lines = LOG.read_text(encoding="utf-8").splitlines()
        errors = [line for line in lines if line.lstrip().lower().startswith("error")]
        print(*(errors or lines)[-5:], sep="\n", file=sys.stderr)
        say(f"the installation failed; {LOG} has all of it. Fix that, then run the same command again.")
        sys.exit(process.returncode)


def progress_of(line: str) -> str:
    """What a line of pip's says that it is doing, in a few words; "" for a line about nothing new."""
    words = line.split()
    if words[:1] == ["Collecting"]:
        return "looking up " + re.split(r"[<>=!~;\[ ]", words[1])[0]
    if words[:1] == ["Downloading"] or words[:2] == ["Using", "cached"]:
        wheel = re.search(r"([^/\s]+?)-(\d[^-\s]*)-\S+\.whl\S*(?: \((.+)\))?", line)
        return f"downloading {wheel[1]}" + (f" ({wheel[3]})" if wheel[3] else "") if wheel else ""
    if words[:3] == ["Installing", "collected", "packages:"]:
        return f"unpacking {len(words) - 3} packages"
    return ""


def show(text: str) -> None:
    """In a terminal, the line that says how far the present step is; "" removes it."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        print("\r\x1b[K" + (f"      {text}"[:width] if text else ""), end="", file=sys.stderr, flush=True)


def ensure_installed(extras: set[str], torch: str | None = None) -> None:
    """Bring `.venv` to the tested versions; `torch` is the build that is asked for, None for the one that is there.

    The stamp is written last, so an interrupted installation starts over. Another build of PyTorch gets a fresh
    environment: in the old one gigabytes of libraries would stay that nothing uses any more.
    """
    stamp, file = read_stamp(), interpreter_file()
    here = fingerprint(ROOT, file)
    if file and stamp and stamp.fingerprint == here and extras <= stamp.extras and torch in (None, stamp.torch):
        return
    python = venv_python()
    fresh = python is None or bool(stamp and (stamp.fingerprint == INSTALLING or torch not in (None, stamp.torch)))
    if torch is None:
        by_hand = python is not None and python.has_torch and not fresh
        torch = stamp.torch if stamp else "default" if by_hand else "auto"
    extras = extras | (stamp.extras if stamp else set())
    build = choose_build(torch, platform.python_version() if fresh or python is None else python.version)
    if build is None:
        torch, build = "auto", ""  # so that the same words try again

    steps: list[tuple[str, Callable[[], None]]] = []
    target = f"{ROOT}[{','.join(sorted(extras))}]" if extras else str(ROOT)
    everything = ["-e", target, "-c", ROOT / "constraints.txt"]
    if build.startswith("rocm"):
        everything += ["--extra-index-url", TORCH_INDEX]  # PyPI does not have its compiler

    def pip(*arguments: str | Path) -> None:
        pip_install(found.pip if (found := venv_python()) else (), *arguments)

    if fresh:
        steps.append((f"creating {VENV}", make_venv))
    if build:
        pair = [f"{name}=={pinned(name)}+{build}" for name in ("torch", "torchvision")]
        title = f"installing PyTorch {pinned('torch')}, the build for {build}"
        steps.append((title, lambda: pip("--no-deps", "--index-url", TORCH_INDEX, *pair)))
    size = "" if build else " (PyTorch is a large download)"
    steps.append((f"installing the tested versions into .venv{size}", lambda: pip(*everything)))
    say(f"setting up, once, in {len(steps)} steps")
    VENV.mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    write_stamp(INSTALLING, extras, torch)
    for number, (title, work) in enumerate(steps, 1):
        say(f"[{number}/{len(steps)}] {title}")
        work()
        write_stamp(INSTALLING, extras, torch)
    write_stamp(fingerprint(ROOT, interpreter_file()), extras, torch)


# Starting


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers() -> int:
    """Processes that share the tests: one per core, limited by memory."""
    if not hasattr(os, "sysconf"):
        return min(cores(), 4)
    return max(1, min(cores(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // WORKER_BYTES))


def sharing(everything: bool, arguments: list[str]) -> list[str]:
    """Options by which pytest shares its files. Benchmarks run alone. So do tests named by path, which end quickly."""
    named = any(not word.startswith("-") for word in arguments)
    if everything or named or workers() == 1:
        return []
    return ["-n", str(workers()), "--dist", "loadfile"]


def can_show(environment: dict[str, str], window_libraries: bool) -> bool:
    """Whether a window can open: always on Windows and macOS; on Linux with a Wayland or X11 display."""
    if not sys.platform.startswith("linux"):
        return True
    platform = environment.get("QT_QPA_PLATFORM", "")
    if platform in ("offscreen", "minimal"):
        return False
    return bool(platform or environment.get("WAYLAND_DISPLAY") or (environment.get("DISPLAY") and window_libraries))


def start_app(window: bool, arguments: list[str]) -> int:
    if window:
        return run(PYTHON, "-m", "desktop_app", *arguments)
    output = Path.cwd() / "noiseloom-output"
    say("cannot open a window here: running the app offscreen")
    code = run(PYTHON, "-m", "desktop_app", "--tour", output, *arguments, QT_QPA_PLATFORM="offscreen")
    pictures = [output / name for name in PICTURES]
    if code == 0 and all(path.is_file() for path in pictures):
        print("Written:", *pictures, sep="\n  ")
        return 0
    say("the app ended without writing all its pictures; the lines above say why")
    return code or 1


def main(arguments: list[str]) -> int:
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(description="Set Noiseloom up and start it, or test it.")
    parser.add_argument("what", nargs="?", choices=("app", "test"), default="app")
    parser.add_argument("--all", action="store_true", help="test: also the tests marked slow or bench")
    parser.add_argument("--torch", choices=TORCH, help="which build of PyTorch to install (auto: for the GPU found)")
    parser.add_argument("--libraries", action="store_true", help="only find or install Qt's system libraries")
    options, rest = parser.parse_args(arguments[:cut]), arguments[cut + 1 :]
    testing = options.what == "test"
    if options.all and not testing:
        parser.error("--all goes with test")
    window = system_libraries(testing or options.libraries) if sys.platform.startswith("linux") else True
    if options.libraries:
        return 0
    ensure_installed({"test", "package"} if testing else set(), options.torch)
    if testing:
        which = ["-m", ""] if options.all else []
        return run(PYTHON, "-m", "pytest", *sharing(options.all, rest), *which, *rest, cwd=ROOT)
    return start_app(can_show(dict(os.environ), window), rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
