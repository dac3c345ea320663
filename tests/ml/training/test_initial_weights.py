"""A run begins with a model: its settings, its classes and its weights."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from ml.cli.app import main
from ml.config import SampleRequest, TrainConfig
from ml.control import RunControl
from ml.data.augment import INPUTS
from ml.data.dataset import Dataset
from ml.errors import BadRequest
from ml.events import Sampled
from ml.generation import loaded_model, pipeline
from ml.models import build
from ml.models.transfer import transferred
from ml.registry import model_cards
from ml.registry.checkpoint import load_header, load_model, save
from ml.registry.presets import recorded_config
from ml.registry.run_layout import MODEL_FILE, STATE_FILE
from ml.training import rehearsal
from ml.training.base_models import with_base_models
from ml.training.config_from_data import fit_to_data
from ml.training.initial_weights import fit_to_base, with_base_classes
from ml.training.overrides import BEGIN_GUIDANCE, BEGIN_IMAGES, BEGIN_LR, starting_point
from ml.training.rehearsal import with_rehearsal
from ml.training.trainer import train
from tests.support.tiny_model import TINY, few_synthetic, tiny_config

COLOURS = {"3": (20, 40, 220), "heart": (30, 200, 60)}
QUICK = ["--steps", "1", "--batch-size", "4", "--device", "cpu"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of coloured squares, 20 x 20, one of which is called like a digit."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name, color in COLOURS.items():
        (folder / name).mkdir()
        for k in range(8):
            pixels = np.clip(np.array(color) + rng.normal(0, 10, (20, 20, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{k}.png")
    return folder


def images(channels: int, *classes: str, side: int = 28) -> Dataset:
    count = 2 * len(classes)
    return Dataset(
        "few",
        torch.zeros(count, channels, side, side, dtype=torch.uint8),
        torch.arange(count) % len(classes),
        classes,
    )


def begun(base: Path, dataset: Dataset, **changes: object) -> tuple[TrainConfig, loaded_model.LoadedModel]:
    """The configuration and the network of a run at step 0."""
    config, dataset = with_base_classes(fit_to_base(TrainConfig(begin_with=str(base), steps=1, **changes)), dataset)  # type: ignore[arg-type]
    config, weights = with_base_models(fit_to_data(config, dataset))
    header = load_header(base / MODEL_FILE).with_changes(model=config.model.model_dump(), classes=dataset.classes)
    save(base.parent / "begun.safetensors", weights[""], header)
    return config, loaded_model.load(str(base.parent / "begun.safetensors"))


def predicted(model: loaded_model.LoadedModel, x: torch.Tensor, labels: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model.network(x.expand(len(labels), -1, -1, -1), torch.tensor([400.0]), torch.tensor(labels))


@pytest.fixture
def noise() -> torch.Tensor:
    return torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_the_weights_of_the_same_images_are_taken_to_the_bit(tiny_run: Path) -> None:
    names = load_header(tiny_run / MODEL_FILE).class_names
    config, _ = begun(tiny_run, images(1, *names))
    _, weights = with_base_models(config)
    before = load_model(tiny_run / MODEL_FILE)[1]
    assert weights[""].keys() == before.keys() and all(torch.equal(weights[""][name], before[name]) for name in before)
    assert config.model == TINY and config.defaults.steps == 4


def test_kept_classes_come_first_and_draw_as_before(tiny_run: Path, noise: torch.Tensor) -> None:
    config, model = begun(tiny_run, images(1, "heart", "7", "leaf"), keep_classes=True)
    assert config.classes == (*"0123456789", "heart", "leaf") and config.model.num_classes == 12
    before = loaded_model.load(str(tiny_run))
    assert torch.equal(predicted(model, noise, [*range(10), 12]), predicted(before, noise, [*range(11)]))
    assert_new(model, 10, 11, null=12)


def assert_new(model: loaded_model.LoadedModel, *labels: int, null: int) -> None:
    """Classes that begin apart from each other, as far as classes do from one without a name."""
    table = model.network.state_dict()["condition.label.weight"]
    rows = [*(table[label] for label in labels), table[null]]
    for first, second in itertools.combinations(rows, 2):
        assert 0.5 < float((first - second).norm()) / table.shape[1] ** 0.5 < 3


def test_new_classes_begin_by_the_seed_of_the_run(tiny_run: Path, noise: torch.Tensor) -> None:
    drawn = [predicted(begun(tiny_run, images(1, "a", "b"), seed=seed)[1], noise, [0, 1]) for seed in (3, 3, 4)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0][0], drawn[0][1])


def test_replaced_classes_keep_the_row_of_their_name(tiny_run: Path, noise: torch.Tensor) -> None:
    config, model = begun(tiny_run, images(1, "7", "heart"))
    assert config.classes == ("7", "heart") and config.model.num_classes == 2
    before = loaded_model.load(str(tiny_run))
    assert torch.equal(predicted(model, noise, [0, 2]), predicted(before, noise, [7, 10]))


def test_one_class_leaves_the_null_label(tiny_run: Path, tiny_unconditional: Path, noise: torch.Tensor) -> None:
    config, model = begun(tiny_run, images(1, "leaf"))
    assert config.model.num_classes == 0
    assert torch.equal(predicted(model, noise, [0]), predicted(loaded_model.load(str(tiny_run)), noise, [10]))
    _, grown = begun(tiny_unconditional, images(1, "a", "b"), keep_classes=True)
    before = predicted(loaded_model.load(str(tiny_unconditional)), noise, [0])
    assert torch.equal(predicted(grown, noise, [2]), before)
    assert_new(grown, 0, 1, null=2)


def test_a_grey_model_in_colour_begins_as_the_grey_one(tiny_run: Path, noise: torch.Tensor) -> None:
    names = load_header(tiny_run / MODEL_FILE).class_names
    config, model = begun(tiny_run, images(3, *names))
    assert config.model.channels == 3
    before = predicted(loaded_model.load(str(tiny_run)), noise, [3])
    after = predicted(model, noise.expand(1, 3, 28, 28), [3])
    assert torch.allclose(after, before.expand(1, 3, 28, 28), atol=1e-5)
    grey = transferred(model.network.state_dict(), model.config, TINY, range(11), "colour")
    for name, tensor in loaded_model.load(str(tiny_run)).network.state_dict().items():
        assert torch.allclose(grey[name], tensor, atol=1e-6), name


def test_augmentation_changes_nothing_at_first(tiny_run: Path, noise: torch.Tensor) -> None:
    names = load_header(tiny_run / MODEL_FILE).class_names
    config, dataset = with_base_classes(
        fit_to_base(TrainConfig(begin_with=str(tiny_run), steps=1, mirror=True)), images(1, *names)
    )
    config, weights = with_base_models(fit_to_data(config, dataset))
    network = build(config.model)
    network.load_state_dict(weights[""])
    x, time, label = noise, torch.tensor([400.0]), torch.tensor([3])
    with torch.no_grad():
        assert torch.equal(network(x, time, label, torch.ones(1, INPUTS)), network(x, time, label))


def test_other_sizes_take_the_same_weights(tiny_run: Path) -> None:
    config, model = begun(tiny_run, images(1, "a", "b", side=40), model={"image_size": 40})
    assert config.model.image_size == 40
    assert predicted(model, torch.zeros(1, 1, 40, 40), [0]).shape == (1, 1, 40, 40)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model": {"widths": (8, 24)}}, r"model.widths is \(8, 24\) here, and \(8, 16\) in"),
        ({"model": {"prediction": "x0"}}, "model.prediction is 'x0' here"),
        ({"model": {"attention": (7,)}}, "model.attention"),
        ({"codec_from": "autoencoder"}, "codec_from is set"),
        ({"begin_with": "student"}, "few-step student.*Begin with its teacher, digits"),
        ({"begin_with": "text", "data": "cifar10"}, "captions, which only digits have"),
        ({"begin_with": "latent", "model": {"channels": 3}}, "model.channels is 3 here, and 1 in latent"),
        ({"begin_with": "latent", "model": {"image_size": 32}}, "model.image_size is 32 here"),
        ({"begin_with": "latent", "mirror": True}, "latents, which cannot be mirrored"),
        ({"begin_with": "nothing"}, "no model 'nothing'"),
    ],
)
def test_what_contradicts_the_model_is_refused_by_name(tiny_run: Path, changes: dict[str, object], named: str) -> None:
    config = TrainConfig.model_validate({"begin_with": str(tiny_run), "steps": 1} | changes)
    with pytest.raises(BadRequest, match=named) as refused:
        fit_to_base(config)
    assert refused.value.what_to_do


def test_a_class_that_the_run_does_not_have_is_refused() -> None:
    config = TrainConfig(steps=1, classes=("a", "b", "c"))
    assert with_base_classes(config, images(1, "b", "a"))[1].labels.tolist() == [0, 0, 1, 1]
    with pytest.raises(BadRequest, match="a class 'd', which is none of the run's"):
        with_base_classes(config, images(1, "a", "d"))


def test_what_is_unset_comes_from_the_run_that_trained_the_model(tiny_run: Path) -> None:
    config, trained = starting_point(None, None, None, str(tiny_run)), recorded_config(tiny_run)
    assert (config.batch_size, config.precision, config.data) == (32, "fp32", "synthetic")
    assert config.lr == BEGIN_LR * trained.lr and config.steps is None
    digits = starting_point(None, None, None, "digits")
    assert (digits.optimizer, digits.time_mean, digits.data) == ("muon", 0.4, "mnist")
    assert digits.defaults == load_header(model_cards.find("digits")).defaults.with_changes(guidance=BEGIN_GUIDANCE)
    assert digits.images_per_class == BEGIN_IMAGES and not starting_point(None, None, None, "colour").images_per_class
    with pytest.raises(BadRequest, match="nothing to train"):
        starting_point(None, None, None)


@pytest.mark.parametrize(("keep", "classes"), [([], ("3", "heart")), (["--keep-classes"], (*"0123456789", "heart"))])
def test_the_command_line_begins_with_a_model_and_resumes(
    tiny_run: Path,
    photos: Path,
    tmp_path: Path,
    keep: list[str],
    classes: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rehearsal, "DRAWN", 1)
    run = tmp_path / "run"
    begin = ["train", "--from", str(tiny_run), *keep, "--data", f"folder:{photos}", "--run-dir", str(run), *QUICK]
    assert main(begin) == 0
    header = load_header(run / MODEL_FILE)
    assert (header.begun_with, header.classes, header.model.num_classes) == (str(tiny_run), classes, len(classes))
    assert (header.model.image_size, header.model.channels, header.model.widths) == (28, 3, TINY.widths)
    recorded = recorded_config(run)
    assert (recorded.begin_with, recorded.keep_classes, recorded.classes) == (str(tiny_run), bool(keep), classes)
    assert main(["train", "--resume", "--run-dir", str(run), "--steps", "2", "--device", "cpu"]) == 0
    assert load_header(run / MODEL_FILE).steps == 3 and load_header(run / MODEL_FILE).classes == classes


def rehearsed(base: Path, dataset: Dataset, **changes: object) -> Dataset:
    config = TrainConfig(begin_with=str(base), steps=1, keep_classes=True, **changes)  # type: ignore[arg-type]
    config, dataset = with_base_classes(config, dataset)
    events = with_rehearsal(config, dataset, "cpu", RunControl())
    while True:
        try:
            assert next(events).total == 8 * 4
        except StopIteration as finished:
            return finished.value


def test_kept_classes_are_rehearsed_in_half_of_the_images(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "DRAWN", 4)
    labels = torch.tensor([0] * 3 + [1] + [2] * 12)
    new = Dataset("few", torch.full((16, 3, 28, 28), 7, dtype=torch.uint8), labels, ("heart", "7", "4"))
    mixed = rehearsed(tiny_run, new, seed=5)
    assert mixed.classes == (*"0123456789", "heart") and mixed.images.shape == (len(mixed), 3, 28, 28)
    assert torch.bincount(mixed.labels).tolist() == [36 if k in (4, 7, 10) else 12 for k in range(11)]
    own = (mixed.images == 7).flatten(1).all(dim=1)
    assert set(mixed.labels[own].tolist()) == {4, 7, 10}
    assert torch.equal(mixed.images, rehearsed(tiny_run, new, seed=5).images)  # so that a resumed run is the same
    request = SampleRequest(
        model=str(tiny_run), labels=(0,), seed=5, **load_header(tiny_run / MODEL_FILE).defaults.model_dump()
    )
    *_, drawn = pipeline.sample(request, device="cpu")
    assert isinstance(drawn, Sampled)
    first = mixed.images[mixed.labels == 0][0]
    assert torch.equal(first, torch.from_numpy(drawn.images).expand(3, 28, 28))


def test_nothing_is_rehearsed_where_no_class_is_only_kept(tiny_run: Path) -> None:
    names = load_header(tiny_run / MODEL_FILE).class_names
    dataset = images(1, *names)
    assert rehearsed(tiny_run, dataset) is dataset


def test_the_average_begins_with_the_weights(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few_synthetic(monkeypatch)
    config = tiny_config(begin_with=str(tiny_run), steps=2, lr=1e-2, lr_schedule="constant", warmup=0)
    list(train(config, tmp_path / "run", device="cpu"))
    before, after = (load_model(folder / MODEL_FILE)[1] for folder in (tiny_run, tmp_path / "run"))
    network = load_file(tmp_path / "run" / STATE_FILE)
    name = "into.weight"
    moved = (network[f"net.{name}"] - before[name]).norm()
    assert 0 < (after[name] - before[name]).norm() < 0.2 * moved
