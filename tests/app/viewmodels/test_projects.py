"""Projects: what is saved in one file is there again elsewhere, and a file is not trusted."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from desktop_app import project_file
from desktop_app.project_file import SUFFIX
from desktop_app.settings import AppSettings
from ml.config import Corner
from ml.imaging.embedded_png import to_text
from ml.registry import model_cards
from ml.system import paths
from tests.app.viewmodels.test_history import draw, work
from tests.support.fake_app import FakeApp
from tests.support.fake_events import images

CORPUS = Path(__file__).parents[2] / "corpus" / "v1"
Making = Callable[..., FakeApp]


@pytest.fixture
def saved(make: Making, tmp_path: Path) -> Path:
    """A project of two results, a model and settings."""
    app = make()
    app.context.history.read()
    work(app)
    draw(app)
    draw(app, "2026")
    app.context.history.rename(0, "sevens")
    app.context.history.star(1, True)
    work(app)
    for suffix in (".safetensors", ".json"):
        shutil.copy(CORPUS / f"model{suffix}", tmp_path / f"tiny{suffix}")
    card = model_cards.card(tmp_path / "tiny.safetensors")
    assert card
    app.session.train.change(data=f"folder:{tmp_path}")  # which is nowhere else
    app.session.interpolate.change(corners=[Corner(picture=to_text(images(1)[0]))] * 4)
    projects = app.session.projects
    projects.save(tmp_path / f"x{SUFFIX}", "A lecture", projects.results, [card], settings=True)
    app.engine.perform(app.engine.job("export"))
    return tmp_path / f"x{SUFFIX}"


@pytest.fixture
def elsewhere(make: Making, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApp:
    """The program on another computer."""
    app = make(AppSettings())
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path / "elsewhere"))
    app.context.history.read()
    work(app)
    app.session.opener.open(saved)
    app.engine.perform(app.engine.job("open_project"))
    return app


def test_a_project_brings_results_and_models_and_offers_its_settings(elsewhere: FakeApp, saved: Path) -> None:
    history, session = elsewhere.context.history, elsewhere.session
    assert [(kept.title.split(" · ")[0], kept.starred) for kept in history.kept] == [("sevens", False), ("2026", True)]
    assert [path.stem for path in paths.user_models().glob("*.safetensors")] == ["tiny"]
    message = elsewhere.messages[-1]
    assert (
        message.title == "Opened “A lecture”"
        and "is here as" not in message.what_to_do
        and "2 new results and 1 model" in message.what_to_do
    )
    before = session.generate.settings, session.train.settings
    assert session.generate.settings.prompt == "0-9"
    session.projects.remedy("settings")
    assert session.generate.settings.prompt == "2026" and session.interpolate.settings.corners[0].picture
    assert session.train.settings == before[1]  # it names a folder of another computer
    session.projects.remedy("back")
    assert session.generate.settings == before[0]
    session.generate.stop()

    session.opener.open(saved)  # once more: nothing is there twice
    elsewhere.engine.perform(elsewhere.engine.job("open_project"))
    assert len(history.kept) == 2 and len(list(paths.user_models().glob("*.safetensors"))) == 1


def changed(saved: Path, content: dict[str, object], **more: bytes) -> None:
    """The project with another description, and other files in it."""
    with zipfile.ZipFile(saved) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name != project_file.CONTENT}
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr(project_file.CONTENT, json.dumps(content))
        for name, inside in (files | more).items():
            archive.writestr(name, inside)


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/passwd", "results/1.exe", "results/../0.png", "C:\\x.png", "results/0.png\n"]
)
def test_an_odd_name_leads_nowhere(app: FakeApp, saved: Path, tmp_path: Path, name: str) -> None:
    changed(saved, {"results": [{"file": name, "page": "generate", "made": 1}]}, **{name: b"x"})
    there = sorted(tmp_path.rglob("*"))
    app.session.opener.open(saved)
    app.engine.perform(app.engine.job("open_project"))
    assert "no file of a project" in app.messages[-1].title and sorted(tmp_path.rglob("*")) == there


def test_a_damaged_part_is_named_and_the_others_are_taken(app: FakeApp, saved: Path) -> None:
    results = [{"file": f"results/{k}.png", "page": "generate", "made": 2.0, "name": f"no. {k}"} for k in range(3)]
    models = [{"file": "models/1.safetensors", "name": "torn"}]
    changed(saved, {"results": results, "models": models}, **{"models/1.safetensors": b"x", "results/0.png": b"x"})
    app.session.opener.open(saved)
    app.engine.perform(app.engine.job("open_project"))
    message = app.messages[-1]
    assert message.tone == "warning" and "3 parts could not be read: torn, no. 0, no. 2" in message.what_to_do
    assert [kept.name for kept in app.context.history.kept] == ["no. 1"]


def test_what_is_compressed_or_overlaps_is_refused(app: FakeApp, saved: Path) -> None:
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("results/9.png", bytes(10**7))
    app.session.opener.open(saved)
    app.engine.perform(app.engine.job("open_project"))
    assert "not a project" in app.messages[-1].title and not app.context.history.kept
