"""The history beyond a session: what is on disk comes back, is named, starred, found and deleted."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from desktop_app import history_file
from desktop_app.app import notice_other_window
from desktop_app.viewmodels.history import History
from ml.config import SampleRequest
from ml.export import files
from ml.export.metadata import Layout
from ml.system import paths
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments
from tests.support.fake_events import images, whole

Making = Callable[..., FakeApp]


def work(app: FakeApp) -> None:
    """Do what the history has to write and to read."""
    while app.engine.sketches:
        app.engine.perform(app.engine.sketches[0])


def draw(app: FakeApp, prompt: str = "7", **settings: object) -> None:
    app.session.generate.change(prompt=prompt, rows=1, live=False, **settings)
    app.session.generate.draw()
    job = app.engine.job("sample_and_judge")
    app.engine.end(job, *whole(arguments(job)[0], shade=len(app.context.history.kept)))
    app.session.generate._live_preview.stop()
    work(app)


@pytest.fixture
def keeping(make: Making) -> FakeApp:
    """An application that keeps its results on disk."""
    app = make()
    app.context.history.read()
    work(app)
    return app


def again(make: Making) -> tuple[FakeApp, History]:
    """The next start of the program."""
    app = make()
    app.context.history.read()
    work(app)
    return app, app.context.history


def test_results_come_back_at_the_next_start_with_their_names_and_stars(make: Making, keeping: FakeApp) -> None:
    history = keeping.context.history
    draw(keeping)
    draw(keeping, "2026", seed=11)
    history.rename(0, "  the   sevens ")
    history.star(1, True)
    work(keeping)
    later, history = again(make)
    assert [kept.title for kept in history.kept] == ["the sevens", history.kept[1].about]
    assert [kept.starred for kept in history.kept] == [False, True] and "seed 11" in history.kept[1].about
    assert np.array_equal(history.kept[1].thumbnail, history_file.thumbnail(images(4, 1 + 3 * 10)))
    assert history.find("SEVENS") == [0] and history.find("11 digits") == [1] and history.find("nothing") == []
    assert history.find("") == [1, 0] and history.find("", starred=True) == [1]
    assert not later.messages

    history.restore(1)
    later.engine.perform(later.engine.job("read_file"))
    generate = later.session.generate
    assert (generate.settings.prompt, generate.settings.seed) == ("2026", 11)
    job = later.engine.job("sample_and_judge")
    assert arguments(job)[0].labels == (2, 0, 2, 6)
    later.engine.end(job, *whole(arguments(job)[0], shade=1))
    assert len(history.kept) == 2 and history.shown_index("generate") == 1  # the same one, drawn again
    generate._live_preview.stop()


def test_a_result_that_was_dear_is_shown_without_being_drawn_again(make: Making, keeping: FakeApp) -> None:
    draw(keeping, steps=900)
    later, history = again(make)
    history.restore(0)
    later.engine.perform(later.engine.job("read_file"))
    generate = later.session.generate
    assert not later.engine.jobs_of("sample_and_judge") and generate.settings.steps == 900
    assert generate.sampled and np.array_equal(generate.sampled.images, images(10, 3 * 900))
    assert len(history.kept) == 1


def test_what_is_deleted_can_be_brought_back_once_more(make: Making, keeping: FakeApp) -> None:
    history = keeping.context.history
    for prompt in ("1", "2", "3"):
        draw(keeping, prompt)
    keys = [kept.key for kept in history.kept]
    history.delete([0, 2])
    work(keeping)
    assert [kept.key for kept in history.kept] == [keys[1]] and len(again(make)[1].kept) == 1
    assert keeping.messages[-1].actions == (("history:undo", "Undo"),)
    history.undo_delete()
    work(keeping)
    assert [kept.key for kept in history.kept] == keys and not history.can_undo
    assert [kept.key for kept in again(make)[1].kept] == keys


def test_what_happens_to_a_result_while_it_is_written_counts(make: Making, keeping: FakeApp) -> None:
    history = keeping.context.history
    for prompt in ("1", "2"):
        keeping.session.generate.change(prompt=prompt, live=False)
        keeping.session.generate.draw()
        job = keeping.engine.job("sample_and_judge")
        keeping.engine.end(job, *whole(arguments(job)[0]))
        keeping.session.generate._live_preview.stop()
    history.rename(0, "first")
    history.delete([1])
    work(keeping)
    assert [kept.name for kept in again(make)[1].kept] == ["first"]


def test_a_damaged_result_is_left_out_with_a_message(make: Making, keeping: FakeApp) -> None:
    for prompt in ("1", "2", "3"):
        draw(keeping, prompt)
    first, second, _ = (history_file.picture(kept.key) for kept in keeping.context.history.kept)
    first.unlink()
    second.with_suffix(".json").write_bytes(b'{"page": "nowhere"}')
    later, history = again(make)
    assert len(history.kept) == 1 and "2 results" in later.messages[-1].title
    later, history = again(make)
    assert len(history.kept) == 1 and not later.messages  # said once


def test_no_more_is_kept_than_so_many_and_so_much(
    make: Making, keeping: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = keeping.context.history
    for prompt in "1234":
        draw(keeping, prompt)
    history.star(0, True)
    work(keeping)
    first = history.kept[0].key
    monkeypatch.setattr(history_file, "KEPT", 2)
    draw(keeping, "5")
    assert [kept.key == first for kept in history.kept] == [True, False, False]  # the starred one, and two
    assert len(list(paths.user_history().glob("*.png"))) == 3
    monkeypatch.setattr(history_file, "MAX_BYTES", history_file.picture(history.kept[-1].key).stat().st_size + 1)
    draw(keeping, "6")
    assert len(history.kept) == len(again(make)[1].kept) == 2


def test_the_second_window_says_that_there_is_another(make: Making) -> None:
    first, second = make(), make()
    lock = notice_other_window(first.context)
    assert lock and not first.messages
    assert notice_other_window(second.context) is None and "another window" in second.messages[-1].title
    lock.release()
    later = notice_other_window(make().context)
    assert later
    later.release()


def test_a_picture_is_cut_as_it_was_put_together(tmp_path: Path) -> None:
    from ml.imaging.pixels import cut

    rgb = np.random.default_rng(1).integers(0, 256, (7, 5, 4, 3), np.uint8)
    request = SampleRequest(labels=(1,) * 7)
    for pictures, columns in ((rgb, 3), (rgb[..., 0], 10), (rgb[:1], 1)):
        layout = Layout(columns=columns, scale=1)
        files.save(tmp_path / "x.png", pictures, request.some(range(len(pictures))), layout)
        assert np.array_equal(cut(files.read_pixels(tmp_path / "x.png"), len(pictures), columns), pictures)
    shutil.rmtree(tmp_path)
