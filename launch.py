"""Set Noiseloom up and start it: `python3 launch.py`. Test it: `python3 launch.py test [--all] [-- PYTEST ARGUMENTS]`.

Needs Python 3.11 or newer and nothing else. Creates `.venv` beside this file, installs the tested versions into it
(only when something changed), and checks the system libraries that Qt needs. Without a display the app runs
offscreen and writes its pictures to ./noiseloom-output/. Exit code: that of the app or of the tests.
"""

import argparse
import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  (an older Python gets a sentence: so no newer syntax in this file)
    found = sys.version.split()[0]
    sys.exit(f"Noiseloom needs Python 3.11 or newer; this is Python {found}. Install a newer one and use that.")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "noiseloom-installed"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
PICTURES = ("digits.png", "denoising.gif", "screenshot.png")
INSTALLING = "installing"
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


def fingerprint(root: Path, python: str) -> str:
    """Hash of what an installation depends on: the two files with versions, the interpreter, and the folder."""
    files = [(root / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join([*files, python.encode(), str(root).encode()])).hexdigest()


def venv_python() -> str | None:
    """Version of the environment's interpreter, or None where it, or its pip, does not run or is too old."""
    script = "import pip, sys; assert sys.version_info >= (3, 11); print(sys.version)"
    try:
        answer = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


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


def make_venv() -> str:
    """A fresh, empty environment; returns its Python version."""
    have_ensurepip()
    say(f"creating {VENV}")
    code = run(sys.executable, "-m", "venv", "--clear", VENV)
    version = venv_python()
    if code or version is None:
        sys.exit(f"noiseloom: cannot create a working environment in {VENV}: is the disk full, or mounted noexec?")
    return version


def installed_extras(stamp: str, now: str) -> set[str] | None:
    """Extras that a stamp lists; None for other versions or an empty stamp."""
    head, _, extras = stamp.partition("\n")
    return set(extras.split()) if head == now else None


def ensure_installed(extras: set[str]) -> None:
    """Bring `.venv` to the tested versions. The stamp is written last, so an interrupted installation starts over."""
    stamp = STAMP.read_text() if STAMP.is_file() else ""
    version = venv_python()
    if version is None or stamp == INSTALLING:
        stamp, version = "", make_venv()
    now = fingerprint(ROOT, version)
    already = installed_extras(stamp, now)
    if already is not None and extras <= already:
        return
    wanted = sorted(extras | set(stamp.partition("\n")[2].split()))
    say("installing the tested versions into .venv (once; PyTorch is a large download)")
    STAMP.write_text(INSTALLING)
    target = f"{ROOT}[{','.join(wanted)}]" if wanted else str(ROOT)
    code = run(PYTHON, "-m", "pip", "install", "-e", target, "-c", ROOT / "constraints.txt")
    if code:
        say("the installation failed; the lines above say why. Fix that, then run the same command again.")
        sys.exit(code)
    STAMP.write_text("\n".join([now, " ".join(wanted)]))


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
    options, rest = parser.parse_args(arguments[:cut]), arguments[cut + 1 :]
    testing = options.what == "test"
    if options.all and not testing:
        parser.error("--all goes with test")
    window = system_libraries(testing) if sys.platform.startswith("linux") else True
    ensure_installed({"test", "package"} if testing else set())
    if testing:
        which = ["-m", ""] if options.all else []
        return run(PYTHON, "-m", "pytest", *sharing(options.all, rest), *which, *rest, cwd=ROOT)
    return start_app(can_show(dict(os.environ), window), rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
