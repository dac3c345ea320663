"""While a control moves, the images follow it at once; as it rests, they are drawn exactly."""

from collections.abc import Callable

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.main_window import MainWindow
from desktop_app.panels.generate import GeneratePanel
from desktop_app.session.generate import SKETCH_S, Generate
from desktop_app.session.sketches import MANY, STUDENT
from ml import inference, pipeline
from ml.events import Sampled
from tests.app.conftest import WAIT_MS

REST_MS = 2000  # here a hand rests after longer, for machines that are loaded


@pytest.fixture
def panel(window: MainWindow, qtbot: QtBot) -> GeneratePanel:
    """The page with a row of digits."""
    generate = window.session.generate
    generate.change(rows=1, prompt="0-9", live=False)
    generate.use_model("digits")
    until(qtbot, lambda: not generate.busy and generate.verdict is not None)
    until(qtbot, lambda: window.session.at_rest)
    generate._pace["digits"] = SKETCH_S / 101  # a machine that is fast enough, however loaded
    generate._soon.setInterval(REST_MS)
    return window.generate


def until(qtbot: QtBot, condition: Callable[[], object]) -> None:
    qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)


def seen(generate: Generate) -> list[Sampled]:
    sketches: list[Sampled] = []
    generate.sketched.connect(sketches.append)
    return sketches


def test_digits_follow_a_slider_and_are_drawn_exactly_once_it_rests(panel: GeneratePanel, qtbot: QtBot) -> None:
    generate = panel._generate
    panel.timeline.pause()
    panel.timeline.set_step(panel.timeline.reached)
    sketches, before, default = seen(generate), generate.trajectory, generate.settings.guidance
    for value in (120, 180, 240):
        panel.sampling.guidance.slider.setValue(value)
    until(qtbot, lambda: sketches)
    assert generate.trajectory is before  # what was drawn stays until the hand rests
    assert np.array_equal(panel.grid.images(), sketches[-1].images)
    assert not any(caption.text for caption in panel.grid._captions)
    until(qtbot, lambda: generate.trajectory is not before and generate.verdict is not None and not generate.busy)
    exact = generate.sampled
    assert exact is not None and exact.request.guidance == generate.settings.guidance != default
    *_, wanted = pipeline.sample(generate.settings.request(tuple(range(10))), frames=False)
    assert isinstance(wanted, Sampled) and np.array_equal(exact.images, wanted.images)
    last = sketches[-1]
    assert last.request.guidance == exact.request.guidance
    assert 0 < np.abs(last.images.astype(float) - exact.images).mean() < 4
    assert np.array_equal(panel.grid.images(), exact.images)


def test_of_many_sketches_only_the_first_and_the_last_are_drawn(panel: GeneratePanel, qtbot: QtBot) -> None:
    generate = panel._generate
    sketches = seen(generate)
    for tenth in range(20, 40):
        generate.change(guidance=tenth / 10)
    until(qtbot, lambda: len(sketches) == 2 or generate.busy)
    assert [sketch.request.guidance for sketch in sketches] in ([2.0, 3.9], [2.0])


def test_many_digits_are_sketched_by_the_student_and_too_many_not_at_all(panel: GeneratePanel, qtbot: QtBot) -> None:
    generate = panel._generate
    sketches = seen(generate)
    generate._pace["digits"] = SKETCH_S / 50
    generate.change(guidance=2.5)  # ten digits in ten steps
    until(qtbot, lambda: sketches)
    assert sketches[0].request.model == STUDENT and sketches[0].request.labels == tuple(range(10))
    until(qtbot, lambda: not generate._soon.isActive() and not generate.busy)
    sketches.clear()
    generate._pace["digits"] = SKETCH_S
    generate.change(guidance=2.6)
    until(qtbot, lambda: generate.sampled is not None and generate.sampled.request.guidance == 2.6)
    assert not sketches


def test_what_was_drawn_prepares_its_sketches_and_nobody_is_told(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    window.session.message.connect(told.append)
    generate = window.session.generate
    generate.use_model("digits")
    warming, count = generate._sketches._warming, min(len(generate.row()), MANY)
    until(qtbot, lambda: (STUDENT, count) in warming and window.session.at_rest)
    assert not told
    made: list[object] = []
    monkeypatch.setattr(inference, "formed", lambda *inputs, **kind: made.append(kind) or inputs[0])
    sketches = seen(generate)
    generate.change(guidance=2.0)
    until(qtbot, lambda: sketches)
    assert not made and len(sketches[0].images) == len(generate.row())


def test_no_form_is_made_while_a_hand_moves(
    panel: GeneratePanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop_app.session.session.QUIET_S", WAIT_MS / 1000)  # the hand is slow here
    generate = panel._generate
    sketches, drawn = generate._sketches, seen(generate)
    sketches.stop()
    sketches.warm_up(generate.wanted())
    for moved in (2.0, 2.5):
        before = len(drawn)
        generate.change(guidance=moved)
        until(qtbot, lambda before=before: len(drawn) > before and generate._session.at_rest)
        sketches._soon.timeout.emit()  # its time has come
        assert not sketches._warming and sketches._soon.isActive()
    monkeypatch.setattr("desktop_app.session.session.QUIET_S", 0)
    until(qtbot, lambda: sketches._warming)  # once the hand rests


def test_stop_ends_the_making_of_forms_and_begins_none(window: MainWindow, qtbot: QtBot) -> None:
    window.session.generate.use_model("digits")
    sketches = window.session.generate._sketches
    until(qtbot, lambda: sketches._warming)
    jobs = list(sketches._warming.values())
    window.session.generate.stop()
    assert not sketches._warming and all(job.control.cancelled for job in jobs)
    window.session.generate.draw()
    until(qtbot, sketches._soon.isActive)
    window.session.generate.stop()
    assert not sketches._soon.isActive() and not sketches._warming


def test_a_hand_that_comes_back_finds_what_was_drawn(panel: GeneratePanel, qtbot: QtBot) -> None:
    generate = panel._generate
    panel.timeline.pause()
    panel.timeline.set_step(panel.timeline.reached)
    exact, captions, sketches = panel.grid.images(), list(panel.grid._captions), seen(generate)
    before = generate.settings.guidance
    generate.change(guidance=2.0)
    until(qtbot, lambda: sketches)
    generate.change(guidance=before)
    with qtbot.waitSignal(generate.returned, timeout=WAIT_MS):
        assert panel.grid.images() is sketches[-1].images
    assert np.array_equal(panel.grid.images(), exact) and panel.grid._captions == captions


def test_nothing_old_is_shown_over_what_was_asked_for(panel: GeneratePanel, qtbot: QtBot) -> None:
    generate = panel._generate
    sketches = seen(generate)
    generate.change(guidance=2.0)
    generate.change(guidance=2.5)
    generate.draw()
    until(qtbot, lambda: generate.verdict is not None and not generate.busy)
    assert not sketches and generate.sampled is not None and generate.sampled.request.guidance == 2.5


def test_someone_in_the_middle_of_the_way_is_left_there(panel: GeneratePanel, qtbot: QtBot) -> None:
    generate = panel._generate
    panel.timeline.pause()
    panel.timeline.set_step(4)
    before = panel.grid.images().copy()
    kept: list[bool] = []
    generate.sketched.connect(lambda _: kept.append(np.array_equal(panel.grid.images(), before)))
    generate.change(guidance=2.0)
    until(qtbot, lambda: kept)
    assert kept == [True]
