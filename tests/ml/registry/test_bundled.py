"""The bundled models keep what their cards promise."""

import json
from pathlib import Path

import numpy as np
import pytest

from ml.cli.app import main
from ml.config import SampleRequest
from ml.evaluation.judge import Judge
from ml.events import Frame, Sampled
from ml.generation import pipeline
from ml.registry import model_cards, presets
from ml.registry.checkpoint import load_header
from ml.registry.run_layout import MODEL_FILE
from ml.system import paths
from tests.patience import WAIT_S

BUNDLED = sorted(path.stem for path in model_cards.bundled_folder().glob("*.safetensors"))
OF_LABELS = ("digits", "latent", "shuffle-flow", "student", "text")  # models of digits that take a class or its word
MOST_BYTES = 60_000_000  # of everything that ships with the program


def request(count: int, seed: int) -> SampleRequest:
    """`count` digits of every class, at the model's own defaults."""
    defaults = load_header(model_cards.find("digits")).defaults
    return SampleRequest(**defaults.model_dump(), labels=tuple(range(10)) * count, seed=seed)


def draw(wanted: SampleRequest) -> Sampled:
    *_, done = pipeline.sample(wanted, device="cpu", frames=False)
    assert isinstance(done, Sampled)
    return done


@pytest.mark.slow
def test_two_hundred_digits_have_the_requested_classes() -> None:
    done = draw(request(20, seed=31_337))
    verdict = Judge.bundled("cpu").judge(done.images)
    assert (verdict.labels == np.array(done.request.labels)).mean() >= 0.97
    assert done.network_calls <= 10


@pytest.mark.parametrize("name", OF_LABELS)
def test_every_model_that_takes_a_class_draws_it(name: str) -> None:
    defaults = load_header(model_cards.find(name)).defaults
    done = draw(SampleRequest(**defaults.model_dump(), model=name, labels=tuple(range(10)) * 5, seed=808))
    assert (Judge.bundled("cpu").judge(done.images).labels == np.array(done.request.labels)).mean() >= 0.97
    assert done.network_calls <= 10


def test_colour_is_drawn_in_a_latent_and_decoded_at_every_step() -> None:
    defaults = load_header(model_cards.find("colour-latent")).defaults
    request = SampleRequest(**defaults.model_dump(), model="colour-latent", labels=(8,) * 8, seed=1)
    *frames, done = pipeline.sample(request, device="cpu")
    assert isinstance(done, Sampled) and done.images.shape == (8, 32, 32, 3)
    assert all(isinstance(frame, Frame) and frame.x_t.shape == (8, 32, 32, 3) for frame in frames)
    red, green, blue = done.images.reshape(-1, 3).mean(axis=0)
    assert blue > red and blue > green  # ships lie in the water, under the sky


def test_a_digit_of_a_batch_is_that_digit_alone() -> None:
    together = draw(request(2, seed=9))
    for k in (0, 7, 19):
        assert np.array_equal(draw(together.request.alone(k)).images[0], together.images[k])


@pytest.mark.parametrize("name", BUNDLED)
def test_the_committed_configuration_is_the_one_it_was_trained_with(name: str) -> None:
    header, preset = load_header(model_cards.find(name)), presets.load(name)
    of_its_own = header.model.model_copy(update={"codec": None, "reader": None})
    assert of_its_own == preset.model
    assert header.data == preset.data or (preset.data, header.data) == ("cifar10", "folder:cifar10-images")
    assert header.steps > 0 and header.seconds > 0 and header.device


@pytest.mark.parametrize("name", BUNDLED)
def test_every_card_has_the_scores_it_reached(name: str) -> None:
    card = next(card for card in model_cards.cards() if card.bundled and card.name == name)
    assert card.title and card.about and card.scores


def test_the_repository_stays_small() -> None:
    folder = model_cards.bundled_folder()
    assert (folder / "digits.safetensors").stat().st_size <= 8_000_000
    assert sum(path.stat().st_size for path in paths.resources().rglob("*") if path.is_file()) <= MOST_BYTES


@pytest.mark.parametrize(("steps", "right"), [(1, 0.98), (2, 0.98), (4, 0.98)])
def test_the_student_draws_in_few_steps(steps: int, right: float) -> None:
    defaults = load_header(model_cards.find("student")).defaults.with_changes(steps=steps)
    wanted = SampleRequest(**defaults.model_dump(), model="student", labels=tuple(range(10)) * 30, seed=77)
    done = draw(wanted)
    assert done.network_calls == steps
    assert (Judge.bundled("cpu").judge(done.images).labels == np.array(wanted.labels)).mean() >= right


@pytest.mark.slow
@pytest.mark.timeout(5 * WAIT_S)
def test_synthetic_digits_alone_teach_to_draw_digits(tmp_path: Path) -> None:
    from ml.training.trainer import train

    config = presets.load("1-minute").with_changes(data="synthetic")
    for _ in train(config, tmp_path / "run", device="cpu"):
        pass
    wanted = request(20, seed=5).with_changes(model=str(tmp_path / "run"), guidance=2.0)
    assert (Judge.bundled("cpu").judge(draw(wanted).images).labels == np.array(wanted.labels)).mean() >= 0.8


@pytest.mark.slow
@pytest.mark.timeout(8 * WAIT_S)
@pytest.mark.parametrize("seed", [1, 4242])
def test_a_thousand_digits_reach_the_bar(mnist_root: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    assert main(["evaluate", "--data-root", str(mnist_root), "--seed", str(seed), "--json", "--device", "cpu"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["images"] == 1000 and scores["network_calls"] <= 10
    assert scores["accuracy"] >= 0.995
    assert scores["frechet_ratio"] <= 2.0
    assert scores["recall"] >= 0.7
    assert scores["memorised"] == 0


def test_scores_of_ones_own_images(mnist_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.npz"
    done = draw(request(10, seed=5).with_changes(steps=3))
    np.savez(path, images=done.images, labels=np.array(done.request.labels))
    assert main(["evaluate", "--images", str(path), "--data-root", str(mnist_root)]) == 0
    said = capsys.readouterr().out
    assert "class accuracy" in said and "of 100 images" in said and "copied images" in said


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": np.zeros((100, 28, 28))}, "float64 images"),
        ({"images": np.zeros((100, 32, 32), np.uint8)}, "28 x 28"),
        ({"images": np.zeros((100, 28, 28), np.uint8), "labels": np.zeros(3, int)}, "labels of shape"),
        ({"images": np.zeros((7, 28, 28), np.uint8)}, "too few"),
        ({"pictures": np.zeros((100, 28, 28), np.uint8)}, "cannot be read"),
    ],
)
def test_images_that_cannot_be_scored_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arrays: dict[str, np.ndarray], said: str
) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    assert main(["evaluate", "--images", str(path), "--data-root", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and "Traceback" not in error


def test_ones_own_runs_never_take_a_bundled_models_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path))
    assert paths.new_run("digits") == paths.user_runs() / "digits-2"
    (paths.user_runs() / "mine").mkdir(parents=True)
    assert paths.new_run("mine") == paths.user_runs() / "mine-2"
    own = paths.user_runs() / "digits" / MODEL_FILE  # of an older version
    own.parent.mkdir()
    own.write_bytes(b"")
    assert model_cards.find("digits").parent == model_cards.bundled_folder()
