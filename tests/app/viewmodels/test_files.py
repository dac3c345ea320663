"""Files' state: what is written, how far that is, and whether a file that was opened comes out the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desktop_app.tasks.draw import OpenedImage
from desktop_app.tasks.files import Exported, ReadFile, ReadPlot
from desktop_app.viewmodels.file_opener import Files
from ml.config import Corner, SampleRequest
from ml.events import Progress, Sampled
from ml.export.metadata import Layout, Stamp
from ml.export.plot_metadata import PlotMetadata
from ml.export.verify import Proof
from ml.registry import presets
from tests.app.viewmodels.by_hand import ByHand, frames, given, images, sampled

SAME = Proof(True, "the same pixels")
OTHER = Proof(False, "other pixels", "It was painted over.")
PIXELS = np.zeros((4, 4), np.uint8)


@pytest.fixture
def files(hand: ByHand) -> Files:
    return hand.session.files


@pytest.fixture
def opened(files: Files) -> list[str]:
    """The pages that files led to."""
    pages: list[str] = []
    files.opened.connect(pages.append)
    return pages


def read(request: SampleRequest, columns: int = 10, name: str = "a.png", **more: Any) -> ReadFile:
    told = {"request": request, "layout": Layout(columns=columns), "pixels": "0" * 64, "versions": {}, **more}
    return ReadFile(Path(name), Stamp.model_validate(told), PIXELS)


def opening(hand: ByHand, found: object) -> None:
    hand.session.files.open(Path("a.png"))
    hand.end(hand.job("restoring"), found)


# ---- writing


def test_files_are_written_one_after_another_and_told_of_once_whole(hand: ByHand, files: Files, tmp_path: Path) -> None:
    done: list[Path] = []
    first, second = (tmp_path / name for name in ("a.png", "b.png"))
    for path in (first, second):
        files.write_by(path, lambda _watch: None, done.append)
    one, two = hand.asked("exporting")
    assert files.busy and files.doing == ("Writing a file", None)
    hand.give(one, Progress("Writing a.png", 1, 4))
    assert files.doing == ("Writing a.png", 0.25)
    hand.give(one, Progress("Writing a.png", 0, 0))
    assert files.doing == ("Writing a.png", None)
    hand.end(one, Exported(first))
    assert done == [first] and files.busy and files.doing == ("Writing a file", None)
    files.stop()
    assert two.control.cancelled and files.busy  # until it is gone
    hand.end(two)
    assert done == [first] and not files.busy
    hand.session.closing = True
    files.write_by(first, lambda _watch: None, done.append)
    files.open(first)
    assert not hand.jobs


def test_digits_and_grids_are_written_by_what_they_are(hand: ByHand, files: Files, tmp_path: Path) -> None:
    request = SampleRequest(labels=(1, 2))
    files.write_digits(tmp_path / "out", images(2), request, 3, then=print)
    files.write(tmp_path / "a.png", images(2), request, Layout(columns=2), list(images(3)), then=print)
    digits, grid = (given(job)[1] for job in hand.asked("exporting"))
    assert digits.func.__name__ == "save_digits" and digits.args[2:] == (request, 3)
    assert grid.func.__name__ == "save" and grid.args[2:4] == (request, Layout(columns=2)) and len(grid.args[4]) == 3


def test_what_is_lent_has_a_name_of_its_own(files: Files) -> None:
    written: list[Path] = []
    paths = [files.lend_by("x", lambda path: (written.append(path), path.touch())) for _ in range(2)]
    assert paths == written and [path.name for path in paths] == ["noiseloom-x.png", "noiseloom-x-2.png"]
    assert paths[0].parent == paths[1].parent


# ---- opening a grid


def draw(hand: ByHand, done: Sampled | None = None) -> Sampled:
    job = hand.job("drawing")
    done = done or sampled(given(job)[0])
    hand.end(job, *frames(given(job)[0]), done)
    return done


def test_a_file_is_drawn_again_and_proved(hand: ByHand, files: Files, opened: list[str]) -> None:
    request = SampleRequest(labels=(3, 1, 4, 1), seed=9, model_hash="of the file")
    opening(hand, found := read(request, columns=2))
    assert opened == ["generate"] and given(hand.job("drawing"))[0] == request
    assert hand.session.generate.columns == 2
    done = draw(hand)
    job = hand.job("proving")
    assert given(job)[0] is found and given(job)[1] is done.images
    hand.end(job, SAME)
    assert [(told.tone, told.title) for told in hand.told] == [("success", "Restored a.png")]
    assert hand.told[0].what_to_do == "Drawn again from its request, it has the same pixels."
    hand.session.generate.draw()
    draw(hand)
    assert not hand.asked("proving")  # once


def test_other_pixels_are_warned_of(hand: ByHand, files: Files) -> None:
    opening(hand, read(SampleRequest(labels=(3,))))
    draw(hand)
    hand.end(hand.job("proving"), OTHER)
    (told,) = hand.told
    assert told.tone == "warning" and "not the same" in told.title and told.what_to_do.endswith("It was painted over.")


def test_something_else_that_is_drawn_is_not_taken_for_the_files(hand: ByHand, files: Files) -> None:
    opening(hand, read(SampleRequest(labels=(3,))))
    hand.session.generate.change(seed=5, live=False)
    hand.session.generate.draw()
    draw(hand)
    assert not hand.asked("proving")
    opening(hand, read(request := SampleRequest(labels=(3,))))
    draw(hand, sampled(request.with_changes(seed=6)))
    assert not hand.asked("proving")
    opening(hand, read(request))
    hand.session.interpolate.sampled.emit(sampled(request))  # which is another page
    assert not hand.asked("proving")
    hand.session.generate.draw()
    hand.session.generate.draw(request=request)  # long after, and not for the file's sake
    draw(hand)
    assert not hand.asked("proving")


def test_of_more_images_than_the_page_holds_the_first_are_shown(hand: ByHand, files: Files) -> None:
    opening(hand, read(SampleRequest(labels=(3,) * 120)))
    draw(hand)
    assert hand.told[0].tone == "info" and "first 100 of 120" in hand.told[0].what_to_do
    assert not hand.asked("proving")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "x"}, "Draw page"),
        ({"corners": (Corner(label=1),), "weights": ((1.0,),), "model": "student"}, "Interpolate page"),
        ({"parent": SampleRequest(labels=(3,)), "branch_at": 2}, "branch"),
    ],
)
def test_settings_that_are_elsewhere_are_said_to_be_there(
    hand: ByHand, files: Files, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(hand.session.draw, "take_up", lambda _: False)
    monkeypatch.setattr(hand.session.interpolate, "take_up", lambda _: False)
    opening(hand, read(SampleRequest(labels=(3,)).with_changes(**changes)))
    draw(hand)
    hand.end(hand.job("proving"), SAME)
    assert said in hand.told[0].what_to_do


# ---- other pages


def test_what_another_page_can_say_goes_back_there(hand: ByHand, files: Files, opened: list[str]) -> None:
    session = hand.session
    stroke = np.zeros((28, 28), np.uint8)
    stroke[5:23, 13:16] = 255
    session.draw.take(stroke)
    request = session.draw.request()
    assert request is not None
    opening(hand, read(request, name="drawn.png"))
    assert opened == ["draw"] and given(hand.job("sketching"))[0] == request
    hand.end(hand.job("sketching"), *frames(request), done := sampled(request))
    assert given(hand.job("proving"))[1] is done.images
    hand.end(hand.job("proving"), SAME)
    session.draw.make()
    hand.end(hand.job("sketching"), *frames(request), sampled(request))
    assert not hand.asked("proving")  # once
    here = session.interpolate.here()
    assert here is not None
    opening(hand, read(here))
    assert opened == ["draw", "interpolate"]
    session.interpolate.look()
    for job in hand.asked("sketching"):
        hand.end(job, sampled(given(job)[0]))
    assert len(hand.asked("proving")) == 1
    session.interpolate._settled.stop()
    opening(hand, read(here))  # which is there
    assert len(hand.asked("proving")) == 2


def test_a_picture_to_draw_on_goes_to_the_canvas(hand: ByHand, files: Files, opened: list[str]) -> None:
    files.open(Path("picture.png"), as_drawing=True)
    assert given(hand.job("restoring")) == (Path("picture.png"), True)
    hand.end(hand.job("restoring"), OpenedImage(images(1, 99)[0], 1))
    assert opened == ["draw"] and hand.session.draw.drawing[0, 0] == 99


def test_a_race_starts_again_and_says_so(hand: ByHand, files: Files, opened: list[str]) -> None:
    lane = SampleRequest(labels=(4, 2), steps=3)
    opening(hand, read(lane, race=(lane, lane)))
    assert opened == ["compare"] and hand.asked("racing")
    assert hand.told[0].title.startswith("Restored a.png") and "The file has" in hand.told[0].what_to_do
    hand.session.race.stop()


def test_an_answer_is_asked_again_and_proved_apart(hand: ByHand, files: Files, opened: list[str]) -> None:
    opening(hand, read(SampleRequest(labels=(4,)), experiment="eta"))
    assert opened == ["explore"] and hand.session.explore.settings.tab == "questions"
    assert given(hand.job("experimenting")) == ("eta",)
    hand.end(hand.job("proving_answer"), SAME)
    assert hand.told[0].tone == "success"
    hand.session.explore.stop()


def compare_once(hand: ByHand) -> None:
    hand.session.compare.compare()
    hand.end(hand.job("comparing"))


def test_a_figure_is_compared_again_and_proved_when_its_cells_are_there(
    hand: ByHand, files: Files, opened: list[str]
) -> None:
    note = {"row": 0, "column": 0, "changes": {}, "seconds": 1.0}
    told = {"rows": {"field": "steps", "values": "2, 3"}, "cells": [note]}
    found = read(SampleRequest(labels=(4,)), comparison=told)
    opening(hand, found)
    assert opened == ["compare"] and not hand.asked("proving_figure")
    hand.end(hand.job("comparing"))
    assert given(hand.job("proving_figure"))[0] is found
    hand.end(hand.job("proving_figure"), SAME)
    compare_once(hand)
    assert not hand.asked("proving_figure")  # once
    told["rows"] = {"field": "repeats", "values": "1"}  # which the page cannot say
    opening(hand, read(SampleRequest(labels=(4,)), comparison=told))
    assert hand.asked("proving_figure") and not hand.asked("comparing")
    hand.end(hand.job("proving_figure"))
    told["rows"] = {"field": "none", "values": "1"}  # and what no figure of ours has
    before = len(hand.told)
    opening(hand, read(SampleRequest(labels=(4,)), comparison=told))
    assert not hand.asked("proving_figure") and hand.told[before].tone == "error" and len(opened) == 2
    hand.session.compare.change(rows="steps", columns="", values={}, digits="3")
    compare_once(hand)
    assert not hand.asked("proving_figure")


@pytest.mark.parametrize("proof", [SAME, OTHER])
def test_a_plot_leads_back_to_its_page(hand: ByHand, files: Files, opened: list[str], proof: Proof) -> None:
    opening(hand, ReadPlot(Path("p.png"), PlotMetadata(noiseloom="1", schedules={"digit": 4}), proof))
    assert opened == ["explore"] and hand.session.explore.settings.digit == 4
    runs = {"mine": presets.load("standard")}
    opening(hand, ReadPlot(Path("p.png"), PlotMetadata(noiseloom="1", runs=runs), proof))
    assert opened == ["explore", "train"] and hand.session.train.settings.preset == "standard"
    tone, end = ("success", "") if proof.same else ("warning", ", but it is not the same")
    assert [(told.tone, told.title) for told in hand.told] == [(tone, f"Restored p.png{end}")] * 2
    assert proof.words in hand.told[0].what_to_do
    opening(hand, ReadPlot(Path("p.png"), PlotMetadata(noiseloom="1"), proof))
    assert hand.told[-1].tone == "warning" and "without its settings" in hand.told[-1].title and len(opened) == 2
