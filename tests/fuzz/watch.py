"""Opening one file under watch: typed errors alone, in time, in 200 MB, nothing touched or run outside its folder."""

import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from ml.errors import NoiseloomError
from tests.fuzz.formats import Format
from tests.patience import PATIENCE

MOST_S = 1.0  # of processor time; what is promised, and what `slow` tests see
FEW_S = 10 * PATIENCE  # what every run sees, on whatever processor, beside whatever else: a bomb takes minutes
MOST_MB = 200
HOME = "NOISELOOM_HOME"
PROCESS = Path("/proc/self")
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.truncate")
RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "pickle.find_class", "shutil.rmtree")
NETWORK = ("socket.connect", "socket.getaddrinfo", "urllib.Request")
REPO = Path(__file__).resolve().parents[2]
READABLE = tuple(
    os.path.realpath(path)
    for path in (sys.prefix, sys.base_prefix, REPO, REPO / "resources", "/proc", "/sys", "/dev", "/usr")
)

_folder: list[str] = []  # that is watched at the moment
_seen: list[str] = []  # what happened that must not


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _folder or not event.startswith(("open", "os.", "subprocess", "pickle", "shutil", "socket", "urllib")):
        return
    if event in RUNS or event in NETWORK:
        _seen.append(f"{event} {arguments!r:.200}")
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        mode, flags = arguments[1] or "", arguments[2] or 0
        writes = any(letter in mode for letter in "wax+") or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        _check(event, arguments[0], *(() if writes else READABLE))
    elif event in CHANGES:
        for path in arguments[:2]:
            if isinstance(path, (str, bytes)):
                _check(event, path)


def _check(event: str, path: str | bytes, *allowed: str) -> None:
    place = os.path.realpath(os.fsdecode(path))
    if place != os.devnull and not place.startswith((*_folder, *allowed)):
        _seen.append(f"{event} {place}")


sys.addaudithook(_hear)  # for good: Python knows no way to take one back


def open_one(form: Format, content: bytes, most_s: float = FEW_S) -> None:
    """Open a file of that content as the program does; AssertionError names what happened that must not."""
    said, seconds, megabytes = _open(form, content)
    if seconds > most_s:  # another program may have had the caches
        said, seconds, megabytes = _open(form, content)
    assert not said, said
    assert seconds <= most_s, f"{seconds:.1f} s"
    assert megabytes <= MOST_MB, f"{megabytes:.0f} MB"


def _open(form: Format, content: bytes) -> tuple[str, float, float]:
    with tempfile.TemporaryDirectory(prefix="noiseloom-fuzz-") as name:
        path = form.place(Path(name), content)
        home, os.environ[HOME] = os.environ.get(HOME), name
        before, began = _forget_peak(), time.process_time()  # others may have the processor; who waits, times out
        said = ""
        _folder.append(os.path.realpath(name))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of libraries, on damaged metadata
                form.open(path)
        except NoiseloomError as error:
            if len(str(error)) > 3000:
                said = f"an error of {len(str(error))} characters"
        except Exception as error:
            said = f"{type(error).__name__}: {error!s:.500}"
        finally:
            seconds = time.process_time() - began
            _folder.clear()
            os.environ.pop(HOME) if home is None else os.environ.__setitem__(HOME, home)
        said = "; ".join([*filter(None, [said]), *_seen])
        _seen.clear()
        if not said and path.is_file() and path.read_bytes() != content and not form.moves:
            said = "the file was changed"
        return said, seconds, _peak() - before


def _forget_peak() -> float:
    """Memory in MB, after the system was asked to measure its peak from now on."""
    if not PROCESS.is_dir():
        return 0.0
    (PROCESS / "clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> float:
    return _status("VmHWM") if PROCESS.is_dir() else 0.0


def _status(field: str) -> float:
    lines = (PROCESS / "status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(field))
