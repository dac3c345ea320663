"""Generate's state: which events are heard, what is shown, what a request is made of, and what is taken back."""

from collections.abc import Callable

import numpy as np
import pytest

from desktop_app.settings import AppSettings, GenerateSettings
from desktop_app.tasks.sampling import GuidanceProbeResult, JudgeResult, Nearest, StepProbabilities, Understanding
from desktop_app.viewmodels.cost import LIVE_CALLS
from desktop_app.viewmodels.generate import MAX_IMAGES, SKETCH_S, TOGETHER_S, Generate
from desktop_app.viewmodels.live_preview import MANY, STUDENT
from desktop_app.viewmodels.trajectory import Trajectory
from ml.config import NO_INTERVAL, NO_LABEL, SampleRequest
from ml.events import Failed, Progress
from ml.specs import CLIP_MODEL
from tests.app.viewmodels.conftest import Clock
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments
from tests.support.fake_events import frames, images, sampled, whole


@pytest.fixture
def generate(app: FakeApp) -> Generate:
    return app.session.generate


def judged(count: int = 30) -> JudgeResult:
    return JudgeResult(np.zeros(count, np.int64), np.ones(count, np.float32))


def decided() -> StepProbabilities:
    return StepProbabilities(np.zeros((11, 30, 10), np.float32))


def draw(app: FakeApp, shade: int = 0) -> None:
    """A drawing, from being asked for to its end."""
    app.session.generate.draw()
    finish(app, shade)


def finish(app: FakeApp, shade: int = 0) -> None:
    job = app.engine.job("sample_and_judge")
    app.engine.end(job, *whole(arguments(job)[0], shade), judged(), decided())


def heard(signal: object) -> list[tuple[object, ...]]:
    told: list[tuple[object, ...]] = []
    signal.connect(lambda *words: told.append(words))  # type: ignore[attr-defined]
    return told


# ---- which events are heard


def test_what_a_replaced_drawing_still_says_is_not_heard(app: FakeApp, generate: Generate) -> None:
    generate.draw()
    old = app.engine.job("sample_and_judge")
    generate.change(seed=5, live=False)
    generate.draw()
    new = app.engine.job("sample_and_judge")
    assert old.control.cancelled and not new.control.cancelled
    signals = (generate.stepped, generate.finished, generate.judged, generate.compared)
    told = [heard(signal) for signal in signals]
    request = arguments(old)[0]
    app.engine.give(old, Progress("Downloading", 1, 2), *whole(request), judged(), decided())
    app.engine.end(old)
    assert not any(told) and generate.fetching is None and generate.busy
    assert not generate.frames and generate.sampled is None and generate.verdict is None
    assert generate.trajectory.decision is None and generate.request == arguments(new)[0]
    finish(app)
    assert all(told) and not generate.busy and generate.sampled.request.seed == 5  # type: ignore[union-attr]


def test_what_a_stopped_drawing_still_says_is_not_heard(app: FakeApp, generate: Generate) -> None:
    generate.draw()
    job = app.engine.job("sample_and_judge")
    request = arguments(job)[0]
    app.engine.give(job, *frames(request, 3))
    generate.stop()
    assert job.control.cancelled and not generate.busy and len(generate.frames) == 3
    app.engine.end(job, *frames(request)[3:], sampled(request))
    assert len(generate.frames) == 3 and generate.sampled is None and not app.context.history.results


def test_an_event_of_each_kind_is_told_of_and_kept(app: FakeApp, generate: Generate) -> None:
    steps, finished, verdicts = heard(generate.stepped), heard(generate.finished), heard(generate.judged)
    generate.draw()
    job = app.engine.job("sample_and_judge")
    request = arguments(job)[0]
    assert generate.doing == ("Drawing 30 digits", None)
    app.engine.give(job, Progress("Downloading", 1, 4))
    assert generate.doing == ("Downloading", 0.25)
    app.engine.give(job, Progress("Downloading", 1, 0))
    assert generate.doing == ("Downloading", None)
    app.engine.give(job, *frames(request, 4))
    assert generate.doing == ("Drawing 30 digits", 3 / request.steps) and steps == [(0,), (1,), (2,), (3,)]
    app.engine.give(job, *frames(request)[4:], sampled(request))
    assert len(finished) == 1 and generate.busy and not verdicts
    app.engine.end(job, verdict := judged(), found := decided())
    assert generate.verdict is verdict and len(verdicts) == 1
    assert generate.trajectory.decision is found.probabilities
    assert not generate.busy and [result.page for result in app.context.history.results] == ["generate"]


def test_what_is_shown_stays_until_the_next_has_a_step(app: FakeApp, generate: Generate) -> None:
    draw(app)
    first = generate.trajectory
    generate.draw()
    generate.draw()  # nothing of the one between was ever seen
    begun = heard(generate.begun)
    app.engine.end(app.engine.job("sample_and_judge"), Failed("file", "It is torn.", "", ""))
    assert generate.trajectory is first and len(begun) == 1 and first.live
    generate.draw()
    job = app.engine.job("sample_and_judge")
    app.engine.give(job, frames(arguments(job)[0])[0])
    generate.stop()
    assert generate.trajectory is not first and len(generate.frames) == 1


def test_a_long_way_is_shown_in_few_pictures(app: FakeApp, generate: Generate) -> None:
    generate.change(steps=100, live=False)
    draw(app)
    steps = generate.trajectory.strip_steps(8)
    assert len(steps) == 8 and steps[0] == 0 and steps[-1] == 100
    assert set(np.diff(steps)) <= {14, 15}


def test_a_drawing_is_kept_once_and_only_when_it_is_whole(app: FakeApp, generate: Generate) -> None:
    generate.draw()
    job = app.engine.job("sample_and_judge")
    app.engine.end(job, *frames(arguments(job)[0], 5))
    assert not app.context.history.results
    draw(app)
    generate.stop()
    first = generate.trajectory
    draw(app, shade=7)
    generate.show_again(first)
    assert len(app.context.history.results) == 2 and app.context.history.shown_index("generate") == 0
    assert generate.trajectory is first


def test_a_clip_that_cannot_be_had_gives_way_to_the_digit_clip(app: FakeApp, generate: Generate) -> None:
    generate.change(live=False, route="clip", clip="ViT-B-32", model="unconditional", prompt="")
    generate.draw()
    app.engine.end(app.engine.job("sample_and_judge"), Failed("network", "refused", "", ""))
    assert generate.settings.clip == CLIP_MODEL
    assert [message.title for message in app.messages] == ["refused"]


# ---- asking for it


def test_a_drawing_is_asked_for_with_what_belongs_to_it(app: FakeApp, generate: Generate) -> None:
    generate.change(prompt="38", rows=2, live=False)
    generate.draw()
    (request,) = arguments(app.engine.job("sample_and_judge"))
    assert request.labels == (3, 8, 3, 8) and request == generate.requested()
    assert generate.columns == 2 and not generate.trajectory.live
    generate.draw(live=True)
    assert generate.trajectory.live
    finish(app)
    generate.draw_alone(3)
    (request,) = arguments(app.engine.job("sample_and_judge"))
    assert request.labels == (8,) and request.seed == 2026 + 3 and generate.columns == 1


def test_nothing_is_drawn_without_a_meaning_or_while_the_window_closes(app: FakeApp, generate: Generate) -> None:
    generate.change(prompt="banana", live=False)
    generate.draw()
    assert generate.misunderstood and not app.engine.jobs
    generate.change(prompt="3", live=False)
    app.context.closing = True
    generate.draw()
    assert not generate.misunderstood and not app.engine.jobs


def test_of_a_changed_setting_a_quick_drawing_is_drawn_anew_and_a_slow_one_is_not(
    app: FakeApp, generate: Generate
) -> None:
    soon = generate._soon
    generate.change(steps=LIVE_CALLS // 30)
    assert soon.isActive() and soon.isSingleShot()
    soon.stop()
    generate.change(steps=LIVE_CALLS // 30 + 1)
    assert not soon.isActive()
    generate.change(steps=10, live=False)
    assert not soon.isActive()
    generate.change(steps=11)
    soon.timeout.emit()
    assert generate.trajectory.live and arguments(app.engine.job("sample_and_judge"))[0].steps == 11
    soon.stop()


def test_every_way_of_drawing_costs_what_it_costs(generate: Generate) -> None:
    request = generate.settings.request((0,) * 10)
    assert generate._calls(request) == 100
    assert generate._calls(request.with_changes(repeats=2)) == 300
    steered = request.with_changes(route="clip")
    assert generate._calls(steered) == 300
    assert generate._calls(steered.with_changes(clip="ViT-B-32")) == 100 * 300


def test_a_hand_that_rests_where_it_was_finds_what_is_there(app: FakeApp, generate: Generate) -> None:
    draw(app)
    returned, before = heard(generate.returned), generate.settings.guidance
    generate.change(guidance=2.0)
    generate.change(guidance=before)
    generate._soon.timeout.emit()
    assert len(returned) == 1 and not app.engine.jobs_of("sample_and_judge")
    generate.draw()
    generate._draw_if_new()  # what is asked for is on its way, but not there
    assert len(returned) == 1
    generate.stop()


# ---- undo


def test_what_changes_in_quick_succession_is_taken_back_at_once(generate: Generate, clock: Clock) -> None:
    own = generate.settings
    for tenth in range(20, 25):
        generate.change(guidance=tenth / 10, live=False)
        clock.tick(TOGETHER_S / 2)
    clock.tick(TOGETHER_S)
    generate.change(steps=7, live=False)
    generate.undo()
    assert (generate.settings.steps, generate.settings.guidance) == (10, 2.4)
    generate.change(eta=0.5, live=False)  # soon after, but a step of its own
    generate.undo()
    assert (generate.settings.eta, generate.settings.guidance) == (0, 2.4)
    generate.undo()
    assert generate.settings == own
    generate.undo()
    assert generate.settings == own
    generate._soon.stop()


def test_settings_that_are_put_as_a_whole_are_drawn_and_not_taken_back(app: FakeApp, generate: Generate) -> None:
    generate.change(steps=7, live=False)
    generate.put(wanted := GenerateSettings(prompt="5", steps=3))
    assert generate.settings == wanted and arguments(app.engine.job("sample_and_judge"))[0].labels == (5,) * 30
    generate.undo()
    assert generate.settings == wanted
    generate.stop()
    app.engine.end(app.engine.job("sample_and_judge"))
    generate.put(GenerateSettings(route="clip", model="unconditional", prompt=""))
    assert not app.engine.jobs_of("sample_and_judge") and generate.waits  # it takes long


# ---- prompts and models


@pytest.mark.parametrize(
    ("prompt", "row", "labels"),
    [
        ("7", (7,) * 10, 30),
        ("2026", (2, 0, 2, 6), 12),
        ("0-9 0", (*range(10), 0), 11),  # longer than a row: it fills its rows by itself
    ],
)
def test_a_prompt_makes_a_row_and_rows_make_the_grid(
    generate: Generate, prompt: str, row: tuple[int, ...], labels: int
) -> None:
    generate.change(prompt=prompt, live=False)
    assert generate.row() == row and len(generate.labels()) == labels


@pytest.mark.parametrize(
    ("prompt", "columns", "groups"),
    [
        ("0176 1234567", 11, (4, 7)),
        ("01761234567", 11, ()),
        ("+49 (176) 12-34-56-7", 12, (2, 3, 2, 2, 2, 1)),
        ("2026", 4, ()),
        ("0-9", 10, ()),
        ("0-9 0", 10, ()),
        ("1" * 21, 10, ()),
    ],
)
def test_a_number_stays_in_one_line_and_in_its_groups(
    generate: Generate, prompt: str, columns: int, groups: tuple[int, ...]
) -> None:
    generate.change(prompt=prompt, live=False)
    generate.draw()
    assert (generate.columns, generate.trajectory.groups) == (columns, groups)


def test_more_digits_than_a_grid_holds_are_refused(generate: Generate) -> None:
    generate.change(prompt="1" * MAX_IMAGES, live=False)
    assert not generate.misunderstood and len(generate.labels()) == MAX_IMAGES
    generate.change(prompt="1" * (MAX_IMAGES + 1), live=False)
    assert f"more than {MAX_IMAGES} digits" in generate.misunderstood and generate.requested() is None


@pytest.mark.parametrize("route", ["class", "text", "clip"])
def test_a_prompt_over_the_limit_is_said_and_not_cut(generate: Generate, route: str) -> None:
    generate.change(prompt="a bold seven " * 40, route=route, live=False)
    assert "520 characters" in generate.misunderstood and generate.requested() is None


@pytest.mark.parametrize("route", ["class", "text", "clip"])
def test_what_is_not_to_be_drawn_is_refused_while_it_is_typed(generate: Generate, route: str) -> None:
    generate.change(prompt="not a seven", route=route, live=False)
    assert "to leave out" in generate.misunderstood or "says what not to draw" in generate.misunderstood
    assert generate.requested() is None


def test_another_model_comes_with_its_own_settings_and_way_of_asking(app: FakeApp, generate: Generate) -> None:
    generate.change(live=False, steps=99, guidance=7.0)
    assert not generate.at_defaults
    generate.use_model("student")
    student = app.context.card("student")
    assert student and generate.settings.sampler == student.header.defaults.sampler == "student"
    assert (generate.settings.steps, generate.settings.route) == (student.header.defaults.steps, "class")
    assert generate.at_defaults and arguments(app.engine.job("sample_and_judge"))[0].model == "student"
    generate.use_model("unconditional")
    assert generate.settings.route == "clip" and generate.settings.sampler == "ddpm" and generate.settings.repeats == 2
    assert generate.classes == 0 and generate.at_defaults
    generate.use_model("text")
    assert generate.settings.route == "text"
    generate.use_model("digits", live=True)
    assert generate.settings.route == "class" and generate.trajectory.live
    generate.change(live=False, steps=99)
    generate.reset()
    assert generate.settings.steps == 10
    generate.stop()


def test_a_run_that_is_not_in_the_list_yet_is_drawn_by_its_own_settings(app: FakeApp, generate: Generate) -> None:
    defaults = app.context.models[0].header.defaults.with_changes(steps=17, guidance=3.5)
    generate.use_model("my run", defaults)
    assert (generate.settings.model, generate.settings.steps, generate.settings.guidance) == ("my run", 17, 3.5)


def test_ways_of_asking_are_those_whose_models_are_here(app: FakeApp, generate: Generate) -> None:
    every = app.context.models
    assert set(generate.routes) == {"class", "text", "clip"}
    for missing, routes in (("text", {"class", "clip"}), ("unconditional", {"class", "text"}), (CLIP_MODEL, {"class"})):
        app.context.models = tuple(card for card in every if card.name != missing)
        assert set(generate.routes) == routes


@pytest.mark.parametrize(
    ("before", "route", "after"),
    [
        ("0-9", "clip", "a bold seven"),
        ("7", "clip", "7"),
        ("0-9", "text", "0-9"),
        ("hello", "text", "a bold seven"),
        ("7", "text", "7"),
    ],
)
def test_a_prompt_that_says_nothing_on_another_way_gives_way(
    app: FakeApp, generate: Generate, before: str, route: str, after: str
) -> None:
    generate.change(prompt=before, live=False)
    generate.use_route(route)  # type: ignore[arg-type]
    assert (generate.settings.route, generate.settings.prompt) == (route, after)
    assert generate.settings.route == route and generate.waits is (route == "clip")
    generate.change(prompt="something bold", live=False)
    generate.use_route("class")
    assert (generate.settings.route, generate.settings.prompt) == ("class", "0-9")
    generate._interpret_soon.stop()


def test_a_model_that_was_chosen_stays_on_every_route_that_it_takes(app: FakeApp, generate: Generate) -> None:
    plain = app.context.card("unconditional")
    assert plain
    app.context.models = (*app.context.models, plain.model_copy(update={"name": "mine", "bundled": False}))
    chosen = lambda: (generate.settings.route, generate.settings.model)  # noqa: E731
    generate.draw_with("mine")  # a run without classes
    assert chosen() == ("class", "mine") and generate.settings.prompt == "0-9"
    for route in ("clip", "class", "text", "class"):
        generate.use_route(route)
        assert chosen() == (route, "text" if route == "text" else "mine")
    generate.use_model("student")
    for route, model in (("clip", "unconditional"), ("class", "student"), ("text", "text"), ("class", "student")):
        generate.use_route(route)  # type: ignore[arg-type]
        assert chosen() == (route, model)


def test_what_words_are_about_is_asked_once_and_said(app: FakeApp, generate: Generate) -> None:
    generate.use_route("clip")
    generate.change(prompt="a bold banana", live=False)
    assert generate._interpret_soon.isActive() and not generate.doubtful and generate.marks == ((2, 4),)
    generate._interpret_soon.timeout.emit()
    job = app.engine.job("interpret_prompt")
    assert arguments(job) == ("a bold banana",)
    app.engine.end(job, Understanding("a bold banana", False))
    assert generate.doubtful and "isn't a digit" in generate.understood.reading  # type: ignore[union-attr]
    assert generate.labels() == (NO_LABEL,) * 30
    generate._interpret_soon.stop()
    generate.change(prompt="a bold seven", live=False)
    generate._interpret_soon.timeout.emit()
    app.engine.end(app.engine.job("interpret_prompt"), Understanding("a bold seven", True))
    assert not generate.doubtful
    generate._interpret_soon.stop()
    generate.change(prompt="a bold banana", live=False)
    assert generate.doubtful and not generate._interpret_soon.isActive()  # known already


@pytest.mark.parametrize("route", ["text", "clip"])
def test_words_that_mean_nothing_are_doubtful_at_once(generate: Generate, route: str) -> None:
    generate.use_route(route)  # type: ignore[arg-type]
    generate._interpret_soon.stop()
    generate.change(prompt="VII", live=False)
    assert generate.doubtful and not generate._interpret_soon.isActive() and not generate.marks
    generate.change(prompt="sixes and sevens", live=False)
    assert not generate.doubtful
    generate.change(prompt="a seven, not bold", live=False)
    assert generate.understood is None and "what not to draw" in generate.misunderstood and not generate.marks
    generate._interpret_soon.stop()


def test_what_is_dear_waits_for_a_click(app: FakeApp, make: Callable[..., FakeApp], generate: Generate) -> None:
    drawn = lambda: app.engine.jobs_of("sample_and_judge")  # noqa: E731
    generate.use_route("clip")
    assert generate.waits and not drawn()
    generate.change(clip_scale=2.0)  # a slider
    assert generate.waits and not drawn() and not generate._soon.isActive()
    generate.draw()
    assert len(drawn()) == 1 and not generate.waits
    generate.use_route("text")  # cheap again: it goes in its place
    assert drawn()[0].control.cancelled and not drawn()[1].control.cancelled and not generate.waits
    large = app.context.models[0].model_copy(update={"name": "large", "parameters": 10**9})
    app.context.models = (*app.context.models, large)
    generate.use_model("large")
    assert generate.waits and drawn()[1].control.cancelled
    generate.draw_with("large")  # a person pressed Generate beside it
    assert not generate.waits and not drawn()[2].control.cancelled and drawn()[2].asked
    generate.stop()
    left = make(AppSettings(generate=GenerateSettings(route="clip", model="unconditional", prompt="a bold seven")))
    left.session.generate.draw_first()
    assert left.session.generate.waits and not left.engine.jobs_of("sample_and_judge")
    generate._interpret_soon.stop()
    left.session.generate._interpret_soon.stop()


def test_the_first_grid_is_drawn_as_it_was_left_unless_its_model_is_gone(
    app: FakeApp, make: Callable[..., FakeApp]
) -> None:
    app.session.generate.draw_first()
    assert arguments(app.engine.job("sample_and_judge"))[0].model == "digits"
    assert not app.engine.job("sample_and_judge").asked
    first = app.session.generate.settings
    app.session.generate.undo()
    assert app.session.generate.settings == first  # nothing was changed yet
    left = make(AppSettings(generate=GenerateSettings(steps=7, clip="ViT-B-32", seed=9)))
    left.session.generate.draw_first()
    request = arguments(left.engine.job("sample_and_judge"))[0]
    assert (request.steps, request.seed, request.clip) == (7, 9, CLIP_MODEL)  # and nothing is downloaded
    gone = make(AppSettings(generate=GenerateSettings(steps=7, model="gone", seed=9)))
    gone.session.generate.draw_first()
    request = arguments(gone.engine.job("sample_and_judge"))[0]
    assert (request.model, request.steps, request.seed) == ("digits", 10, 9)


# ---- back to a request


def test_a_request_is_drawn_exactly_and_the_settings_follow(app: FakeApp, generate: Generate) -> None:
    asked = generate.settings.request((3, 4, 5, 6) * 2).with_changes(
        seeds=tuple(range(100, 108)), steps=5, guidance=2.5, seed=77, model="student"
    )
    assert generate.restore(asked, 4) == asked
    assert arguments(app.engine.job("sample_and_judge"))[0] == asked and generate.columns == 4
    settings = generate.settings
    assert (settings.prompt, settings.rows, settings.seed, settings.steps) == ("3-6", 2, 77, 5)
    assert (settings.guidance, settings.model) == (2.5, "student")
    generate.restore(asked.some(range(7)), 3)
    assert generate.settings.rows == 3 and generate.columns == 3
    generate.restore(asked, 4)
    many = generate.settings.request((0,) * (MAX_IMAGES + 5))
    first = generate.restore(many, 10)
    assert len(first.labels) == MAX_IMAGES and arguments(app.engine.job("sample_and_judge"))[0] == first
    assert (generate.settings.rows, generate.settings.prompt) == (10, "0")
    generate.restore(asked.with_changes(model="not here"), 20)
    assert generate.settings.model == "student" and generate.columns == 8


@pytest.mark.parametrize(
    ("labels", "columns", "typed", "prompt"),
    [
        ((7,) * 10, 10, "", "7"),
        ((3, 1, 4), 3, "", "314"),
        ((3, 12), 2, "", "3, 12"),
        ((1, 2, 3), 3, "1, 2, 3", "1, 2, 3"),  # as it was typed
        ((1, 2, 3) * 2, 3, "1, 2, 3", "1, 2, 3"),  # for every row
        ((1, 2, 3), 3, "4 5 6", "1-3"),  # which says another thing
        ((NO_LABEL, 1), 2, "", "0-9"),  # no prompt says that: it stays
        ((7,) * 4, 4, "", "7777"),
        ((1, 2), 2, "", "12"),  # too short for a span
    ],
)
def test_labels_are_put_into_a_prompt(
    generate: Generate, labels: tuple[int, ...], columns: int, typed: str, prompt: str
) -> None:
    request = generate.settings.request(labels).with_changes(prompt=typed)
    assert generate._prompt_for(request, columns) == prompt


def test_going_back_brings_the_settings_and_no_new_drawing(app: FakeApp, generate: Generate) -> None:
    generate.change(prompt="38", rows=2, seed=5, live=False)
    draw(app)
    first, own = generate.trajectory, generate.settings
    generate.change(prompt="0-9", rows=1, steps=4, live=False)
    draw(app)
    generate.draw()
    job = app.engine.job("sample_and_judge")
    app.engine.give(job, frames(arguments(job)[0])[0])
    seen = [heard(signal) for signal in (generate.begun, generate.stepped, generate.finished, generate.judged)]
    generate.show_again(first)
    assert job.control.cancelled and not generate.busy and not generate._soon.isActive()
    assert generate.trajectory is first and generate.settings == own
    assert seen == [[()], [(first.steps,)], [()], [()]]


# ---- about one digit


def test_a_training_image_is_looked_for_once_and_stays_with_its_drawing(app: FakeApp, generate: Generate) -> None:
    generate.draw()
    job = app.engine.job("sample_and_judge")
    request = arguments(job)[0]
    app.engine.give(job, *frames(request), sampled(request))
    generate.find_nearest(2)
    assert not app.engine.jobs_of("find_nearest")  # not judged yet
    app.engine.end(job, judged())
    generate.find_nearest(99)
    generate.find_nearest(2)
    generate.find_nearest(2)
    (looking,) = app.engine.jobs_of("find_nearest")
    image, model, root = arguments(looking)
    assert model == "digits"
    assert np.array_equal(image, generate.sampled.images[2]) and root is None  # type: ignore[union-attr]
    first = generate.trajectory
    draw(app)
    found = Nearest(images(1)[0], 0.1, False)
    app.engine.end(looking, found)
    assert first.nearest == {2: found} and not first.no_training_images and not generate.trajectory.nearest
    generate.find_nearest(1)
    app.engine.end(app.engine.job("find_nearest"))
    assert generate.trajectory.no_training_images


def test_a_look_into_guidance_is_of_that_image(app: FakeApp, generate: Generate) -> None:
    draw(app)
    generate.probe_guidance(4)
    generate.probe_guidance(4)
    (job,) = app.engine.jobs_of("probe_guidance")
    asked = arguments(job)[0]
    assert asked.labels == (4,) and asked.seed == 2026 + 4
    app.engine.end(job, rayed := GuidanceProbeResult(()))
    assert generate.trajectory.probes == {4: rayed}


def test_branches_go_on_from_where_one_looks(app: FakeApp, generate: Generate) -> None:
    draw(app)
    first = generate.sampled
    assert first is not None and [generate.can_branch(step) for step in (-1, 0, 9, 10)] == [False, True, True, False]
    generate.branch_into_classes(3, 2)
    request = arguments(app.engine.job("sample_and_judge"))[0]
    assert request.labels == tuple(range(10)) and request.branch_at == 2 and generate.columns == 10
    assert request.parent.labels == (3,) * 10 and {request.parent.seed_of(k) for k in range(10)} == {2026 + 3}
    assert not generate.can_branch(2)  # the way is not whole yet
    generate.show_again(next(iter(app.context.history.results)).restore.args[0])  # type: ignore[attr-defined]
    generate.branch_into_noises(3, 4)
    request = arguments(app.engine.job("sample_and_judge"))[0]
    assert request.labels == (3,) * 10 and request.branch_at == 4
    assert len({request.seed_of(k) for k in range(10)}) == 10
    finish(app)
    generate.change(guidance=6.0, live=False)
    generate.branch(5)
    request = arguments(app.engine.job("sample_and_judge"))[0]
    assert request.branches == 2 and request.branch_at == 5 and request.guidance == 6.0


def test_a_branch_of_all_is_of_what_is_asked_for_now(app: FakeApp, generate: Generate) -> None:
    draw(app)
    generate.change(prompt="5", live=False)
    generate.branch(4)
    assert arguments(app.engine.job("sample_and_judge"))[0].labels == (5,) * 30


# ---- sketches


def at_pace(app: FakeApp, seconds_per_call: float) -> None:
    """A drawing, after which it is known how quick the model is here."""
    app.session.generate.draw()
    job = app.engine.job("sample_and_judge")
    request = arguments(job)[0]
    done = sampled(request, seconds=seconds_per_call * len(request.labels) * request.steps)
    app.engine.end(job, *frames(request), done, judged())


def test_a_sketch_is_of_as_many_images_as_are_asked_for(app: FakeApp, generate: Generate) -> None:
    at_pace(app, SKETCH_S / 1000)
    shown = generate.trajectory
    generate.change(guidance=2.0)
    (job,) = app.engine.jobs_of("sample")
    assert arguments(job)[0] == generate.requested() and len(arguments(job)[0].labels) == 30
    sketches = heard(generate.sketched)
    app.engine.end(job, done := sampled(arguments(job)[0]))
    assert sketches == [(done,)] and generate.trajectory is shown
    generate._soon.stop()


def test_the_pace_decides_who_draws_a_sketch(app: FakeApp, generate: Generate) -> None:
    for pace, model in ((SKETCH_S / 300, "digits"), (SKETCH_S / 299, STUDENT), (SKETCH_S / 30, STUDENT)):
        at_pace(app, pace)
        generate.change(guidance=generate.settings.guidance + 0.1)
        job = app.engine.job("sample")
        asked = arguments(job)[0]
        assert asked.model == model and asked.labels == generate.labels() and asked.seed == generate.settings.seed
        app.engine.end(job)
    at_pace(app, SKETCH_S / 29)
    generate.change(guidance=2.5)
    assert not app.engine.jobs_of("sample")
    generate._soon.stop()


def test_a_sketch_stops_the_drawing_that_it_is_newer_than(app: FakeApp, generate: Generate) -> None:
    at_pace(app, SKETCH_S / 1000)
    generate.draw()
    job = app.engine.job("sample_and_judge")
    generate.change(guidance=2.0)
    assert job.control.cancelled
    generate._soon.stop()


def test_no_sketch_comes_after_what_was_asked_for(app: FakeApp, generate: Generate) -> None:
    at_pace(app, SKETCH_S / 1000)
    sketches = heard(generate.sketched)
    generate.change(guidance=2.0)
    job = app.engine.job("sample")
    generate.draw()
    assert not generate._soon.isActive()
    app.engine.end(job, sampled(arguments(job)[0]))
    assert not sketches
    generate.stop()
    generate.change(guidance=2.5)
    job = app.engine.job("sample")
    generate._soon.timeout.emit()  # the hand rests: sketches are shown until there is a step
    drawing = app.engine.job("sample_and_judge")
    app.engine.give(drawing, frames(arguments(drawing)[0])[0])
    app.engine.end(job, sampled(arguments(job)[0]))
    assert not sketches
    generate._soon.stop()


def test_after_a_drawing_the_forms_of_its_sketches_are_made(app: FakeApp, generate: Generate, clock: Clock) -> None:
    generate.change(prompt="0-9", rows=3, live=False)
    at_pace(app, SKETCH_S / 1000)
    sketches = generate._live_preview
    assert sketches._soon.isActive()
    clock.tick(10)  # without anything that was asked for
    sketches._soon.timeout.emit()
    asked = [arguments(job)[0] for job in app.engine.jobs_of("sample")]
    assert [(each.model, len(each.labels)) for each in asked] == [("digits", MANY), (STUDENT, MANY)]
    generate.stop()
    assert all(job.control.cancelled for job in app.engine.jobs_of("sample"))


def test_it_is_known_in_how_many_steps_guidance_acts(app: FakeApp) -> None:
    generate = app.session.generate
    generate.use_model("digits")
    generate.change(live=False, steps=4)
    assert generate.acting_steps == 0  # the model's own interval lies between its steps
    generate.change(live=False, steps=10)
    assert generate.acting_steps == 3
    generate.change(live=False, **NO_INTERVAL)
    assert generate.acting_steps == 10
    generate.change(live=False, guidance=1.0)
    assert generate.acting_steps is None
    request = SampleRequest(labels=(3,), steps=4, guidance=2.0, guidance_from=0.5, guidance_to=2)
    trajectory = Trajectory(request, 1, live=False, frames=list(frames(request)))  # sigma/alpha: no end, 3, 1, 1/3, 0
    assert trajectory.guided_steps == [2]
    branch = request.with_changes(parent=request.model_dump(), branch_at=3, **NO_INTERVAL)
    assert Trajectory(branch, 1, live=False, frames=list(frames(request))).guided_steps == [2, 3]


def test_settings_that_were_not_drawn_wait_for_a_click(app: FakeApp, generate: Generate) -> None:
    generate.draw()
    job = app.engine.job("sample_and_judge")
    app.engine.end(job, *whole(arguments(job)[0]))
    assert not generate.waits
    generate.change(live=False, seed=5)
    assert generate.waits
    generate.draw()
    assert not generate.waits
    generate.stop()
    assert generate.waits  # what is shown again is of the earlier settings
