"""What the lanes do, without a lane: generators of events around the engine; settings, recipes and words."""

import shutil
import threading
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from desktop_app import model_preview
from desktop_app.settings import AppSettings, GenerateSettings, load_settings, save_settings, settings_file
from desktop_app.tasks import draw, models, sampling, startup, training
from desktop_app.tasks.data import ClassImages, DataChoice, NotHere, NotReadable, class_images, survey_data
from desktop_app.tasks.draw import OpenedImage, Recognised
from desktop_app.tasks.files import Exported, ReadFile, export, read_file, verify_images
from desktop_app.tasks.models import Copied, Deleted, Named, Previewed, Scored
from desktop_app.tasks.sampling import JudgeResult, StepProbabilities
from desktop_app.tasks.startup import Ready
from desktop_app.tasks.training import PreviewHistory
from desktop_app.text import display_names, formatting
from desktop_app.viewmodels import nearest_preset
from desktop_app.viewmodels.models import PREVIEWED
from ml.config import NO_LABEL, SampleRequest
from ml.control import RunControl
from ml.data import datasets
from ml.data.dataset import Dataset
from ml.data.survey import Survey
from ml.errors import DataUnavailable
from ml.evaluation.judge import Judge
from ml.evaluation.metrics import Reference, Report
from ml.events import Frame, Pixels, Preview, Progress, Sampled
from ml.export import files
from ml.export.metadata import Layout, Unstamped
from ml.generation import pipeline
from ml.imaging.png import write_png
from ml.registry import local_models, model_cards, presets
from ml.registry.checkpoint import file_hash
from ml.registry.model_cards import ModelCard
from ml.registry.run_layout import MODEL_FILE
from ml.specs import DRAWING
from ml.system import paths, trash
from ml.training import judges
from tests.patience import WAIT_S
from tests.support.fake_events import images, sampled

FEW = SampleRequest(labels=(3, 8), steps=3)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def mine(home: Path) -> ModelCard:
    """A copy of a bundled model, as one of one's own."""
    folder = paths.user_models()
    folder.mkdir(parents=True)
    shutil.copy(model_cards.bundled_folder() / "digits.safetensors", folder / "mine.safetensors")
    card = model_cards.card(folder / "mine.safetensors")
    assert card is not None
    return card


# ---- drawing


def test_the_decision_is_what_the_judge_reads_in_the_clean_guess_of_every_step() -> None:
    events = list(sampling.sample_and_judge(FEW, RunControl()))
    frames = [event for event in events if isinstance(event, Frame)]
    done, judged, decided = events[len(frames) :]
    assert isinstance(done, Sampled) and isinstance(judged, JudgeResult) and isinstance(decided, StepProbabilities)
    judge = Judge.bundled()
    clean, noisy = (
        np.stack([judge.judge(getattr(frame, view)).probabilities for frame in frames]) for view in ("x0_hat", "x_t")
    )
    assert decided.probabilities.shape == (4, 2, 10) and np.allclose(decided.probabilities, clean, atol=1e-3)
    assert np.abs(clean - noisy).max() > 0.1
    assert judged.labels.tolist() == [3, 8] and np.allclose(judged.confidence, clean[-1].max(axis=1), atol=1e-3)


def test_a_drawing_that_is_stopped_while_it_is_judged_says_no_decision() -> None:
    control = RunControl()
    found: list[object] = []
    for event in sampling.sample_and_judge(FEW, control):
        found.append(event)
        if isinstance(event, JudgeResult):
            control.cancel()
    assert isinstance(found[-1], JudgeResult)


def test_how_a_sketch_is_drawn_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(pipeline, "sample", lambda request, **how: asked.append({"request": request, **how}) or ())
    control = RunControl()
    list(sampling.sample_and_judge(FEW, control))
    list(sampling.sample(FEW, control, optimized=True))
    list(sampling.sample(FEW, control, frames=True))
    expected = {"request": FEW, "control": control}
    assert asked == [
        expected,
        expected | {"frames": False, "optimized": True},
        expected | {"frames": True, "optimized": False},
    ]


def test_what_no_judge_can_read_is_not_judged() -> None:
    request = FEW.with_changes(model="colour", labels=(1,), steps=2, sampler="ddim")
    assert not [
        event
        for event in sampling.sample_and_judge(request, RunControl())
        if isinstance(event, JudgeResult | StepProbabilities)
    ]


def test_a_drawn_digit_is_recognised_by_all_classes() -> None:
    *_, done = pipeline.sample(FEW, frames=False)
    assert isinstance(done, Sampled)
    events = list(draw.recognise(done.images[0], "digits", RunControl()))
    assert isinstance(events[0], Progress) and isinstance(events[-1], Recognised)
    assert events[-1].probabilities.shape == (10,) and events[-1].probabilities.argmax() == 3


# ---- looking around


def test_a_look_around_finds_models_runs_and_what_they_were(mine: ModelCard) -> None:
    run = paths.user_runs() / "old"
    (run / "snapshots").mkdir(parents=True)
    for path in (run / MODEL_FILE, run / "snapshots" / "0000008.safetensors"):
        shutil.copy(mine.path, path)
    progress, ready = startup.warm_up((), RunControl())
    assert isinstance(progress, Progress) and isinstance(ready, Ready) and ready.device
    assert {"mine", "old", "digits"} <= {card.name for card in ready.models} and ready.past == ("old@8",)


def test_a_run_that_was_looked_back_at_shows_its_previews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ml.registry.run_layout import CONFIG_FILE
    from ml.tracking import preview_history

    config = presets.load("1-minute")
    (tmp_path / CONFIG_FILE).write_text(config.model_dump_json(), encoding="utf-8")
    kept = Preview(3, images(2), (0, 1), images(2)[None])
    monkeypatch.setattr(preview_history, "load_previews", lambda *asked: [kept] if asked[2] == 28 else [])
    (found,) = training.load_preview_history(tmp_path, RunControl())
    assert isinstance(found, PreviewHistory) and found.folder == tmp_path and found.previews == (kept,)


def test_a_training_that_is_stopped_before_it_begins_says_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    from ml.training import trainer

    events = [Progress("Reading", 0, 0), Progress("Reading", 1, 1), "begun"]
    monkeypatch.setattr(trainer, "train", lambda *_, **__: iter(events))
    control = RunControl()
    found: list[object] = []
    for event in training.train(presets.load("1-minute"), Path("x"), None, False, control):
        found.append(event)
        control.cancel()
    assert found == events[:1]
    assert list(training.train(presets.load("1-minute"), Path("x"), None, False, RunControl())) == events


# ---- files


def test_a_file_is_written_beside_the_lane_which_tells_how_far_it_is(tmp_path: Path) -> None:
    written: list[str] = []
    events = export(tmp_path / "a.txt", lambda watch: (watch(1, 2), written.append("a")), RunControl())
    found = list(events)
    assert found[0] == Progress("Writing a.txt", 0, 0) and found[-1] == Exported(tmp_path / "a.txt") and written
    control = RunControl()

    def wait_for_a_look(watch: Any) -> None:
        watch(1, 2)
        assert looked.wait(WAIT_S)

    looked = threading.Event()
    for event in export(tmp_path / "b.txt", wait_for_a_look, control):
        if event == Progress("Writing b.txt", 1, 2):
            looked.set()
    assert looked.is_set()
    with pytest.raises(ValueError, match="no room"):
        list(export(tmp_path / "a.txt", lambda _: (_ for _ in ()).throw(ValueError("no room")), RunControl()))


def test_a_file_that_is_stopped_is_not_said_to_be_there(tmp_path: Path) -> None:
    control = RunControl()

    def write(watch: Any) -> None:
        watch(1, 2)
        control.cancel()
        watch(2, 2)
        raise AssertionError("it goes on")

    assert not [event for event in export(tmp_path / "a", write, control) if isinstance(event, Exported)]


def test_a_file_of_ours_is_read_and_any_other_picture_is_one_to_draw_on(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours.png", tmp_path / "other.png"
    done = sampled(FEW, 90, hashed="0" * 64)
    files.save(ours, done.images, done.request, Layout(columns=2, scale=1))
    *_, found = read_file(ours, True, RunControl())
    assert isinstance(found, ReadFile) and found.stamp.request == done.request and found.path == ours
    from PIL import Image

    Image.fromarray(np.pad(np.zeros((4, 12), np.uint8), 12, constant_values=255)).save(other)
    *_, opened = read_file(other, True, RunControl())
    assert (
        isinstance(opened, OpenedImage) and opened.image.shape == (28, 28) and opened.image[0, 0] == 0
    )  # turned around
    for path, as_drawing in ((other, False), (tmp_path / "x.txt", False)):
        path.touch()
        with pytest.raises(Unstamped):
            list(read_file(path, as_drawing, RunControl()))


def test_a_file_is_proved_by_the_images_at_hand_and_others_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[SampleRequest] = []
    other = FEW.with_changes(seed=5)

    def sample(request: SampleRequest, **_how: object) -> list[object]:
        drawn.append(request)
        return [sampled(request, 50)]

    monkeypatch.setattr(pipeline, "sample", sample)
    found: list[np.ndarray] = []
    prove = lambda _suffix, _stamp, _pixels, draw: found.extend(map(draw, (FEW, other)))  # noqa: E731
    monkeypatch.setattr("ml.export.verify.prove", prove)
    read = ReadFile(Path("a.PNG"), SimpleNamespace(request=FEW), images(1))  # type: ignore[arg-type]
    list(verify_images(read, shown := images(2, 9), RunControl()))
    assert found[0] is shown and found[1][0, 0, 0] == 50 and drawn == [other]


# ---- models


def test_a_model_is_previewed_by_its_own_settings_unless_it_has_gone(mine: ModelCard) -> None:
    assert list(models.preview(mine, 4, False, RunControl())) == []  # too dear
    (found,) = models.preview(mine, 4, True, RunControl())
    assert isinstance(found, Previewed) and Judge.bundled().judge(found.images).labels.tolist() == [0, 1, 2, 3]
    (kept,) = models.preview(mine, 4, False, RunControl())  # not drawn again
    assert isinstance(kept, Previewed) and np.array_equal(kept.images, found.images)
    mine.path.write_bytes(mine.path.read_bytes() + b" ")  # another model in its place
    assert list(models.preview(mine, 4, False, RunControl())) == []
    mine.path.unlink()
    assert list(models.preview(mine, 4, True, RunControl())) == []


def test_bundled_models_ship_pictures_of_their_own() -> None:
    for card in model_cards.cards():
        if card.bundled and card.header.model.network in DRAWING:
            images, model_hash = model_preview.read(model_preview.path_of(card))
            assert len(images) == PREVIEWED and images.shape[1] == card.header.model.image_size
            again = "python -m desktop_app.diagnostics.model_previews draws it again"
            assert model_hash == file_hash(card.path), f"{card.name} has another picture: {again}"


@pytest.mark.parametrize("shape", [(28, 30), (200, 200), (28, 28 * 30)])
def test_a_picture_of_no_model_is_none(tmp_path: Path, shape: tuple[int, int]) -> None:
    with (tmp_path / "x.png").open("wb") as file:
        write_png(file, np.zeros(shape, np.uint8))
    with pytest.raises(OSError, match="no pictures"):
        model_preview.read(tmp_path / "x.png")


def test_a_model_is_renamed_copied_thrown_away_and_taken_back(mine: ModelCard, tmp_path: Path) -> None:
    control = RunControl()
    assert list(models.rename_model(mine, "other", control)) == [Named("other")]
    card = model_cards.card(paths.user_models() / "other.safetensors")
    assert card is not None and not mine.path.exists()
    *_, copied = models.export_model(card, tmp_path / "copy.safetensors", control)
    assert copied == Copied(tmp_path / "copy.safetensors")
    (thrown,) = models.delete_model(card, control)
    assert isinstance(thrown, Deleted) and not card.path.exists() and [item.name for item in trash.items()] == ["other"]
    assert list(models.restore_model(thrown.trashed, control)) == [Named("other")] and card.path.exists()
    *_, named = models.import_model(tmp_path / "copy.safetensors", "", control)
    assert named == Named("copy")
    list(models.delete_model(card, control))
    assert list(models.empty_trash(3600.0, control)) == [] and trash.items()
    assert list(models.empty_trash(0.0, control)) == [] and not trash.items()


@pytest.mark.parametrize("bundled", [True, False])
def test_scores_are_kept_beside_a_model_of_ones_own_alone(
    mine: ModelCard, monkeypatch: pytest.MonkeyPatch, bundled: bool
) -> None:
    from ml.data import datasets
    from ml.evaluation import metrics

    report, asked, kept = Report.__new__(Report), [], []
    empty = Dataset("mnist", torch.zeros(0), torch.zeros(0), tuple("13"))
    reference = Reference(empty, empty, Judge.bundled("cpu"))
    monkeypatch.setattr(datasets, "is_downloaded", lambda *_: True)
    monkeypatch.setattr(judges, "reference_for", lambda *given, **named: prepared(asked, reference, given, named))
    monkeypatch.setattr(metrics, "evaluate_model", lambda *given, **_: asked.append(given) or iter(["part", report]))
    monkeypatch.setattr(metrics, "scores_of", lambda _report, seed: {"seed": seed})
    monkeypatch.setattr(local_models, "keep_scores", lambda card, scores: kept.append((card, scores)))
    card = mine.model_copy(update={"bundled": bundled})
    progress, reading, part, scored = models.evaluate(card, 100, Path("data"), RunControl())
    about, (request, against) = asked
    assert about == ((card.header,), {"root": Path("data")}) and against is reference
    assert isinstance(progress, Progress) and (reading, part) == ("reading", "part")
    assert scored == Scored({"seed": request.seed}) and request.model == str(card.path)
    assert len(request.labels) == 100 and set(request.labels) == {1, 3}  # the classes that the data have
    assert kept == ([] if bundled else [(card, {"seed": request.seed})])
    control = RunControl()
    control.cancel()
    assert len(list(models.evaluate(card, 100, Path("data"), control))) == 2


def prepared(
    asked: list[Any], reference: Reference | None, given: object, named: object
) -> Generator[str, None, Reference | None]:
    asked.append((given, named))
    yield "reading"
    return reference


def test_a_judge_is_trained_for_a_models_data(mine: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("ml.data.datasets.is_downloaded", lambda *_: True)
    monkeypatch.setattr(judges, "reference_for", lambda *given, **named: prepared(asked, None, given, named))
    assert list(models.train_judge(mine, Path("data"), RunControl()))[1:] == ["reading"]
    assert asked == [((mine.header,), {"root": Path("data")})]


def test_without_mnist_nothing_is_scored(mine: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:

    from ml.data import datasets

    monkeypatch.setattr(datasets, "is_downloaded", lambda _name, _root, split: split == "train")
    for begin in (partial(models.evaluate, mine, 100), partial(models.train_judge, mine)):
        with pytest.raises(DataUnavailable, match="needs MNIST"):
            list(begin(None, RunControl()))


def test_a_picture_has_a_class_where_there_is_a_judge_of_what_the_model_draws(home: Path) -> None:
    seven = pipeline_image(7)
    assert label_of(draw.classify(seven, RunControl(), model="digits")) == 7
    for model in ("", "colour", "unconditional"):
        assert label_of(draw.classify(seven, RunControl(), model=model)) == NO_LABEL


def pipeline_image(label: int) -> Pixels:
    *_, done = pipeline.sample(FEW.with_changes(labels=(label,)), frames=False)
    assert isinstance(done, Sampled)
    return done.images[0]


def label_of(events: Iterator[object]) -> int:
    *_, opened = events
    assert isinstance(opened, OpenedImage)
    return opened.label


# ---- settings


def test_settings_come_back_as_they_were_left(home: Path) -> None:
    left = AppSettings(generate=GenerateSettings(steps=7), page="draw", trouble="no part of it")
    save_settings(left)
    assert load_settings() == left.with_changes(trouble="")
    assert not [path for path in home.iterdir() if path != settings_file()]


def test_settings_that_cannot_be_read_are_put_aside(home: Path) -> None:
    assert load_settings() == AppSettings()
    home.mkdir()
    for number in ("", "-2"):
        settings_file().write_text("{torn")
        found = load_settings()
        assert f"settings-unread{number}.json" in found.trouble and found.with_changes(trouble="") == AppSettings()
        assert not settings_file().exists() and (home / f"settings-unread{number}.json").read_text() == "{torn"


def test_a_request_has_all_that_the_settings_say_but_rows() -> None:
    settings = GenerateSettings(prompt="3", seed=5, rows=2, steps=7, guidance=2.0, model="student", route="text")
    request = settings.request((3, 3))
    assert (request.labels, request.prompt, request.seed, request.model) == ((3, 3), "3", 5, "student")
    assert (request.steps, request.guidance, request.route) == (7, 2.0, "text")


# ---- recipes


def test_a_run_is_set_up_from_the_nearest_preset_and_what_it_has_otherwise() -> None:
    names = ["1-minute", "standard"]
    config = presets.load("standard").with_changes(name="mine", data="synthetic", lr=0.0123, minutes=3.5)
    settings, unsaid = nearest_preset.settings_of(config, names)
    assert (settings.preset, settings.data, settings.minutes, settings.own, unsaid) == (
        "standard", "synthetic", 3.5, {"lr": 0.0123}, [],
    )  # fmt: skip
    for name in names:
        plain, unsaid = nearest_preset.settings_of(presets.load(name).with_changes(name=f"{name}-2"), names)
        assert (plain.preset, plain.minutes, plain.own, unsaid) == (name, None, {}, [])
    budget = presets.load("standard").with_changes(minutes=None, steps=500)
    assert nearest_preset.settings_of(budget, names)[0].own == {"steps": 500}
    wide = presets.load("standard")
    wide = wide.with_changes(model=wide.model.with_changes(widths=(8, 8)))
    settings, unsaid = nearest_preset.settings_of(wide, names)
    assert unsaid == ["model.widths"] and not settings.own


def test_the_name_decides_between_presets_that_are_as_near() -> None:
    config = presets.load("standard").with_changes(name="twin-2")
    twin = presets.load("standard").with_changes(name="twin")
    load = presets.load
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "load", lambda name: twin if name == "twin" else load(name))
        assert nearest_preset.settings_of(config, ["standard", "twin"])[0].preset == "twin"


# ---- words


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (formatting.duration(-3), "0 s"),
        (formatting.duration(59.4), "59 s"),
        (formatting.duration(60), "1 min"),
        (formatting.duration(89), "1 min"),
        (formatting.duration(3599), "1 h"),
        (formatting.duration(4800), "1 h 20 min"),
        (formatting.count(1, "step"), "1 step"),
        (formatting.count(2400, "step"), "2,400 steps"),
        (formatting.count(0, "step"), "0 steps"),
        (formatting.millions(470_000), "470 k"),
        (formatting.millions(949_999), "950 k"),
        (formatting.millions(950_000), "0.9 M"),
        (formatting.millions(1_230_000), "1.2 M"),
        (formatting.megabytes(1_200_000), "1.2 MB"),
        (formatting.megabytes(43_400_000), "43 MB"),
        (formatting.megabytes(1_500_000_000), "1.5 GB"),
        (display_names.preset_title("ddpm-attention"), "DDPM attention"),
        (display_names.preset_title("1-minute"), "1 minute"),
        (display_names.data_title("folder:/home/me/cats"), "Images in “cats”"),
        (display_names.data_title("mnist"), "MNIST"),
        (display_names.data_title("mine"), "mine"),
    ],
)
def test_numbers_and_names_are_said_as_a_person_says_them(said: str, expected: str) -> None:
    assert said == expected


# ---- data


def test_data_are_downloaded_only_if_told_to_and_what_cannot_be_read_is_said(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOISELOOM_DATA", raising=False)
    fetched: list[str] = []
    mnist = DataChoice("mnist")
    with monkeypatch.context() as patch:
        patch.setattr(datasets, "survey", lambda name, *_: (fetched.append(name) for _ in range(1)))
        assert list(survey_data(mnist, False, RunControl()))[1:] == [NotHere()] and not fetched
        list(survey_data(mnist, True, RunControl()))
    assert fetched == ["mnist"]
    *_, gone = survey_data(DataChoice(f"folder:{tmp_path / 'none'}"), False, RunControl())
    assert isinstance(gone, NotReadable) and "none" in gone.message and gone.what_to_do
    *_, elsewhere = survey_data(DataChoice("mnist", root=tmp_path), False, RunControl())
    assert isinstance(elsewhere, NotReadable)  # where a person said that it is


def test_a_folder_is_described_and_its_classes_are_shown_in_the_chosen_form(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for name, shade in (("dark", 20), ("light", 220)):
        (folder / name).mkdir(parents=True)
        for k in range(4):
            Image.new("L", (30, 20), shade + k).save(folder / name / f"{k}.png")
    choice = DataChoice(f"folder:{folder}", side=16, channels=3)
    *_, found = survey_data(choice, False, RunControl())
    assert isinstance(found, Survey) and [one.name for one in found.classes] == ["dark", "light"]
    assert (found.side, found.channels, found.fit) == (16, 3, "crop")
    *_, shown = class_images(choice, 1, RunControl())
    assert isinstance(shown, ClassImages) and shown.label == 1 and shown.images.shape[1:] == (16, 16, 3)
    assert 0 < len(shown.images) <= 4 and shown.images.min() >= 220
    shutil.rmtree(folder)
    assert not [event for event in class_images(choice, 1, RunControl()) if isinstance(event, ClassImages)]
    stopped = RunControl()
    stopped.cancel()
    assert not [event for event in survey_data(choice, False, stopped) if isinstance(event, Survey)]
