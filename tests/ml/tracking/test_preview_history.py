"""What a run keeps of its past: previews with their whole denoising, and models at doubling steps."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.config import SampleRequest
from ml.control import RunControl
from ml.errors import BadRequest
from ml.events import Preview, RunFinished, Sampled
from ml.generation import pipeline
from ml.registry import model_cards
from ml.tracking import preview_history
from ml.training.trainer import train
from tests.support.tiny_model import few_digits, tiny_config


def preview(step: int, value: int = 0, shape: tuple[int, ...] = (3, 2, 8, 8)) -> Preview:
    film = np.random.default_rng(step).integers(0, 256, shape, np.uint8) + np.uint8(value)
    return Preview(step, film[-1], (4, 5), film)


@pytest.mark.parametrize("shape", [(3, 2, 8, 8), (5, 2, 8, 8, 3)])
def test_previews_come_back_as_they_were(tmp_path: Path, shape: tuple[int, ...]) -> None:
    for step in (10, 20):
        preview_history.save_preview(tmp_path, preview(step, shape=shape))
    found = preview_history.load_previews(tmp_path, (4, 5), 8)
    assert [each.step for each in found] == [10, 20] and found[0].labels == (4, 5)
    for each in found:
        assert np.array_equal(each.film, preview(each.step, shape=shape).film)
        assert np.array_equal(each.images, each.film[-1])


def test_a_row_of_the_picture_is_a_step_and_a_column_an_image(tmp_path: Path) -> None:
    film = np.arange(6, dtype=np.uint8).reshape(3, 2, 1, 1).repeat(8, 2).repeat(8, 3)
    preview_history.save_preview(tmp_path, Preview(12, film[-1], (4, 5), film))
    with Image.open(tmp_path / preview_history.FOLDER / "00000012.png") as picture:
        assert np.array(picture)[::8, ::8].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_pictures_of_another_size_are_not_those_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preview_history.save_preview(tmp_path, preview(1))
    assert preview_history.load_previews(tmp_path, (4, 5), 4) == preview_history.load_previews(tmp_path, (4,), 8) == []
    assert preview_history.load_previews(tmp_path, (4,), 16) == []  # as broad, but no whole number of rows
    monkeypatch.setattr(preview_history, "MAX_PIXELS", 24 * 16 - 1)
    assert preview_history.load_previews(tmp_path, (4, 5), 8) == []


def test_a_long_run_keeps_fewer_but_its_first_and_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert preview_history.MOST == 128
    monkeypatch.setattr(preview_history, "MOST", 8)
    for step in range(1, 25):
        preview_history.save_preview(tmp_path, preview(step))
    steps = [each.step for each in preview_history.load_previews(tmp_path, (4, 5), 8)]
    assert steps == [1, 13, 17, 19, 21, 22, 23, 24]  # thinned out whenever there were nine


def test_unreadable_previews_are_left_out_and_later_ones_removed(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        preview_history.save_preview(tmp_path, preview(step))
    (tmp_path / preview_history.FOLDER / "00000002.png").write_bytes(b"no picture")
    (tmp_path / preview_history.FOLDER / "notes.png").write_bytes(b"somebody's own")
    assert [each.step for each in preview_history.load_previews(tmp_path, (4, 5), 8)] == [1, 3]
    assert preview_history.load_previews(tmp_path, (4, 5, 6), 8) == []  # of another model
    preview_history.remove_after(tmp_path, 2)
    assert [each.step for each in preview_history.load_previews(tmp_path, (4, 5), 8)] == [1]


def test_a_run_keeps_its_way_and_models_of_before_can_be_drawn_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path))
    folder = tmp_path / "runs" / "mine"
    monkeypatch.setattr("ml.training.run.FIRST_SNAPSHOT", 5)
    root = few_digits(tmp_path / "data")
    events = list(train(tiny_config(data="mnist", steps=23, lr=1e-2), folder, device="cpu", data_root=root))
    assert isinstance(events[-1], RunFinished)
    shown = [event for event in events if isinstance(event, Preview)]
    kept = preview_history.load_previews(folder, shown[0].labels, 28)
    assert [each.step for each in kept] == sorted({each.step for each in shown})
    last = shown[-1]
    assert np.array_equal(kept[-1].film, last.film) and last.film.shape[1:] == last.images.shape
    assert last.film[0].std() > 50  # noise
    names = [path.stem for path in model_cards.snapshots("mine")]
    assert [int(name) for name in names] == [5, 10, 20]
    images = []
    for model in ("mine@5", "mine@20", "mine"):
        request = SampleRequest(model=model, labels=(3,), steps=3)
        *_, done = pipeline.sample(request, device="cpu", frames=False, control=RunControl())
        assert isinstance(done, Sampled)
        images.append(done.images)
    assert not np.array_equal(images[0], images[1]) and not np.array_equal(images[1], images[2])
    assert str(model_cards.find(f"{folder}@10")).endswith("00000010.safetensors")
    with pytest.raises(BadRequest, match="no model 'mine@15'"):
        model_cards.find("mine@15")
