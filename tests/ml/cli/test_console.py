"""What the command line says while it works, how it ends, and what Ctrl-C does."""

import io
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ml.cli import console
from ml.errors import BadRequest, CannotWrite, Diverged
from ml.events import WriteFailed


class Terminal(io.StringIO):
    """Standard error that is looked at, or goes to a file."""

    def __init__(self, looked_at: bool) -> None:
        super().__init__()
        self._looked_at = looked_at

    def isatty(self) -> bool:
        return self._looked_at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What `Line` takes for the time."""
    now = [1000.0]
    monkeypatch.setattr("ml.cli.console.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def said(monkeypatch: pytest.MonkeyPatch, looked_at: bool) -> Terminal:
    terminal = Terminal(looked_at)
    monkeypatch.setattr("sys.stderr", terminal)
    return terminal


def test_a_terminal_has_one_line_that_is_written_over(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    terminal = said(monkeypatch, looked_at=True)
    with console.Line() as line:
        line.show("step 100")
        clock[0] += 0.09
        line.show("too soon")
        clock[0] += 0.02
        line.show("step 9")
        line.note("smaller")
    assert terminal.getvalue() == "\rstep 100\rstep 9  \rsmaller\n\r      \r"


def test_a_file_has_a_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    terminal = said(monkeypatch, looked_at=False)
    with console.Line() as line:
        for seconds in (1.0, 8.5, 0.6, 9.0, 1.1):
            clock[0] += seconds
            line.show(f"at {clock[0]:g}")
    assert terminal.getvalue() == "at 1010.1\nat 1020.2\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_ctrl_c_asks_and_the_second_leaves(
    number: signal.Signals, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    before = [signal.signal(each, leave) for each in (signal.SIGINT, signal.SIGTERM)]
    try:
        with console.interruptible() as control:
            assert not control.cancelled
            signal.raise_signal(number)
            assert control.cancelled and "press Ctrl-C again to leave" in capsys.readouterr().err
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
        with console.interruptible():
            pass
        assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == [leave, leave]
    finally:
        for each, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(each, handler)


def raising(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


NO_ROOM = "There isn't enough memory for this. Use fewer images or a smaller batch.\n"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (BadRequest("No digit.", "Give one."), 2, "No digit. Give one.\n"),
        (CannotWrite("Full.", "Make room."), 2, "Full. Make room.\n"),
        (Diverged("It diverged.", "Go slower."), 1, "It diverged. Go slower.\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (RuntimeError("CUDA out of memory."), 1, NO_ROOM),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), 1, NO_ROOM),
        (ValueError("two\n  lines"), 1, "Unexpected failure: ValueError: two lines. Add --debug to see where.\n"),
    ],
)
def test_every_end_has_its_exit_code_and_one_line(
    error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.guarded(raising(error), debug=False) == code
    assert capsys.readouterr() == ("", words)
    assert console.guarded(raising(error), debug=True) == code
    told = capsys.readouterr().err
    assert ("Traceback" in told) == (code != 130) and "--debug" not in told
    assert console.guarded(lambda: 7, debug=False) == 7


FAILED = WriteFailed(step=30, message="Cannot write: the disk is full.", saved_step=20)


def test_a_run_that_cannot_write_asks_where_it_shall_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(looked_at=True))
    monkeypatch.setenv("HOME", str(tmp_path))
    answers = iter([" ~/there ", ""])
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    with console.Line() as line:
        assert console.where_else(FAILED, tmp_path / "run", line) == tmp_path / "there"
        assert "the disk is full. The run waits at step 30." in capsys.readouterr().err
        assert console.where_else(FAILED, tmp_path / "run", line) == tmp_path / "run"
        monkeypatch.setattr("builtins.input", lambda _: raising(EOFError())())
        assert console.where_else(FAILED, tmp_path / "run", line) == tmp_path / "run"


def test_where_nobody_can_answer_it_ends_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(looked_at=False))
    with console.Line() as line, pytest.raises(CannotWrite, match="the disk is full") as refused:
        console.where_else(FAILED, tmp_path / "a run", line)
    assert f"checkpoint of step 20 is whole. Resume with: {console.resuming(tmp_path / 'a run')}" in (
        refused.value.what_to_do
    )
    assert f"--run-dir '{tmp_path / 'a run'}'" in console.resuming(tmp_path / "a run")
