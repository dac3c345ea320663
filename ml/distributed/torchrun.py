"""What `torchrun` tells a process that it started: how many there are, and which one this is. No torch here.

`torchrun --nproc-per-node 2 -m ml train ...` starts the command twice, as processes 0 and 1.
"""

import os


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


def _number(name: str) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else 0
