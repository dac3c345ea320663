"""Labelled figures: what stands where, and those of comparisons as files that are read back and proved."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.config import SampleRequest
from ml.errors import BadFile, BadRequest
from ml.events import Pixels
from ml.experiments import comparison_figure
from ml.experiments.axes import Axis
from ml.experiments.cells import Cell
from ml.export import files
from ml.imaging.figure import BETWEEN, FEW, LINE, MARGIN, NOTHING, Head, Panel, drawable, figure, tiles

ROWS, COLUMNS = Axis("steps", (1, 2)), Axis("guidance", (1.0, 2.5, 4.0))
BASE = SampleRequest(model="digits", labels=(3, 8), seed=5)


def grey(shade: int, count: int = 1, side: int = 10) -> Panel:
    return Panel(np.full((count, side, side), shade, np.uint8), 1)


def places(picture: Pixels, shade: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of what has just that grey."""
    rows, columns = np.nonzero((picture == shade).all(axis=-1))
    left, top = int(columns.min()), int(rows.min())
    return left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1


def inked(picture: Pixels) -> Pixels:
    return np.asarray(picture).min(axis=-1) < 200


def test_panels_stand_in_their_rows_and_columns() -> None:
    shades = ((50, 80), (110, 140))
    panels = [[grey(shade) for shade in line] for line in shades]
    picture = np.asarray(figure("t", [Head(""), Head("")], [Head(""), Head("")], panels))
    found = [[places(picture, shade) for shade in line] for line in shades]
    assert {each[2:] for line in found for each in line} == {(40, 40)}
    left, top = found[0][0][:2]
    assert left == MARGIN + 2 * BETWEEN and top == MARGIN + LINE + BETWEEN
    assert [[each[:2] for each in line] for line in found] == [
        [(left + column * (40 + BETWEEN), top + row * (40 + BETWEEN)) for column in range(2)] for row in range(2)
    ]
    lower = np.asarray(figure("t", [Head(""), Head("")], [Head(""), Head("")], panels, "of a seed"))
    assert places(lower, 50)[:2] == (left, top + LINE)


def test_few_small_images_are_shown_large_and_many_or_large_ones_at_half_of_that() -> None:
    for panel, across in ((grey(50, FEW), 40), (grey(50, FEW + 1), 20), (grey(50, 1, 40), 80)):
        picture = np.asarray(figure("t", [Head("")], [Head("")], [[panel]]))
        assert places(picture, 50)[2] == across


def test_a_place_where_nothing_is_yet_is_marked() -> None:
    panels = [[grey(50), grey(80)], [None, grey(110)]]
    picture = np.asarray(figure("t", [Head(""), Head("")], [Head(""), Head("")], panels))
    left, top, _, _ = places(picture, 50)
    marked = (picture == NOTHING).all(axis=-1)
    assert marked[top + 48 : top + 88, left : left + 40].all() and marked.sum() == 40 * 40


def test_names_stand_beside_and_above_and_what_came_of_them_behind_and_below() -> None:
    nameless = Head("")

    def around(
        title: str = "", row: Head = nameless, column: Head = nameless, caption: str = "", more: str = ""
    ) -> set[str]:
        """On which sides of the panel there are words."""
        panel = replace(grey(128), caption=caption)
        picture = np.asarray(figure(title, [row], [column], [[panel]], more))
        left, top, width, height = places(picture, 128)
        ink = inked(picture)
        ink[top : top + height, left : left + width] = False
        sides = {
            "left": ink[top : top + height, :left], "right": ink[top : top + height, left + width :],
            "above": ink[top - LINE : top, left : left + width], "below": ink[top + height :, left : left + width],
            "first": ink[MARGIN : MARGIN + LINE], "second": ink[MARGIN + LINE + 5 : MARGIN + 2 * LINE + 4],
        }  # fmt: skip
        return {side for side, part in sides.items() if part.any()}

    assert around() == set()
    assert "second" not in around("m") and {"first", "second"} <= around("m", more="mmm")
    assert around(row=Head("a row")) == {"left"} and around(row=Head("", "came")) == {"right"}
    assert around(column=Head("", "came")) == {"below"} == around(caption="1 s")
    assert "above" in around(column=Head("col"))


def test_a_figure_is_wide_enough_for_its_words_and_none_is_endless() -> None:
    picture = np.asarray(figure("a long title " * 20, [Head("", "a note")], [Head("")], [[grey(50)]]))
    assert picture.shape[1] > 1000 and not inked(picture)[:, -MARGIN:].any()
    with pytest.raises(BadRequest, match="The figure would be"):
        figure("t", [Head("")], [Head("")], [[grey(50, 1, 32)]], scale=130)


def test_grey_and_colour_share_tiles() -> None:
    small, large = np.full((1, 4, 4), 9, np.uint8), np.full((1, 8, 8, 3), (10, 20, 30), np.uint8)
    whole = tiles([small, large])
    assert whole.shape == (2, 8, 8, 3)
    assert (whole[0, 2:6, 2:6] == 9).all() and whole[0].sum() == 4 * 4 * 9 * 3
    assert (whole[1] == (10, 20, 30)).all()


def test_images_of_a_tile_lie_as_the_room_has_it() -> None:
    four = np.full((4, 8, 8), 9, np.uint8)
    for room, shape in (((400, 100), (8, 35)), ((100, 400), (35, 8)), ((100, 100), (17, 17))):
        assert tiles([four, None], room).shape == (2, *shape)
    assert tiles([four]).shape == (1, 17, 17)


# ---- as files


def images_of(request: SampleRequest) -> Pixels:
    """What a model would draw: other images for every request."""
    shades = np.random.default_rng([request.steps, round(10 * request.guidance), request.seed])
    return shades.integers(0, 256, (len(request.labels), 28, 28), np.uint8)


def cell(row: int, column: int) -> Cell:
    request = BASE.with_changes(steps=ROWS.values[row], guidance=COLUMNS.values[column], model_hash="ab" * 32)
    return Cell(row, column, request, images_of(request), 0.25 * (1 + row), 0.5 * column, 0.9)


CELLS = [cell(row, column) for row in range(2) for column in range(3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    comparison_figure.save(tmp_path / "x.png", ROWS, COLUMNS, CELLS, scale=2)
    return tmp_path / "x.png"


def test_a_comparison_is_read_back_as_it_was(path: Path) -> None:
    stamp = files.read_stamp(path)
    assert stamp.comparison and comparison_figure.axes_of(stamp.comparison) == (ROWS, COLUMNS)
    assert comparison_figure.requests_of(stamp) == [cell.request for cell in CELLS]
    notes = [(n.row, n.column, n.seconds, n.right, n.confidence) for n in stamp.comparison.cells]
    assert notes == [(c.row, c.column, c.seconds, c.right, c.confidence) for c in CELLS]
    assert stamp.comparison.cells[0].changes == {} and stamp.comparison.cells[1].changes == {"guidance": 2.5}
    assert comparison_figure.prove(stamp, files.read_pixels(path), images_of).same


def test_a_comparison_with_other_pixels_anywhere_is_not_proved(path: Path) -> None:
    stamp, found = files.read_stamp(path), files.read_pixels(path)
    other = found.copy()
    other[-1, -1] ^= 1
    proof = comparison_figure.prove(stamp, other, images_of)
    assert not proof.same and "3 values differ, by at most 1 of 255" in proof.words
    proof = comparison_figure.prove(stamp, found, lambda r: images_of(BASE if r.guidance == 4 else r))
    assert not proof.same and "values differ" in proof.words


def test_another_processor_may_have_rounded_in_its_own_way(path: Path) -> None:
    stamp, found = files.read_stamp(path), files.read_pixels(path)
    elsewhere = stamp.with_changes(versions=stamp.versions | {"cpu": "another"})
    rounded = comparison_figure.prove(elsewhere, found ^ np.uint8(1), images_of)
    assert rounded.same and "in every cell" in rounded.words and "rounded by another processor" in rounded.words
    assert not comparison_figure.prove(elsewhere, found ^ np.uint8(2), images_of).same
    assert not comparison_figure.prove(stamp, found ^ np.uint8(1), images_of).same


def test_a_comparison_without_rows_has_one(tmp_path: Path) -> None:
    line = [replace(cell(0, column), right=None, confidence=None) for column in range(3)]
    comparison_figure.save(tmp_path / "x.png", None, COLUMNS, line)
    stamp = files.read_stamp(tmp_path / "x.png")
    assert stamp.comparison and comparison_figure.axes_of(stamp.comparison) == (None, COLUMNS)
    beside = stamp.comparison.cells[0].model_copy(update={"row": 1})
    wrong = stamp.comparison.model_copy(update={"cells": (beside,)})
    with pytest.raises(BadFile, match="outside its axes"):
        comparison_figure.axes_of(wrong)
    beside = stamp.comparison.cells[0].model_copy(update={"column": 3})
    with pytest.raises(BadFile, match="outside its axes"):
        comparison_figure.axes_of(stamp.comparison.model_copy(update={"cells": (beside,)}))
    with pytest.raises(BadFile, match="shows no comparison"):
        comparison_figure.requests_of(stamp.model_copy(update={"comparison": None}))


def test_a_race_is_as_it_was_written_or_not(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    lanes = [BASE, BASE.with_changes(sampler="ddim")]
    comparison_figure.save_race(tmp_path / "x.png", picture, lanes)
    stamp = files.read_stamp(tmp_path / "x.png")
    assert stamp.race == tuple(lanes) and stamp.request == lanes[0]
    proof = comparison_figure.prove_race(stamp, files.read_pixels(tmp_path / "x.png"))
    assert proof.same and "a race of 2" in proof.words
    picture[0, 0, 0] ^= 1
    assert not comparison_figure.prove_race(stamp, picture).same


def test_names_that_the_font_lacks_are_written_plainly() -> None:
    assert drawable(("ship", "Résumé", "猫", "A b/c")) == ("ship", "Resume", "class 2", "A b/c")
