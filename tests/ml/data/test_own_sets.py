"""Sets of a person's drawings: names that every system takes, files one by one, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.data import datasets, own_sets
from ml.data.own_sets import MAX_NAME, checked
from ml.errors import BadRequest, CannotWrite
from ml.specs import OWN_SET
from tests.support.full_disk import small_files


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path))
    return tmp_path


def drawing(column: int = 14) -> np.ndarray:
    pixels = np.zeros((28, 28), np.uint8)
    pixels[5:23, column] = 255
    return pixels


def test_drawings_are_files_of_their_class_in_the_order_they_came() -> None:
    files = [own_sets.add("mine", "heart", drawing(k)) for k in range(3, 15)]
    own_sets.add("mine", "10", drawing())
    own_sets.add("mine", "9", drawing())
    found = own_sets.drawings("mine")
    assert [*found] == ["9", "10", "heart"] and found["heart"] == tuple(files)
    assert np.array_equal(np.asarray(Image.open(files[4])), drawing(7))
    assert own_sets.names() == ["mine"] and own_sets.drawings("other") == {}


def test_a_model_is_trained_on_a_set_by_its_name(home: Path) -> None:
    for column in range(3, 15):
        own_sets.add("my signs", "heart", drawing(column))
    dataset = datasets.load(f"{OWN_SET}my signs")
    assert dataset.name == f"folder:{home / 'drawings' / 'my signs'}" and dataset.classes == ("heart",)
    assert dataset.images.shape[1:] == (1, 28, 28)
    with pytest.raises(BadRequest, match="no set of drawings called 'signs'") as refused:
        datasets.load(f"{OWN_SET}signs")
    assert "my signs" in refused.value.what_to_do


@pytest.mark.parametrize("name", ["heart", "λ", "my 3", "two  words ", "猫", "a.b", "Größe", "٣", "💗", "connie"])
def test_names_of_any_script_are_taken(name: str) -> None:
    path = own_sets.add("mine", name, drawing())
    assert path.parent.name == " ".join(name.split()) and own_sets.drawings("mine") == {path.parent.name: (path,)}


@pytest.mark.parametrize(
    "name",
    ["", "  ", "a/b", "..", ".hidden", "a\\b", "c:d", "what?", "a\x00b", "a\u202eb", "nul", "COM1.txt", "Train", "test",
     "__MACOSX", "end.", "x" * (MAX_NAME + 1)],
)  # fmt: skip
def test_other_names_are_refused_and_nothing_is_written(name: str, home: Path) -> None:
    for set_name, class_name in (("mine", name), (name, "heart")):
        with pytest.raises(BadRequest) as refused:
            own_sets.add(set_name, class_name, drawing())
        assert refused.value.what_to_do
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_the_same_name_in_other_letters_is_the_same_class() -> None:
    own_sets.add("mine", "Café", drawing())
    assert own_sets.add("mine", "cafe\u0301", drawing()).parent.name == "Café"
    assert checked("cafe\u0301") == "café"


def test_a_removed_drawing_comes_back_to_its_place() -> None:
    first, second = (own_sets.add("mine", "heart", drawing(k)) for k in (3, 4))
    content = own_sets.remove(first)
    assert own_sets.drawings("mine") == {"heart": (second,)}
    own_sets.restore(first, content)
    assert own_sets.drawings("mine") == {"heart": (first, second)} and first.read_bytes() == content
    own_sets.remove(second)
    last = own_sets.remove(first)
    assert own_sets.drawings("mine") == {}
    own_sets.restore(first, last)
    assert own_sets.drawings("mine") == {"heart": (first,)}


def test_a_class_is_renamed_or_joins_the_one_of_that_name() -> None:
    for name in ("hart", "hart", "leaf"):
        own_sets.add("mine", name, drawing())
    assert own_sets.rename("mine", "hart", "heart") == "heart"
    assert own_sets.rename("mine", "heart", "Heart") == "Heart"
    assert own_sets.rename("mine", "leaf", "heart") == "Heart"
    assert {name: len(files) for name, files in own_sets.drawings("mine").items()} == {"Heart": 3}
    with pytest.raises(BadRequest):
        own_sets.rename("mine", "Heart", "a/b")
    assert [*own_sets.drawings("mine")] == ["Heart"]


def test_an_empty_drawing_is_refused() -> None:
    with pytest.raises(BadRequest, match="canvas is empty"):
        own_sets.add("mine", "heart", np.zeros((28, 28), np.uint8))
    assert own_sets.drawings("mine") == {}


def test_on_a_full_disk_nothing_is_half_written() -> None:
    kept = own_sets.add("mine", "heart", drawing())
    with small_files(10), pytest.raises(CannotWrite):
        own_sets.add("mine", "heart", drawing())
    assert own_sets.drawings("mine") == {"heart": (kept,)} and [*kept.parent.iterdir()] == [kept]
