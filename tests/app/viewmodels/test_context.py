"""The context: jobs and their handlers, messages about failures, the models, and closing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desktop_app.settings import AppSettings
from desktop_app.tasks.startup import Ready
from desktop_app.viewmodels.context import QUIET_S, AppContext
from desktop_app.viewmodels.job_runner import JobRunner
from desktop_app.worker.compute_thread import Job, JobEnded
from ml.errors import BadFile
from ml.events import Failed, Progress
from tests.app.viewmodels.conftest import Clock
from tests.support.fake_app import FakeApp, bundled_cards
from tests.support.fake_engine import arguments, task_of


def idle(_control: object) -> Iterator[object]:
    return iter(())


# ---- jobs


def test_every_event_reaches_its_own_handler_and_the_last_ends_the_job(app: FakeApp) -> None:
    received: dict[str, list[object]] = {"a": [], "b": []}
    first, second = (app.context.submit(idle, received[name].append) for name in received)
    assert app.engine.jobs == [first, second]
    app.engine.give(second, 1)
    app.engine.give(first, 2)
    app.engine.end(second)
    assert (
        received == {"a": [2], "b": [1, JobEnded()]}
        and app.engine.jobs == [first]
        and not app.context._jobs.keys() - {first}
    )


def test_the_queue_lists_what_has_a_title_in_the_order_of_its_turns(app: FakeApp) -> None:
    context, stopped, changes = app.context, list[str](), list[int]()
    context.queue_changed.connect(lambda: changes.append(1))
    nobodys = context.submit(idle, lambda _: None, asked=False, title="pictures")
    training = context.submit(idle, lambda _: None, background=True, title="a run", stop=lambda: stopped.append("run"))
    context.submit(idle, lambda _: None)  # without a title
    asked = context.submit(idle, lambda _: None, title="a grid")
    assert context.queue == [asked, training, nobodys] and len(changes) == 3
    context.stop(training)  # in its own way
    context.stop(nobodys)
    assert stopped == ["run"] and not training.control.cancelled and nobodys.control.cancelled
    assert context.queue == [asked, training] and len(changes) == 5
    app.engine.end(asked)
    assert context.queue == [training] and len(changes) == 6


def test_a_script_plays_step_by_step_and_a_cancelled_job_only_ends(app: FakeApp) -> None:
    received: list[object] = []
    app.engine.script("idle", lambda: [1, 2])
    app.engine.script("idle", lambda: [3, 4])
    first, second, third = (app.context.submit(idle, received.append) for _ in range(3))
    assert [task_of(job) for job in app.engine.jobs] == ["idle"] * 3
    assert app.engine.step() == 1 and app.engine.step(second) == 3
    second.control.cancel()
    app.engine.run_all()
    assert received == [1, 3, 2, JobEnded(), JobEnded(), JobEnded()]
    assert first.control.cancelled is third.control.cancelled is False


def test_only_training_leaves_the_application_at_rest(app: FakeApp, clock: Clock) -> None:
    context = app.context
    assert context.at_rest
    context.submit(idle, lambda _: None, background=True)
    assert context.at_rest and not context.is_quiet
    clock.tick(QUIET_S + 0.01)
    assert context.is_quiet
    drawing = context.submit(idle, lambda _: None)
    clock.tick(QUIET_S + 0.01)
    assert not context.at_rest and not context.is_quiet
    app.engine.end(drawing)
    assert context.is_quiet


# ---- messages


@pytest.mark.parametrize(
    ("background", "kind", "remedies"),
    [
        (True, "data", ["choose-data", "use-synthetic"]),
        (True, "diverged", ["slower"]),
        (True, "write", []),
        (False, "write", ["export"]),
        (False, "data", []),
    ],
)
def test_a_failure_is_reported_with_its_remedies(
    app: FakeApp, background: bool, kind: str, remedies: list[str]
) -> None:
    job = app.context.submit(idle, lambda _: None, background=background)
    app.engine.fail(job, kind, "It went wrong.", "Do this.", "Traceback ...")
    (message,) = app.messages
    assert (message.tone, message.title, message.what_to_do) == ("error", "It went wrong.", "Do this.")
    assert [key for key, _words in message.actions] == remedies and message.details == ""


def test_remedies_of_a_job_and_the_trace_of_a_bug(app: FakeApp, tmp_path: Path) -> None:
    own = {"data": (("models:data", "Choose…"),)}
    app.engine.end(app.context.submit(idle, lambda _: None, remedies=own), Failed("data", "a", "b", "c"))
    app.engine.end(app.context.submit(idle, lambda _: None), Failed("bug", "a", "b", "the trace"))
    app.context.notify_failed(BadFile("It is torn.", "Mend it."))
    app.context.notify_saved(tmp_path / "there.png")
    own_one, bug, failed, saved = app.messages
    assert own_one.actions == own["data"] and bug.details == "the trace"
    assert (failed.title, failed.what_to_do, failed.details) == ("It is torn.", "Mend it.", "")
    assert saved.tone == "success" and saved.title == "Saved there.png" and saved.actions[0][0] == f"show:{tmp_path}"


# ---- models


def test_the_start_finds_the_models_and_draws_the_first_grid_once(app: FakeApp) -> None:
    context = app.context
    context.device, context.models = "", ()
    ready: list[None] = []
    context.ready.connect(lambda: ready.append(None))
    found = Ready("a fast card", True, bundled_cards(), (), (Path("runs/one"),), ("one@8",))
    for look in (app.session.start, context.refresh):
        look()
        job = app.engine.job("warm_up")
        app.engine.give(job, Progress("Loading PyTorch", 0, 0))
        assert context.status == "Loading PyTorch"
        app.engine.end(job, found)
        assert context.status == ""
    assert len(ready) == 2 and len(app.engine.jobs_of("sample_and_judge")) == 1
    assert (context.device, context.on_gpu, context.models) == ("a fast card", True, bundled_cards())
    assert context.past_models == ("one@8",) and app.session.train.curves == (Path("runs/one"),)
    assert context.card("student") is not None and context.card("none") is None
    assert {card.name for card in context.models} - {card.name for card in context.drawing_models} == {
        "judge", "digit-clip", "autoencoder", "colour-autoencoder",
    }  # fmt: skip


def test_a_run_that_was_interrupted_elsewhere_is_looked_for_there(make: Callable[..., FakeApp], tmp_path: Path) -> None:
    for interrupted, elsewhere in ((str(tmp_path / "run"), (tmp_path / "run",)), ("run", ()), ("", ())):
        app = make(AppSettings(interrupted=interrupted))
        app.context.refresh()
        assert arguments(app.engine.job("warm_up")) == (elsewhere,)


# ---- the end


def test_closing_cancels_every_job_and_is_signalled_once(app: FakeApp) -> None:
    received: list[object] = []
    closed: list[list[object]] = []
    app.context.closed.connect(lambda: closed.append(list(received)))
    job = app.context.submit(idle, received.append)
    app.context.close()
    app.context.close()
    assert closed == [[JobEnded()]] and job.control.cancelled and app.context.closing


# ---- a job runner


class Collector(JobRunner):
    """Collects the events of its jobs."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.received: list[object] = []

    @property
    def doing(self) -> tuple[str, float | None]:
        return "Collecting", None

    def run(self) -> Job:
        self._run(idle)
        assert self._job is not None
        return self._job

    def _on_result(self, event: object) -> None:
        self.received.append(event)


def test_events_of_a_job_that_was_stopped_are_dropped(app: FakeApp) -> None:
    runner, changes = Collector(app.context), []
    runner.busy_changed.connect(lambda: changes.append(runner.busy))
    first = runner.run()
    app.engine.give(first, 1)
    runner.stop()
    assert first.control.cancelled and changes == [False]
    second = runner.run()
    app.engine.end(first, 2)
    assert runner.busy and runner.received == [1]
    app.engine.end(second, 3)
    assert not runner.busy and runner.received == [1, 3] and changes == [False, False]
    runner.stop()
    assert changes == [False, False]
