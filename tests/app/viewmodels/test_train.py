"""Train's state: what a run goes through from its start to its end, and what the page knows of it."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desktop_app.settings import AppSettings, TrainSettings
from desktop_app.tasks.training import Kept, PreviewHistory
from desktop_app.viewmodels.train import SLOWER, Train
from desktop_app.worker.compute_thread import Job
from ml.config import TrainConfig
from ml.errors import ChangedData
from ml.events import (
    BatchSplit,
    CheckpointSaved,
    CheckpointScored,
    Estimate,
    Failed,
    Paused,
    Preview,
    Progress,
    Resumed,
    RunFinished,
    RunStarted,
    SteppedBack,
    TrainStep,
    Validated,
    WriteFailed,
)
from ml.registry import presets
from ml.registry.run_layout import CONFIG_FILE
from ml.system import paths
from ml.tracking.metrics_table import (
    LOSS_COLUMNS,
    LOSS_FILE,
    NOISE_COLUMNS,
    NOISE_FILE,
    NOISE_LEVELS,
    VALIDATION_COLUMNS,
    VALIDATION_FILE,
)
from ml.tracking.preview_history import MOST
from ml.tracking.run_index import UnfinishedRun
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments
from tests.support.fake_events import images


@pytest.fixture
def train(app: FakeApp) -> Train:
    app.session.train.change(data="synthetic")
    return app.session.train


def began(train: Train, step: int = 0) -> RunStarted:
    assert train.folder is not None
    return RunStarted(presets.load("1-minute"), train.folder, "CPU", 1000, step, None)


def step(number: int, loss: float = 0.5, elapsed: float = 10.0, remaining: float = 30.0) -> TrainStep:
    return TrainStep(number, None, loss, loss, 1e-3, 1.0, 100.0, elapsed, remaining)


def preview(number: int) -> Preview:
    return Preview(number, images(2), (0, 1), images(2)[None])


def running(app: FakeApp) -> Job:
    """A run that has begun."""
    train = app.session.train
    train.start()
    job = app.engine.job("train")
    app.engine.give(job, began(train))
    return job


def resumed(app: FakeApp, folder: Path, step: int) -> Job:
    """A run that was interrupted and has begun again."""
    train = app.session.train
    train.resume_run(UnfinishedRun("mine", folder, train.config(), step, 0.5))
    job = app.engine.job("train")
    app.engine.give(job, began(train, step))
    return job


def finished(train: Train, *, completed: bool = True) -> RunFinished:
    assert train.folder is not None
    return RunFinished(9, 1.0, train.folder / "model.safetensors", completed)


# ---- what Start trains


def test_a_run_is_started_in_a_folder_of_its_own_with_what_is_set(app: FakeApp, train: Train) -> None:
    train.change(minutes=2.5)
    train.set_own("lr", 0.01)
    app.context.use_data_root(Path("data"))
    train.start()
    job = app.engine.job("train")
    config, folder, root, resume = arguments(job)
    assert job.background and folder == paths.user_runs() / "1-minute" and config.name == "1-minute"
    assert (config.data, config.minutes, config.steps, config.epochs) == ("synthetic", 2.5, None, None)
    assert (config.lr, root, resume) == (0.01, Path("data"), False)
    assert train.state == "starting" and train.active and train.name == "1-minute" == train.history_of
    train.start()
    assert len(app.engine.jobs) == 1  # one at a time


@pytest.mark.parametrize("preset", ["cfg", "shuffle-flow"])
def test_minutes_take_the_place_of_a_presets_steps_and_epochs(train: Train, preset: str) -> None:
    train.change(preset=preset, minutes=2.5)
    config = train.config()
    assert (config.minutes, config.steps, config.epochs) == (2.5, None, None) and not train.contradiction


def test_a_run_has_another_name_than_those_that_are_there(app: FakeApp, train: Train) -> None:
    (paths.user_runs() / "1-minute").mkdir(parents=True)
    train.start()
    config, folder, *_ = arguments(app.engine.job("train"))
    assert config.name == "1-minute-2" == folder.name == train.name


def test_a_setting_of_ones_own_goes_when_it_is_the_presets_again(train: Train) -> None:
    own = train.preset().lr
    train.set_own("lr", 0.5)
    train.set_own("batch_size", 17)
    assert train.settings.own == {"lr": 0.5, "batch_size": 17}
    train.set_own("lr", own)
    assert train.settings.own == {"batch_size": 17}
    train.change(minutes=3.0)
    train.change(preset="standard")
    assert (train.settings.own, train.settings.minutes) == ({}, None)  # another one brings its own
    train.change(preset="1-minute", minutes=4.0)
    assert train.settings.minutes == 4.0


def test_what_contradicts_itself_is_said_and_not_trained(app: FakeApp, train: Train) -> None:
    train.set_own("lr", -1.0)
    train.config()
    assert train.contradiction
    train.start()
    assert not app.engine.jobs and train.state == "idle"
    train.set_own("lr", train.preset().lr)
    train.start()
    assert not train.contradiction and app.engine.jobs


def test_a_preset_that_is_no_more_gives_way_to_the_quickest(make: Any) -> None:
    app = make(AppSettings(train=TrainSettings(preset="gone")))
    names = app.session.train.preset_names()
    minutes = [presets.load(name).minutes or 1e9 for name in names]
    assert app.session.train.settings.preset == names[0] and minutes == sorted(minutes) and "judge" not in names


def test_the_speed_is_measured_once_for_each_recipe_and_not_beside_a_run(app: FakeApp, train: Train) -> None:
    train.measure()
    job = app.engine.job("measure_speed")
    assert arguments(job)[0] == train.config()
    train.change(preset="standard")
    app.engine.end(job, found := Estimate(100.0, 60.0))
    assert train.estimate is None  # it is that of the other
    train.change(preset="1-minute", minutes=9.0)
    assert train.estimate is found  # for however long
    train.measure()
    train.change(preset="standard")
    app.context.device = ""
    train.measure()
    assert not app.engine.jobs
    app.context.device = "by hand"
    train.start()
    train.measure()
    assert not app.engine.jobs_of("measure_speed")


# ---- from start to end


def test_a_run_goes_through_its_states(app: FakeApp, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[str] = []
    woken: list[str] = []
    monkeypatch.setattr(app.engine, "wake", lambda: woken.append(train.state))
    train.state_changed.connect(lambda: states.append(train.state))
    begun: list[str] = []
    train.begun.connect(begun.append)
    train.start()
    job = app.engine.job("train")
    app.engine.give(job, Progress("Reading", 1, 4))
    assert train.status == "Reading 25%"
    app.engine.give(job, began(train))
    assert train.status == "" and begun == ["1-minute"] and train.progress is None
    app.engine.give(job, step(3))
    assert train.last is not None and train.progress == 0.25
    train.pause()
    assert job.control.paused and train.state == "pausing"
    app.engine.give(job, Paused(3))
    train.resume()
    assert not job.control.paused
    train.save_now()
    assert job.control.take() == "save"
    train.stop()
    assert job.control.cancelled and train.state == "stopping" and train.active
    assert woken == ["paused", "running"]  # it looks at once
    app.engine.end(job, finished(train, completed=False))
    assert states == ["starting", "starting", "running", "pausing", "paused", "running", "stopping", "done"]
    assert app.engine.jobs_of("warm_up") and not train.active  # the list of models is read again


def test_what_is_out_of_place_does_nothing(app: FakeApp, train: Train) -> None:
    for action in (train.pause, train.resume, train.stop, train.save_now, train.draw, train.start_slower):
        action()
    assert train.state == "idle" and not app.engine.jobs and not train.can_draw
    job = running(app)
    train.resume()
    app.engine.give(job, Paused(1))  # without a request
    assert train.state == "running"
    train.pause()
    train.save_now()
    assert job.control.take() is None  # it is saved with the pause
    train.resume_run(UnfinishedRun("other", Path("other"), train.config(), 1, 0.5))
    train.start_slower()
    assert len(app.engine.jobs_of("train")) == 1


@pytest.mark.parametrize(("ends", "state"), [([], "idle"), ([Failed("data", "No data.", "Get some.", "")], "failed")])
def test_a_run_that_left_nothing_is_not_done(app: FakeApp, train: Train, ends: list[object], state: str) -> None:
    job = running(app)
    app.engine.end(job, *ends)
    assert train.state == state and not train.active and not train.can_draw
    assert [key for message in app.messages for key, _ in message.actions] == ["choose-data", "use-synthetic"] * len(
        ends
    )


def test_a_run_that_diverged_is_started_again_slower_elsewhere(app: FakeApp, train: Train) -> None:
    job = running(app)
    config, folder, *_ = arguments(job)
    folder.mkdir(parents=True)
    app.engine.end(job, step(3), Failed("diverged", "It diverged.", "", ""))
    assert app.messages[-1].actions[0][0] == "slower"
    train.start_slower()
    again, other, _root, resume = arguments(app.engine.job("train"))
    assert again.lr == config.lr * SLOWER < config.lr and other != folder and again.name == other.name and not resume
    assert train.last is None and not train.trend()


def test_a_run_is_gone_on_with_where_it_was(app: FakeApp, train: Train, tmp_path: Path) -> None:
    config = presets.load("standard").with_changes(name="mine")
    rows = "".join(f"{n},1,0.9,0.8,0.1,1,9\n" for n in range(1, 8))
    (tmp_path / LOSS_FILE).write_text(f"{','.join(LOSS_COLUMNS)}\n{rows}")
    train.resume_run(UnfinishedRun("mine", tmp_path, config, 7, 0.5))
    job = app.engine.job("train")
    assert arguments(job)[:2] == (config, tmp_path) and arguments(job)[3] is True
    app.engine.give(job, began(train, step=7))
    assert train.before is not None and train.before[0].tolist() == list(range(1, 8))
    assert arguments(app.engine.job("load_preview_history")) == (tmp_path,)


def test_a_run_whose_images_have_changed_goes_on_with_them_only_when_told_to(
    app: FakeApp, train: Train, tmp_path: Path
) -> None:
    train.resume_run(UnfinishedRun("mine", tmp_path, train.config(), 7, 0.5))
    job = app.engine.job("train")
    assert isinstance(job.work, partial) and job.work.keywords == {"more": False, "changed_data": False}
    train.resume_changed()
    assert app.engine.jobs_of("train") == [job]
    app.engine.fail(job, ChangedData.kind, "It has changed: cat has 3 training images, not 2.", "Put them back.")
    assert [key for key, _ in app.messages[-1].actions] == ["resume-changed"]
    train.resume_changed()
    again = app.engine.job("train")
    assert arguments(again)[1:] == (tmp_path, None, True)
    assert isinstance(again.work, partial) and again.work.keywords == {"more": False, "changed_data": True}


def test_a_run_that_cannot_write_waits_and_says_so_until_it_can(app: FakeApp, train: Train, tmp_path: Path) -> None:
    job = running(app)
    job.control.pause()
    app.engine.give(job, WriteFailed(3, 2, "The disk is full."))
    assert train.state == "paused" and "The disk is full." in app.messages[-1].what_to_do
    assert [key for key, _ in app.messages[-1].actions] == ["write-elsewhere", "write-again"]
    (tmp_path / "1-minute").mkdir()
    train.write_to(tmp_path)
    elsewhere = job.control.take_folder()
    assert elsewhere == tmp_path / "1-minute-2" and not job.control.paused and train.state == "running"
    told = len(app.messages)
    train.notify_write_error()
    train.write_to(tmp_path)  # it is not stuck any more
    assert len(app.messages) == told and job.control.take_folder() is None
    moved: list[None] = []
    train.moved.connect(lambda: moved.append(None))
    assert elsewhere is not None
    app.engine.give(job, Resumed(3, elsewhere), Resumed(4, elsewhere))
    assert train.folder == elsewhere and app.session.context.external_runs == [elsewhere] and len(moved) == 1


def test_a_run_that_went_back_shows_the_curve_up_to_there(app: FakeApp, train: Train) -> None:
    job = running(app)
    folder = train.folder
    assert folder is not None
    folder.mkdir(parents=True)
    app.engine.give(job, *(step(n, loss=9.0) for n in range(1, 9)), Validated(8, 9.0))
    rows = "".join(f"{n},1,{n / 10},0.8,0.1,1,9\n" for n in range(1, 6))
    (folder / LOSS_FILE).write_text(f"{','.join(LOSS_COLUMNS)}\n{rows}")
    begun: list[str] = []
    train.begun.connect(begun.append)
    app.engine.give(job, SteppedBack(5, "The loss went up.", 5e-4, 1))
    assert train._curve == [(n, pytest.approx(n / 10), 0.8) for n in range(1, 6)] and train._held_out == []
    assert begun == ["1-minute"] and train.before is not None and train.before.shape[1] == 5
    assert app.messages[-1].title == "The loss went up."
    assert "step 5" in app.messages[-1].what_to_do and "0.0005" in app.messages[-1].what_to_do
    app.engine.give(job, SteppedBack(0, "Again.", 1e-4, 2))
    assert train._curve == [] and train.before is None


def test_the_curve_is_put_in_words(app: FakeApp, train: Train) -> None:
    assert train.trend() == ""
    job = running(app)
    for number in range(1, 1001):
        app.engine.give(job, step(number, loss=1.0 if number <= 900 else 0.5))
        assert number > 199 or train.trend() == "the first steps"
    assert train.trend() == "still learning: 50% lower than 100 steps ago"


def test_the_words_know_the_curve_of_before(app: FakeApp, train: Train, tmp_path: Path) -> None:
    rows = "".join(f"{number},1,0.9,0.8,0.1,1,9\n" for number in range(1, 901))
    (tmp_path / LOSS_FILE).write_text(f"{','.join(LOSS_COLUMNS)}\n{rows}")
    job = resumed(app, tmp_path, 900)
    app.engine.give(job, *(step(number, loss=0.45) for number in range(901, 1001)))
    assert train.before is not None and train.before[:, 0].tolist() == [1, 0.9, 0.8]
    assert train.trend() == "still learning: 50% lower than 100 steps ago"


@pytest.mark.parametrize("content", ["", "step,seconds,loss,smooth_loss\n", "not a table\n1,2\n", None])
def test_a_curve_of_before_that_is_not_there_is_done_without(
    app: FakeApp, train: Train, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / LOSS_FILE).write_text(content)
    job = resumed(app, tmp_path, 100)
    app.engine.give(job, step(101, loss=0.4))
    assert train.before is None and train._curve == [(101, 0.4, 0.4)]


def test_steps_after_a_return_follow_the_curve_once_each(app: FakeApp, train: Train) -> None:
    job = running(app)
    folder = train.folder
    assert folder is not None
    folder.mkdir(parents=True)
    app.engine.give(job, *(step(n, loss=9.0) for n in range(1, 9)), Validated(4, 9.0), Validated(8, 9.0))
    levels = range(NOISE_LEVELS)
    for name, columns, rows in (
        (LOSS_FILE, LOSS_COLUMNS, [(n, 1, n / 10, 0.8, 0.1, 1, 9) for n in (1, 2, 3, 4, 6, 7)]),  # none of step 5 yet
        (NOISE_FILE, NOISE_COLUMNS, [(n, *(n / 10 for _ in levels)) for n in (2, 4, 6)]),
        (VALIDATION_FILE, VALIDATION_COLUMNS, [(4, 0.4), (7, 0.7)]),
    ):
        lines = (",".join(map(str, row)) for row in (columns, *rows))
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    # The run has already made two further steps when its return is reported.
    app.engine.give(job, SteppedBack(5, "The loss went up.", 5e-4, 1), step(6, loss=0.6), Validated(7, 0.7), step(7))
    assert [at for at, *_ in train._curve] == [1, 2, 3, 4, 5, 6, 7] and train._held_out == [0.4, 0.7]
    assert train.before is not None and train.before[:, 3:].T.tolist() == [[4, 0.4, 0.8], [5, 9.0, 9.0]]
    assert train.before_by_noise is not None and train.before_by_noise[0].tolist() == [2, 4]


def test_a_batch_that_was_split_is_told_of(app: FakeApp, train: Train) -> None:
    app.engine.give(running(app), BatchSplit(3, 4))
    assert app.messages[-1].tone == "info" and "4 parts" in app.messages[-1].what_to_do


def test_one_draws_with_what_a_run_has_learnt_so_far(app: FakeApp, train: Train) -> None:
    app.session.generate.change(steps=99, live=False)
    job = running(app)
    train.draw()
    assert job.control.take() == "save" and not app.engine.jobs_of("sample_and_judge")
    assert train.folder is not None
    saved = CheckpointSaved(3, train.folder / "model.safetensors")
    app.engine.give(job, saved)
    assert not app.engine.jobs_of("sample_and_judge")  # it is not known yet what the model draws
    app.context.ready.emit()
    assert arguments(app.engine.job("sample_and_judge"))[0].model == "1-minute"
    assert app.session.generate.settings.steps == train.config().defaults.steps
    app.engine.end(app.engine.job("sample_and_judge"))
    app.engine.give(job, saved)
    assert not app.engine.jobs_of("sample_and_judge")  # once
    app.engine.give(job, Resumed(3, Path("/elsewhere/1-minute")))
    app.engine.end(job, finished(train))
    assert train.can_draw
    train.draw()
    app.context.ready.emit()
    assert arguments(app.engine.job("sample_and_judge"))[0].model == str(
        Path("/elsewhere/1-minute")
    )  # by its folder, where it is not among the runs


# ---- previews


def test_of_very_many_previews_every_other_one_goes(app: FakeApp, train: Train) -> None:
    job = running(app)
    app.engine.give(job, *(preview(n) for n in range(MOST + 1)))
    kept = [each.step for each in train.previews]
    assert kept[0] == 0 and kept[-1] == MOST and len(kept) == MOST // 2 + 1 and set(np.diff(kept)) == {2}


def test_previews_of_a_run_of_before_are_shown_unless_another_one_is_trained(
    app: FakeApp, train: Train, tmp_path: Path
) -> None:
    train.load_history(tmp_path / "old")
    looking = app.engine.job("load_preview_history")
    noise = np.ones((21, 3))
    app.engine.end(looking, PreviewHistory(tmp_path / "old", (preview(1), preview(2)), noise))
    assert [each.step for each in train.previews] == [1, 2] and train.history_of == "old" and train.by_noise is noise
    app.engine.end(app.context.submit(lambda _: iter(()), train._on_history),
             PreviewHistory(tmp_path / "old", (preview(1),), np.ones((21, 0))))  # fmt: skip
    assert train.by_noise is None
    train.load_history(tmp_path / "old")
    late = app.engine.job("load_preview_history")
    job = running(app)
    app.engine.end(late, PreviewHistory(tmp_path / "old", (preview(9),), noise))
    assert train.previews == []
    train.load_history(tmp_path / "old")
    assert not app.engine.jobs_of("load_preview_history")
    app.engine.give(job, preview(20))
    assert train.folder is not None
    train.load_history(train.folder)
    app.engine.end(
        app.engine.job("load_preview_history"), PreviewHistory(train.folder, (preview(10), preview(20)), noise)
    )
    assert [each.step for each in train.previews] == [10, 20]  # its own, each once
    app.engine.give(job, preview(30))
    assert [each.step for each in train.previews] == [10, 20, 30] and train.by_noise is None


# ---- names, and plots


def test_a_run_that_is_renamed_or_thrown_away_is_followed(app: FakeApp, train: Train) -> None:
    job = running(app)
    app.engine.end(job, step(1), preview(1), finished(train))
    told: list[tuple[str, ...]] = []
    train.renamed.connect(lambda *names: told.append(names))
    train.removed.connect(lambda name: told.append((name,)))
    train.rename("other", "new")
    assert train.name == "1-minute"
    train.rename("1-minute", "mine")
    assert train.name == "mine" and train.folder == paths.user_runs() / "mine"
    train.forget("1-minute")
    assert train.state == "done" and train.previews
    train.forget("mine")
    assert train.state == "idle" and train.name == "" and not train.previews and train.last is None
    assert train.finished is None and told == [("other", "new"), ("1-minute", "mine"), ("1-minute",), ("mine",)]


def test_a_run_that_goes_on_is_not_forgotten(app: FakeApp, train: Train) -> None:
    running(app)
    train.forget("1-minute")
    assert train.state == "running" and train.name == "1-minute"


def run_folder(name: str, config: TrainConfig) -> Path:
    folder = paths.user_runs() / name
    folder.mkdir(parents=True)
    (folder / CONFIG_FILE).write_text(config.model_dump_json(), encoding="utf-8")
    return folder


def test_a_plot_tells_of_its_runs_and_brings_them_back(app: FakeApp, train: Train, tmp_path: Path) -> None:
    standard = presets.load("standard").with_changes(name="mine", data="synthetic", lr=0.0123)
    quick = presets.load("1-minute").with_changes(name="quick")
    folders = run_folder("mine", standard), run_folder("quick", quick)
    train.set_found((), folders)
    told = train.plot_metadata(["quick", "mine", "none"], by_noise=True)
    assert list(told["runs"]) == ["quick", "mine"] and told["by_noise"] is True  # type: ignore[call-overload]
    seen: list[object] = []
    train.overlaid.connect(seen.append)
    train.show_map.connect(lambda: seen.append("map"))
    gone = quick.with_changes(name="gone")
    words = train.restore({"mine": standard, "gone": gone}, by_noise=True)
    assert (train.settings.preset, train.settings.data, train.settings.own) == ("standard", "synthetic", {"lr": 0.0123})
    assert seen == [[folders[0]], "map"] and arguments(app.engine.job("load_preview_history")) == (folders[0],)
    assert words.startswith("The next run is set up like mine.") and "deleted: gone" in words
    app.engine.end(app.engine.job("load_preview_history"))
    train.restore({"mine": standard.with_changes(lr=0.5)}, by_noise=False)
    assert seen[2:] == [[]] and not app.engine.jobs_of("load_preview_history")  # another run of that name


# ---- a model to begin with, and training longer


def test_a_model_to_begin_with_brings_its_settings_and_what_does_not_fit_says_why(app: FakeApp, train: Train) -> None:
    train.change(minutes=2.0)
    train.change(begin_with="digits")
    config = train.config()
    assert (config.begin_with, config.name, config.minutes, config.data) == ("digits", "from-digits", 5.0, "synthetic")
    assert (config.model.widths, config.keep_classes) == ((64, 128), False)
    train.change(keep_classes=True)
    assert train.config().keep_classes and not train.contradiction
    for name, why in (("student", "few-step student"), ("nothing", "There is no model “nothing”")):
        train.change(begin_with=name)
        train.config()
        assert why in train.contradiction
        train.start()
        train.measure()
        assert not app.engine.jobs_of("train") and not app.engine.jobs_of("measure_speed")
    train.change(begin_with="")
    assert train.config().begin_with == "" and not train.config().keep_classes
    app.session.models.renamed.emit("mine", "yours")
    train.change(begin_with="yours")
    app.session.models.renamed.emit("yours", "ours")
    assert train.settings.begin_with == "ours"


def test_a_run_that_ended_is_trained_longer(app: FakeApp, train: Train) -> None:
    job = running(app)
    assert train.ended is None and train.folder
    folder = train.folder
    folder.mkdir(parents=True)
    (folder / CONFIG_FILE).write_text(train.config().model_dump_json())
    train.stop()
    assert job.control.ended
    app.engine.give(job, finished(train, completed=False))
    app.engine.end(job)
    assert train.state == "done" and train.ended == folder
    train.train_longer(2.5)
    again = app.engine.job("train")
    assert (
        again is not job
        and isinstance(again.work, partial)
        and again.work.keywords == {"more": True, "changed_data": False}
    )
    config, where, _, resume = arguments(again)
    assert (config.minutes, where, resume) == (2.5, folder, True) and train.ended is None


def test_a_run_that_is_chosen_elsewhere_is_offered_until_it_is_gone(app: FakeApp, train: Train) -> None:
    folder = paths.user_runs() / "old"
    app.session.models.train_longer.emit(folder)
    assert train.ended == folder
    train.rename("old", "new")
    assert train.ended == folder.with_name("new")
    train.train_longer(1.0)  # there is no such folder
    assert not train.active and app.messages[-1].tone == "error"
    train.forget("new")
    assert train.ended is None


def test_scores_come_during_a_run_and_its_best_checkpoint_is_kept_after_it(app: FakeApp, train: Train) -> None:
    train.set_own("score", 1)
    assert train.config().score
    train.start()
    job = app.engine.job("train")
    app.engine.give(job, began(train), Progress("Scoring step 100", 20, 200))
    assert train.status == "Scoring step 100 10%"
    points = [CheckpointScored(100, 0.5, 9.0, 0.99), CheckpointScored(200, 0.9, 2.0, 0.99)]
    app.engine.give(job, *points)
    assert train.scores == points and train.status == "" and train.best_scored == points[1] and not train.can_keep
    train.keep_checkpoint(200)
    assert app.engine.jobs == [job]  # it is being trained
    assert train.folder is not None
    app.engine.give(job, RunFinished(300, 1.0, train.folder / "model.safetensors", True))
    app.engine.end(job)
    assert train.can_keep and train.model_step == 300
    train.keep_checkpoint(200)
    keeping = app.engine.job("keep_snapshot")
    assert arguments(keeping) == (train.folder, 200)
    app.engine.give(keeping, Kept(train.folder, 200))
    assert train.model_step == 200 and "now draws as after step 200" in app.messages[-1].title


def test_the_scores_of_an_earlier_run_are_shown_and_kept_from(app: FakeApp, train: Train, tmp_path: Path) -> None:
    points = (CheckpointScored(100, 0.5, 9.0), CheckpointScored(200, 0.9, None))
    train.load_history(tmp_path / "run")
    app.engine.give(
        app.engine.job("load_preview_history"), PreviewHistory(tmp_path / "run", (), np.zeros((11, 0)), points, 200)
    )
    assert train.scores == [*points] and train.model_step == 200 and train.can_keep
    train.start()  # another run
    assert train.scores == [] and not train.can_keep


def test_the_end_of_a_run_says_what_is_missing(app: FakeApp, train: Train) -> None:
    assert train.missing_minutes is None and train.images_seen == 0
    train.run = RunStarted(presets.load("1-minute"), Path("run"), "CPU", 1, 0, None)
    train.last = TrainStep(40, None, 1.0, 1.0, 0.1, 1.0, 11.0, 60.0, 0.0)
    train.finished = RunFinished(42, 60.0, Path("model"), True)
    assert train.images_seen == 672 and train.missing_minutes == pytest.approx((6500 - 672) / 11 / 60)
    train.finished = RunFinished(500, 60.0, Path("model"), True)
    assert train.missing_minutes == 0
    for config in (presets.load("standard"), presets.load("1-minute").with_changes(data="fashion-mnist")):
        train.run = RunStarted(config, Path("run"), "CPU", 1, 0, None)
        assert train.missing_minutes is None  # nobody has measured it
