"""The training runs on disk: unfinished ones, and those with a loss curve."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ml.config import TrainConfig
from ml.errors import BadFile
from ml.registry.checkpoint import load_state_header
from ml.registry.run_layout import STATE_FILE
from ml.system import paths
from ml.system.files import modified
from ml.system.folder_lock import is_locked
from ml.tracking.metrics_table import LOSS_FILE


@dataclass(frozen=True, slots=True)
class UnfinishedRun:
    """A run that was interrupted before its budget was used up; `progress` from 0 to 1."""

    name: str
    folder: Path
    config: TrainConfig
    step: int
    progress: float


def runs_with_curves(most: int = 12) -> list[Path]:
    """The folders of the `most` latest runs that have a loss table, newest first."""
    tables = list(paths.user_runs().glob(f"*/{LOSS_FILE}"))
    return [table.parent for table in sorted(tables, key=modified, reverse=True)[:most]]


def has_ended(folder: Path) -> bool:
    """Whether the run in a folder used up its budget or was ended on purpose; False for an unreadable one."""
    try:
        return load_state_header(folder / STATE_FILE).ended
    except (BadFile, OSError):
        return False


def unfinished_runs(elsewhere: Iterable[Path] = ()) -> list[UnfinishedRun]:
    """The runs that were interrupted, latest first, without unreadable ones and those that a process trains.

    `elsewhere` are folders outside the user's own to which runs have moved.
    """
    states = {*paths.user_runs().glob(f"*/{STATE_FILE}"), *(folder / STATE_FILE for folder in elsewhere)}
    found: dict[str, UnfinishedRun] = {}
    for path in sorted(states, key=modified, reverse=True):
        name = path.parent.name
        try:
            state = load_state_header(path)
        except (BadFile, OSError):
            continue
        if name not in found and not state.ended and not is_locked(path.parent):
            found[name] = UnfinishedRun(name, path.parent, state.config, state.step, state.progress)
    return list(found.values())
