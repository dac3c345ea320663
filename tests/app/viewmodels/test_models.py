"""The Models page's state: the order of the list, scores, files, the trash, and who follows a model's name."""

from pathlib import Path

import pytest

from desktop_app.tasks.models import Copied, MatchingNetworks, Named, Previewed, Scored, Thrown
from desktop_app.viewmodels.models import PREVIEWED, Models
from desktop_app.worker.compute_thread import Job
from ml.events import Failed, Progress
from ml.registry.model_cards import ModelCard
from ml.system import trash
from ml.system.trash import Trashed
from tests.app.viewmodels.by_hand import ByHand, given, images


@pytest.fixture
def mine(hand: ByHand, tmp_path: Path) -> ModelCard:
    """A model of one's own, which is chosen."""
    digits = hand.session.card("digits")
    assert digits is not None
    folder = tmp_path / "runs" / "mine"
    mine = digits.model_copy(update={"name": "mine", "bundled": False, "path": folder / "model.safetensors"})
    hand.session.models = (*hand.session.models, mine)
    hand.session.library.change(chosen="mine")
    return mine


@pytest.fixture
def library(hand: ByHand, mine: ModelCard) -> Models:
    return hand.session.library


@pytest.fixture
def said(library: Models) -> list[tuple[str, str]]:
    """What the page tells: tone and title."""
    told: list[tuple[str, str]] = []
    library.told.connect(lambda tone, title, *_: told.append((tone, title)))
    return told


# ---- the list and its previews


def test_the_own_come_first_then_what_draws_then_the_helpers(library: Models) -> None:
    names = [card.name for card in library.cards]
    assert names[:2] == ["mine", "digits"]
    assert set(names[-4:]) == {"judge", "digit-clip", "autoencoder", "colour-autoencoder"}


def test_a_choice_that_is_lost_falls_back(hand: ByHand, library: Models) -> None:
    hand.session.ready.emit()
    assert library.settings.chosen == "mine"
    hand.session.models = hand.session.models[:-1]
    hand.session.ready.emit()
    assert library.settings.chosen == "digits"
    hand.session.models = ()
    library.change(chosen="later")
    hand.session.ready.emit()  # nothing is known yet
    assert library.settings.chosen == "later"


def test_previews_are_drawn_one_at_a_time_and_once(hand: ByHand, library: Models, mine: ModelCard) -> None:
    hand.session.ready.emit()
    assert not hand.jobs  # the page was not opened yet
    library.look()
    library.look()
    (emptying,) = hand.asked("emptying")
    assert given(emptying) == (30 * 24 * 3600,)
    seen: list[str] = []
    library.previewed.connect(seen.append)
    drawn: list[str] = []
    while jobs := hand.asked("previewing"):
        (job,) = jobs
        card, count = given(job)
        assert count == PREVIEWED
        drawn.append(card.name)
        hand.end(job, Previewed(images(PREVIEWED, len(drawn))), *([Failed("file", "", "", "")] * (card.name == "text")))
    names = {card.name for card in hand.session.drawing_models}
    assert set(drawn) == set(seen) == names and len(drawn) == len(names) and "judge" not in names
    preview = library.preview(mine)
    assert preview is not None and preview[0, 0, 0] == len(drawn)
    hand.session.ready.emit()
    assert not hand.asked("previewing")
    hand.session.models = (mine.model_copy(update={"header": mine.header.model_copy(update={"steps": 999})}),)
    hand.session.ready.emit()  # it has learnt more
    assert given(hand.job("previewing"))[0].header.steps == 999
    assert library.preview(hand.session.models[0]) is None


# ---- scores


def score(hand: ByHand, library: Models, name: str) -> Job:
    library.change(chosen=name)
    library.evaluate()
    return hand.job("scoring")


def test_what_can_be_read_is_scored_as_is_set(hand: ByHand, library: Models, mine: ModelCard) -> None:
    library.change(count=300)
    hand.session.train.use_data_root(Path("data"))
    job = score(hand, library, "mine")
    assert given(job) == (mine, 300, Path("data")) and library.is_scoring(mine)
    library.evaluate()
    assert len(hand.asked("scoring")) == 1 and library.doing == ("Scoring mine", None)
    hand.give(job, Progress("Drawing", 30, 300))
    assert library.doing == ("Scoring mine", 0.1)
    hand.end(job, Scored({"images": 300}))
    assert not library.busy and hand.asked("warm_up") and not library.measured(mine)  # it stands in its card
    assert library.doing == ("Scoring ", None)
    for name in ("judge", "colour"):
        library.change(chosen=name)
        library.evaluate()
    assert not hand.asked("scoring")


def test_scores_of_a_bundled_model_are_kept_for_the_session(hand: ByHand, library: Models) -> None:
    job = score(hand, library, "digits")
    library.change(chosen="student")  # meanwhile
    hand.end(job, Scored({"images": 1000}))
    card = hand.session.card("digits")
    assert card and library.measured(card) == {"images": 1000} and not hand.asked("warm_up")
    assert library.card and not library.measured(library.card)


def test_what_was_stopped_is_not_scored(hand: ByHand, library: Models) -> None:
    old = score(hand, library, "digits")
    library.stop()
    assert old.control.cancelled and not library.busy
    new = score(hand, library, "student")
    hand.end(old, Progress("Drawing", 1, 2), Scored({"images": 1}))
    digits = hand.session.card("digits")
    assert digits and not library.measured(digits) and library.busy and library.progress is None
    hand.end(new)
    assert not library.busy


def test_without_mnist_one_is_asked_where_it_is(hand: ByHand, library: Models) -> None:
    hand.end(score(hand, library, "mine"), Failed("data", "It is not here.", "", ""))
    assert [key for key, _ in hand.told[-1].actions] == ["models:data"] and not library.busy
    asked: list[None] = []
    library.data_wanted.connect(lambda: asked.append(None))
    library.remedy("data")
    assert asked


# ---- files


def test_a_model_of_another_name_is_followed_everywhere(hand: ByHand, library: Models, mine: ModelCard) -> None:
    session = hand.session
    session.generate.change(model="mine", live=False)
    session.interpolate.change(model="mine")
    session.compare.change(model="mine")
    renamed: list[tuple[str, str]] = []
    session.train.renamed.connect(lambda *names: renamed.append(names))
    library.rename("other")
    job = hand.job("renaming")
    assert given(job) == (mine, "other")
    hand.end(job, Named("other"))
    models = (session.generate, session.interpolate, session.compare)
    assert [each.settings.model for each in models] == ["other"] * 3
    assert library.settings.chosen == "other" and renamed == [("mine", "other")] and hand.asked("warm_up")
    assert not hand.asked("drawing")


def test_pages_that_are_set_to_another_model_stay_with_it(hand: ByHand, library: Models, mine: ModelCard) -> None:
    session = hand.session
    models = (session.generate, session.interpolate, session.compare)
    for state in models:
        state.change(model="student")
    library.rename("other")
    hand.end(hand.job("renaming"), Named("other"))
    assert [state.settings.model for state in models] == ["student"] * 3
    session.generate.stop()


def test_a_model_that_is_thrown_away_is_left_by_all_and_can_be_taken_back(
    hand: ByHand, library: Models, mine: ModelCard, said: list[tuple[str, str]], tmp_path: Path
) -> None:
    session = hand.session
    session.generate.change(model="mine", live=False)
    session.compare.change(model="student")
    gone: list[str] = []
    session.train.gone.connect(gone.append)
    library.delete()
    trashed = Trashed(tmp_path, "mine", 0.0)
    hand.end(hand.job("deleting"), Thrown(trashed))
    assert session.generate.settings.model == "digits" and session.compare.settings.model == "student"
    assert gone == ["mine"] and said == [("success", "mine is in the trash.")]
    library.remedy("undo")
    assert given(hand.job("restoring")) == (trashed,)
    hand.end(hand.job("restoring"), Named("mine-2"))
    assert library.settings.chosen == "mine-2"


def test_the_model_of_the_run_that_goes_on_stays(
    hand: ByHand, library: Models, mine: ModelCard, said: list[tuple[str, str]]
) -> None:
    train = hand.session.train
    train._asked, train.state = (train.config(), mine.path.parent), "paused"
    library.delete()
    library.rename("other")
    assert not hand.jobs and said == [("warning", "mine is being trained.")] * 2
    train._asked = (train.config(), mine.path.parent.with_name("another"))
    library.delete()
    hand.end(hand.job("deleting"))
    train._asked, train.state = (train.config(), mine.path.parent), "done"
    library.delete()
    assert hand.asked("deleting")


def test_a_file_is_taken_in_or_asked_about(
    hand: ByHand, library: Models, said: list[tuple[str, str]], tmp_path: Path
) -> None:
    wanted: list[object] = []
    library.kind_wanted.connect(wanted.append)
    library.import_file(tmp_path / "theirs.pt")
    job = hand.job("importing")
    assert given(job) == (tmp_path / "theirs.pt", "")
    hand.give(job, Progress("Reading theirs.pt", 0, 0))
    assert hand.session.status == "Reading theirs.pt"
    hand.end(job, fits := MatchingNetworks(tmp_path / "theirs.pt", ("a", "b")))
    assert wanted == [fits] and not said
    library.import_file(tmp_path / "theirs.pt", "b")
    assert given(hand.job("importing")) == (tmp_path / "theirs.pt", "b")
    hand.end(hand.job("importing"), Named("theirs"))
    assert said == [("success", "theirs is among your models.")] and library.settings.chosen == "theirs"
    library.change(chosen="mine")
    library.export(tmp_path / "copy.safetensors")
    hand.end(hand.job("exporting"), Copied(tmp_path / "copy.safetensors"))
    assert said[-1][1].startswith("Saved copy.safetensors")
    library.import_file(tmp_path / "bad.pt")
    hand.end(hand.job("importing"), Failed("write", "It is torn.", "", ""))
    assert len(said) == 2 and hand.told[-1].title == "It is torn." and hand.told[-1].actions == ()


def test_the_trash_is_emptied_only_when_one_says_so(
    hand: ByHand, library: Models, said: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.ask_to_empty_trash()
    assert not said
    monkeypatch.setattr(trash, "items", lambda: [Trashed(tmp_path, "a", 0), Trashed(tmp_path, "b", 0)])
    library.ask_to_empty_trash()
    assert said == [("warning", "Delete 2 models from the trash?")] and not hand.jobs
    library.remedy("keep")
    assert not hand.jobs
    library.remedy("empty")
    assert given(hand.job("emptying")) == (0.0,)


def test_nothing_is_begun_while_the_window_closes(hand: ByHand, library: Models) -> None:
    hand.session.closing = True
    library.evaluate()
    library.delete()
    library._preview_next()
    assert not hand.jobs


def test_a_chosen_model_is_drawn_with_if_it_draws(hand: ByHand, library: Models) -> None:
    library.change(chosen="judge")
    library.draw()
    assert not hand.jobs
    library.change(chosen="student")
    library.draw()
    assert given(hand.job("drawing"))[0].model == "student"
