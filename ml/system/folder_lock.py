"""The lock of a run's folder: one process at a time works in it. The lock ends with its process."""

from pathlib import Path

from filelock import FileLock, Timeout

from ml.errors import BadRequest, CannotWrite
from ml.system.files import make_folder, write_error

LOCK_FILE = ".lock"
PATIENCE_S = 0.5  # another process may just be checking whether the folder is in use
CHECK_S = 0.1  # the same for a check: two checks at once must not take each other for a run


def lock_folder(folder: Path) -> FileLock:
    """Lock a run's folder until `release`; raises BadRequest where another process works in it, CannotWrite.

    The system keeps the lock, not the file: a file that a crash leaves blocks no process.
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
        raise write_error(f"write in {folder}", error) from error
    return lock


def lock_first(file: Path) -> FileLock | None:
    """Lock a file until `release` or the end of the process; None where another process has locked it.

    Where nothing can be locked, the caller counts as the first.
    """
    lock = FileLock(file, 0, thread_local=False, fallback_to_soft=False)
    try:
        make_folder(file.parent)
        lock.acquire()
    except Timeout:
        return None
    except (OSError, NotImplementedError, CannotWrite):
        pass
    return lock


def is_locked(folder: Path) -> bool:
    """Whether a process works in a run's folder now."""
    if not (folder / LOCK_FILE).exists():
        return False
    try:
        with _lock(folder, CHECK_S):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):  # it cannot be written to, so no process trains there
        return False


def _lock(folder: Path, patience_s: float) -> FileLock:
    return FileLock(folder / LOCK_FILE, patience_s, thread_local=False, fallback_to_soft=False)
