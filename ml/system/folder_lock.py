"""Who works in a run's folder: one process at a time, by a lock that ends with its process, however that ends."""

from pathlib import Path

from filelock import FileLock, Timeout

from ml.errors import BadRequest
from ml.system.files import make_folder, refusal

LOCK_FILE = ".lock"
PATIENCE_S = 0.5  # somebody may just be looking whether the folder is in use


def hold(folder: Path) -> FileLock:
    """Have a run's folder for oneself until `release`; raises BadRequest where another one works in it, CannotWrite.

    The system keeps the lock, not the file: what a crash leaves of it holds nobody up.
    """
    lock = _lock(make_folder(folder), PATIENCE_S)
    try:
        lock.acquire()
    except Timeout as error:
        raise BadRequest(
            f"The run in {folder} is being trained by another window or command.",
            "Wait until it has ended, stop it there, or start a run of another name.",
        ) from error
    except NotImplementedError:
        pass  # a disk without locks, as some network shares are: as safe as it was without
    except OSError as error:
        raise refusal(f"write in {folder}", error) from error
    return lock


def is_held(folder: Path) -> bool:
    """Whether somebody works in a run's folder now."""
    if not (folder / LOCK_FILE).exists():
        return False
    try:
        with _lock(folder, 0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):  # not to be written in, so nobody trains there
        return False


def _lock(folder: Path, patience_s: float) -> FileLock:
    return FileLock(folder / LOCK_FILE, patience_s, thread_local=False, fallback_to_soft=False)
