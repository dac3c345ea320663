"""What is said about a folder before training, how it is kept, and how it is left."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.cli.app import main
from ml.data import datasets, image_folder, survey_cache
from ml.data.dataset import Form
from ml.data.survey import Survey, listed, spread
from ml.system import paths
from tests.support.generators import finished


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Noise of two classes, a copy, a small one, a flat one, a damaged one and a text."""
    rng = np.random.default_rng(0)
    for name, count in (("2", 12), ("10", 20)):
        for k in range(count):
            path = tmp_path / "set" / name / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(path)
    (tmp_path / "set/2/copy.png").write_bytes((tmp_path / "set/2/0.png").read_bytes())
    Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(tmp_path / "set/2/small.png")
    Image.new("RGB", (24, 24), (9, 9, 9)).save(tmp_path / "set/10/flat.png")
    (tmp_path / "set/10/bad.png").write_bytes(b"this is no image")
    (tmp_path / "set/notes.txt").write_text("hello")
    return tmp_path / "set"


def surveyed(folder: Path, form: Form = Form(20)) -> Survey:  # noqa: B008 (immutable)
    return finished(datasets.survey(f"folder:{folder}", form=form))


def test_a_folder_is_described_as_a_model_will_see_it(folder: Path) -> None:
    found = surveyed(folder)
    assert [(one.name, one.train + one.held_out) for one in found.classes] == [("2", 14), ("10", 21)]
    assert [(size.width, size.height, size.count) for size in found.sizes] == [(24, 24, 34), (8, 8, 1)]
    assert (found.side, found.channels, found.fit, found.ground) == (20, 3, "crop", "")
    assert {one.reason.split(" (")[0]: one.first for one in found.left_out} == {
        "files of other kinds": ("notes.txt",), "images that cannot be read": ("10/bad.png",),
    }  # fmt: skip
    assert (found.duplicates.count, found.smaller.first, found.one_colour.first) == (
        1, ("2/small.png",), ("10/flat.png",),
    )  # fmt: skip
    assert found.thumbnails.shape == (found.train, 20, 20, 3) and set(found.thumbnail_labels) == {0, 1}
    train = datasets.load(f"folder:{folder}", form=Form(20))
    assert np.array_equal(found.thumbnails, train.images.permute(0, 2, 3, 1).numpy())
    assert (train.classes, len(train)) == (("2", "10"), found.train)


def test_a_survey_is_kept_until_the_folder_or_the_form_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = surveyed(folder)
    reads = []
    reading = image_folder._reading

    def counting(*arguments: object) -> Iterator[object]:
        reads.append(1)
        yield from reading(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(image_folder, "_reading", counting)
    assert surveyed(folder) == first and not reads
    surveyed(folder, Form(20, fit="stretch"))
    (folder / "2/0.png").write_bytes((folder / "2/1.png").read_bytes() + b"\0")
    changed = surveyed(folder)
    assert len(reads) == 4 and changed != first  # of two descriptions, the images that are shown and all
    kept = list((paths.user_cache() / "surveys").iterdir())
    assert len(kept) == 3
    for path in kept:
        path.write_bytes(path.read_bytes()[:-20])
    assert surveyed(folder) == changed and len(reads) == 6
    monkeypatch.setattr(survey_cache, "MOST", 2)
    surveyed(folder, Form(24))
    assert len(list((paths.user_cache() / "surveys").iterdir())) == 2


def test_a_survey_can_be_left_in_the_middle(folder: Path) -> None:
    surveying = datasets.survey(f"folder:{folder}")
    next(step for step in surveying if step.total)
    surveying.close()
    assert not (paths.user_cache() / "surveys").exists()


def test_a_set_in_files_is_described_too() -> None:
    found = finished(datasets.survey("synthetic", form=Form(16)))
    assert found.train == found.held_out == 20 and found.side == 16
    assert len(found.classes) == 10 and found.thumbnails.shape[1:] == (16, 16, 1)


@pytest.fixture(autouse=True)
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    from ml.data import synthetic

    monkeypatch.setattr(synthetic, "COUNT_AND_SEED", {"train": (20, 0), "test": (20, 1)})
    monkeypatch.setattr(synthetic, "_kept", {})


def test_the_command_prints_a_table_or_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(folder), "--size", "20"]) == 0
    said = capsys.readouterr().out
    for expected in ("20 x 20, colour", "24 x 24 (34) and 8 x 8 (1)", "files of other kinds: notes.txt",
                     "of one colour: 10/flat.png", "10/bad.png"):  # fmt: skip
        assert expected in said
    assert said.index("\n2 ") < said.index("\n10 ")
    assert main(["data", str(folder), "--size", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["classes"]] == ["2", "10"] and "thumbnail_strip" not in found
    assert main(["data", str(folder / "nowhere")]) == 2
    assert "There is no folder" in capsys.readouterr().err


def test_few_of_many_are_named_and_shown() -> None:
    assert [listed(names) for names in ([], ["a"], ["a", "b"], list("abc"))] == ["", "a", "a and b", "a, b and c"]
    assert listed(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert listed(["a", "b"], 9) == "a, b and 7 more"
    chosen = spread([0] * 1000 + [1] * 1000 + [2])
    assert len(chosen) == 41 and chosen[-1] == 2000
    assert len(spread(list(range(500)))) == 60
