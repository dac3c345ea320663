"""The Models page's state: the order of the list, scores, files, the trash, and who follows a model's name."""

from pathlib import Path

import pytest

from desktop_app.tasks.models import Copied, Deleted, MatchingNetworks, Named, Previewed, Scored
from desktop_app.viewmodels.models import PREVIEWED, Models
from desktop_app.worker.compute_thread import Job
from ml.config import SampleRequest
from ml.events import Failed, Progress
from ml.registry.model_cards import ModelCard
from ml.system import trash
from ml.system.trash import Trashed
from tests.support.fake_app import FakeApp
from tests.support.fake_engine import arguments
from tests.support.fake_events import images, sampled


@pytest.fixture
def mine(app: FakeApp, tmp_path: Path) -> ModelCard:
    """A model of one's own, which is chosen."""
    digits = app.context.card("digits")
    assert digits is not None
    folder = tmp_path / "runs" / "mine"
    mine = digits.model_copy(update={"name": "mine", "bundled": False, "path": folder / "model.safetensors"})
    app.context.models = (*app.context.models, mine)
    app.session.models.change(chosen="mine")
    return mine


@pytest.fixture
def library(app: FakeApp, mine: ModelCard) -> Models:
    return app.session.models


@pytest.fixture
def said(app: FakeApp) -> list[tuple[str, str]]:
    """Tone and title of the messages."""
    said: list[tuple[str, str]] = []
    app.context.message.connect(lambda message: said.append((message.tone, message.title)))
    return said


# ---- the list and its previews


def test_the_own_come_first_then_what_draws_then_the_helpers(library: Models) -> None:
    names = [card.name for card in library.cards]
    assert names[:2] == ["mine", "digits"]
    assert set(names[-4:]) == {"judge", "digit-clip", "autoencoder", "colour-autoencoder"}


def test_a_choice_that_is_lost_falls_back(app: FakeApp, library: Models) -> None:
    app.context.ready.emit()
    assert library.settings.chosen == "mine"
    app.context.models = app.context.models[:-1]
    app.context.ready.emit()
    assert library.settings.chosen == "digits"
    app.context.models = ()
    library.change(chosen="later")
    app.context.ready.emit()  # nothing is known yet
    assert library.settings.chosen == "later"


def test_previews_are_drawn_one_at_a_time_and_once(app: FakeApp, library: Models, mine: ModelCard) -> None:
    app.context.ready.emit()
    assert not app.engine.jobs  # the page was not opened yet
    library.look()
    library.look()
    (emptying,) = app.engine.jobs_of("empty_trash")
    assert arguments(emptying) == (30 * 24 * 3600,)
    seen: list[str] = []
    library.previewed.connect(seen.append)
    drawn: list[str] = []
    while jobs := app.engine.jobs_of("preview"):
        (job,) = jobs
        card, count, draw = arguments(job)
        assert count == PREVIEWED and draw and not job.asked
        drawn.append(card.name)
        app.engine.end(
            job, Previewed(images(PREVIEWED, len(drawn))), *([Failed("file", "", "", "")] * (card.name == "text"))
        )
    names = {card.name for card in app.context.drawing_models}
    assert set(drawn) == set(seen) == names and len(drawn) == len(names) and "judge" not in names
    preview = library.preview(mine)
    assert preview is not None and preview[0, 0, 0] == len(drawn)
    app.context.ready.emit()
    assert not app.engine.jobs_of("preview")
    app.context.models = (mine.model_copy(update={"header": mine.header.model_copy(update={"steps": 999})}),)
    app.context.ready.emit()  # it has learnt more
    assert arguments(app.engine.job("preview"))[0].header.steps == 999
    assert library.preview(app.context.models[0]) is None
    app.engine.end(app.engine.job("preview"))
    large = mine.model_copy(update={"name": "large", "path": Path("large"), "parameters": 10**9})
    app.context.models = (large,)
    app.context.ready.emit()
    assert not arguments(app.engine.job("preview"))[2]  # it takes long: what is kept is shown, and no more
    app.engine.end(app.engine.job("preview"))
    library.take_drawn(sampled(SampleRequest(model="large", labels=(1,) * 30)))
    card, few = arguments(app.engine.job("keep_preview"))
    assert card == large and len(few) == PREVIEWED  # of what a person drew with it
    app.engine.end(app.engine.job("keep_preview"), Previewed(few))
    assert library.preview(large) is few


# ---- scores


def score(app: FakeApp, library: Models, name: str) -> Job:
    library.change(chosen=name)
    library.evaluate()
    return app.engine.job("evaluate")


def test_what_can_be_read_is_scored_as_is_set(app: FakeApp, library: Models, mine: ModelCard) -> None:
    library.change(count=300)
    app.context.use_data_root(Path("data"))
    job = score(app, library, "mine")
    assert arguments(job) == (mine, 300, Path("data")) and library.is_scoring(mine)
    library.evaluate()
    assert len(app.engine.jobs_of("evaluate")) == 1 and library.doing == ("Scoring mine", None)
    app.engine.give(job, Progress("Drawing", 30, 300))
    assert library.doing == ("Scoring mine", 0.1)
    app.engine.end(job, Scored({"images": 300}))
    assert not library.busy and app.engine.jobs_of("warm_up") and not library.measured(mine)  # it stands in its card
    assert library.doing == ("Scoring ", None)
    library.change(chosen="judge")
    library.evaluate()
    library.train_judge()
    assert not app.engine.jobs_of("evaluate") and not app.engine.jobs_of("train_judge")


def test_a_judge_is_trained_where_there_is_none(app: FakeApp, library: Models) -> None:
    library.change(chosen="colour")
    digits, colour = app.context.card("digits"), library.card
    assert digits and colour and library.can_score(colour) and library.judge(colour) is None
    judge = library.judge(digits)
    assert judge is not None and judge.name == "judge"
    changed: list[None] = []
    library.changed.connect(lambda: changed.append(None))
    library.train_judge()
    job = app.engine.job("train_judge")
    assert arguments(job)[0] is colour and library.doing == ("Training a judge for colour", None)
    app.engine.give(job, Progress("Training a judge", 1, 4))
    library.evaluate()
    assert library.doing[1] == 0.25 and not app.engine.jobs_of("evaluate")
    app.engine.end(job)
    assert changed and not library.busy
    library.evaluate()
    assert library.doing[0] == "Scoring colour"
    library.stop()


def test_scores_of_a_bundled_model_are_kept_for_the_session(app: FakeApp, library: Models) -> None:
    job = score(app, library, "digits")
    library.change(chosen="student")  # meanwhile
    app.engine.end(job, Scored({"images": 1000}))
    card = app.context.card("digits")
    assert card and library.measured(card) == {"images": 1000} and not app.engine.jobs_of("warm_up")
    assert library.card and not library.measured(library.card)


def test_what_was_stopped_is_not_scored(app: FakeApp, library: Models) -> None:
    old = score(app, library, "digits")
    library.stop()
    assert old.control.cancelled and not library.busy
    new = score(app, library, "student")
    app.engine.end(old, Progress("Drawing", 1, 2), Scored({"images": 1}))
    digits = app.context.card("digits")
    assert digits and not library.measured(digits) and library.busy and library.progress is None
    app.engine.end(new)
    assert not library.busy


def test_without_mnist_one_is_asked_where_it_is(app: FakeApp, library: Models) -> None:
    app.engine.end(score(app, library, "mine"), Failed("data", "It is not here.", "", ""))
    assert [key for key, _ in app.messages[-1].actions] == ["models:data"] and not library.busy
    asked: list[None] = []
    library.data_needed.connect(lambda: asked.append(None))
    library.remedy("data")
    assert asked


# ---- files


def test_a_model_of_another_name_is_followed_everywhere(app: FakeApp, library: Models, mine: ModelCard) -> None:
    session = app.session
    session.generate.change(model="mine", live=False)
    session.interpolate.change(model="mine")
    session.compare.change(model="mine")
    renamed: list[tuple[str, str]] = []
    session.train.renamed.connect(lambda *names: renamed.append(names))
    library.rename("other")
    job = app.engine.job("rename_model")
    assert arguments(job) == (mine, "other")
    app.engine.end(job, Named("other"))
    models = (session.generate, session.interpolate, session.compare)
    assert [each.settings.model for each in models] == ["other"] * 3
    assert library.settings.chosen == "other" and renamed == [("mine", "other")] and app.engine.jobs_of("warm_up")
    assert not app.engine.jobs_of("sample_and_judge")


def test_pages_that_are_set_to_another_model_stay_with_it(app: FakeApp, library: Models, mine: ModelCard) -> None:
    session = app.session
    models = (session.generate, session.interpolate, session.compare)
    for state in models:
        state.change(model="student")
    library.rename("other")
    app.engine.end(app.engine.job("rename_model"), Named("other"))
    assert [state.settings.model for state in models] == ["student"] * 3
    session.generate.stop()


def test_a_model_that_is_thrown_away_is_left_by_all_and_can_be_taken_back(
    app: FakeApp, library: Models, mine: ModelCard, said: list[tuple[str, str]], tmp_path: Path
) -> None:
    session = app.session
    session.generate.change(model="mine", live=False)
    session.compare.change(model="student")
    gone: list[str] = []
    session.train.removed.connect(gone.append)
    library.delete()
    trashed = Trashed(tmp_path, "mine", 0.0)
    app.engine.end(app.engine.job("delete_model"), Deleted(trashed))
    assert session.generate.settings.model == "digits" and session.compare.settings.model == "student"
    assert gone == ["mine"] and said == [("success", "Moved “mine” to the trash")]
    library.remedy("undo")
    assert arguments(app.engine.job("restore_model")) == (trashed,)
    app.engine.end(app.engine.job("restore_model"), Named("mine-2"))
    assert library.settings.chosen == "mine-2"


def test_the_model_of_the_run_that_goes_on_stays(
    app: FakeApp, library: Models, mine: ModelCard, said: list[tuple[str, str]]
) -> None:
    train = app.session.train
    train._started = train.config(), mine.path.parent
    train._set_state("paused")
    library.delete()
    library.rename("other")
    assert not app.engine.jobs and said == [("warning", "“mine” is being trained")] * 2
    train._started = train.config(), mine.path.parent.with_name("another")
    train.moved.emit()
    library.delete()
    app.engine.end(app.engine.job("delete_model"))
    train._started = train.config(), mine.path.parent
    train._set_state("done")
    library.delete()
    assert app.engine.jobs_of("delete_model")


def test_a_file_is_taken_in_or_asked_about(
    app: FakeApp, library: Models, said: list[tuple[str, str]], tmp_path: Path
) -> None:
    wanted: list[object] = []
    library.kind_needed.connect(wanted.append)
    library.import_file(tmp_path / "theirs.pt")
    job = app.engine.job("import_model")
    assert arguments(job) == (tmp_path / "theirs.pt", "")
    app.engine.give(job, Progress("Reading theirs.pt", 0, 0))
    assert app.context.status == "Reading theirs.pt"
    app.engine.end(job, fits := MatchingNetworks(tmp_path / "theirs.pt", ("a", "b")))
    assert wanted == [fits] and not said
    library.import_file(tmp_path / "theirs.pt", "b")
    assert arguments(app.engine.job("import_model")) == (tmp_path / "theirs.pt", "b")
    app.engine.end(app.engine.job("import_model"), Named("theirs"))
    assert said == [("success", "Imported “theirs”")] and library.settings.chosen == "theirs"
    library.change(chosen="mine")
    library.export(tmp_path / "copy.safetensors")
    app.engine.end(app.engine.job("export_model"), Copied(tmp_path / "copy.safetensors"))
    assert said[-1][1] == "Saved copy.safetensors with its card"
    for kind, task in (("onnx", "export_onnx"), ("diffusers", "export_diffusers")):
        library.export(tmp_path / "theirs", kind)
        app.engine.end(app.engine.job(task), Copied(tmp_path / "theirs", "Open it."))
        assert said.pop()[1] == "Saved theirs" and app.messages[-1].what_to_do == "Open it."
    library.import_file(tmp_path / "bad.pt")
    app.engine.end(app.engine.job("import_model"), Failed("write", "It is torn.", "", ""))
    assert len(said) == 3 and app.messages[-1].title == "It is torn." and app.messages[-1].actions == ()


def test_the_trash_is_emptied_only_when_one_says_so(
    app: FakeApp, library: Models, said: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.ask_to_empty_trash()
    assert not said
    monkeypatch.setattr(trash, "items", lambda: [Trashed(tmp_path, "a", 0), Trashed(tmp_path, "b", 0)])
    library.ask_to_empty_trash()
    assert said == [("warning", "Permanently delete 2 models?")] and not app.engine.jobs
    library.remedy("keep")
    assert not app.engine.jobs
    library.remedy("empty")
    assert arguments(app.engine.job("empty_trash")) == (0.0,)


def test_nothing_is_begun_while_the_window_closes(app: FakeApp, library: Models) -> None:
    app.context.closing = True
    library.evaluate()
    library.delete()
    library._preview_next()
    assert not app.engine.jobs


def test_a_chosen_model_is_drawn_with_if_it_draws(app: FakeApp, library: Models) -> None:
    library.change(chosen="judge")
    library.draw()
    assert not app.engine.jobs
    library.change(chosen="student")
    library.draw()
    assert arguments(app.engine.job("sample_and_judge"))[0].model == "student"
