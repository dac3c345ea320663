"""The session: how pages reach each other, history and undo."""

from collections.abc import Callable

import numpy as np

from desktop_app.settings import DEFAULT_MODEL
from desktop_app.viewmodels.history import IN_MEMORY, History, Result
from desktop_app.viewmodels.undo import TOGETHER_S
from ml.config import DRAWING_SIDE, SampleRequest
from tests.app.viewmodels.conftest import Clock
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments
from tests.support.fake_events import frames, images, sampled

# ---- from page to page


def drawn(app: FakeApp) -> SampleRequest:
    """Two digits are drawn on the Generate page."""
    app.engine.script("sample_and_judge", lambda request: [*frames(request), sampled(request)])
    app.session.generate.change(prompt="37", live=False)
    app.session.generate.draw()
    app.engine.run_all()
    assert app.session.generate.sampled is not None
    return app.session.generate.sampled.request


def test_a_digit_of_generate_becomes_a_corner_or_a_drawing(app: FakeApp) -> None:
    generate, draw, interpolate = app.session.generate, app.session.draw, app.session.interpolate
    request = drawn(app)
    assert generate.use_as_corner(1, 2) and generate.use_as_drawing(1)
    assert generate.sampled is not None and np.array_equal(draw.drawing, generate.sampled.images[1])
    corner = interpolate.settings.corners[2]
    assert (corner.seed, corner.label) == (request.alone(1).seed, 7)
    count = len(request.labels)
    draw.clear()
    assert not generate.use_as_corner(count, 2) and not generate.use_as_drawing(count) and draw.empty


def test_only_images_of_the_size_of_a_drawing_open_in_draw(app: FakeApp) -> None:
    generate, draw = app.session.generate, app.session.draw
    drawn(app)
    done = generate.sampled
    assert done is not None
    for shape in ((32, 32), (DRAWING_SIDE, DRAWING_SIDE, 3)):
        generate.trajectory.sampled = type(done)(done.request, np.ones((9, *shape), np.uint8), 1.0, 1)
        assert not generate.use_as_drawing(0) and draw.empty


def test_the_drawing_becomes_a_corner(app: FakeApp) -> None:
    draw, interpolate = app.session.draw, app.session.interpolate
    interpolate.use_drawing(0)
    assert not interpolate.can_use_drawing and not app.engine.jobs
    draw.dab(9, 9)
    assert interpolate.can_use_drawing
    interpolate.use_drawing(0)
    assert np.array_equal(arguments(app.engine.job("classify"))[0], draw.drawing)
    draw.clear()
    assert not interpolate.can_use_drawing


def test_requests_and_models_open_in_generate(app: FakeApp) -> None:
    session = app.session
    request = SampleRequest(labels=(1, 4), seed=77, steps=6)
    for number, page in enumerate((session.compare, session.explore), 1):
        page.open_in_generate.emit(request.with_changes(seed=number))
        assert (session.generate.settings.seed, session.generate.settings.prompt) == (number, "14")
        assert arguments(app.engine.job("sample_and_judge"))[0].seed == number
    session.models.draw_with.emit("student")
    assert arguments(app.engine.job("sample_and_judge"))[0].model == "student"
    card = app.context.card("digits")
    assert card is not None
    session.train.draw_with.emit("mine", card.header.defaults.with_changes(steps=3))
    drawing = arguments(app.engine.job("sample_and_judge"))[0]
    assert (drawing.model, drawing.steps) == ("mine", 3)


def test_a_model_that_is_renamed_or_removed_is_replaced_everywhere(app: FakeApp) -> None:
    session = app.session
    session.generate.change(live=False, model="mine")
    for page in (session.interpolate, session.compare):
        page.change(model="mine")
    pages = (session.generate, session.interpolate, session.compare)
    renamed: list[tuple[str, str]] = []
    removed: list[str] = []
    session.train.renamed.connect(lambda old, new: renamed.append((old, new)))
    session.train.removed.connect(removed.append)
    session.models.renamed.emit("mine", "ours")
    assert [page.settings.model for page in pages] == ["ours"] * 3 and renamed == [("mine", "ours")]
    session.models.removed.emit("ours")
    assert [page.settings.model for page in pages] == [DEFAULT_MODEL] * 3 and removed == ["ours"]
    session.models.removed.emit("other")
    assert [page.settings.model for page in pages] == [DEFAULT_MODEL] * 3 and not app.engine.jobs


def test_a_page_that_may_show_another_result_is_marked_in_the_history(app: FakeApp) -> None:
    session, changes = app.session, []
    app.context.history.shown_changed.connect(lambda: changes.append(None))
    signals = (
        session.generate.begun,
        session.draw.finished,
        session.compare.begun,
        session.compare.changed,
        session.compare.race.begun,
        session.interpolate.changed,
    )
    for count, signal in enumerate(signals, 1):
        signal.emit()
        assert len(changes) == count


# ---- history


def result(page: str, shown: bool = False, back: Callable[[], None] = lambda: None) -> Result:
    return Result(page, images(1), lambda: shown, back, lambda _path, _scale: None)


def test_the_history_keeps_the_latest_and_knows_which_is_shown(app: FakeApp) -> None:
    history, told = History(app.context, app.session), []
    history.changed.connect(lambda: told.append("changed"))
    history.restored.connect(told.append)
    for number in range(IN_MEMORY + 2):
        history.add(result("draw" if number % 2 else "generate", shown=number in (5, 7, 8)))
    assert len(history.results) == IN_MEMORY and told == ["changed"] * (IN_MEMORY + 2)
    assert (
        history.shown_index("draw") == 7 - 2
        and history.shown_index("generate") == 8 - 2
        and history.shown_index("compare") is None
    )
    told.clear()
    history.add(result("compare", back=lambda: told.append("back")))
    history.restore(IN_MEMORY - 1)
    assert told == ["changed", "back", "compare", "changed"]


# ---- undo


def test_settings_are_taken_back_page_by_page(app: FakeApp, clock: Clock) -> None:
    session, undo = app.session, app.session.undo
    compare, explore = session.compare, session.explore
    own = compare.settings.seed
    for seed in (1, 2, 3):
        compare.change(seed=seed)
        clock.tick(TOGETHER_S / 2)
    clock.tick(TOGETHER_S)
    compare.change(seed=4)
    clock.tick(2 * TOGETHER_S)
    explore.change(digit=1)
    undo.undo("compare")
    assert compare.settings.seed == 3 and explore.settings.digit == 1
    compare.change(seed=9)  # soon after, but a step of its own
    undo.undo("compare")
    assert compare.settings.seed == 3
    undo.undo("compare")
    undo.undo("compare")
    assert compare.settings.seed == own and explore.settings.digit == 1
    undo.undo("generate")  # which takes its own changes back


def test_a_look_at_another_tab_is_not_taken_back(app: FakeApp, clock: Clock) -> None:
    explore, undo = app.session.explore, app.session.undo
    digit = explore.settings.digit
    explore.change(digit=1)
    clock.tick(10)
    explore.change(tab="schedules")
    undo.undo("explore")
    assert (explore.settings.digit, explore.settings.tab) == (digit, "schedules")
    clock.tick(10)
    explore.change(digit=2)
    undo.forget()
    undo.undo("explore")
    assert explore.settings.digit == 2
