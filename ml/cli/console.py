"""The command line's messages and exit codes: one progress line, one line per error, and a Ctrl-C that saves."""

import os
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from ml.control import RunControl
from ml.distributed import torchrun
from ml.errors import (
    BadRequest,
    CannotWrite,
    Diverged,
    FailedElsewhere,
    LostProcess,
    NoiseloomError,
    is_out_of_memory,
)
from ml.events import CheckpointScored, Progress, WriteFailed
from ml.system.paths import COMMAND

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
SHARED = ("train", "sample", "evaluate")  # the commands whose work several processes can share


class Line:
    """One line on standard error that is written over; where that is no terminal, a line every ten seconds."""

    def __init__(self, every_s: float = 10.0) -> None:
        self._terminal = sys.stderr.isatty()
        self._every_s = 0.1 if self._terminal else every_s
        self._shown = 0.0 if self._terminal else time.monotonic()  # short work needs no log
        self._width = 0

    def show(self, text: str) -> None:
        """Say how far the work is; most calls are skipped."""
        now = time.monotonic()
        if now - self._shown < self._every_s:
            return
        self._shown = now
        if self._terminal:
            print(f"\r{text.ljust(self._width)}", end="", file=sys.stderr, flush=True)
            self._width = len(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Say something that stays."""
        print(f"\r{text.ljust(self._width)}", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._width:
            print(f"\r{' ' * self._width}\r", end="", file=sys.stderr, flush=True)


def progress_in_words(event: Progress) -> str:
    """`Reading mnist 100/60000`."""
    return f"{event.what} {event.done}/{event.total}" if event.total else event.what


def scores_in_words(event: CheckpointScored) -> str:
    """`step 400  class accuracy 91.0%, distance 2.1 times that of real images (judge: 97.2% of real images right)`."""
    figures = [] if event.accuracy is None else [f"class accuracy {event.accuracy:.1%}"]
    figures += [] if event.frechet_ratio is None else [f"distance {event.frechet_ratio:.2f} times that of real images"]
    judge = "" if event.judge_accuracy is None else f" (judge: {event.judge_accuracy:.1%} of real images right)"
    return f"step {event.step}  {', '.join(figures) or 'no score'}{judge}  {event.reason}".rstrip()


def resuming(folder: Path) -> str:
    """The command that resumes the run in a folder."""
    return f"{COMMAND} train --resume --run-dir {shlex.quote(str(folder))}"


def where_else(failed: WriteFailed, folder: Path, line: Line) -> Path:
    """Ask where a run that cannot write should resume; raises CannotWrite without a terminal to ask in."""
    if torchrun.launched() or not sys.stdin.isatty():
        kept = f"The checkpoint of step {failed.saved_step} is whole. Resume with: {resuming(folder)}"
        raise CannotWrite(failed.message, f"{kept}, or elsewhere, with --to NEW_FOLDER added.")
    line.note(f"{failed.message} The run waits at step {failed.step}.")
    try:
        answer = input("Folder to resume in, or Enter to try this one again: ").strip()
    except EOFError:  # the terminal was closed
        answer = ""
    return Path(os.path.expanduser(answer)) if answer else folder


@contextmanager
def interruptible() -> Iterator[RunControl]:
    """A control that Ctrl-C or a `kill` cancels, so that work ends after a step and saves; a second one is hard."""
    control = RunControl()

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def cancel(number: int, frame: FrameType | None) -> None:
        control.cancel()
        put_back()
        print("\nStopping and saving; press Ctrl-C again to leave at once.", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield control
    finally:
        put_back()


def by_all_processes(command: Callable[[], int], name: str) -> int:
    """The exit code of a command that each of torchrun's processes runs, of which rank 0 alone prints.

    The others end with 0 where rank 0 can report what happened. Raises BadRequest for a command that is not SHARED,
    what `command` raises, FailedElsewhere, and LostProcess; all of them in rank 0.
    """
    main = torchrun.rank() == 0
    if name not in SHARED:
        if not main:
            return 0
        able = f"{', '.join(SHARED[:-1])} and {SHARED[-1]}"
        raise BadRequest(f"{name} is nothing that several processes can share.", f"Use torchrun for {able} alone.")
    from ml.distributed import collectives

    try:
        with nullcontext() if main else _silence(), collectives.process_group():
            code = command()
        return code if main else 0
    except LostProcess as error:
        if main:
            raise
        if torchrun.rank() == 1:  # reports for rank 0, which may be the one that has gone
            print(f"{error.message} The files on disk are complete; resume a run with --resume.", file=sys.stderr)
        return FAILED
    except Exception:
        if main:
            raise
        return 0


@contextmanager
def _silence() -> Iterator[None]:
    """Within, nothing is printed."""
    with open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
        yield


def guarded(command: Callable[[], int], *, debug: bool) -> int:
    """The exit code of `command`; whatever it raises becomes one line on standard error."""
    try:
        return command()
    except KeyboardInterrupt:
        return _say("Interrupted.", INTERRUPTED)
    except BrokenPipeError:  # `... | head`: nobody reads on, and flushing at exit would only complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, NoiseloomError):
            unforeseen = isinstance(error, Diverged | FailedElsewhere | LostProcess)
            return _say(str(error), FAILED if unforeseen else BAD_INPUT)
        if is_out_of_memory(error):
            return _say("There isn't enough memory for this. Use fewer images or a smaller batch.", FAILED)
        usage = getattr(error, "format_message", None)  # typer's usage errors share no public class
        if usage:
            said = usage().replace("Value error, ", "").rstrip(".")
            context = getattr(error, "ctx", None)
            return _say(f"{said}. See: {context.command_path if context else COMMAND} --help", BAD_INPUT)
        hint = "" if debug else " Add --debug to see where."
        return _say(f"Unexpected failure: {type(error).__name__}: {error}.{hint}", FAILED)


def _say(text: str, code: int) -> int:
    print(" ".join(text.split()), file=sys.stderr)
    return code


def interrupted() -> int:
    """Say that nothing came of it; the exit code."""
    print("Interrupted; nothing was written.", file=sys.stderr)
    return INTERRUPTED
