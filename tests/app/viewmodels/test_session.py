"""The session as a whole: events and their handlers, messages about failures, history, undo, and closing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from desktop_app.settings import AppSettings
from desktop_app.tasks.startup import Ready
from desktop_app.viewmodels import session as module
from desktop_app.viewmodels.history import HISTORY, History, Result
from desktop_app.viewmodels.job_runner import Activity
from desktop_app.viewmodels.session import QUIET_S, Session
from desktop_app.viewmodels.undo import TOGETHER_S
from desktop_app.worker.compute_thread import Job, JobEnded
from ml.errors import BadFile
from ml.events import Failed, Progress
from tests.app.viewmodels.by_hand import ByHand, bundled_cards, given, images
from tests.app.viewmodels.conftest import Clock


def idle(_control: object) -> object:
    return iter(())


# ---- jobs


def test_every_letter_reaches_its_own_handler_and_the_last_ends_the_job(hand: ByHand) -> None:
    heard: dict[str, list[object]] = {"a": [], "b": []}
    first, second = (hand.session.submit(idle, heard[name].append) for name in heard)  # type: ignore[arg-type]
    assert list(hand.session.lane._foreground) == [first, second]
    hand.give(second, 1)
    hand.give(first, 2)
    hand.end(second)
    assert heard == {"a": [2], "b": [1, JobEnded()]} and hand.jobs == [first]


def test_only_training_leaves_the_session_at_rest(hand: ByHand, clock: Clock) -> None:
    session = hand.session
    assert session.at_rest
    session.submit(idle, lambda _: None, background=True)  # type: ignore[arg-type]
    assert session.at_rest and not session.is_quiet
    clock.tick(QUIET_S + 0.01)
    assert session.is_quiet
    drawing = session.submit(idle, lambda _: None)  # type: ignore[arg-type]
    clock.tick(QUIET_S + 0.01)
    assert not session.at_rest and not session.is_quiet
    hand.end(drawing)
    assert session.is_quiet


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
def test_a_failure_is_told_with_what_can_be_done_about_it(
    hand: ByHand, background: bool, kind: str, remedies: list[str]
) -> None:
    job = hand.session.submit(idle, lambda _: None, background=background)  # type: ignore[arg-type]
    hand.end(job, Failed(kind, "It went wrong.", "Do this.", "Traceback ..."))
    (told,) = hand.told
    assert (told.tone, told.title, told.what_to_do) == ("error", "It went wrong.", "Do this.")
    assert [key for key, _words in told.actions] == remedies and told.details == ""


def test_remedies_of_ones_own_and_the_trace_of_a_bug(hand: ByHand, tmp_path: Path) -> None:
    own = {"data": (("models:data", "Choose…"),)}
    hand.end(hand.session.submit(idle, lambda _: None, remedies=own), Failed("data", "a", "b", "c"))  # type: ignore[arg-type]
    hand.end(hand.session.submit(idle, lambda _: None), Failed("bug", "a", "b", "the trace"))  # type: ignore[arg-type]
    hand.session.tell_failed(BadFile("It is torn.", "Mend it."))
    hand.session.tell_saved(tmp_path / "there.png")
    own_one, bug, failed, saved = hand.told
    assert own_one.actions == own["data"] and bug.details == "the trace"
    assert (failed.title, failed.what_to_do, failed.details) == ("It is torn.", "Mend it.", "")
    assert saved.tone == "success" and saved.title == "Saved there.png" and saved.actions[0][0] == f"show:{tmp_path}"


def test_a_look_around_tells_what_there_is_and_draws_the_first_grid_once(make: Callable[..., ByHand]) -> None:
    hand = make()
    session = hand.session
    session.device, session.models = "", ()
    ready: list[None] = []
    session.ready.connect(lambda: ready.append(None))
    found = Ready("a fast card", True, bundled_cards(), (), (Path("runs/one"),), ("one@8",))
    for _ in range(2):
        session.look_again()
        job = hand.job("warm_up")
        hand.give(job, Progress("Loading PyTorch", 0, 0))
        assert session.status == "Loading PyTorch"
        hand.end(job, found)
        assert session.status == ""
    assert len(ready) == 2 and len(hand.asked("drawing")) == 1
    assert (session.device, session.on_gpu, session.models) == ("a fast card", True, bundled_cards())
    assert session.past_models == ("one@8",) and session.train.curves == (Path("runs/one"),)
    assert session.card("student") is not None and session.card("none") is None
    assert {card.name for card in session.models} - {card.name for card in session.drawing_models} == {
        "judge", "digit-clip", "autoencoder", "colour-autoencoder",
    }  # fmt: skip


def test_a_run_that_was_interrupted_elsewhere_is_looked_for_there(make: Callable[..., ByHand], tmp_path: Path) -> None:
    for interrupted, elsewhere in ((str(tmp_path / "run"), (tmp_path / "run",)), ("run", ()), ("", ())):
        hand = make(AppSettings(interrupted=interrupted))
        hand.session.look_again()
        assert given(hand.job("warm_up")) == (elsewhere,)


def test_letters_are_read_frame_by_frame_and_those_of_sketches_at_once(hand: ByHand, clock: Clock) -> None:
    session, heard = hand.session, []
    job = session.submit(idle, heard.append)  # type: ignore[arg-type]
    session._read_mail()
    session.lane.mailbox.post(job.number, "soon")
    clock.tick(0.003)
    session._rang()
    assert session._drain.isActive() and session._drain.interval() == module.FRAME_MS - 3 and not heard
    session._drain.stop()
    session._drain.timeout.emit()
    assert heard == ["soon"]
    clock.tick(1)
    session._rang()
    assert session._drain.interval() == 0  # nothing was looked at for long
    session._drain.stop()
    sketch = session.submit(idle, heard.append, sketch=True)  # type: ignore[arg-type]
    session._sketch_lane.mailbox.post(sketch.number, "at once")
    session._read_sketches()
    assert heard[-1] == "at once"


def test_the_end_reads_the_last_letters_and_is_told_once(hand: ByHand) -> None:
    session, heard, closed = hand.session, [], []
    session.closed.connect(lambda: closed.append(list(heard)))
    job = session.submit(idle, heard.append)  # type: ignore[arg-type]
    sketch = session.submit(idle, heard.append, sketch=True)  # type: ignore[arg-type]
    session.lane.mailbox.post(job.number, "saved")
    session._sketch_lane.mailbox.post(sketch.number, "drawn")
    session.close()
    session.close()
    session._lane_finished()
    assert closed == [["drawn", "saved"]] and session.closing
    session._rang()
    assert not session._drain.isActive()


# ---- an activity


class Count(Activity):
    """Hears numbers."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.heard: list[object] = []

    def ask(self) -> Job:
        self._ask(idle)  # type: ignore[arg-type]
        assert self._job is not None
        return self._job

    def _hear(self, event: object) -> None:
        self.heard.append(event)


def test_answers_to_a_question_that_was_given_up_are_not_heard(hand: ByHand) -> None:
    count, changes = Count(hand.session), []
    count.busy_changed.connect(lambda: changes.append(count.busy))
    first = count.ask()
    hand.give(first, 1)
    count.stop()
    assert first.control.cancelled and changes == [False]
    second = count.ask()
    hand.end(first, 2)
    assert count.busy and count.heard == [1]
    hand.end(second, 3)
    assert not count.busy and count.heard == [1, 3] and changes == [False, False]
    count.stop()
    assert changes == [False, False]


# ---- history


def result(page: str, shown: bool = False, back: Callable[[], None] = lambda: None) -> Result:
    return Result(page, images(1), lambda: shown, back, lambda _scale: Path())


def test_the_history_keeps_the_latest_and_knows_which_is_shown(hand: ByHand) -> None:
    history, told = History(hand.session), []
    history.changed.connect(lambda: told.append("changed"))
    history.went_back.connect(told.append)
    for number in range(HISTORY + 2):
        history.add(result("draw" if number % 2 else "generate", shown=number in (5, 7, 8)))
    assert len(history.results) == HISTORY and told == ["changed"] * (HISTORY + 2)
    assert history.place("draw") == 7 - 2 and history.place("generate") == 8 - 2 and history.place("compare") is None
    told.clear()
    history.add(result("compare", back=lambda: told.append("back")))
    history.go_back(HISTORY - 1)
    assert told == ["changed", "back", "compare", "changed"]


# ---- undo


def test_settings_are_taken_back_page_by_page(hand: ByHand, clock: Clock) -> None:
    session, undo = hand.session, hand.session.undo
    compare, explore = session.compare, session.explore
    own = compare.settings.seed
    for seed in (1, 2, 3):
        compare.change(seed=seed)
        clock.tick(TOGETHER_S / 2)
    clock.tick(TOGETHER_S)
    compare.change(seed=4)
    clock.tick(2 * TOGETHER_S)
    explore.change(digit=1)
    undo.back("compare")
    assert compare.settings.seed == 3 and explore.settings.digit == 1
    compare.change(seed=9)  # soon after, but a step of its own
    undo.back("compare")
    assert compare.settings.seed == 3
    undo.back("compare")
    undo.back("compare")
    assert compare.settings.seed == own and explore.settings.digit == 1
    undo.back("generate")  # which takes its own changes back


def test_a_look_at_another_tab_is_not_taken_back(hand: ByHand, clock: Clock) -> None:
    explore, undo = hand.session.explore, hand.session.undo
    digit = explore.settings.digit
    explore.change(digit=1)
    clock.tick(10)
    explore.change(tab="schedules")
    undo.back("explore")
    assert (explore.settings.digit, explore.settings.tab) == (digit, "schedules")
    clock.tick(10)
    explore.change(digit=2)
    undo.forget()
    undo.back("explore")
    assert explore.settings.digit == 2
