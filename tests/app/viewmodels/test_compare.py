"""Compare's and the race's state: cells and lanes as they come, what is chosen, what is kept, and what is asked for."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from desktop_app import lesson_file
from desktop_app.settings import CompareSettings
from desktop_app.viewmodels.compare import VALUES, Compare
from desktop_app.viewmodels.race import MAX_EACH, Race
from ml.config import NO_LABEL, SampleRequest
from ml.events import Progress
from ml.experiments.axes import Axis, parse
from ml.experiments.cells import Cell
from ml.experiments.race import LaneEvent
from ml.export.metadata import AxisNote, CellNote, Comparison, Layout, Stamp
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments
from tests.support.fake_events import frames, images, sampled

SMALL: dict[str, Any] = {"digits": "38", "values": {"steps": "1, 2, 4", "guidance": "1, 3"}}
LANES = [{"steps": 4}, {"sampler": "ddim", "steps": 2}, {"model": "student", "sampler": "student", "steps": 1}]


@pytest.fixture
def compare(app: FakeApp) -> Compare:
    compare = app.session.compare
    compare.change(**SMALL)
    return compare


@pytest.fixture
def race(app: FakeApp, compare: Compare) -> Race:
    compare.change(mode="race", lanes=LANES)
    return app.session.compare.race


def cell(row: int, column: int, count: int = 2, shade: int = 0) -> Cell:
    request = SampleRequest(labels=(3,) * count, seed=10 * row + column)
    return Cell(row, column, request, images(count, shade), 0.5, 1.0)


# ---- cells


def test_a_comparison_asks_for_both_axes_on_one_noise(app: FakeApp, compare: Compare) -> None:
    compare.change(seed=7)
    compare.compare()
    base, rows, columns = arguments(app.engine.job("run_comparison"))
    assert rows == Axis("steps", (1, 2, 4)) and columns == Axis("guidance", (1.0, 3.0))
    assert (base.model, base.labels, base.seed) == ("digits", (3, 8), 7) and compare.shape == (3, 2)


def test_cells_are_heard_as_they_come_and_none_of_a_comparison_before(app: FakeApp, compare: Compare) -> None:
    compare.compare()
    old = app.engine.job("run_comparison")
    app.engine.give(old, Progress("cell", 1, 6), cell(0, 0))
    compare.compare()
    new = app.engine.job("run_comparison")
    assert old.control.cancelled and not compare.cells and compare.progress is None
    assert len(app.context.history.results) == 1  # what there was of the first
    app.engine.end(old, cell(0, 1), Progress("cell", 1, 6))
    assert not compare.cells and compare.busy and compare.doing == ("Comparing", None)
    app.engine.give(new, Progress("cell", 2, 6), third := cell(1, 0))
    assert compare.doing == ("Comparing, cell 3 of 6", 2 / 6)
    assert compare.cell_at(2) is third and compare.cell_at(1) is None and compare.name(third) == "2 steps, w = 1"
    compare.stop()
    assert not compare.busy and compare.cells == [third] and len(app.context.history.results) == 2


def test_a_comparison_that_gives_nothing_leaves_no_axes(app: FakeApp, compare: Compare) -> None:
    begun: list[None] = []
    compare.compare()
    compare.begun.connect(lambda: begun.append(None))
    app.engine.end(app.engine.job("run_comparison"))
    assert compare.rows is compare.columns is None and begun and not app.context.history.results


def test_two_cells_are_chosen_one_after_the_other(app: FakeApp, compare: Compare) -> None:
    compare.compare()
    first, second = cell(0, 0), cell(2, 1)
    app.engine.end(app.engine.job("run_comparison"), first, second)
    compare.choose(0)
    compare.choose(1)  # which is not there
    assert (compare.chosen, compare.before) == (first, None)
    compare.choose(5)
    assert (compare.chosen, compare.before) == (second, first)
    compare.open_chosen()
    assert arguments(app.engine.job("sample_and_judge"))[0].seed == second.request.seed != first.request.seed
    compare.choose(5)
    assert (compare.chosen, compare.before) == (None, None)


def test_a_comparison_is_led_back_to_with_what_it_was_asked_with(app: FakeApp, compare: Compare) -> None:
    compare.compare()
    asked = compare.settings
    compare.change(seed=99)  # while it is drawn
    app.engine.end(app.engine.job("run_comparison"), first := cell(0, 0), cell(0, 1, shade=9))
    compare.change(rows="eta", values={})
    compare.compare()
    app.engine.give(app.engine.job("run_comparison"), cell(0, 0))
    compare.change(mode="race")
    history = app.context.history
    assert np.array_equal(history.results[0].images, np.stack([images(1)[0], images(1, 9)[0]]))
    history.restore(0)
    assert not compare.busy and compare.cells[0] is first and compare.settings == asked and compare.chosen is None
    assert compare.rows == Axis("steps", (1, 2, 4)) and history.shown_index("compare") == 0
    compare.change(mode="race")
    assert history.shown_index("compare") is None


@pytest.mark.parametrize(
    ("changes", "trouble"),
    [
        ({"rows": "", "columns": ""}, {"rows": "Choose what changes"}),
        ({"values": {"steps": "1, two"}}, {"rows": "“two”"}),
        ({"values": {"guidance": "x"}}, {"columns": "“x”"}),
        ({"digits": "banana"}, {"digits": "no digit"}),
        ({"digits": "banana", "columns": "label"}, {}),  # which digits, the axis says
    ],
)
def test_what_cannot_be_compared_says_where_it_is_wrong(
    app: FakeApp, compare: Compare, changes: dict[str, Any], trouble: dict[str, str]
) -> None:
    compare.change(**changes)
    for what in ("rows", "columns", "digits"):
        said = compare.trouble(what)  # type: ignore[arg-type]
        assert trouble[what] in said if what in trouble else not said
    compare.compare()
    assert compare.ready == (not trouble) == bool(app.engine.jobs)
    compare.stop()


def test_what_cannot_be_compared_is_told(app: FakeApp, compare: Compare) -> None:
    compare.change(rows="label", values={"label": "3, 12"})
    compare.compare()
    app.engine.perform(app.engine.job("run_comparison"))
    (message,) = app.messages
    assert "not 12" in message.title and not compare.busy and not compare.cells


def test_a_digit_on_an_axis_is_drawn_as_often_as_is_set(compare: Compare) -> None:
    assert compare.labels() == (3, 8)
    compare.change(columns="label", each=7)
    assert compare.labels() == (NO_LABEL,) * 7
    compare.change(columns="", digits="1" * MAX_EACH)
    assert len(compare.labels()) == MAX_EACH and not compare.trouble("digits")
    compare.change(digits="1" * (MAX_EACH + 1))
    assert "more than" in compare.trouble("digits") or "too many" in compare.trouble("digits")


def test_everything_on_offer_has_values_to_begin_with() -> None:
    assert all(len(parse(field, values).values) > 1 for field, values in VALUES.items())


def test_axes_change_places_and_values_stay_with_their_setting(compare: Compare) -> None:
    compare.set_field("columns", "steps")
    assert (compare.settings.rows, compare.settings.columns) == ("guidance", "steps")
    compare.set_field("rows", "")
    compare.set_field("columns", "")
    assert compare.fields == ()
    compare.set_field("rows", "seed")
    assert compare.values("seed") == "1-4" and compare.values("steps") == "1, 2, 4"
    compare.set_values("seed", "8")
    assert compare.values("seed") == "8" and compare.values("steps") == "1, 2, 4"


def test_a_model_of_another_name_takes_its_place_everywhere(compare: Compare) -> None:
    compare.change(model="tiny", lanes=[{"model": "tiny"}, {"model": "digits"}])
    compare.set_values("model", "tiny@8, digits, tiny")
    compare.replace_model("tiny", "mine")
    assert compare.values("model") == "mine@8, digits, mine" and compare.settings.model == "mine"
    assert [lane.model for lane in compare.settings.lanes] == ["mine", "digits"]
    compare.replace_model("mine", "tiny")
    compare.set_values("model", "tiny@8, digits, tinyish, tiny")
    compare.replace_model("tiny", "digits")
    assert compare.values("model") == "digits@8, digits, tinyish"  # once
    assert compare.settings.model == "digits" and [lane.model for lane in compare.settings.lanes] == ["digits"] * 2
    compare.replace_model("none", "other")
    assert compare.settings.model == "digits" and compare.values("model") == "digits@8, digits, tinyish"


def test_a_figure_is_compared_again_as_far_as_the_page_can_say_it(app: FakeApp, compare: Compare) -> None:
    request = SampleRequest(model="student", labels=(3, 8, 1), seed=5)
    note = CellNote(row=0, column=0, changes={}, seconds=1.0)

    def figure(rows: AxisNote | None, columns: AxisNote | None = None) -> Stamp:
        told = Comparison(rows=rows, columns=columns, cells=(note,))
        return Stamp.model_validate(
            {"request": request, "layout": Layout(), "comparison": told, "pixels": "0" * 64, "versions": {}}
        )

    steps, label = AxisNote(field="steps", values="2, 3"), AxisNote(field="label", values="4, 5")
    assert compare.restore(figure(steps))
    base, rows, columns = arguments(app.engine.job("run_comparison"))
    assert rows == Axis("steps", (2, 3)) and columns is None
    assert (base.model, base.seed, base.labels) == ("student", 5, (3, 8, 1)) and compare.settings.mode == "grid"
    assert compare.restore(figure(label, steps))
    base, rows, columns = arguments(app.engine.job("run_comparison"))
    assert rows == Axis("label", (4, 5)) and columns == Axis("steps", (2, 3)) and len(base.labels) == 3
    assert not compare.restore(figure(AxisNote(field="repeats", values="1")))  # which the page does not offer


# ---- the race


def lap(lane: int, event: object) -> LaneEvent:
    return LaneEvent(lane, event)  # type: ignore[arg-type]


def test_lanes_are_where_their_steps_are(app: FakeApp, race: Race) -> None:
    race.start()
    job = app.engine.job("run_race")
    (requests,) = arguments(job)
    assert [(r.sampler, r.steps, r.model) for r in requests] == [
        ("dpm++", 4, "digits"), ("ddim", 2, "digits"), ("student", 1, "student"),
    ]  # fmt: skip
    assert {(r.labels, r.seed) for r in requests} == {((3, 8), 2026)} and race.length == 4
    assert [[race.step(lane, at) for at in range(5)] for lane in range(3)] == [
        [0, 1, 2, 3, 4], [0, 0, 1, 1, 2], [0, 0, 0, 0, 1],
    ]  # fmt: skip
    moved: list[int] = []
    race.moved.connect(moved.append)
    way = [frames(request) for request in requests]
    assert race.reached == -1 and race.doing == ("Racing", 0)
    reached = []
    for lane, step in ((0, 0), (1, 0), (2, 0), (0, 1), (0, 2), (1, 1), (0, 3), (0, 4), (1, 2), (2, 1)):
        app.engine.give(job, lap(lane, way[lane][step]))
        reached.append(race.reached)
    assert reached == [-1, -1, 0, 1, 1, 2, 3, 3, 3, 4] and moved == [0, 1, 2, 3, 4]
    assert race.doing == ("Racing", 1)
    shown = race.shown(1, 3, clean=False)
    assert shown is way[1][1].x_t and race.shown(1, 3, clean=True) is way[1][1].x0_hat
    assert race.noise(0) == 1 and race.noise(3) == pytest.approx(0.25) and race.noise(4) == 0


def test_the_fastest_is_known_once_all_have_finished_and_the_race_is_kept(app: FakeApp, race: Race) -> None:
    race.start()
    job = app.engine.job("run_race")
    (requests,) = arguments(job)
    finished: list[int] = []
    race.finished.connect(finished.append)
    for lane, seconds in ((0, 3.0), (2, 2.0)):
        app.engine.give(job, *(lap(lane, frame) for frame in frames(requests[lane])))
        app.engine.give(job, lap(lane, sampled(requests[lane], seconds=seconds)))
    assert race.fastest is None and race.standing(0, 4)[0] == "4 evaluations · 3.00 s"
    guided = replace(sampled(requests[1], seconds=1.0), evaluations=4)  # two calls, each of them a pair
    app.engine.give(job, *(lap(1, frame) for frame in frames(requests[1])), lap(1, guided))
    assert race.fastest == 1 and race.standing(1, 4)[0] == "4 evaluations in 2 calls · 1.00 s · fastest"
    assert race.standing(1, 2) == ("step 1 of 2", "")
    app.engine.end(job, Cell(0, 1, requests[1], images(2), 1.0, 0.5, evaluations=4, sharpness=0.3))
    assert finished == [0, 2, 1, 1] and race.standing(1, 4)[1] == "sharpness 0.30 · 1 of 2 right"
    (kept,) = app.context.history.results
    assert kept.page == "compare" and len(kept.images) == 3 and kept.is_shown()


def test_a_race_that_was_stopped_is_not_kept_and_says_nothing_more(app: FakeApp, race: Race) -> None:
    race.start()
    job = app.engine.job("run_race")
    (requests,) = arguments(job)
    app.engine.give(job, *(lap(lane, frames(requests[lane])[0]) for lane in range(3)))
    race.stop()
    app.engine.end(job, lap(0, frames(requests[0])[1]))
    assert not race.busy and len(race.frames[0]) == 1 and not app.context.history.results
    race.start()
    old = app.engine.job("run_race")
    race.start()
    app.engine.give(old, lap(0, frames(requests[0])[0]))
    assert old.control.cancelled and race.frames == [[], [], []] and race.busy
    race.stop()


def test_lanes_of_other_settings_are_not_shown_beside_these(app: FakeApp, race: Race, compare: Compare) -> None:
    race.start()
    job = app.engine.job("run_race")
    compare.change(seed=5)
    assert race.busy and race.requests  # the lanes are the same
    race.set_lane(0, steps=5)
    assert job.control.cancelled and not race.busy and not race.requests and not race.frames


def test_a_race_is_led_back_to(app: FakeApp, race: Race, compare: Compare) -> None:
    race.start()
    asked, job = compare.settings, app.engine.job("run_race")
    compare.change(seed=9)
    (requests,) = arguments(job)
    for lane in range(3):
        app.engine.give(
            job, *(lap(lane, frame) for frame in frames(requests[lane])), lap(lane, sampled(requests[lane]))
        )
    app.engine.end(job)
    raced = race.frames
    assert app.context.history.shown_index("compare") == 0
    compare.change(mode="grid")
    assert app.context.history.shown_index("compare") is None
    compare.change(lanes=LANES[:2])
    assert app.context.history.shown_index("compare") is None
    app.context.history.restore(0)
    assert race.frames is raced and compare.settings == asked and race.reached == 4
    assert app.context.history.shown_index("compare") == 0


def test_lanes_come_and_go_between_two_and_four(race: Race, compare: Compare) -> None:
    race.add_lane()
    race.add_lane()
    assert len(compare.settings.lanes) == 4 == race.count and compare.settings.lanes[3] == compare.settings.lanes[2]
    race.set_lane(3, model="digits")
    assert (compare.settings.lanes[3].sampler, compare.settings.lanes[3].steps) == ("dpm++", 10)  # as that one likes it
    race.set_lane(3, steps=7)
    assert (compare.settings.lanes[3].sampler, compare.settings.lanes[3].steps) == ("dpm++", 7)
    for _ in range(4):
        race.remove_lane(0)
    assert [lane.steps for lane in compare.settings.lanes] == [1, 7]
    assert race.name(1) == ("DPM-Solver++ 2M", "7 steps, Digits, w = 1.5")


def test_a_race_of_a_figure_is_raced_again(app: FakeApp, race: Race, compare: Compare) -> None:
    one = SampleRequest(model="student", sampler="student", steps=3, labels=(4, 2), seed=8)
    race.restore([one])
    assert [lane.steps for lane in compare.settings.lanes] == [3, 3]  # a race has at least two lanes
    (requests,) = arguments(app.engine.job("run_race"))
    assert {(r.labels, r.seed, r.model) for r in requests} == {((4, 2), 8, "student")}
    compare.change(digits="banana")
    race.stop()
    race.start()
    assert not race.busy


def test_guidance_acts_everywhere_where_that_is_wanted(app: FakeApp, compare: Compare) -> None:
    compare.change(rows="steps", columns="guidance", values={"steps": "1, 4, 10", "guidance": "1, 3"})
    assert compare.guidance_note == "Guidance acts in 0 of 1, 0 of 4, 3 of 10 steps: σ/α from 1 to 8."
    compare.compare()
    base = arguments(app.engine.job("run_comparison"))[0]
    assert "guidance_to" not in base.model_fields_set  # each model's own interval
    compare.change(wide=True)
    assert compare.guidance_note == ""
    compare.compare()
    base = arguments(app.engine.job("run_comparison"))[0]
    assert (base.guidance_from, base.guidance_to) == (0, 1e4) and "guidance_to" in base.model_fields_set
    compare.change(columns="seed", wide=False)
    assert compare.guidance_note == ""
    lesson = lesson_file.read(next(path for path in lesson_file.bundled() if "guidance" in path.name))
    assert isinstance(lesson.settings, CompareSettings) and lesson.settings.wide


# ---- what is shown, and the settings


def test_cells_of_other_settings_are_outdated_and_replaced_settings_take_them_away(
    app: FakeApp, compare: Compare
) -> None:
    compare.compare()
    app.engine.end(app.engine.job("run_comparison"), cell(0, 0))
    assert not compare.outdated
    compare.change(each=9, values=compare.settings.values | {"eta": "0"}, lanes=LANES)
    assert not compare.outdated  # nothing that is on these axes
    compare.change(columns="label")
    assert compare.outdated and compare.cells
    compare.change(columns="guidance")
    assert not compare.outdated
    compare.put(compare.settings.with_changes(seed=1))
    assert not compare.cells and compare.rows is None and not compare.outdated
    app.context.history.restore(0)
    assert compare.cells and compare.settings.seed != 1 and not compare.outdated


def test_a_race_of_other_settings_is_outdated(app: FakeApp, compare: Compare, race: Race) -> None:
    race.start()
    assert race.busy and not race.outdated
    race.stop()
    compare.change(seed=5)
    assert race.outdated
    compare.put(compare.settings)
    assert not race.requests and not race.outdated
