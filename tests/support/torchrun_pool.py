"""Commands one after the other, each by all processes of torchrun's, without the seconds that they take to start.

Run as a program by torchrun, it reads commands as JSON from the file it is given, and leaves what each process said of
each, and its exit code, beside it. A command may come with faults that are planted in what is trained: at a call of
the network, in one process. By their clock each
piece of work takes a second, and none passes between two looks at whether there is something to say.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count as counting
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parents[2]
# Process, number of the call, and what happens: "no room", "nan", "error" or "stop"; in the middle of its backward pass
# "no room behind" or "error behind".
Fault = tuple[int, int, str]
SMALL_BUCKET = 0.002  # MB of gradients that are reduced together, so that even a tiny network has several buckets


@dataclass(frozen=True)
class Command:
    """`python -m ml` with these arguments, and what goes wrong with it."""

    arguments: Sequence[str]
    faults: Sequence[Fault] = ()


@dataclass(frozen=True)
class Said:
    """How a command ended in one process."""

    code: int
    out: str
    err: str


def torchrun(*command: object, count: int = 2, more: Sequence[str] = ("--standalone",)) -> list[str]:
    """The command that starts `python -m ...` several times."""
    start = [sys.executable, "-m", "torch.distributed.run", *more, "--nproc-per-node", str(count), "-m"]
    return [*start, *map(str, command)]


def carry_out(commands: Sequence[Command], place: Path, count: int = 2) -> list[list[Said]]:
    """How each command ended in each process."""
    told = [
        asdict(command) | {"port": port} for command, port in zip(commands, _free_ports(len(commands)), strict=True)
    ]
    (place / "commands.json").write_text(json.dumps(told))
    start = torchrun("tests.support.torchrun_pool", place / "commands.json", count=count)
    done = subprocess.run(start, cwd=REPO, env=alone(), capture_output=True, text=True, timeout=5 * WAIT_S)
    assert done.returncode == 0, done.stderr
    return [[_said(place, k, rank) for rank in range(count)] for k in range(len(commands))]


def alone() -> dict[str, str]:
    """An environment in which processes do not take the cores from one another."""
    return os.environ | {"OMP_NUM_THREADS": "1"}


@contextmanager
def crew(log: Path, *command: object) -> Iterator["subprocess.Popen[bytes]"]:
    """A command that is carried out by two processes while the block lasts."""
    with log.open("wb") as file:
        start = torchrun(*command)
        with subprocess.Popen(start, cwd=REPO, env=alone(), stdout=file, stderr=subprocess.STDOUT) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _said(place: Path, number: int, rank: int) -> Said:
    code, out, err = ((place / f"{number}-{rank}.{what}").read_text() for what in ("code", "out", "err"))
    return Said(int(code), out, err)


def _serve(path: Path) -> None:
    """One of the processes."""
    from ml.cli import console
    from ml.cli.app import main
    from ml.training import distributed_training, run

    parallel = distributed_training.DistributedDataParallel
    distributed_training.DistributedDataParallel = partial(parallel, bucket_cap_mb=SMALL_BUCKET)  # type: ignore[misc]
    for module, clock in ((run, {"perf_counter": counting(0.0).__next__}), (console, {"monotonic": lambda: 0.0})):
        module.time = SimpleNamespace(**clock)  # pyright: ignore[reportAttributeAccessIssue]

    rank = os.environ["RANK"]
    for number, command in enumerate(json.loads(path.read_text())):
        name = path.parent / f"{number}-{rank}"
        # torchrun's own store remembers where processes met before, so each command has another one.
        os.environ |= {"TORCHELASTIC_USE_AGENT_STORE": "False", "MASTER_PORT": str(command["port"])}
        with open(f"{name}.out", "w") as out, open(f"{name}.err", "w") as err:
            sys.stdout, sys.stderr = out, err
            with _planted([(call, what) for who, call, what in command["faults"] if who == int(rank)]):
                code = main(command["arguments"])
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        Path(f"{name}.code").write_text(str(code))


@contextmanager
def _planted(faults: list[tuple[int, str]]) -> Iterator[None]:
    """Have networks that are trained in the block fail at these calls."""
    import torch

    from ml.training import run

    build, calls = run.build, 0

    def fail(network: torch.nn.Module, _asked: object, said: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += network.training
        what = dict(faults).get(calls) if network.training else None
        if what == "no room":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        if what == "stop":
            os.kill(os.getpid(), signal.SIGINT)
        if what == "error":
            raise ValueError("a wire is loose")
        return said * float("nan") if what == "nan" else said

    def fail_behind(network: torch.nn.Module, _asked: object, said: torch.Tensor) -> None:
        what = dict(faults).get(calls + 1, "") if network.training else ""
        if what.endswith("behind"):
            said.register_hook(partial(_raise, ValueError if what == "error behind" else torch.OutOfMemoryError))

    def planted(config: Any) -> torch.nn.Module:
        network = build(config)
        network.register_forward_hook(fail)
        blocks = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
        blocks[len(blocks) // 2].register_forward_hook(fail_behind)
        return network

    run.build = planted
    try:
        yield
    finally:
        run.build = build


def _raise(kind: type[Exception], _gradient: object) -> None:
    raise kind("a wire is loose" if kind is ValueError else "CUDA out of memory.")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
