"""Files' state: what is written, how far that is, and whether a file that was opened comes out the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from desktop_app.tasks.draw import OpenedImage
from desktop_app.tasks.files import Exported, ReadFile, ReadPlot
from desktop_app.tasks.sampling import JudgeResult
from desktop_app.viewmodels.file_opener import FileOpener
from desktop_app.viewmodels.file_writer import FileWriter
from ml.config import Corner, SampleRequest
from ml.events import Pixels, Progress, Sampled
from ml.export import files as export
from ml.export.formats import FORMATS
from ml.export.metadata import Layout, Stamp
from ml.export.plot_metadata import PlotMetadata
from ml.export.verify import Proof
from ml.registry import presets
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments
from tests.support.fake_events import frames, images, sampled, whole

SAME = Proof(True, "the same pixels")
OTHER = Proof(False, "other pixels", "It was painted over.")
PIXELS = np.zeros((4, 4), np.uint8)


@pytest.fixture
def files(app: FakeApp) -> FileWriter:
    return app.context.files


@pytest.fixture
def opener(app: FakeApp) -> FileOpener:
    return app.session.opener


@pytest.fixture
def opened(opener: FileOpener) -> list[str]:
    """The pages that files led to."""
    pages: list[str] = []
    opener.opened.connect(pages.append)
    return pages


def read(request: SampleRequest, columns: int = 10, name: str = "a.png", **more: Any) -> ReadFile:
    told = {"request": request, "layout": Layout(columns=columns), "pixels": "0" * 64, "versions": {}, **more}
    return ReadFile(Path(name), Stamp.model_validate(told), PIXELS)


def opening(app: FakeApp, found: object) -> None:
    app.session.opener.open(Path("a.png"))
    app.engine.end(app.engine.job("read_file"), found)


# ---- writing


def test_files_are_written_one_after_another_and_told_of_once_whole(
    app: FakeApp, files: FileWriter, tmp_path: Path
) -> None:
    done: list[Path] = []
    first, second = (tmp_path / name for name in ("a.png", "b.png"))
    for path in (first, second):
        files.write_by(path, lambda _watch: None, done.append)
    one, two = app.engine.jobs_of("export")
    assert files.busy and files.doing == ("Writing a file", None)
    app.engine.give(one, Progress("Writing a.png", 1, 4))
    assert files.doing == ("Writing a.png", 0.25)
    app.engine.give(one, Progress("Writing a.png", 0, 0))
    assert files.doing == ("Writing a.png", None)
    app.engine.end(one, Exported(first))
    assert done == [first] and files.busy and files.doing == ("Writing a file", None)
    files.stop()
    assert two.control.cancelled and files.busy  # until it is gone
    app.engine.end(two)
    assert done == [first] and not files.busy
    app.context.closing = True
    files.write_by(first, lambda _watch: None, done.append)
    app.session.opener.open(first)
    assert not app.engine.jobs


def test_digits_and_grids_are_written_by_what_they_are(app: FakeApp, files: FileWriter, tmp_path: Path) -> None:
    request = SampleRequest(labels=(1, 2))
    files.write_digits(tmp_path / "out", images(2), request, 3, then=print)
    files.write(tmp_path / "a.png", images(2), request, Layout(columns=2), list(images(3)), then=print)
    digits, grid = (arguments(job)[1] for job in app.engine.jobs_of("export"))
    assert digits.func.__name__ == "save_digits" and digits.args[2:] == (request, 3)
    assert grid.func.__name__ == "save" and grid.args[2:4] == (request, Layout(columns=2)) and len(grid.args[4]) == 3


def test_what_is_lent_has_a_name_of_its_own(files: FileWriter) -> None:
    written: list[Path] = []
    paths = [files.write_temporary("x", lambda path: (written.append(path), path.touch())) for _ in range(2)]
    assert paths == written and [path.name for path in paths] == ["noiseloom-x.png", "noiseloom-x-2.png"]
    assert paths[0].parent == paths[1].parent


# ---- opening a grid


def draw(app: FakeApp, done: Sampled | None = None) -> Sampled:
    job = app.engine.job("sample_and_judge")
    done = done or sampled(arguments(job)[0])
    app.engine.end(job, *frames(arguments(job)[0]), done)
    return done


def test_a_file_is_drawn_again_and_proved(app: FakeApp, files: FileWriter, opened: list[str]) -> None:
    request = SampleRequest(labels=(3, 1, 4, 1), seed=9, model_hash="of the file")
    opening(app, found := read(request, columns=2))
    assert opened == ["generate"] and arguments(app.engine.job("sample_and_judge"))[0] == request
    assert app.session.generate.columns == 2
    done = draw(app)
    job = app.engine.job("verify_images")
    assert arguments(job)[0] is found and arguments(job)[1] is done.images
    app.engine.end(job, SAME)
    assert [(told.tone, told.title) for told in app.messages] == [("success", "Restored a.png")]
    assert app.messages[0].what_to_do == "Drawn again from its request, it has the same pixels."
    app.session.generate.draw()
    draw(app)
    assert not app.engine.jobs_of("verify_images")  # once


def test_other_pixels_are_warned_of(app: FakeApp, files: FileWriter) -> None:
    opening(app, read(SampleRequest(labels=(3,))))
    draw(app)
    app.engine.end(app.engine.job("verify_images"), OTHER)
    (told,) = app.messages
    assert told.tone == "warning" and "not the same" in told.title and told.what_to_do.endswith("It was painted over.")


def test_something_else_that_is_drawn_is_not_taken_for_the_files(app: FakeApp, files: FileWriter) -> None:
    opening(app, read(SampleRequest(labels=(3,))))
    app.session.generate.change(seed=5, live=False)
    app.session.generate.draw()
    draw(app)
    assert not app.engine.jobs_of("verify_images")
    opening(app, read(request := SampleRequest(labels=(3,))))
    draw(app, sampled(request.with_changes(seed=6)))
    assert not app.engine.jobs_of("verify_images")
    opening(app, read(request))
    app.session.interpolate.sampled.emit(sampled(request))  # which is another page
    assert not app.engine.jobs_of("verify_images")
    app.session.generate.draw()
    app.session.generate.draw(request=request)  # long after, and not for the file's sake
    draw(app)
    assert not app.engine.jobs_of("verify_images")


def test_of_more_images_than_the_page_holds_the_first_are_shown(app: FakeApp, files: FileWriter) -> None:
    opening(app, read(SampleRequest(labels=(3,) * 120)))
    draw(app)
    assert app.messages[0].tone == "info" and "first 100 of 120" in app.messages[0].what_to_do
    assert not app.engine.jobs_of("verify_images")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "x"}, "Draw page"),
        ({"corners": (Corner(label=1),), "weights": ((1.0,),), "model": "student"}, "Interpolate page"),
        ({"parent": SampleRequest(labels=(3,)), "branch_at": 2}, "branch"),
    ],
)
def test_settings_that_are_elsewhere_are_said_to_be_there(
    app: FakeApp, files: FileWriter, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(app.session.draw, "restore", lambda _: False)
    monkeypatch.setattr(app.session.interpolate, "restore", lambda _: False)
    opening(app, read(SampleRequest(labels=(3,)).with_changes(**changes)))
    draw(app)
    app.engine.end(app.engine.job("verify_images"), SAME)
    assert said in app.messages[0].what_to_do


# ---- other pages


def test_what_another_page_can_say_goes_back_there(app: FakeApp, files: FileWriter, opened: list[str]) -> None:
    session = app.session
    stroke = np.zeros((28, 28), np.uint8)
    stroke[5:23, 13:16] = 255
    session.draw.take(stroke)
    request = session.draw.request()
    assert request is not None
    opening(app, read(request, name="drawn.png"))
    assert opened == ["draw"] and arguments(app.engine.job("sample"))[0] == request
    app.engine.end(app.engine.job("sample"), *frames(request), done := sampled(request))
    assert arguments(app.engine.job("verify_images"))[1] is done.images
    app.engine.end(app.engine.job("verify_images"), SAME)
    session.draw.make()
    app.engine.end(app.engine.job("sample"), *frames(request), sampled(request))
    assert not app.engine.jobs_of("verify_images")  # once
    here = session.interpolate.here()
    assert here is not None
    opening(app, read(here))
    assert opened == ["draw", "interpolate"]
    session.interpolate.look()
    for job in app.engine.jobs_of("sample"):
        app.engine.end(job, sampled(arguments(job)[0]))
    assert len(app.engine.jobs_of("verify_images")) == 1
    session.interpolate._settled.stop()
    opening(app, read(here))  # which is there
    assert len(app.engine.jobs_of("verify_images")) == 2


def test_a_picture_to_draw_on_goes_to_the_canvas(app: FakeApp, files: FileWriter, opened: list[str]) -> None:
    app.session.opener.open(Path("picture.png"), as_drawing=True)
    assert arguments(app.engine.job("read_file")) == (Path("picture.png"), True)
    app.engine.end(app.engine.job("read_file"), OpenedImage(images(1, 99)[0], 1))
    assert opened == ["draw"] and app.session.draw.drawing[0, 0] == 99


def test_a_race_starts_again_and_says_so(app: FakeApp, files: FileWriter, opened: list[str]) -> None:
    lane = SampleRequest(labels=(4, 2), steps=3)
    opening(app, read(lane, race=(lane, lane)))
    assert opened == ["compare"] and app.engine.jobs_of("run_race")
    assert app.messages[0].title.startswith("Restored a.png") and "The file has" in app.messages[0].what_to_do
    app.session.compare.race.stop()


def test_an_answer_is_asked_again_and_proved_apart(app: FakeApp, files: FileWriter, opened: list[str]) -> None:
    opening(app, read(SampleRequest(labels=(4,)), experiment="eta"))
    assert opened == ["explore"] and app.session.explore.settings.tab == "questions"
    assert arguments(app.engine.job("answer_question")) == ("eta",)
    app.engine.end(app.engine.job("verify_answer"), SAME)
    assert app.messages[0].tone == "success"
    app.session.explore.stop()


def compare_once(app: FakeApp) -> None:
    app.session.compare.compare()
    app.engine.end(app.engine.job("run_comparison"))


def test_a_figure_is_compared_again_and_proved_when_its_cells_are_there(
    app: FakeApp, files: FileWriter, opened: list[str]
) -> None:
    note = {"row": 0, "column": 0, "changes": {}, "seconds": 1.0}
    told = {"rows": {"field": "steps", "values": "2, 3"}, "cells": [note]}
    found = read(SampleRequest(labels=(4,)), comparison=told)
    opening(app, found)
    assert opened == ["compare"] and not app.engine.jobs_of("verify_figure")
    app.engine.end(app.engine.job("run_comparison"))
    assert arguments(app.engine.job("verify_figure"))[0] is found
    app.engine.end(app.engine.job("verify_figure"), SAME)
    compare_once(app)
    assert not app.engine.jobs_of("verify_figure")  # once
    told["rows"] = {"field": "repeats", "values": "1"}  # which the page cannot say
    opening(app, read(SampleRequest(labels=(4,)), comparison=told))
    assert app.engine.jobs_of("verify_figure") and not app.engine.jobs_of("run_comparison")
    app.engine.end(app.engine.job("verify_figure"))
    told["rows"] = {"field": "none", "values": "1"}  # and what no figure of ours has
    before = len(app.messages)
    opening(app, read(SampleRequest(labels=(4,)), comparison=told))
    assert not app.engine.jobs_of("verify_figure") and app.messages[before].tone == "error" and len(opened) == 2
    app.session.compare.change(rows="steps", columns="", values={}, digits="3")
    compare_once(app)
    assert not app.engine.jobs_of("verify_figure")


@pytest.mark.parametrize("proof", [SAME, OTHER])
def test_a_plot_leads_back_to_its_page(app: FakeApp, files: FileWriter, opened: list[str], proof: Proof) -> None:
    opening(app, ReadPlot(Path("p.png"), PlotMetadata(noiseloom="1", schedules={"digit": 4}), proof))
    assert opened == ["explore"] and app.session.explore.settings.digit == 4
    runs = {"mine": presets.load("standard")}
    opening(app, ReadPlot(Path("p.png"), PlotMetadata(noiseloom="1", runs=runs), proof))
    assert opened == ["explore", "train"] and app.session.train.settings.preset == "standard"
    tone, end = ("success", "") if proof.same else ("warning", ", but it is not the same")
    assert [(told.tone, told.title) for told in app.messages] == [(tone, f"Restored p.png{end}")] * 2
    assert proof.words in app.messages[0].what_to_do
    opening(app, ReadPlot(Path("p.png"), PlotMetadata(noiseloom="1"), proof))
    assert app.messages[-1].tone == "warning" and "without its settings" in app.messages[-1].title and len(opened) == 2


# ---- files on disk


def save(path: Path, request: SampleRequest, done: Pixels | None = None) -> Pixels:
    """Write images of a request, which are returned."""
    done = images(len(request.labels)) if done is None else done
    export.save(path, done, request, Layout(scale=2))
    return done


def open_file(app: FakeApp, path: Path, *, as_drawing: bool = False) -> None:
    app.session.opener.open(path, as_drawing=as_drawing)
    app.engine.perform(app.engine.job("read_file"))


def test_labels_that_no_prompt_says_are_drawn_all_the_same(app: FakeApp, tmp_path: Path) -> None:
    generate = app.session.generate
    for labels, prompt in (((7,) * 10, "7"), ((2, 3, 4), "2-4"), ((-1, 4), "2-4")):
        done = save(tmp_path / "x.png", request := SampleRequest(labels=labels, seed=11, steps=3))
        open_file(app, tmp_path / "x.png")
        draw(app, Sampled(request, done, 1.0, 3))
        app.engine.perform(app.engine.job("verify_images"))
        assert app.messages[-1].tone == "success" and "the same pixels" in app.messages[-1].what_to_do
        assert generate.request == request and generate.settings.prompt == prompt


def test_other_pixels_are_told_of(app: FakeApp, tmp_path: Path) -> None:
    request = SampleRequest(labels=(3, 1, 4), steps=3)
    other = images(3)
    other[2, 5, 5] ^= 64
    save(tmp_path / "x.png", request, other)
    open_file(app, tmp_path / "x.png")
    draw(app, Sampled(request, images(3), 1.0, 3))
    app.engine.perform(app.engine.job("verify_images"))
    (message,) = app.messages
    assert message.tone == "warning" and "not the same" in message.title
    assert "4 values differ, by at most 64 of 255" in message.what_to_do


@pytest.mark.parametrize("changes", [{"model": "lost"}, {"model_hash": "ab" * 32}])
def test_a_file_of_a_model_that_is_not_here_leaves_what_is_shown(
    app: FakeApp, tmp_path: Path, changes: dict[str, str]
) -> None:
    generate = app.session.generate
    generate.draw()
    draw(app)
    before, shown = generate.request, generate.trajectory
    save(tmp_path / "x.png", SampleRequest(labels=(3, 1, 4), steps=3).with_changes(**changes))
    open_file(app, tmp_path / "x.png")
    app.engine.perform(app.engine.job("sample_and_judge"))
    (message,) = app.messages
    assert message.tone == "error" and message.what_to_do
    assert generate.request == before and generate.trajectory is shown and generate.settings.model == "digits"


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_comes_back_and_says_the_same(
    app: FakeApp, opened: list[str], tmp_path: Path, suffix: str
) -> None:
    generate, path = app.session.generate, tmp_path / f"x{suffix}"
    generate.change(prompt="seven", seed=5, rows=1, steps=4, live=False)
    generate.draw()
    *_, done = whole(arguments(app.engine.job("sample_and_judge"))[0])
    assert isinstance(done, Sampled)
    draw(app, done)
    generate.trajectory.verdict = JudgeResult(np.full(10, 7), np.ones(10, np.float32))
    before = generate.settings
    generate.export(path, scale=4, view="noisy", labelled=True)
    app.engine.perform(app.engine.job("export"))
    generate.change(prompt="2", seed=9, rows=3, steps=2, live=False)
    open_file(app, path)
    again = app.engine.job("sample_and_judge")
    assert arguments(again)[0] == done.request and opened == ["generate"]
    draw(app, done)
    app.engine.perform(app.engine.job("verify_images"))
    assert app.messages[-1].tone == "success" and "the same pixels" in app.messages[-1].what_to_do
    assert generate.settings == before and generate.sampled is done


def test_a_disk_that_cannot_be_written_is_told_of(app: FakeApp, files: FileWriter, tmp_path: Path) -> None:
    app.session.generate.draw()
    draw(app)
    app.session.generate.export(tmp_path / "no" / "x.mp4")
    app.engine.perform(app.engine.job("export"))
    (message,) = app.messages
    assert "folder does not exist" in message.title and not files.busy


def test_more_images_than_the_page_holds_show_their_first(app: FakeApp, tmp_path: Path) -> None:
    save(tmp_path / "x.npz", SampleRequest(labels=(1,) * 130))
    open_file(app, tmp_path / "x.npz")
    draw(app)
    (message,) = app.messages
    assert message.tone == "info" and "first 100 of 130" in message.what_to_do


@pytest.mark.parametrize("as_drawing", [False, True])
@pytest.mark.parametrize("name", ["x.txt", "x.png", "x.mp4", "x.svg", "x.npz", "gone.png"])
def test_a_wrong_file_gets_one_clear_message(
    app: FakeApp, opened: list[str], tmp_path: Path, name: str, as_drawing: bool
) -> None:
    if name != "gone.png":
        (tmp_path / name).write_bytes(b"nothing of the kind")
    open_file(app, tmp_path / name, as_drawing=as_drawing)
    (message,) = app.messages
    assert message.tone == "error" and name in message.title and message.what_to_do and not message.details
    assert not opened and not app.engine.jobs


def test_a_picture_that_is_not_ours_is_one_to_draw_on(app: FakeApp, opened: list[str], tmp_path: Path) -> None:
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 12:16] = 200
    for name in ("x.png", "x.bmp"):
        Image.fromarray(picture).save(tmp_path / name)
        app.session.draw.clear()
        open_file(app, tmp_path / name, as_drawing=True)
        assert np.array_equal(app.session.draw.drawing, picture)
    assert opened == ["draw", "draw"] and not app.messages


def test_a_picture_without_a_request_is_refused_elsewhere(app: FakeApp, opened: list[str], tmp_path: Path) -> None:
    Image.new("L", (28, 28)).save(tmp_path / "x.png")
    open_file(app, tmp_path / "x.png")
    (message,) = app.messages
    assert "carries no Noiseloom request" in message.title and not opened
