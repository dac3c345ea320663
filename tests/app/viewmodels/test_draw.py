"""Draw's state: the pen, what of it is taken back, what is asked of the model, and which answers are heard."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desktop_app.tasks.draw import OpenedImage, Recognised
from desktop_app.viewmodels import draw as module
from desktop_app.viewmodels.draw import COUNT, Draw, centred
from desktop_app.viewmodels.undo import TOGETHER_S
from ml.config import DRAWING_SIDE, NO_LABEL
from ml.events import Progress
from ml.imaging.embedded_png import to_text
from tests.app.viewmodels.conftest import Clock
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments
from tests.support.fake_events import frames, sampled


@pytest.fixture
def draw(app: FakeApp) -> Draw:
    return app.session.draw


@pytest.fixture
def stroke() -> np.ndarray:
    pixels = np.zeros((DRAWING_SIDE, DRAWING_SIDE), np.uint8)
    pixels[5:23, 13:16] = 255
    return pixels


# ---- which answers are heard


def test_what_a_replaced_drawing_still_says_is_not_heard(app: FakeApp, draw: Draw, stroke: np.ndarray) -> None:
    draw.take(stroke)
    draw.make()
    old = app.engine.job("sample")
    draw.change(label=3)
    draw.make()
    new = app.engine.job("sample")
    assert old.control.cancelled and not new.control.cancelled
    request = arguments(old)[0]
    told: list[str] = []
    for signal in ("finished", "recognised", "busy_changed", "drawing_changed"):
        getattr(draw, signal).connect(lambda signal=signal: told.append(signal))
    other = OpenedImage(255 - stroke, 4)
    app.engine.end(
        old,
        *frames(request, 2),
        Progress("Drawing", 1, 2),
        sampled(request),
        Recognised(np.ones(10, np.float32)),
        other,
    )
    assert not told and draw.busy and draw.images is None and draw.sampled is None and draw.probabilities is None
    assert draw.status == "Drawing" and np.array_equal(draw.drawing, stroke) and not draw._coming
    app.engine.end(new, done := sampled(arguments(new)[0]))
    assert draw.sampled is done and not draw.busy and draw.status == ""


def test_what_was_stopped_is_not_heard_any_more(app: FakeApp, draw: Draw, stroke: np.ndarray) -> None:
    draw.take(stroke)
    draw.make()
    job = app.engine.job("sample")
    draw.stop()
    assert job.control.cancelled and not draw.busy
    app.engine.end(job, sampled(arguments(job)[0]))
    assert draw.images is None and not app.context.history.results


def test_an_answer_of_each_kind_is_taken(app: FakeApp, draw: Draw, stroke: np.ndarray, tmp_path: Path) -> None:
    draw.load(tmp_path / "picture.png")
    assert draw.doing == ("Opening the image", None)
    app.engine.end(app.engine.job("open_image"), OpenedImage(stroke, 1))
    assert np.array_equal(draw.drawing, stroke) and not draw.busy
    draw.take(beside := np.roll(stroke, (4, 5), axis=(0, 1)))
    draw.recognise()
    job = app.engine.job("recognise")
    image, model = arguments(job)
    assert np.array_equal(image, centred(beside)) and not np.array_equal(image, beside) and model == "digits"
    app.engine.give(job, Progress("Asking", 3, 10))
    assert draw.doing == ("Asking 3 of 10", None)
    app.engine.give(job, Progress("Asking", 0, 0))
    assert draw.doing == ("Asking 3 of 10", None)
    app.engine.end(job, Recognised(np.arange(10, dtype=np.float32)))
    assert draw.probabilities is not None and draw.probabilities.argmax() == 9
    draw.example(4, 17)
    assert arguments(app.engine.job("load_example"))[:2] == (4, 17)
    draw.stop()


# ---- the pen


def test_the_pen_is_as_wide_as_it_is_set_and_softer_at_its_edge(draw: Draw) -> None:
    draw.change(pen=2.0)
    draw.dab(14.5, 10.5)  # the middle of the pixel in row 10, column 14
    row = draw.drawing[10].astype(int)
    assert row[12:17].tolist() == [127, 255, 255, 255, 127] and not row[:12].any() and not row[17:].any()
    assert np.array_equal(draw.drawing[10, 10:19], draw.drawing[6:15, 14])  # round
    draw.dab(14.5, 10.5, erase=True)
    assert draw.drawing[10, 13:16].tolist() == [0, 0, 0] and draw.drawing[10, 12] == 127
    assert not draw.mask.any()
    draw.dab(14.5, 10.5, marking=True)
    assert draw.mask[10, 10:19].tolist() == [255] * 9 and set(np.unique(draw.mask)) == {0, 255}  # twice as wide
    draw.dab(14.5, 10.5, marking=True, erase=True)
    assert not draw.mask.any()


def test_another_drawing_is_one_nobody_has_recognised(draw: Draw, stroke: np.ndarray) -> None:
    for change in (lambda: draw.dab(3, 3), lambda: draw.take(stroke), draw.clear, draw.undo):
        draw.probabilities = np.ones(10)
        change()
        assert draw.probabilities is None


def test_a_taken_drawing_has_nothing_marked_and_is_its_own(draw: Draw, stroke: np.ndarray) -> None:
    draw.mark_half()
    assert (draw.mask[DRAWING_SIDE // 2 :] == 255).all() and not draw.mask[: DRAWING_SIDE // 2].any()
    draw.take(stroke)
    stroke[:] = 9
    assert draw.drawing.max() == 255 and not draw.mask.any()
    draw.undo()
    assert draw.empty and draw.mask.any()
    draw.undo()
    assert not draw.mask.any() and not draw.can_undo


# ---- taking back


def test_a_sliders_changes_are_taken_back_as_one(draw: Draw, clock: Clock) -> None:
    for tenth in range(2, 6):
        draw.change(vary_from=float(tenth))
        clock.tick(TOGETHER_S / 2)
    clock.tick(TOGETHER_S)
    draw.change(label=4)
    draw.undo()
    assert (draw.settings.label, draw.settings.vary_from) == (NO_LABEL, 5.0)
    draw.change(label=5)  # soon after, but a step of its own
    draw.undo()
    assert (draw.settings.label, draw.settings.vary_from) == (NO_LABEL, 5.0)
    draw.undo()
    assert draw.settings.vary_from == 1.0 and not draw.can_undo


def test_a_lesson_forgets_what_could_be_taken_back(app: FakeApp, draw: Draw, stroke: np.ndarray) -> None:
    draw.take(stroke)
    app.session.lessons.changed.emit()
    assert not draw.can_undo
    draw.undo()
    assert not draw.empty


# ---- what is asked for


def test_a_variation_is_of_the_drawing_as_the_settings_say(app: FakeApp, draw: Draw, stroke: np.ndarray) -> None:
    assert draw.request() is None
    draw.make()
    draw.recognise()
    assert not app.engine.jobs  # there is nothing to make anything of
    draw.take(stroke)
    draw.change(label=7, vary_from=3.0)
    draw.make()
    job = app.engine.job("sample")
    request = arguments(job)[0]
    assert request.source == to_text(stroke) and request.labels == (7,) * COUNT and not request.mask
    assert (request.vary_from, request.model) == (3.0, "digits")
    assert isinstance(job.work, module.partial) and job.work.keywords == {"frames": True}
    draw.stop()


def test_a_completion_needs_a_mark_and_sends_it(draw: Draw, stroke: np.ndarray) -> None:
    draw.take(stroke)
    draw.change(task="complete", label=7)
    assert draw.request() is None
    draw.mark_half()
    request = draw.request()
    assert request and request.mask == to_text(draw.mask) and request.source == to_text(stroke)
    assert request.vary_from == 0 and request.labels == (7,) * COUNT
    draw.change(task="vary")
    varied = draw.request()
    assert varied and not varied.mask


def test_a_rebuilding_leads_into_noise_and_back_as_every_digit(app: FakeApp, draw: Draw, stroke: np.ndarray) -> None:
    draw.take(stroke)
    draw.change(task="rebuild")
    draw.make()
    job = app.engine.job("sample")
    request = arguments(job)[0]
    assert request.parent and request.parent.corners[0].picture == to_text(stroke) and len(request.labels) == 11
    way = frames(request)
    app.engine.end(job, *way, done := sampled(request, shade=200))
    assert draw.captions == ("its noise", "and back", *map(str, range(10))) and draw.columns == 4
    assert draw.images is not None and len(draw.images) == 12
    assert np.array_equal(draw.images[0], way[0].x_t[0]) and np.array_equal(draw.images[1:], done.images)
    draw.take_result(3)
    assert np.array_equal(draw.drawing, draw.images[3])
    draw.take_result(12)
    assert np.array_equal(draw.drawing, draw.images[3])


@pytest.mark.parametrize(
    "settings",
    [
        {"task": "vary", "label": 4, "vary_from": 2.5},
        {"task": "vary"},
        {"task": "complete", "label": 4},
        {"task": "rebuild"},
    ],
)
def test_a_request_that_was_made_here_is_taken_up_again(
    make: Callable[..., FakeApp], draw: Draw, stroke: np.ndarray, settings: dict[str, Any]
) -> None:
    draw.take(stroke)
    draw.mark_half()
    draw.change(**settings)
    asked = draw.request()
    assert asked is not None
    other = make().session.draw
    assert other.restore(asked.with_changes(model_hash="known")) and other.request() == asked
    assert np.array_equal(other.drawing, stroke) and other.settings.task == settings["task"]
    assert not other.restore(asked.with_changes(seed=3))  # another noise than the page's
    assert not make().session.draw.restore(make().session.generate.settings.request((1,)))


# ---- history


def test_going_back_brings_drawing_settings_answers_and_their_film(
    app: FakeApp, draw: Draw, stroke: np.ndarray
) -> None:
    draw.take(stroke)
    draw.change(label=7)
    draw.make()
    job = app.engine.job("sample")
    way = frames(arguments(job)[0])
    app.engine.end(job, *way, done := sampled(arguments(job)[0]))
    draw.clear()
    draw.change(task="rebuild")
    draw.take(255 - stroke)
    draw.make()
    job = app.engine.job("sample")
    app.engine.end(job, *frames(arguments(job)[0], shade=50), sampled(arguments(job)[0]))
    assert draw._frames[0] is not way[0]
    draw.make()
    history = app.context.history
    assert history.shown_index("draw") == 1
    history.restore(0)
    assert not draw.busy and draw.sampled is done and draw.captions == () and draw._frames[0] is way[0]
    assert np.array_equal(draw.drawing, stroke) and (draw.settings.task, draw.settings.label) == ("vary", 7)
    assert history.shown_index("draw") == 0
    draw.drawing[:] = 0  # what is kept is not what is drawn on
    history.restore(1)
    history.restore(0)
    assert np.array_equal(draw.drawing, stroke)
    draw.undo()
    assert draw.settings.task == "rebuild"


def test_going_back_is_taken_back(app: FakeApp, draw: Draw, stroke: np.ndarray) -> None:
    draw.take(stroke)
    draw.make()
    job = app.engine.job("sample")
    app.engine.end(job, sampled(arguments(job)[0]))
    draw.forget_past()
    draw.clear()
    draw.forget_past()
    app.context.history.restore(0)
    assert not draw.empty
    draw.undo()
    assert draw.empty


def test_a_film_is_of_what_is_shown_whatever_is_being_made(
    app: FakeApp, draw: Draw, stroke: np.ndarray, tmp_path: Path
) -> None:
    draw.take(stroke)
    draw.make()
    job = app.engine.job("sample")
    way = frames(arguments(job)[0])
    app.engine.end(job, *way, sampled(arguments(job)[0]))
    draw.make()
    job = app.engine.job("sample")
    app.engine.give(job, *frames(arguments(job)[0], 2, shade=99))
    draw.export(tmp_path / "a.gif")
    film = arguments(app.engine.job("export"))[1].args[4]
    assert len(film) == len(way) and np.array_equal(film[0], way[0].x_t)
    draw.stop()


@pytest.mark.parametrize(
    ("name", "labelled", "kind"),
    [("a.png", False, "images"), ("a.png", True, "sheet"), ("a.gif", True, "x_t"), ("a.MP4", False, "x_t")],
)
def test_what_was_made_is_written_as_the_ending_says(
    app: FakeApp, draw: Draw, stroke: np.ndarray, tmp_path: Path, name: str, labelled: bool, kind: str
) -> None:
    draw.export(tmp_path / name)
    assert not app.engine.jobs_of("export")
    draw.take(stroke)
    draw.make()
    job = app.engine.job("sample")
    app.engine.end(job, *frames(arguments(job)[0]), done := sampled(arguments(job)[0]))
    draw.export(tmp_path / name, scale=2, labelled=labelled)
    path, write = arguments(app.engine.job("export"))
    assert path == tmp_path / name
    _path, images, request, layout, film = write.args
    assert images is done.images and request == done.request
    assert (layout.kind, layout.scale, layout.columns) == (kind, 2, 3) and len(film) == request.steps + 1


def test_a_drawing_is_centred() -> None:
    drawing = np.zeros((28, 28), np.uint8)
    drawing[2:6, 20:24] = 255
    found = centred(drawing)
    assert found[12:16, 12:16].all() and found.sum() == drawing.sum()
    assert not centred(np.zeros((28, 28), np.uint8)).any()


def test_a_drawing_at_the_edge_is_centred_by_its_weight() -> None:
    drawing = np.zeros((DRAWING_SIDE, DRAWING_SIDE), np.uint8)
    drawing[0:2, 10:12], drawing[0:2, 20:22] = 100, 200
    found = centred(drawing)
    total = found.sum(dtype=np.int64)
    rows, columns = np.mgrid[0:DRAWING_SIDE, 0:DRAWING_SIDE]
    assert abs((rows * found).sum() / total - 13.5) <= 0.5 and abs((columns * found).sum() / total - 13.5) <= 0.5


def test_the_page_waits_where_the_result_will_be(app: FakeApp) -> None:
    draw = app.session.draw
    draw.take(np.full((28, 28), 200, np.uint8))
    draw.make()
    assert draw.waits_on == "results" and draw.doing == ("Drawing", None)
    job = app.engine.job("sample")
    request = arguments(job)[0]
    app.engine.give(job, frames(request)[1])
    assert draw.doing == ("Drawing", 1 / request.steps)
    draw.recognise()
    assert draw.waits_on == "recognition"
    draw.example(3, 1)
    assert draw.waits_on == "drawing"
    draw.stop()
    assert draw.waits_on is None


def test_a_result_of_other_settings_or_another_drawing_is_outdated(
    app: FakeApp, draw: Draw, stroke: np.ndarray
) -> None:
    draw.take(stroke)
    draw.make()
    draw.change(vary_from=2.0)  # while it is made
    job = app.engine.job("sample")
    app.engine.end(job, sampled(arguments(job)[0]))
    assert draw.outdated
    app.context.history.restore(0)
    assert draw.settings.vary_from == 1.0 and not draw.outdated  # the settings that it was made with
    draw.change(pen=2.0)
    assert not draw.outdated
    draw.take(255 - stroke)
    assert draw.outdated
