"""`python -m ml` many times over, without the seconds that Python and torch take to start: by forks of a warm process.

Run as a program, it reads commands as lines of JSON, forks itself for each, and answers with lines of JSON: the number
of the child's process, and once that has ended, how.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parents[2]


class Lives:
    """Commands, one at a time, each in a process of its own that can be killed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def begin(self, arguments: Sequence[object], log: Path, *, terminal: str = "", folder: Path = REPO) -> int:
        """Start a command in `folder`, its output in `log`, its input from a terminal; the number of its process."""
        where = {"log": str(log), "terminal": terminal, "folder": str(folder)}
        self._tell({"arguments": [str(argument) for argument in arguments], **where})
        return self._hear()

    def end(self, pid: int, *, kill: bool = False) -> int:
        """Wait for a command to end, or see to it; its exit code, or minus the number of the signal that ended it."""
        if kill:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.kill(pid, signal.SIGKILL)
        return self._hear()

    def _tell(self, command: object) -> None:
        assert self._process.stdin
        print(json.dumps(command), file=self._process.stdin, flush=True)

    def _hear(self) -> int:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


def wait_for(condition: Callable[[], object], log: Path | None = None) -> None:
    """Wait for what another process does; what it said is told where it never does."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, log.read_text() if log and log.exists() else "it never happened"
        time.sleep(0.001)


@contextmanager
def warm() -> Iterator[Lives]:
    """A warm process to fork from."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}  # threads would not come along into a fork
    command = [sys.executable, "-m", "tests.support.warm_fork"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPO, text=True, env=environment, stdin=pipe, stdout=pipe) as process:
        yield Lives(process)
        assert process.stdin
        process.stdin.close()


def serve() -> None:
    """The warm process."""
    import torch._dynamo  # which the first step of an optimiser imports
    import torch.utils.tensorboard.summary  # noqa: F401

    import ml.training.trainer  # noqa: F401
    from ml.cli.app import main

    for line in sys.stdin:
        command = json.loads(line)
        pid = os.fork()
        if pid == 0:
            log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for stream in (1, 2):
                os.dup2(log, stream)
            if command["terminal"]:
                os.dup2(os.open(command["terminal"], os.O_RDONLY | os.O_NOCTTY), 0)
                sys.stdin = open(0)  # noqa: SIM115
            os.chdir(command["folder"])
            code = 1
            try:
                code = main(command["arguments"])
            finally:
                os._exit(code)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
