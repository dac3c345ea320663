"""A resumed run keeps its labels, and refuses images that have changed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ml.data import datasets
from ml.data.dataset import Dataset
from ml.errors import BadRequest
from ml.registry.checkpoint import DataRecord
from ml.training.data_record import as_recorded, record_of


def fill(folder: Path, *names: str, count: int = 6) -> Path:
    for name in names:
        for k in range(count):
            path = folder / name / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (16, 16), 10 * int(name) + k).save(path)
    return folder


def load(folder: Path) -> Dataset:
    return datasets.load(f"folder:{folder}")


def resumed(dataset: Dataset, recorded: DataRecord | None, *, accept: bool = False, classes: int = 3) -> Dataset:
    return as_recorded(dataset, recorded, classes, accept)


def record(dataset: Dataset) -> DataRecord:
    found = record_of(dataset)
    assert found
    return found


def test_the_same_images_anywhere_are_the_same_data(tmp_path: Path) -> None:
    recorded = record(load(fill(tmp_path / "here", "1", "2", "10")))
    there = load(fill(tmp_path / "there", "1", "2", "10"))
    assert resumed(there, recorded) is there
    assert recorded.classes == ("1", "2", "10")


def test_a_run_of_before_keeps_the_order_of_its_classes(tmp_path: Path) -> None:
    now = load(fill(tmp_path, "1", "2", "10"))
    dataset = resumed(now, None)
    assert dataset.classes == ("1", "10", "2")
    assert dataset.labels.tolist() == sorted(dataset.labels.tolist())
    with pytest.raises(BadRequest, match=r"has 3 classes, and the run began with 2.*--changed-data"):
        resumed(now, None, classes=2)
    for label, name in enumerate(dataset.classes):
        values = dataset.images[dataset.labels == label][:, 0, 0, 0]
        assert np.all(values.numpy() // 10 == int(name))


def test_what_changed_is_said_and_labels_never_shift(tmp_path: Path) -> None:
    recorded = record(load(fill(tmp_path, "1", "2", "3")))
    for path in (tmp_path / "1").iterdir():
        path.rename(tmp_path / path.name)
    (tmp_path / "1").rmdir()
    for path in tmp_path.glob("*.png"):
        path.unlink()
    Image.new("L", (16, 16), 22).save(tmp_path / "2" / "new.png")
    with pytest.raises(BadRequest, match=r"1 is gone and 2 has \d training images, not \d.*--changed-data"):
        resumed(load(tmp_path), recorded)
    dataset = resumed(load(tmp_path), recorded, accept=True)
    assert dataset.classes == ("1", "2", "3") and set(dataset.labels.tolist()) == {1, 2}
    again = record(dataset)
    assert torch.equal(resumed(load(tmp_path), again).labels, dataset.labels)


def test_other_contents_under_the_same_names_are_noticed(tmp_path: Path) -> None:
    recorded = record(load(fill(tmp_path, "1", "2")))
    (tmp_path / "1" / "0.png").write_bytes((tmp_path / "1" / "1.png").read_bytes())
    (tmp_path / "1" / "2.png").write_bytes((tmp_path / "1" / "1.png").read_bytes())
    with pytest.raises(BadRequest, match="other names or contents"):
        resumed(load(tmp_path), recorded)


def test_a_new_class_is_refused_where_the_model_has_classes(tmp_path: Path) -> None:
    recorded = record(load(fill(tmp_path, "2", "3")))
    fill(tmp_path, "1")
    with pytest.raises(BadRequest, match=r"1 is new.*take 1 away"):
        resumed(load(tmp_path), recorded, accept=True)
    assert resumed(load(tmp_path), recorded, accept=True, classes=0).classes == ("2", "3", "1")
