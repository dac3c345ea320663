"""Comparisons on one noise: what is drawn in each cell, what is refused, and the figure."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ml.cli.app import main
from ml.config import NO_LABEL, SampleRequest, validate
from ml.control import RunControl
from ml.errors import BadFile, BadRequest
from ml.events import Frame, Progress, Sampled
from ml.experiments import axes, cells
from ml.experiments.axes import Axis, format_value, parse
from ml.experiments.cells import (
    Cell,
    draw_figure,
    format_scores,
    format_seconds,
    heads,
    shared_settings,
    summary,
    title,
)
from ml.experiments.comparison import compare, requests
from ml.experiments.comparison_figure import axes_of, prove, requests_of, save
from ml.export import files
from ml.generation import pipeline
from ml.imaging.figure import Head, Panel, across, figure, tiles
from ml.imaging.pixels import sharpness
from ml.imaging.png import text_chunk
from ml.registry.checkpoint import load_header
from ml.registry.model_cards import find
from ml.registry.run_layout import MODEL_FILE


def base(**changes: Any) -> SampleRequest:
    return validate(SampleRequest, {"labels": (3, 8), "seed": 5} | changes)


def alone(request: SampleRequest) -> Sampled:
    *_, last = pipeline.sample(request, device="cpu")
    assert isinstance(last, Sampled)
    return last


def cells_of(*arguments: Any, **named: Any) -> list[Cell]:
    return [event for event in compare(*arguments, device="cpu", **named) if isinstance(event, Cell)]


# ---- axes


def test_values_are_read_from_lists_and_ranges() -> None:
    assert parse("steps", "1, 2,4 ,10").values == (1, 2, 4, 10)
    assert parse("label", "0-3,7").values == (0, 1, 2, 3, 7)
    assert parse("seed", "4-2").values == (4, 3, 2)
    assert parse("guidance", "1,1.50,1.5").values == (1.0, 1.5)
    assert parse("model", "digits, runs/mine, run-3@200").values == ("digits", "runs/mine", "run-3@200")
    names = Axis("model", ("runs/mine/model.safetensors", "own/best.safetensors", "runs/mine@2048")).names
    assert names == ("mine", "best", "mine, step 2,048")
    settings = (("steps", 1), ("steps", 4), ("guidance", 1.5), ("sampler", "ddim"), ("eta", 0.5))
    assert [format_value(*setting) for setting in settings] == ["1 step", "4 steps", "w = 1.5", "DDIM", "eta 0.5"]


@pytest.mark.parametrize(
    ("field", "text", "complaint"),
    [
        ("colour", "1", "no setting to compare called 'colour'.*steps, guidance"),
        ("steps", "0", "Steps cannot be “0”: it should be at least 1"),
        ("steps", "1, two", "Steps cannot be “two”: it should be a whole number"),
        ("steps", " , ", "Steps: no values"),
        ("seed", "0-99999999999999", "Seed: more than 50 values"),
        ("guidance", "16", "Guidance w cannot be “16”: it should be at most 15"),
        ("sampler", "magic", "Sampler cannot be “magic”: it should be 'ddpm'"),
        ("label", "-1", "Digit cannot be “-1”"),
    ],
)
def test_a_wrong_value_is_named(field: str, text: str, complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        parse(field, text)


def test_labels_are_written_by_the_names_of_their_classes() -> None:
    names = ("cat", "ship", "1")
    axis = parse("label", "ships, 1, cat, ship", names)
    assert (axis.values, axis.names, axis.text) == ((1, 2, 0), ("ship", "1", "cat"), "ship, 1, cat")
    assert title(axis, parse("steps", "1,2", names)) == "Class by steps"
    digits = parse("label", "1,2", tuple("0123456789"))
    assert (title(digits, None), digits.names, digits.text) == ("Digit", ("digit 1", "digit 2"), "1, 2")
    with pytest.raises(BadRequest, match="did you mean ship"):
        parse("label", "shp", names)
    with pytest.raises(BadRequest, match="more than 50 values"):
        parse("label", "0-50", [f"class {k}" for k in range(60)])


def test_a_list_without_end_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(axes, "_value", lambda _field, text: looked.append(text) or int(text))
    with pytest.raises(BadRequest, match="more than 50 values"):
        parse("steps", ",".join(f"{k}-{k + 40}" for k in range(1, 100_000)))
    assert len(looked) < 1000  # of four million
    with pytest.raises(BadRequest, match="more than 50 values"):
        parse("seed", "5-55")
    assert len(parse("seed", "5-54").values) == 50 == len(parse("seed", ",".join(map(str, range(50)))).values)


def test_values_have_readable_names() -> None:
    for field, value, words in (
        ("label", 3, "digit 3"), ("guidance_rescale", 0.7, "rescaled 0.7"), ("guidance_from", 0.5, "w from 0.5"),
        ("guidance_to", 10.0, "w to 10"), ("sigma_max", 40.0, "sigma 40"), ("clip_scale", 5.0, "pull 5"),
        ("sigma_min", 0.02, "sigma min 0.02"), ("spacing", "trailing", "Even, from the end"),
        ("clipping", "static", "clipped"), ("sampler", "dpm++", "DPM-Solver++ 2M"), ("seed", 7, "seed 7"),
        ("model", "runs/mine/best.safetensors", "best"),
        ("model", "a@b", "a@b"), ("model", "v1.5", "v1.5"),
    ):  # fmt: skip
        assert format_value(field, value) == words


# ---- requests


def test_every_model_has_its_own_defaults_except_for_given_settings(tiny_unconditional: Path) -> None:
    plain = str(tiny_unconditional / MODEL_FILE)
    models = Axis("model", ("digits", "student", plain))
    digits, student, unconditional = (line[0] for line in requests(base(steps=3), models, None))
    for request in (digits, student):
        own = load_header(find(request.model)).defaults
        assert request.sampler == own.sampler and request.guidance == own.guidance
        assert request.sigma_max == own.sigma_max and request.labels == (3, 8)
    assert {request.steps for request in (digits, student, unconditional)} == {3}
    assert unconditional.labels == (NO_LABEL, NO_LABEL)
    assert {request.seed for request in (digits, student, unconditional)} == {5}


def test_a_setting_brings_the_sampler_that_it_means_something_to() -> None:
    [[low, high]] = requests(base(), None, Axis("eta", (0.0, 1.0)))
    assert (low.sampler, low.eta, high.eta) == ("ddim", 0.0, 1.0)
    [line] = requests(base(sampler="heun"), None, Axis("label", (1, 2)))
    assert [request.labels for request in line] == [(1, 1), (2, 2)]
    for asked in (base(), base(sampler="dpm++")):
        grid = requests(asked, Axis("sampler", ("heun", "ddim")), Axis("eta", (0.5,)))
        assert [row[0].sampler for row in grid] == ["heun", "ddim"]


@pytest.mark.parametrize(
    ("settings", "rows", "columns", "complaint"),
    [
        ({}, None, None, "nothing to compare"),
        ({}, Axis("steps", (1,)), Axis("steps", (2,)), "both of steps"),
        ({}, Axis("seed", tuple(range(41))), Axis("steps", tuple(range(1, 11))), "more than 400 cells"),
        (
            {"sampler": "heun"},
            Axis("eta", (0.5,)),
            None,
            "Noise η changes nothing with the sampler heun. Choose ddim",
        ),
        ({}, Axis("label", (3, 12)), None, "knows 0 to 9, not 12"),
        ({}, Axis("model", ("nope",)), None, "no model 'nope'"),
        ({}, Axis("model", ("judge",)), None, "'judge' is not a diffusion model"),
        ({}, Axis("sigma_max", (0.2,)), Axis("sigma_min", (0.5,)), "cannot go down from noise level 0.2 to 0.5"),
    ],
)
def test_settings_that_cannot_be_combined_are_refused_before_sampling(
    settings: dict[str, Any], rows: Axis | None, columns: Axis | None, complaint: str
) -> None:
    with pytest.raises(BadRequest, match=complaint):
        next(compare(base(**settings), rows, columns, device="cpu"))


# ---- cells


def test_a_cell_is_what_its_request_gives_alone_and_all_begin_in_one_noise() -> None:
    four = cells_of(base(), Axis("steps", (1, 3)), Axis("guidance", (1.0, 3.0)))
    assert [(each.row, each.column) for each in four] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for each in four:
        assert np.array_equal(each.images, alone(each.request).images)
        assert each.request.model_hash and each.seconds > 0
    firsts = [next(pipeline.sample(each.request, device="cpu")) for each in four]
    noises = [first.x_t.ravel() for first in firsts if isinstance(first, Frame)]
    assert np.corrcoef(noises).shape == (4, 4) and np.corrcoef(noises).min() > 0.99  # the same but for their scale
    assert not np.array_equal(four[0].images, four[3].images)


def test_cells_are_judged_where_the_judge_can_read_them() -> None:
    good, plain, colour = cells_of(base(), Axis("model", ("digits", "unconditional", "colour")), None)
    assert good.right == 1.0 and good.confidence and good.confidence > 0.8
    assert plain.right is None and plain.confidence
    assert colour.right is None and colour.confidence is None
    assert summary([good]).endswith(" of 2 right") and summary([plain]).endswith("% sure")
    assert " right" not in summary([colour]) and " sure" not in summary([colour]) and summary([]) == ""


def test_a_comparison_can_be_stopped() -> None:
    control = RunControl()
    seen: list[object] = []
    for event in compare(base(), Axis("steps", (1, 2, 3, 4)), None, device="cpu", control=control):
        seen.append(event)
        if isinstance(event, Cell):
            control.cancel()
    assert [type(event) for event in seen] == [Progress, Cell]


# ---- the figure


def test_blocks_of_images_are_whole_and_share_one_size() -> None:
    assert [across(n) for n in (1, 2, 3, 4, 6, 10, 20, 97)] == [1, 2, 3, 2, 3, 5, 5, 10]
    grey, colour = np.full((2, 28, 28), 9, np.uint8), np.full((1, 32, 32, 3), 200, np.uint8)
    whole = tiles([grey, None, colour])
    assert whole.shape == (3, 32, 57, 3)
    assert whole[0, 2, 0].tolist() == [9, 9, 9] and not whole[0, :2].any() and not whole[1].any()
    assert whole[2, 0, 12].tolist() == [200, 200, 200]
    assert tiles([None, None]).shape == (2, 28, 28)


def test_the_figure_names_rows_and_columns_and_leaves_room_for_what_is_missing() -> None:
    white = Panel(np.full((1, 10, 10), 255, np.uint8), 1, "0.1 s")
    named = figure(
        "A title", [Head("one"), Head("two", "fine")], [Head("a"), Head("b")], [[white, None], [None, white]]
    )
    plain = figure("A title", [Head(""), Head("")], [Head(""), Head("")], [[white, None], [None, white]])
    assert named.width > plain.width and named.height > plain.height
    few = cells_of(base(), Axis("steps", (1, 2)), None)[:1]
    rows = Axis("steps", (1, 2))
    assert draw_figure(rows, None, few).size[1] > 2 * 56
    assert [head.name for head in heads(rows, few, "row")] == ["1 step", "2 steps"]
    assert title(rows, Axis("guidance", (1.0,))) == "Steps by guidance w"


def cell(row: int, column: int, seconds: float = 1.0, right: float | None = None, sure: float | None = None) -> Cell:
    """A cell whose image says where it is."""
    return Cell(row, column, base(), np.full((1, 4, 4), 16 * row + column, np.uint8), seconds, right, sure)


def test_several_cells_have_mean_scores() -> None:
    assert [format_seconds(seconds) for seconds in (0.416, 9.994, 10.2)] == ["0.42 s", "9.99 s", "10 s"]
    assert format_scores([cell(0, 0, right=1.0, sure=0.2), cell(0, 1, right=0.5), cell(0, 2, sure=0.9)]) == "75% right"
    assert format_scores([cell(0, 0, sure=0.8), cell(0, 1), cell(0, 2, sure=0.9)]) == "85% sure"
    assert summary([cell(0, 0, 1.0), cell(0, 1, 4.0)]) == "2.50 s"
    rows, columns = Axis("steps", (1, 2)), Axis("guidance", (1.0, 3.0))
    four = [cell(row, column, 1.0 + 4 * row + column) for row in (0, 1) for column in (0, 1)]
    assert [head.note for head in heads(rows, four, "row")] == ["mean 1.50 s", "mean 5.50 s"]
    assert [head.note for head in heads(columns, four, "column")] == ["mean 3.00 s", "mean 4.00 s"]
    assert [head.note for head in heads(rows, four[:3], "row")] == ["mean 1.50 s", ""]  # one says it itself
    assert heads(None, four, "row") == [Head("")]


def test_a_figure_puts_every_cell_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(cells, "figure", lambda *arguments: given.extend(arguments))
    draw_figure(Axis("steps", (1, 2)), Axis("guidance", (1.0, 2.0, 3.0)), [cell(0, 2), cell(1, 0, right=0.5)])
    panels: list[list[Panel | None]] = given[3]
    shown = [[panel and (int(panel.images[0, 0, 0]), panel.caption) for panel in line] for line in panels]
    assert shown == [[None, None, (2, "1.00 s")], [(16, "1.00 s · 50% right"), None, None]]


def test_settings_that_all_cells_share_are_named_once() -> None:
    both = [base(steps=3, sampler="ddim"), base(steps=4, sampler="ddim")]
    assert (
        shared_settings(both) == "seed 5 · digits · DDIM"
        and shared_settings(both[:1]) == "seed 5 · digits · DDIM · 3 steps"
    )


def test_a_cell_of_another_model_is_not_bound_to_the_first_ones_file() -> None:
    models = Axis("model", ("digits", "student"))
    assert {line[0].model_hash for line in requests(base(model_hash="0" * 64), models, None)} == {""}


def test_rows_go_down_and_columns_go_along() -> None:
    both = requests(base(), Axis("steps", (2, 3)), Axis("guidance", (1.0, 2.0, 4.0)))
    assert [[(each.steps, each.guidance) for each in line] for line in both] == [
        [(steps, guidance) for guidance in (1.0, 2.0, 4.0)] for steps in (2, 3)
    ]
    assert [[each.steps for each in line] for line in requests(base(), Axis("steps", (2, 3)), None)] == [[2], [3]]
    assert [[each.steps for each in line] for line in requests(base(), None, Axis("steps", (2, 3)))] == [[2, 3]]


def test_a_digit_on_an_axis_is_that_of_every_image_even_for_a_model_without_classes() -> None:
    [line] = requests(base(labels=(1, 2, 3)), None, Axis("label", (4, 5)))
    assert [request.labels for request in line] == [(4, 4, 4), (5, 5, 5)]
    with pytest.raises(BadRequest, match="knows no labels, not 4"):
        requests(base(model="unconditional"), None, Axis("label", (4,)))


def test_the_command_writes_a_figure_and_prints_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figure.png"
    ask = ["compare", "--rows", "steps=1,2", "--columns", "label=0-2", "--out", str(out), "--device", "cpu"]
    assert main(ask) == 0
    said_of_it = capsys.readouterr().out
    assert "Steps by digit: 6 cells" in said_of_it and "1 step, digit 0" in said_of_it and " of 1 right" in said_of_it
    with Image.open(out) as picture:
        assert picture.width > 3 * 56 and picture.height > 2 * 56


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--rows", "steps"], "--rows steps: there is no '='"),
        (["--rows", "steps=0"], "Steps cannot be “0”"),
        (["--rows", "steps=1", "--steps", "3"], "The steps is given, and on an axis too"),
        (["--rows", "label=1", "--labels", "3"], "The label is given, and on an axis too"),
        ([], "nothing to compare"),
    ],
)
def test_the_command_names_the_error(
    options: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figure.png"
    assert main(["compare", *options, "--out", str(out)]) == 2
    assert complaint in capsys.readouterr().err and not out.exists()


# ---- files


def test_a_figure_carries_its_requests_and_is_proved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "figure.png"
    asked = ["--rows", "steps=1,2", "--columns", "guidance=1,2.5", "--labels", "3,8", "--seed", "4", "--device", "cpu"]
    assert main(["compare", *asked, "--out", str(path)]) == 0
    assert main(["verify", str(path)]) == 0
    assert "the same pixels in every cell" in capsys.readouterr().out
    stamp = files.read_stamp(path)
    assert [(r.steps, r.guidance, r.labels) for r in requests_of(stamp)] == [
        (steps, guidance, (3, 8)) for steps in (1, 2) for guidance in (1.0, 2.5)
    ]
    assert main(["export", "--from-image", str(path), "--out", str(tmp_path / "again.png")]) == 2
    images = np.zeros((2, 28, 28), np.uint8)
    assert not prove(stamp, files.read_pixels(path), lambda _request: images).same
    capsys.readouterr()


def test_a_figure_keeps_the_names_of_its_classes(tmp_path: Path) -> None:
    names = ("2", "1", "0")  # as no number of a label is
    rows, images = Axis("label", (0, 2), names), np.zeros((1, 8, 8), np.uint8)
    drawn = [Cell(row, 0, base(labels=(label,)), images, 0.5) for row, label in enumerate(rows.values)]
    save(tmp_path / "x.png", rows, None, drawn)
    stamp = files.read_stamp(tmp_path / "x.png")
    assert stamp.comparison and axes_of(stamp.comparison) == (rows, None)
    assert prove(stamp, files.read_pixels(tmp_path / "x.png"), lambda _request: images).same
    unnamed = np.asarray(draw_figure(Axis("label", (0, 2)), None, drawn))
    assert not np.array_equal(files.read_pixels(tmp_path / "x.png"), unnamed)


def test_a_figure_of_images_without_end_is_refused(tmp_path: Path) -> None:
    axis = parse("seed", "1,2")
    save(tmp_path / "x.png", axis, None, cells_of(base(steps=1), axis, None))
    stamp = files.read_stamp(tmp_path / "x.png")
    assert len(requests_of(stamp)) == 2
    endless = stamp.request.model_copy(update={"labels": (3,) * 60_000})
    with pytest.raises(BadFile, match="more than 100,000 images"):
        requests_of(stamp.model_copy(update={"request": endless}))


@pytest.mark.parametrize(
    "note",
    [
        {"changes": {"steps": -1}},
        {"changes": {"weights": [[1]]}},
        {"row": 7},
        {"seconds": -1},
        {"column": 1e9},
        {"changes": []},
    ],
)
def test_a_figure_that_lies_is_refused(
    tmp_path: Path, note: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "good.png", parse("seed", "1,2"), None, cells_of(base(steps=1), parse("seed", "1,2"), None))
    with Image.open(tmp_path / "good.png") as figure:
        pixels, told = np.array(figure), json.loads(figure.info["noiseloom"])
    told["comparison"]["cells"][1] |= note
    Image.fromarray(pixels).save(tmp_path / "bad.png", pnginfo=text_chunk(json.dumps(told)))
    assert main(["verify", str(tmp_path / "bad.png")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_scores_say_of_how_many() -> None:
    pictures = np.zeros((4, 28, 28), np.uint8)
    first, second = (
        Cell(0, k, SampleRequest(), pictures, 0.25, right, 0.9, evaluations=20 * (k + 1), sharpness=0.4)
        for k, right in enumerate((1.0, 0.5))
    )
    assert summary([first]) == "20 evaluations · 0.25 s · sharpness 0.40 · 4 of 4 right"
    assert summary([first, second]) == "30 evaluations · 0.25 s · sharpness 0.40 · 6 of 8 right"
    assert format_scores([replace(first, evaluations=None)]) == "100% right"  # as figures of before say it


def test_blur_lowers_the_sharpness() -> None:
    sharp = np.kron(np.random.default_rng(1).integers(0, 2, (3, 7, 7)), np.ones((4, 4))).astype(np.uint8) * 255
    blurred = ((sharp.astype(int) + np.roll(sharp, 1, 1) + np.roll(sharp, 2, 1)) // 3).astype(np.uint8)
    assert 0 < sharpness(blurred) < 0.8 * sharpness(sharp)
    assert sharpness(np.random.default_rng(2).integers(0, 255, (9, 28, 28)).astype(np.uint8)) > 3.5
    assert sharpness(np.zeros((2, 8, 8, 3), np.uint8)) == 0
