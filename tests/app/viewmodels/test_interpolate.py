"""Interpolate's state: which images belong to what is shown, what is asked for, and what is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desktop_app.settings import MAX_STOPS, AppSettings, GenerateSettings, InterpolateSettings
from desktop_app.tasks.draw import OpenedImage
from desktop_app.viewmodels import interpolate as module
from desktop_app.viewmodels.interpolate import LEG, LOOP, MAP, Interpolate
from desktop_app.viewmodels.live_preview import STUDENT
from desktop_app.worker.compute_thread import Job
from ml.config import NO_LABEL, Corner, SampleRequest
from ml.generation import interpolation_weights
from ml.imaging.embedded_png import to_text
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments
from tests.support.fake_events import images, sampled


@pytest.fixture
def state(app: FakeApp) -> Interpolate:
    """The page, looked at and drawn to its end."""
    state = app.session.interpolate
    state.look()
    finish(app)
    state._rest.stop()
    return state


def requests(app: FakeApp) -> list[tuple[Job, SampleRequest]]:
    return [(job, arguments(job)[0]) for job in app.engine.jobs_of("sample")]


def finish(app: FakeApp, shade: int = 0) -> None:
    """Everything that is asked for is drawn."""
    while asked := requests(app):
        for job, request in asked:
            app.engine.end(job, sampled(request, shade))


def quick(job: Job) -> bool:
    assert isinstance(job.work, module.partial)
    return bool(job.work.keywords.get("optimized"))


def place(app: FakeApp) -> Job:
    """The latest job that draws the image of the place as it is to stay."""
    return [job for job, request in requests(app) if len(request.labels) == 1 and not quick(job)][-1]


# ---- which images are heard


def test_what_a_replaced_drawing_still_gives_is_not_shown(app: FakeApp, state: Interpolate) -> None:
    state.change(place=(0.1, 0.2))
    state._draw_well()
    old = place(app)
    state.change(place=(0.9, 0.8))
    state._draw_well()
    new = place(app)
    assert old.control.cancelled and not new.control.cancelled
    told: list[object] = []
    state.drawn.connect(lambda: told.append("drawn"))
    state.sampled.connect(told.append)
    before = state.shown
    app.engine.end(old, sampled(arguments(old)[0], shade=9))
    assert state.shown is before and not told and state._job is not None
    app.engine.end(new, done := sampled(arguments(new)[0], shade=5))
    assert state.shown is done and told == ["drawn", done] and state._job is None and not state.quick


def test_a_map_and_a_walk_of_other_corners_are_not_shown(app: FakeApp, state: Interpolate) -> None:
    state.set_corner(0, label=5)
    old = [job for job, request in requests(app) if len(request.labels) > 1]
    state.set_corner(0, label=6)
    before_map, before_walk = state.map, state.loop
    assert len(old) == 2 and all(job.control.cancelled for job in old)
    for job in old:
        app.engine.end(job, sampled(arguments(job)[0], shade=9))
    assert state.map is before_map and state.loop is before_walk
    new = {len(request.labels): job for job, request in requests(app) if len(request.labels) > 1}
    assert not any(job.control.cancelled for job in new.values())
    over, around = (sampled(arguments(new[count])[0]) for count in (MAP * MAP, LOOP))
    app.engine.end(new[MAP * MAP], over)
    app.engine.end(new[LOOP], around)
    assert state.map is over.images and state.loop is around
    state._rest.stop()


def test_a_sketch_is_of_the_place_alone_and_gives_way_to_the_image(app: FakeApp, state: Interpolate) -> None:
    state.change(place=(0.3, 0.4))
    (job,) = (job for job, _ in requests(app) if quick(job))
    asked, wanted = arguments(job)[0], state.here()
    assert wanted and asked.model == STUDENT and len(asked.labels) == 1
    assert asked.weights == wanted.weights and asked.corners == wanted.corners
    assert state._rest.isActive() and state._rest.isSingleShot()
    app.engine.end(job, sketch := sampled(asked, shade=3))
    assert state.shown is sketch and state.quick
    state._rest.timeout.emit()
    well = place(app)
    assert arguments(well)[0] == wanted
    state.change(place=(0.3, 0.5))  # the hand moves on: what was begun is not finished
    assert well.control.cancelled
    (late,) = (job for job, _ in requests(app) if quick(job))
    state._draw_well()
    app.engine.end(place(app), done := sampled(state.here()))  # type: ignore[arg-type]
    app.engine.end(late, sampled(arguments(late)[0], shade=4))
    assert state.shown is done and not state.quick  # a sketch that comes late is not shown over it


def test_once_a_hand_rests_no_further_sketch_is_begun_and_one_image_is_drawn(app: FakeApp, state: Interpolate) -> None:
    for across in (0.1, 0.2, 0.3):
        state.change(place=(across, 0.5))
    state._draw_well()
    first = place(app)
    state._draw_well()
    assert first.control.cancelled
    (sketch,) = (job for job, _ in requests(app) if quick(job))
    app.engine.end(sketch, sampled(arguments(sketch)[0]))
    assert not [job for job, _ in requests(app) if quick(job)]
    state._rest.stop()


def test_without_a_student_the_model_sketches_itself(app: FakeApp, state: Interpolate) -> None:
    app.context.models = tuple(card for card in app.context.models if card.name != STUDENT)
    state.change(place=(0.3, 0.4))
    (job,) = (job for job, _ in requests(app) if quick(job))
    assert arguments(job)[0] == state.here()
    state._rest.stop()


def test_nothing_is_drawn_before_the_page_is_looked_at(app: FakeApp) -> None:
    state = app.session.interpolate
    state.change(place=(0.1, 0.1))
    assert not app.engine.jobs and not state._rest.isActive()
    state.look()
    assert sorted(len(request.labels) for _, request in requests(app)) == [1, LOOP, MAP * MAP]
    state.look()
    assert len(app.engine.jobs) == 3


# ---- what is asked for


def test_the_place_and_the_walk_are_between_the_corners(app: FakeApp, state: Interpolate) -> None:
    state.change(place=(0.25, 1.0), mixing="lerp")
    here, walk = state.here(), state.walk()
    assert here and here.weights == (interpolation_weights.place(0.25, 1.0),) and here.corners == state.settings.corners
    assert here.mixing == "lerp" and here.labels == (NO_LABEL,)
    assert walk and len(walk.weights) == LOOP
    turns = [walk.weights[k * LOOP // 4].index(1.0) for k in range(4)]
    assert turns == [0, 1, 3, 2]  # around, not across
    state.set_corner(2, picture="text")
    pictured = state.here()
    assert pictured and (pictured.sampler, pictured.steps, pictured.eta) == ("ddim", 20, 0.0)
    state._rest.stop()


def test_ten_classes_are_mixed_in_one_noise(app: FakeApp, state: Interpolate) -> None:
    state.change(mode="classes", seed=8)
    state.set_share(3, 0.0)
    state.set_share(6, 0.5)
    here = state.here()
    assert here and here.weights == ((0, 0, 0, 0, 0, 0, 0.5, 0, 1, 0),) and state.walk() is None
    assert here.corners == tuple(Corner(seed=8, label=digit) for digit in range(10))
    for digit in (6, 8):
        state.set_share(digit, 0.0)
    alike = state.here()
    assert alike and alike.weights == ((1.0,) * 10,)
    state._rest.stop()


def test_a_path_has_a_walk_through_its_stops_and_no_place(app: FakeApp, state: Interpolate) -> None:
    state.change(mode="path")
    count, walk = len(state.settings.stops), state.walk()
    assert walk and state.here() is None and len(walk.weights) == count * LEG and walk.corners == state.settings.stops
    assert [walk.weights[k * LEG].index(1.0) for k in range(count)] == list(range(count))
    state.change(closed=False)
    walk = state.walk()
    assert walk and len(walk.weights) == (count - 1) * LEG + 1 and walk.weights[-1].index(1.0) == count - 1
    finish(app)
    assert state.stop_images is not None and state.loop is not None and state.loop.request.weights == walk.weights
    assert np.array_equal(state.stop_images, state.loop.images[::LEG]) and len(state.stop_images) == count
    state._settled.stop()


def test_stops_come_and_go_between_two_and_as_many_as_there_may_be(state: Interpolate) -> None:
    state.change(mode="path")
    first = state.settings.stops
    state.add_stop(1)
    assert state.settings.stops[:2] == first[:2] and state.settings.stops[3:] == first[2:]
    for _ in range(MAX_STOPS):
        state.add_stop(0)
    assert len(state.settings.stops) == MAX_STOPS
    last = state.settings.stops[-1]
    for _ in range(MAX_STOPS):
        state.remove_stop(0)
    assert len(state.settings.stops) == 2 and state.settings.stops[-1] == last
    state.set_corner(2, label=4)  # there is no such stop
    assert len(state.settings.stops) == 2


def test_another_walk_takes_the_old_one_off_the_page_and_the_same_is_not_drawn_twice(
    app: FakeApp, state: Interpolate
) -> None:
    assert state.loop is not None
    state.change(place=(0.7, 0.7))
    assert state.loop is not None and not [r for _, r in requests(app) if len(r.labels) > 1]  # the walk is the same
    state.change(mode="path")
    assert state.loop is None
    finish(app)
    assert state.loop is not None
    state.add_stop(0)
    assert state.loop is None
    finish(app)
    state.set_corner(0, label=2)
    assert state.loop is not None  # until there is another
    for stop in (state._rest, state._settled):
        stop.stop()


# ---- corners


def test_a_digit_becomes_a_corner_by_its_seed_or_else_by_its_picture(app: FakeApp, state: Interpolate) -> None:
    image = images(1, 50)[0]
    plain = app.session.generate.settings.request((4,)).with_changes(seed=99)
    state.change(mode="path")
    state.use_digit(2, plain, image)
    assert state.settings.mode == "pad" and state.settings.corners[2] == Corner(seed=99, label=4)
    others: tuple[dict[str, Any], ...] = ({"model": "student"}, {"route": "text"}, {"source": "x"})
    for changes in others:
        state.use_digit(1, plain.with_changes(**changes), image)
        job = app.engine.job("classify")
        assert np.array_equal(arguments(job)[0], image)
        app.engine.end(job, OpenedImage(image, 6))
        assert state.settings.corners[1].picture == to_text(image) and state.settings.corners[1].label == 6
        state.clear_picture(1)
        assert not state.settings.corners[1].picture
    state.use_digit(1, plain.with_changes(model="student"), np.zeros((32, 32, 3), np.uint8))
    assert not app.engine.jobs_of("classify")  # in colour
    state._rest.stop()


def test_a_picture_goes_to_the_corner_or_stop_it_was_chosen_for(
    app: FakeApp, state: Interpolate, tmp_path: Path
) -> None:
    image = images(1, 50)[0]
    stops = state.settings.stops
    state.use_file(3, tmp_path / "a.png")
    state.change(mode="path")  # meanwhile
    app.engine.end(app.engine.job("open_image"), OpenedImage(image, 6))
    assert state.settings.corners[3].label == 6 and state.settings.stops == stops
    state.use_example(1)
    digit = arguments(app.engine.job("load_example"))[0]
    assert digit == stops[1].label
    app.session.draw.take(image)
    state.use_drawing(0)
    app.engine.end(app.engine.job("classify"), OpenedImage(image, 2))
    assert state.settings.stops[0].picture == to_text(image)
    state.new_noise(0)
    assert not state.settings.stops[0].picture
    state._rest.stop()


def test_new_seeds_are_those_of_the_mode(state: Interpolate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.random, "randrange", lambda _: 4711)
    state.set_corner(1, picture="text")
    corners, stops = state.settings.corners, state.settings.stops
    state.new_seeds()
    assert [(c.seed, c.label, c.picture) for c in state.settings.corners] == [(4711, c.label, "") for c in corners]
    assert state.settings.stops == stops and state.settings.seed == 7
    state.change(mode="classes")
    state.new_seeds()
    assert state.settings.seed == 4711
    state._rest.stop()


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "pad", "place": (0.25, 0.5), "mixing": "lerp"},
        {"mode": "path", "closed": True},
        {"mode": "path", "closed": False},
        {"mode": "classes", "shares": (0, 0.5, 0, 0, 0, 1, 0, 0, 0, 0), "seed": 3},
    ],
)
def test_a_request_that_was_made_here_is_taken_up_again(make: Callable[..., FakeApp], settings: dict[str, Any]) -> None:
    made = make(AppSettings(interpolate=InterpolateSettings.model_validate(settings))).session.interpolate
    other = make(AppSettings()).session.interpolate
    asked = made.here() or made.walk()
    assert asked and other.restore(asked.with_changes(model_hash="known"))
    assert other.settings == made.settings
    assert not other.restore(asked.with_changes(model="not here")) and other.settings == made.settings
    assert not other.restore(GenerateSettings().request((1,)))


# ---- history, and files


def test_what_rests_is_kept_once_and_only_if_it_is_what_is_asked_for(app: FakeApp, state: Interpolate) -> None:
    history = app.context.history
    state._settled.timeout.emit()
    assert not history.results  # a look is no result
    state.change(place=(0.2, 0.2))
    finish(app)
    state._settled.timeout.emit()
    assert not history.results  # only a sketch of it is there
    state._draw_well()
    finish(app)
    assert state._settled.isActive()
    state._settled.timeout.emit()
    state._settled.timeout.emit()
    assert len(history.results) == 1 and history.results[0].images is state.image and history.results[0].is_shown()
    state.change(place=(0.4, 0.4))
    assert not state._settled.isActive() and not history.results[0].is_shown()
    state.keep_walk()
    state.keep_walk()
    assert len(history.results) == 2 and state.loop is not None and history.results[1].images is state.loop.images
    assert not history.results[1].is_shown()  # it is beside the image of the place
    state._rest.stop()


def test_going_back_brings_settings_and_images_and_draws_nothing_over_them(app: FakeApp, state: Interpolate) -> None:
    state.change(place=(0.2, 0.2))
    state._draw_well()
    finish(app)
    state._settled.timeout.emit()
    shown, loop, over, settings = state.shown, state.loop, state.map, state.settings
    state.change(place=(0.9, 0.9))
    state.set_corner(0, label=1)
    state._draw_well()
    going_on = place(app)
    app.context.history.restore(0)
    assert (state.shown, state.loop, state.map, state.settings) == (shown, loop, over, settings) and not state.quick
    assert going_on.control.cancelled and not state._rest.isActive() and not state._settled.isActive()
    for job, request in requests(app):
        if request.labels == (NO_LABEL,):
            app.engine.end(job, sampled(request, shade=77))
    assert state.shown is shown
    assert app.context.history.shown_index("interpolate") == 0


def test_a_sketch_is_not_exported_but_what_follows_it(app: FakeApp, state: Interpolate, tmp_path: Path) -> None:
    state.change(place=(0.2, 0.2))
    finish(app)
    assert state.quick
    state.export_image(tmp_path / "here.png", 8)
    assert not app.engine.jobs_of("export")
    state._draw_well()
    finish(app, shade=30)
    path, write = arguments(app.engine.job("export"))
    _path, pixels, request, layout, *_ = write.args
    assert path == tmp_path / "here.png" and pixels is state.image and request.model == "digits"
    assert (layout.columns, layout.scale, layout.gap) == (1, 8, 0)
    state._draw_well()
    finish(app)
    assert len(app.engine.jobs_of("export")) == 1  # once
    state.export_image(tmp_path / "again.png")
    assert len(app.engine.jobs_of("export")) == 2
    for timer in (state._rest, state._settled):
        timer.stop()


@pytest.mark.parametrize(("name", "kind", "columns", "pictures"), [
    ("walk.gif", "walk", 1, True), ("walk.png", "images", 2 * LEG, False),
])  # fmt: skip
def test_a_walk_is_written_as_the_ending_says(
    app: FakeApp, state: Interpolate, tmp_path: Path, name: str, kind: str, columns: int, pictures: bool
) -> None:
    state.export(tmp_path / name, 2)
    _path, pixels, _request, layout, film = arguments(app.engine.job("export"))[1].args
    assert state.loop and pixels is state.loop.images and bool(len(film)) is pictures
    assert (layout.kind, layout.columns, layout.scale) == (kind, columns, 2)
    assert layout.first_ms == layout.frame_ms == layout.last_ms == 100  # even, so that it can go round


def test_the_page_says_what_it_waits_for(app: FakeApp) -> None:
    interpolate, engine = app.session.interpolate, app.engine
    interpolate.look()
    assert interpolate.awaited == {"image", "pad", "walk"} and interpolate.busy
    assert interpolate.doing == ("Drawing the image", None) and interpolate in app.session.activities
    image, pad, walk = engine.jobs_of("sample")
    engine.end(image, sampled(arguments(image)[0]))
    assert interpolate.awaited == {"pad", "walk"}
    engine.fail(pad, "memory", "There isn't enough memory.")
    assert interpolate.awaited == {"walk"} and interpolate.doing[0] == "Drawing the walk"
    interpolate.stop()
    assert not interpolate.busy and walk.control.cancelled
    interpolate.change(mode="path")
    assert interpolate.awaited == {"walk"}
