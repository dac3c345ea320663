"""The judge of a data set: trained once, kept, and right about images that it has not seen."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ml.config import NO_LABEL, ModelConfig
from ml.data.dataset import AS_IT_IS, Dataset
from ml.errors import BadRequest, DataUnavailable
from ml.evaluation.judge import judge_for, planes
from ml.evaluation.metrics import Reference, Report, score
from ml.events import Pixels, Progress
from ml.registry import judges as kept
from ml.registry.checkpoint import ModelHeader
from ml.specs import IMAGE_FOLDER
from ml.system import paths
from ml.training import judges

SIDE = 16
SHAPES = ("circles", "squares")


def shape(kind: str, rng: np.random.Generator) -> Pixels:
    """A coloured circle or square somewhere, on a dark ground."""
    image = Image.new("RGB", (SIDE, SIDE), (10, 10, 30))
    size, (x, y) = int(rng.integers(6, 10)), (int(k) for k in rng.integers(1, 6, 2))
    colour = tuple(int(k) for k in rng.integers(120, 256, 3))
    draw = ImageDraw.Draw(image)
    (draw.ellipse if kind == "circles" else draw.rectangle)((x, y, x + size, y + size), fill=colour)
    return np.asarray(image)


def shapes(count: int, seed: int) -> tuple[Pixels, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    return np.stack([shape(SHAPES[label], rng) for label in labels]), labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Coloured shapes in two folders."""
    place = tmp_path_factory.mktemp("shapes")
    for number, (image, label) in enumerate(zip(*shapes(640, 1), strict=True)):
        (place / SHAPES[label]).mkdir(exist_ok=True)
        Image.fromarray(image).save(place / SHAPES[label] / f"{number}.png")
    return place


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("home")
        patch.setenv("NOISELOOM_HOME", str(place))
        patch.setattr(judges, "LEAST_IMAGES", 2400)
        patch.setattr(judges, "TOP_WIDTH", 32)
        yield place


def drawn_from(data: Path, classes: int = 2, names: tuple[str, ...] = SHAPES) -> ModelHeader:
    """The header of a model that was trained on a folder."""
    config = ModelConfig(image_size=SIDE, channels=3, num_classes=classes)
    return ModelHeader(model=config, data=f"{IMAGE_FOLDER}{data}", classes=names)


def refer(header: ModelHeader, data: str = "") -> tuple[Reference, list[str]]:
    """The reference, and what was done for it."""
    *done, reference = drained(judges.reference_for(header, data, None, "cpu"))
    return reference, [progress.what for progress in done]


def drained(events: Generator[Progress, None, Any]) -> list[Any]:
    """All that a generator yields, and last what it returns."""
    found: list[Any] = []
    while True:
        try:
            found.append(next(events))
        except StopIteration as finished:
            return [*found, finished.value]


def report(images: Pixels, labels: NDArray[np.int64], reference: Reference) -> Report:
    *_, last = score(images, labels, reference, "images")
    assert isinstance(last, Report)
    return last


def test_a_judge_is_trained_once_kept_and_right(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path))
    header = drawn_from(folder)
    assert judge_for(header, "cpu") is None
    reference, done = refer(header)
    assert "Training a judge" in done and reference.judge.classes == SHAPES
    assert reference.judge.accuracy is not None and reference.judge.accuracy > 0.9
    again, done = refer(header)
    assert "Training a judge" not in done and again.judge is reference.judge
    assert judge_for(header, "cpu") is reference.judge
    images, labels = shapes(100, 2)  # that neither it nor the folder has seen
    assert (reference.judge.judge(images).labels == labels).mean() > 0.9
    card = kept.find(header)
    assert card is not None and card.path.parent == paths.user_judges() and not card.bundled
    assert card.scores["test_images"] == len(reference.test) and kept.classes_of(card.header) == SHAPES


def test_real_images_score_near_the_floor_and_noise_far_away(folder: Path) -> None:
    reference, _ = refer(drawn_from(folder))
    real = report(*shapes(200, 3), reference)
    assert real.accuracy is not None and real.accuracy > 0.9 and real.judge_accuracy == reference.judge.accuracy
    assert real.frechet_ratio is not None and real.frechet_ratio < 3
    assert real.features == reference.judge.dimensions and real.compared <= len(reference.test)
    noise = np.random.default_rng(0).integers(0, 256, (200, SIDE, SIDE, 3), np.uint8)
    worse = report(noise, shapes(200, 3)[1], reference)
    assert worse.frechet_ratio is not None and worse.frechet_ratio > 5 * real.frechet_ratio
    assert worse.kid is not None and real.kid is not None and worse.kid > 5 * abs(real.kid)
    assert worse.accuracy is not None and worse.accuracy < 0.8


def test_the_judge_is_that_of_the_data_the_form_and_the_classes(folder: Path) -> None:
    header = drawn_from(folder)
    refer(header)
    assert kept.find(drawn_from(folder, 0, ())) is not None  # it names what a model without classes draws
    assert kept.find(drawn_from(folder, 2, ("squares", "circles"))) is None
    assert kept.find(header.with_changes(data="folder:other")) is None
    assert kept.find(header.with_changes(ground="#00ff00")) is None
    smaller = header.model.with_changes(image_size=8)
    assert kept.find(header.with_changes(model=smaller)) is None


def test_another_judge_is_trained_once_the_images_are_others(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "shapes"
    for name in SHAPES:
        (data / name).mkdir(parents=True)
        for path in list((folder / name).iterdir())[:60]:
            (data / name / path.name).write_bytes(path.read_bytes())
    first, _ = refer(drawn_from(data))
    next((data / "circles").iterdir()).unlink()
    second, done = refer(drawn_from(data))
    assert "Training a judge" in done and judge_for(drawn_from(data), "cpu") is second.judge is not first.judge


def test_without_classes_the_features_are_of_a_judge_of_single_images() -> None:
    train, test = (
        Dataset("folder:all", planes(shapes(count, seed)[0]), torch.zeros(count, dtype=torch.int64), ("all",))
        for count, seed in ((150, 4), (40, 5))
    )
    *done, judge = drained(judges.judge_of(train, test, AS_IT_IS, "cpu"))
    assert Progress("Training a judge of single images", 1, len(done) - 1) in done
    assert judge.classes == () and judge.accuracy is not None  # of copies: so few steps teach it little
    header = drawn_from(Path("all"), 0, ())
    assert kept.find(header) is not None and judge_for(header, "cpu") is None  # it has no names for what it sees
    noise = np.random.default_rng(0).integers(0, 256, (100, SIDE, SIDE, 3), np.uint8)
    any_label = np.full(100, NO_LABEL)
    alike, other = (report(some, any_label, Reference(train, test, judge)) for some in (shapes(100, 6)[0], noise))
    assert alike.accuracy is None and alike.frechet is not None and other.frechet is not None
    assert other.frechet > 3 * alike.frechet


def test_a_judge_grows_with_the_images_and_has_no_more_features_than_can_be_compared(folder: Path) -> None:
    reference, _ = refer(drawn_from(folder))
    few, many = (judges.config_for(reference.train, held_out) for held_out in (24, 96))
    assert (few.model.embedding, many.model.embedding) == (16, 64)
    assert judges.config_for(reference.train, 0).model.embedding == 16
    assert judges.config_for(reference.train, 95).model.embedding == 32
    assert few.model.widths == (8, 16, 32) and few.steps is not None
    assert few.steps == round(judges.LEAST_IMAGES * (len(reference.train) / 300) ** (2 / 3) / judges.BATCH)


def test_what_cannot_be_scored_is_refused_before_anything_is_drawn(folder: Path, tmp_path: Path) -> None:
    header = drawn_from(folder)
    with pytest.raises(BadRequest, match="does not say what it was trained on"):
        refer(header.with_changes(data=""))
    with pytest.raises(BadRequest, match="draws no images"):
        refer(header.with_changes(model=header.model.with_changes(network="judge")))
    with pytest.raises(DataUnavailable, match="There is no folder"):
        refer(header.with_changes(data=f"{IMAGE_FOLDER}{tmp_path / 'gone'}"))
    reference, _ = refer(header.with_changes(data=""), f"{IMAGE_FOLDER}{folder}")
    assert reference.test.name == f"{IMAGE_FOLDER}{folder}"


def test_a_judge_that_is_stopped_is_not_kept(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path))
    preparing = judges.reference_for(drawn_from(folder), device="cpu")
    for event in preparing:
        if event == Progress("Training a judge", 2, event.total):
            break
    preparing.close()
    assert not paths.user_judges().exists()
