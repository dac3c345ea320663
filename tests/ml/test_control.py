"""How a job is steered: switches, a mailbox, and work that is left where it stands."""

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from ml import cancellation
from ml.cancellation import (
    Cancelled,
    cancellable,
    check_cancelled,
    import_interruptibly,
    interruptible_sleep,
    run_interruptibly,
)
from ml.config import ModelConfig
from ml.control import RunControl
from ml.models import weights
from tests.patience import WAIT_S


def cancelled() -> RunControl:
    control = RunControl()
    control.cancel()
    return control


def test_commands_come_out_in_the_order_they_went_in_and_once() -> None:
    control = RunControl()
    assert control.take() is None
    control.post("save")
    control.post("preview")
    assert [control.take() for _ in range(3)] == ["save", "preview", None]


def test_a_folder_to_write_to_lets_a_paused_run_go_on_and_is_named_once() -> None:
    control = RunControl()
    control.pause()
    assert control.paused and not control.cancelled
    control.write_to(Path("elsewhere"))
    assert not control.paused
    assert [control.take_folder() for _ in range(2)] == [Path("elsewhere"), None]


def test_what_is_cancelled_is_not_paused_any_more() -> None:
    control = RunControl()
    control.pause()
    control.cancel()
    assert control.cancelled and not control.paused


def test_only_the_innermost_control_of_this_thread_is_heeded() -> None:
    check_cancelled()
    with cancellable(cancelled()):
        with cancellable(RunControl()):
            check_cancelled()
        with pytest.raises(Cancelled):
            check_cancelled()
        other = threading.Thread(target=check_cancelled)
        other.start()
        other.join(WAIT_S)
    check_cancelled()
    with pytest.raises(ValueError, match="else"), cancellable(cancelled()):
        raise ValueError("something else")
    check_cancelled()


def test_work_aside_gives_what_it_gives_and_raises_what_it_raises() -> None:
    threads: list[threading.Thread] = []

    def work() -> int:
        threads.append(threading.current_thread())
        return 7

    def fail() -> None:
        raise ValueError("aside")

    assert run_interruptibly(work) == 7
    with cancellable(RunControl()):
        assert run_interruptibly(work) == 7
        with pytest.raises(ValueError, match="aside"):
            run_interruptibly(fail)
    assert threads[0] is threading.current_thread() is not threads[1]


def test_work_aside_is_left_behind_where_the_work_here_is_stopped() -> None:
    control, begun, end = RunControl(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        control.cancel()
        end.wait(WAIT_S)

    with cancellable(control), pytest.raises(Cancelled):
        run_interruptibly(work)
    assert begun.is_set() and not end.is_set()
    end.set()


def test_sleep_ends_when_it_is_over_or_the_work_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr(cancellation, "time", clock)
    interruptible_sleep(0.05)
    assert sum(slept) == pytest.approx(0.05) and max(slept) <= cancellation.POLL_S
    slept.clear()
    with cancellable(cancelled()), pytest.raises(Cancelled):
        interruptible_sleep(10)
    assert not slept


def test_a_module_is_imported_once_and_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(cancellation.importlib, "import_module", asked.append)
    import_interruptibly("pathlib")
    assert not asked
    import_interruptibly("no_such_module_yet")
    assert asked == ["no_such_module_yet"]


def test_work_that_was_stopped_is_never_taken_for_a_broken_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "build", lambda _: check_cancelled())
    with cancellable(cancelled()), pytest.raises(Cancelled):
        weights.expected(ModelConfig(), "text.safetensors")
    assert not issubclass(Cancelled, Exception)
