"""What `torchrun` tells a process that it started: how many there are, and which one this is. No torch here.

`torchrun --nproc-per-node 2 -m ml train ...` starts the command twice, as processes 0 and 1.
"""

import os

from ml.errors import BadRequest

ABLE = ("train", "sample", "evaluate")  # the commands whose work can be shared


def launched() -> bool:
    """Whether this is one of several processes of torchrun's."""
    return "TORCHELASTIC_RUN_ID" in os.environ and world_size() > 1


def world_size() -> int:
    """How many processes there are, on all machines."""
    return _number("WORLD_SIZE")


def rank() -> int:
    """The number of this process among all of them; 0 leads."""
    return _number("RANK")


def local_rank() -> int:
    """The number of this process among those of its machine, each of which has a GPU of its own."""
    return _number("LOCAL_RANK")


def local_size() -> int:
    """How many processes this machine has."""
    return _number("LOCAL_WORLD_SIZE")


def refuse(what: str) -> None:
    """Raises BadRequest for what several processes cannot do."""
    if launched() and what not in ABLE:
        able = f"{', '.join(ABLE[:-1])} and {ABLE[-1]}"
        raise BadRequest(f"{what} is nothing that several processes can share.", f"Use torchrun for {able} alone.")


def _number(name: str) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else 0
