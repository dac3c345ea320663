"""The command line does what it says, and ends with the promised exit code and one line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

from ml.cli.app import main
from ml.cli.console import resuming
from ml.cli.rendering import layout_that_fits
from ml.cli.train import event_in_words
from ml.config import ModelConfig, SampleRequest, SampleSettings, TrainConfig
from ml.control import RunControl
from ml.data import synthetic_digits
from ml.data.dataset import Dataset
from ml.evaluation.judge import Judge
from ml.evaluation.metrics import Confusion, Reference, Report
from ml.events import (
    BatchSplit,
    Pixels,
    Progress,
    Resumed,
    RunFinished,
    SteppedBack,
    TrainEvent,
    TrainStep,
    WriteFailed,
)
from ml.experiments.cells import Cell
from ml.export import files
from ml.export.formats import FORMATS
from ml.generation import distributed_sampling
from ml.generation.initial_noise import image_from_png
from ml.models import build
from ml.registry import checkpoint
from ml.registry.checkpoint import ModelHeader
from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parents[3]
TINY = ModelConfig(widths=(8,), embedding=16)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An untrained model of one level: its images mean nothing, but are the same every time."""
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    torch.manual_seed(0)
    header = checkpoint.ModelHeader(model=TINY, defaults=SampleSettings(steps=3))
    checkpoint.save(path, build(TINY).state_dict(), header)
    return str(path)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same, of three classes with names."""
    config = TINY.with_changes(num_classes=3)
    path = tmp_path_factory.mktemp("models") / "named.safetensors"
    torch.manual_seed(0)
    classes = ("ship", "cat", "ankle boot")
    header = checkpoint.ModelHeader(model=config, defaults=SampleSettings(steps=3), classes=classes)
    checkpoint.save(path, build(config).state_dict(), header)
    return str(path)


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred synthetic digits in the files of MNIST."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    digits = synthetic_digits.digits(200, seed=0)
    images, labels = np.asarray(digits.images)[:, 0], np.asarray(digits.labels).astype(np.uint8)
    for name, array in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
        (folder / name).write_bytes(header + array.tobytes())
    return root


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.json"
    path.write_text(TrainConfig(name="tiny", model=TINY, batch_size=8, steps=4).model_dump_json())
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line with which a command is refused."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_sampling_writes_what_can_be_verified_and_made_again(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "digits.png"
    assert (
        main(["sample", "--model", model, "--labels", "0-9", "--count", "2", "--device", "cpu", "--out", str(out)]) == 0
    )
    assert "20 images" in capsys.readouterr().out
    request, layout = files.read_request(out)
    assert request.labels == (*range(10), *range(10))
    assert (request.steps, layout.columns, len(request.model_hash)) == (3, 10, 64)
    assert main(["verify", str(out)]) == 0
    for name in ("digits-again.png", "digits-again-2.png"):
        assert main(["export", "--from-image", str(out)]) == 0
        assert np.array_equal(files.read_pixels(tmp_path / name), files.read_pixels(out))
    assert main(["export", "--from-image", str(out), "--out", str(tmp_path / "film.gif")]) == 0
    assert main(["verify", str(tmp_path / "film.gif")]) == 0


def test_other_pixels_do_not_verify(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.npz"
    assert main(["sample", "--model", model, "--labels", "7", "--out", str(out)]) == 0
    request, layout = files.read_request(out)
    images = files.read_pixels(out)
    images[0, 3, 4] ^= 2
    files.save(tmp_path / "x.png", images, request, layout)
    capsys.readouterr()
    assert main(["verify", str(tmp_path / "x.png")]) == 1
    scale = layout.scale**2
    assert f"{scale} values differ, by at most 2 of 255" in capsys.readouterr().out


def test_image_k_is_the_same_however_many_are_drawn(model: str, tmp_path: Path) -> None:
    drawn = []
    for count in ("1", "3"):
        out = tmp_path / f"{count}.npz"
        arguments = ["sample", "--model", model, "--labels", "4,2", "--seed", "5", "--count", count, "--out", str(out)]
        assert main(arguments) == 0
        drawn.append(files.read_pixels(out))
    few, many = drawn
    assert many.shape == (6, 28, 28)
    assert np.array_equal(few, many[:2])
    assert not np.array_equal(many[0], many[2])


def test_prompts_and_unconditional_images(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.npz"
    arguments = ["sample", "--model", model, "--out", str(out), "--trajectory"]
    assert main([*arguments, "--prompt", "bold 2026"]) == 0
    assert '"bold" is not understood' in capsys.readouterr().out
    with np.load(out) as arrays:
        assert arrays["labels"].tolist() == [2, 0, 2, 6]
        assert arrays["trajectory"].shape == (4, 4, 28, 28)
        assert np.array_equal(arrays["trajectory"][-1], arrays["images"])
    assert main([*arguments, "--unconditional", "--count", "3"]) == 0
    with np.load(out) as arrays:
        assert arrays["labels"].tolist() == [-1, -1, -1]


def test_options_reach_the_request(model: str, tmp_path: Path) -> None:
    out = tmp_path / "x.png"
    options = {"sampler": "ddim", "steps": "5", "eta": "0.5", "guidance": "2.5", "seed": "9", "prompt": "7"}
    assert main(["sample", "--model", model, "--out", str(out), *(f"--{k}={v}" for k, v in options.items())]) == 0
    request, _ = files.read_request(out)
    assert {name: str(getattr(request, name)) for name in options} == options


def test_single_images_go_into_a_folder(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sample", "--model", model, "--labels", "3,1", "--seed", "5", "--out"]
    assert main([*arguments, f"{tmp_path / 'new'}/"]) == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "00000-label3-seed5.png", "00001-label1-seed6.png",
    ]  # fmt: skip
    (tmp_path / "there").mkdir()
    assert main([*arguments, str(tmp_path / "there")]) == 0
    assert len(list((tmp_path / "there").iterdir())) == 2
    assert "2 images" in capsys.readouterr().out


def test_rows_are_as_long_as_what_was_asked_for(model: str, tmp_path: Path) -> None:
    """A line for each round of labels, where that makes a line of a sensible length."""
    found = {}
    for labels, count in (("3,1,4", 2), ("7", 12), ("0-9,0-9,3", 1)):
        out = tmp_path / "x.png"
        asked = ["sample", "--model", model, "--labels", labels, "--count", str(count), "--steps", "1"]
        assert main([*asked, "--out", str(out)]) == 0
        found[labels] = files.read_request(out)[1].columns
    assert found == {"3,1,4": 3, "7": 10, "0-9,0-9,3": 10}


def test_a_sheet_says_what_the_judge_read_where_it_can(tmp_path: Path) -> None:
    for model, expected in (("digits", 2), ("colour", 0)):
        asked = ["sample", "--model", model, "--labels", "3,8", "--sheet", "--steps", "2", "--out"]
        assert main([*asked, str(tmp_path / "x.png")]) == 0
        layout = files.read_request(tmp_path / "x.png")[1]
        assert layout.kind == "sheet" and len(layout.readings) == expected


def test_large_grids_are_drawn_smaller_so_that_they_fit(model: str, tmp_path: Path) -> None:
    for count, scale in ((5, 4), (1200, 2)):
        layout = layout_that_fits(FORMATS[".png"], count, 28, 10 if count < 10 else 20, "images")
        assert layout.scale == scale
    assert layout_that_fits(FORMATS[".mp4"], 60, 28, 60, "x_t").scale == 2  # 7,200 across is more than players take


REPORT = Report(
    source="x", images=300, network_calls=4, accuracy=0.912, confidence=0.8, frechet=2.5, frechet_floor=1.25,
    frechet_ratio=2.0, precision=0.25, recall=0.625, memorised=7, kid=0.0125, kid_error=0.002, data="pets",
    compared=207, features=64, judge_accuracy=0.84,
    confusions=(Confusion(asked="cat", read="dog", count=5), Confusion(asked="3", read="8", count=2)),
)  # fmt: skip
LITTLE = Report(
    source="x", images=300, accuracy=None, confidence=None, frechet=None, frechet_floor=None, frechet_ratio=None,
    precision=None, recall=None, memorised=7, judge_accuracy=0.9, features=16,
    reasons={"frechet": "Twelve are too few.", "accuracy": "No classes."},
)  # fmt: skip
TEN = Dataset("ten", torch.zeros(0), torch.zeros(0), tuple("0123456789"))
REFERENCE = Reference(TEN, TEN, cast(Judge, None))


def refer(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """No data are read and no judge is trained: the reference is REFERENCE. Returns what is asked for."""
    asked: list[tuple[object, ...]] = []

    def reference_for(*given: object) -> Generator[Progress, None, Reference]:
        asked.append(given)
        yield Progress("Reading", 0, 1)
        return REFERENCE

    monkeypatch.setattr("ml.training.judges.reference_for", reference_for)
    return asked


def test_scores_stand_beside_their_names(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[SampleRequest] = []

    def evaluated(request: SampleRequest, reference: Reference, *_: object) -> Iterator[Progress | Report]:
        assert reference is REFERENCE
        asked.append(request)
        yield Progress("Drawing", 1, 2)
        yield LITTLE if len(asked) == 2 else REPORT

    about = refer(monkeypatch)
    monkeypatch.setattr("ml.evaluation.metrics.evaluate_model", evaluated)
    command = ["evaluate", "--model", model, "--count", "200", "--steps", "3", "--guidance", "2.5", "--seed", "9"]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == [
        "class accuracy      91.2% of 300 images",
        "most confused       cat as dog (5), 3 as 8 (2)",
        "Frechet distance    2.500, 2.00 times that of real images",
        "KID                 0.0125 ± 0.0020",
        "precision, recall   0.250, 0.625",
        "copied images       7",
        "judge               84.0% of real test images right, 64 features",
        "compared with       207 held-out images of pets",
    ]
    assert main([*command, "--data", "folder:pets"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "class accuracy      - (No classes.)",
        "Frechet distance    - (Twelve are too few.)",
        "precision, recall   - (not known)",
        "copied images       7",
        "judge               90.0% of distorted copies told apart, 16 features",
    ]
    assert [given[1] for given in about] == ["", "folder:pets"]
    assert main([*command, "--json"]) == 0
    assert Report.model_validate_json(capsys.readouterr().out) == REPORT
    assert (asked[0].steps, asked[0].guidance, asked[0].seed, len(asked[0].labels)) == (3, 2.5, 9, 200)
    assert [asked[0].labels.count(digit) for digit in range(10)] == [20] * 10


def test_images_of_ones_own_are_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def evaluated(pixels: Pixels, labels: tuple[int, ...], *_: object) -> Iterator[Report]:
        assert pixels.shape[0] == 102 and labels == (3, 1, 4) * 34
        yield REPORT

    about = refer(monkeypatch)
    monkeypatch.setattr("ml.evaluation.metrics.evaluate_images", evaluated)
    np.savez(tmp_path / "x.npz", images=np.zeros((102, 28, 28), np.uint8), labels=np.array([3, 1, 4] * 34))
    assert main(["evaluate", "--images", str(tmp_path / "x.npz")]) == 0
    assert "copied images       7" in capsys.readouterr().out
    np.savez(tmp_path / "y.npz", images=np.zeros((102, 16, 16, 3), np.uint8), labels=np.array([3, 1, 4] * 34))
    assert main(["evaluate", "--images", str(tmp_path / "y.npz")]) == 2
    assert "images of shape (16, 16, 3); 'digits' draws 28 x 28 with 1 channel." in capsys.readouterr().err
    assert main(["evaluate", "--images", str(tmp_path / "y.npz"), "--data", "folder:pets"]) == 0
    config = cast(ModelHeader, about[-1][0]).model
    assert (config.image_size, config.channels, config.num_classes, about[-1][1]) == (16, 3, 0, "folder:pets")


def test_an_interrupted_evaluation_says_so(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def evaluated(*_: object) -> Iterator[Progress]:
        signal.raise_signal(signal.SIGINT)
        yield Progress("Drawing", 1, 2)
        raise AssertionError("it went on")

    refer(monkeypatch)
    monkeypatch.setattr("ml.evaluation.metrics.evaluate_model", evaluated)
    assert main(["evaluate", "--model", model]) == 130
    assert "Interrupted." in capsys.readouterr().err


def test_a_walk_goes_by_the_seeds_that_are_named(tmp_path: Path) -> None:
    out = tmp_path / "walk.npz"
    asked = ["interpolate", "--model", "digits", "--from", "3", "--via", "5", "--to", "8", "--frames", "5"]
    assert main([*asked, "--label", "2", "--to-label", "7", "--mixing", "lerp", "--steps", "2", "--out", str(out)]) == 0
    request, layout = files.read_request(out)
    assert [(corner.seed, corner.label) for corner in request.corners] == [(3, 2), (5, 2), (8, 7)]
    assert (request.mixing, request.steps, layout.kind, layout.columns) == ("lerp", 2, "images", 5)
    assert request.weights[0] == (1, 0, 0) and request.weights[2] == (0, 1, 0) and request.weights[-1] == (0, 0, 1)
    assert main([*asked, "--loop", "--label", "4", "--out", str(tmp_path / "walk.gif")]) == 0
    request, layout = files.read_request(tmp_path / "walk.gif")
    assert [corner.label for corner in request.corners] == [4, 4, 4] and request.weights[-1] != (0, 0, 1)
    assert (layout.kind, layout.columns) == ("walk", 1) and layout.first_ms == layout.last_ms == layout.frame_ms
    with Image.open(tmp_path / "walk.gif") as film:
        assert getattr(film, "n_frames", 1) == 5 and film.size == (112, 112)
    assert main(["verify", str(tmp_path / "walk.gif")]) == 0
    assert main(["export", "--from-image", str(tmp_path / "walk.gif"), "--out", str(tmp_path / "again.webp")]) == 0
    again, before = files.read_pixels(tmp_path / "again.webp"), files.read_pixels(tmp_path / "walk.gif")
    assert np.array_equal(again[..., 0], before)  # a WebP is always in colours


def test_a_picture_that_is_drawn_again_keeps_its_kind(tmp_path: Path) -> None:
    asked = ["sample", "--model", "digits", "--labels", "3,1", "--steps", "2", "--out"]
    for name, again, kind in (
        ("x.gif", "y.png", "images"),
        ("x.svg", "y.png", "sheet"),
        ("x.png", "y.svg", "sheet"),
        ("x.svg", "y.gif", "x_t"),
    ):
        assert main([*asked, str(tmp_path / name)]) == 0
        assert main(["export", "--from-image", str(tmp_path / name), "--out", str(tmp_path / again)]) == 0
        assert files.read_request(tmp_path / again)[1].kind == kind
    assert main(["export", "--from-image", str(tmp_path / "x.gif")]) == 0
    assert files.read_request(tmp_path / "x-again.gif")[1].kind == "x_t"
    with Image.open(tmp_path / "x-again.gif") as film:
        assert getattr(film, "n_frames", 1) == 3


@pytest.mark.parametrize("command", [["experiment", "steps"], ["compare", "--rows", "steps=1,2"]])
def test_a_figure_is_a_png(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "A figure is a PNG" in refused(capsys, *command, "--out", tmp_path / "x.svg")
    assert "the folder does not exist" in refused(capsys, *command, "--out", tmp_path / "no" / "x.png")


def compared(asked: list[SampleRequest], stop: bool = False) -> Callable[..., Iterator[Progress | Cell]]:
    """A comparison that draws nothing."""

    def comparing(base: SampleRequest, *_: object) -> Iterator[Progress | Cell]:
        asked.append(base)
        yield Progress("Drawing", 0, 2)
        if stop:
            signal.raise_signal(signal.SIGINT)
        for row in range(2):
            yield Cell(row, 0, base.with_changes(steps=row + 1), np.zeros((2, 28, 28), np.uint8), 0.5)

    return comparing


def test_a_comparison_draws_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[SampleRequest] = []
    monkeypatch.setattr("ml.experiments.comparison.compare", compared(asked))
    options = {"labels": "3,8", "count": "2", "sampler": "ddim", "eta": "0.5", "guidance": "2.5", "seed": "9"}
    command = ["compare", "--rows", "steps=1,2", "--out", str(tmp_path / "x.png")]
    assert main([*command, *(f"--{name}={value}" for name, value in options.items())]) == 0
    [base] = asked
    assert (base.labels, base.sampler, base.eta, base.guidance, base.seed) == ((3, 8, 3, 8), "ddim", 0.5, 2.5, 9)
    assert "2 cells of 4 images, seed 9" in capsys.readouterr().out and (tmp_path / "x.png").exists()
    assert main(command) == 0
    assert asked[1].labels == tuple(range(10)) and "guidance" not in asked[1].model_fields_set
    assert main(["compare", "--rows", "label=1,2", "--count", "3", "--out", str(tmp_path / "x.png")]) == 0
    assert asked[2].labels == (-1,) * 3  # the axis says which


def test_a_comparison_refuses_an_eta_that_all_its_samplers_ignore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ml.experiments.comparison.compare", compared([]))
    command = ["compare", "--eta", "1", "--out", str(tmp_path / "x.png")]
    assert main([*command, "--rows", "steps=1,2"]) == 2
    assert "changes nothing with the sampler dpm++" in capsys.readouterr().err
    assert main([*command, "--rows", "sampler=dpm++,ddim"]) == 0


def test_a_comparison_of_named_classes(
    model: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[SampleRequest] = []
    monkeypatch.setattr("ml.experiments.comparison.compare", compared(asked))
    command = ["compare", "--out", str(tmp_path / "x.png")]
    assert main([*command, "--model", named, "--rows", "steps=1,2"]) == 0
    assert main([*command, "--model", named, "--rows", "steps=1,2", "--labels", "ankle boot,ships"]) == 0
    assert main([*command, "--rows", f"model={named},{model}", "--labels", "class 2"]) == 0  # what both have
    assert [request.labels for request in asked] == [(0, 1, 2), (2, 0), (2,)]
    capsys.readouterr()
    assert main([*command, "--model", named, "--rows", "label=cat,ship"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("Class: 2 cells")
    comparison = files.read_stamp(tmp_path / "x.png").comparison
    assert comparison and comparison.rows and comparison.rows.values == "1, 0"
    assert comparison.classes == ("ship", "cat", "ankle boot")
    assert "no class 3" in refused(capsys, *command, "--rows", f"model={named},{model}", "--labels", "3")


def test_a_comparison_that_is_interrupted_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ml.experiments.comparison.compare", compared([], stop=True))
    assert main(["compare", "--rows", "steps=1,2", "--out", str(tmp_path / "x.png")]) == 130
    assert "nothing was written" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_an_experiment_is_asked_by_its_name_and_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[object, ...]] = []

    def answering(name: str, seed: int, *_: object) -> Iterator[Progress]:
        asked.append((name, seed))
        yield Progress("Drawing", 0, 1)

    monkeypatch.setattr("ml.experiments.questions.answer", answering)
    assert main(["experiment", "eta", "--seed", "7", "--out", str(tmp_path / "x.png")]) == 130
    assert asked == [("eta", 7)] and "nothing was written" in capsys.readouterr().err


def test_a_picture_is_redrawn_as_one_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, mask = tmp_path / "picture.png", tmp_path / "mask.png"
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 13:15] = 255
    Image.fromarray(pixels).save(picture)
    Image.fromarray(255 * (np.indices((28, 28))[0] > 14).astype(np.uint8)).save(mask)
    asked = ["redraw", str(picture), "--label", "3", "--count", "2", "--seed", "5", "--out"]
    assert main([*asked, str(tmp_path / "x.gif"), "--vary-from", "1.5"]) == 0
    assert "2 images" in capsys.readouterr().out
    request, layout = files.read_request(tmp_path / "x.gif")
    assert (request.labels, request.seed, request.vary_from, request.mask) == ((3, 3), 5, 1.5, "")
    assert layout.kind == "x_t" and np.array_equal(image_from_png(request.source, 1, 28)[0, 0].numpy() > 0, pixels > 0)
    with Image.open(tmp_path / "x.gif") as film:
        assert getattr(film, "n_frames", 1) > 1
    assert main([*asked, str(tmp_path / "x.png"), "--complete", str(mask)]) == 0
    request, layout = files.read_request(tmp_path / "x.png")
    assert request.mask and layout.kind == "images"


def test_what_a_picture_shows_is_ranked(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def recognising(*_: object, **__: object) -> Iterator[Progress | torch.Tensor]:
        yield Progress("Looking", 0, 1)
        yield torch.tensor([[0.125, 0.625, 0.25]])

    monkeypatch.setattr("ml.evaluation.diffusion_classifier.classify", recognising)
    Image.new("L", (28, 28)).save(tmp_path / "x.png")
    assert main(["recognise", str(tmp_path / "x.png"), "--model", named]) == 0
    assert capsys.readouterr().out.splitlines() == ["cat  62.5%", "ankle boot  25.0%", "ship  12.5%"]
    assert main(["recognise", str(tmp_path / "x.png"), "--model", named, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ship": 0.125, "cat": 0.625, "ankle boot": 0.25}


def test_commands_take_the_names_of_classes(named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, picture = tmp_path / "x.png", tmp_path / "picture.png"
    Image.new("L", (28, 28), 90).save(picture)
    sample, end = ["sample", "--model", named], ["--out", str(out)]
    assert main([*sample, "--prompt", "two cats and an ankle boot", *end, "--sheet"]) == 0
    assert "Understood as cat ×2, ankle boot" in capsys.readouterr().out
    request, layout = files.read_request(out)
    assert request.labels == (1, 1, 2) and layout.classes == ("ship", "cat", "ankle boot")
    assert main(["verify", str(out)]) == 0
    for command, labels in (
        ([*sample, "--labels", "Ankle-Boot,0"], (2, 0)),
        (["redraw", str(picture), "--model", named, "--label", "ships", "--count", "2"], (0, 0)),
        (["redraw", str(picture), "--model", named, "--label", "-1", "--count", "1"], (-1,)),
    ):
        assert main([*command, *end]) == 0
        assert files.read_request(out)[0].labels == labels
    walk = ["interpolate", "--model", named, "--from", "1", "--via", "2", "--to", "3", "--frames", "3", *end]
    assert main([*walk, "--label", "ship", "--to-label", "cat"]) == 0
    assert [corner.label for corner in files.read_request(out)[0].corners] == [0, 0, 1]
    capsys.readouterr()
    for wrong in (["--labels", "shp"], ["--prompt", "shp"]):
        assert "did you mean ship? This model draws ship, cat, ankle boot." in refused(capsys, *sample, *wrong, *end)
    assert "these are 2 classes" in refused(capsys, *walk, "--label", "ship,cat")


def test_models_are_listed_with_whose_they_are(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    shutil.copy(model, tmp_path / "models" / "kept.safetensors")
    assert main(["models"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["kept"].split()[1:] == ["own", "0.0", "MB", "unet", "on", "unknown", "data,", "0", "steps"]
    assert lines["digits"].split()[1] == "bundled" and " on mnist, " in lines["digits"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["sample", "--labels", "1"], "Missing option '--out'"),
        (["sample", "--out", "x.png"], "Give one of --labels"),
        (["sample", "--labels", "1", "--prompt", "2", "--out", "x.png"], "Give one of --labels"),
        (["sample", "--labels", "1,x", "--out", "x.png"], "neither a number"),
        (["sample", "--labels", "10", "--out", "x.png"], "labels from 0 to 9"),
        (["sample", "--prompt", "dog", "--out", "x.png"], "no class of this model in"),
        (["sample", "--labels", "1", "--out", "x.avi"], "Use one of .png"),
        (["sample", "--labels", "1", "--out", "x.gif", "--sheet"], "ends in one of .png, .svg"),
        (["sample", "--labels", "1", "--out", "no/such/folder/x.png"], "the folder does not exist"),
        (["sample", "--labels", "1", "--out", "x.png", "--trajectory"], "shows no trajectory"),
        (["sample", "--labels", "1", "--out", "x.png", "--steps", "0"], "steps"),
        (["sample", "--labels", "1", "--out", "x.png", "--steps", "many"], "integer"),
        (["sample", "--labels", "1", "--out", "x.png", "--eta", "nan"], "Noise η"),
        (["sample", "--labels", "1", "--out", "x.png", "--seed", "-1"], "seed"),
        (["sample", "--labels", "1", "--out", "x.png", "--sampler", "magic"], "not one of 'ddpm'"),
        (["sample", "--out", "x.png", "--route", "clip"], "What to draw"),
        (["sample", "--prompt", "seven", "--out", "x.png", "--route", "text", "--model", "digits"], "does not read"),
        (["sample", "--labels", "0-9", "--count", "20000", "--out", "x.png"], "more than 100000"),
        (["sample", "--labels", "0-9", "--count", "10000", "--out", "x.png"], "too large"),
    ],
)
def test_wrong_ways_to_sample_are_refused_before_any_work(
    arguments: list[str], why: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    sample = distributed_sampling.sample

    def refusing(*given: Any, **named: Any) -> Iterator[object]:
        for event in sample(*given, **named):
            pytest.fail(f"it drew: {event}")
        yield

    monkeypatch.setattr(distributed_sampling, "sample", refusing)
    assert why in refused(capsys, *arguments, "--model", model)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["bogus"], "No such command"),
        (["models", "--bogus"], "No such option"),
        (["sample", "--model", "nope", "--labels", "1", "--out", "{}/x.png"], "no model 'nope'"),
        (["verify", "{}/nothing.png"], "does not exist"),
        (["verify", __file__], "damaged"),
        (["export", "--from-image", "{}/nothing.png"], "does not exist"),
        (["train"], "nothing to train"),
        (["train", "--preset", "nope"], "no preset 'nope'"),
        (["train", "--config", "{}/nothing.json"], "Cannot read"),
        (["train", "--config", __file__], "test_cli.py"),
    ],
)
def test_bad_input_is_refused_with_one_line(
    arguments: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert why in refused(capsys, *(argument.format(tmp_path) for argument in arguments))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--steps", "1", "--epochs", "1", "--data-root", "nowhere"], "More than one budget"),
        (["--steps", "0"], "steps"),
        (["--set", "lr"], "no '='"),
        (["--set", "lr=-1"], "lr"),
        (["--set", "nope=1"], "no setting 'nope'"),
        (["--set", "model.nope=1"], "no setting 'model.nope'"),
        (["--set", "lr.x=1"], "no setting 'lr.x'"),
        (["--set", "model.widths=[3]"], "multiple of 8"),
        (["--data", "nope"], "no data set"),
        (["--resume"], "--run-dir"),
        (["--resume", "--run-dir", "nowhere"], "nowhere"),
        (["--data-root", "nowhere"], "MNIST"),
    ],
)
def test_wrong_ways_to_train_are_refused(
    options: list[str], why: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert why in refused(capsys, "train", "--config", config, *options)


def test_training_then_going_on_then_sampling(
    config: Path, data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train = ["train", "--config", str(config), "--data-root", str(data_root), "--run-dir", str(run), "--device", "cpu"]
    assert main([*train, "--set", "model.widths=[16]", "--set", "lr=0.001"]) == 0
    assert str(run / "model.safetensors") in capsys.readouterr().out
    header = checkpoint.load_header(run / "model.safetensors")
    assert (header.steps, header.model.widths) == (4, (16,))
    assert "already holds a run" in refused(capsys, *train)
    assert "lr = 0.001" in refused(capsys, *train, "--resume", "--set", "model.widths=[16]")
    resume = ["train", "--resume", "--run-dir", str(run), "--data-root", str(data_root)]
    assert main([*resume, "--steps", "6"]) == 0  # more, since it had ended
    assert checkpoint.load_header(run / "model.safetensors").steps == 10
    assert main(resume) == 0
    assert checkpoint.load_header(run / "model.safetensors").steps == 10
    assert main(["sample", "--model", str(run), "--labels", "3", "--out", str(tmp_path / "x.png")]) == 0


def test_a_new_run_without_a_folder_gets_a_name_that_is_free(config: Path, data_root: Path, tmp_path: Path) -> None:
    home = Path(os.environ["NOISELOOM_HOME"]) / "runs"
    for _ in range(2):
        assert main(["train", "--config", str(config), "--data-root", str(data_root), "--steps", "1"]) == 0
    assert {"tiny", "tiny-2"} <= {path.name for path in home.iterdir()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_the_run_goes_on(
    number: signal.Signals, config: Path, data_root: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    run, tell, reached = tmp_path / "a run", event_in_words, list[int]()

    def interrupted(event: TrainEvent) -> str:
        if isinstance(event, TrainStep) and not reached:
            reached.append(event.step)
            signal.raise_signal(number)
        return tell(event)

    train = ["train", "--data-root", str(data_root), "--run-dir", str(run), "--device", "cpu"]
    monkeypatch.setattr("ml.cli.train.event_in_words", interrupted)
    assert main([*train, "--config", str(config), "--steps", "1000000"]) == 130
    monkeypatch.setattr("ml.cli.train.event_in_words", tell)
    told = capsys.readouterr()
    assert str(run / "model.safetensors") in told.out
    assert f"Stopped and saved. Resume with: {resuming(run)}" in told.err
    steps = checkpoint.load_header(run / "model.safetensors").steps
    assert reached[0] <= steps <= reached[0] + 1
    assert main([*train, "--resume", "--steps", str(steps + 2)]) == 0
    assert f"{steps + 2} steps" in capsys.readouterr().out


def test_what_is_interrupted_before_it_began_says_so(
    model: str, config: Path, data_root: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    tell = event_in_words

    def interrupted(event: TrainEvent) -> str:
        signal.raise_signal(signal.SIGINT)
        return tell(event)

    def stopped(*_: object, control: RunControl, **__: object) -> Iterator[Progress]:
        signal.raise_signal(signal.SIGINT)
        if not control.cancelled:
            yield Progress("Drawing", 0, 1)

    monkeypatch.setattr("ml.cli.train.event_in_words", interrupted)
    monkeypatch.setattr("ml.generation.distributed_sampling.sample", stopped)
    run, out = tmp_path / "run", tmp_path / "x.png"
    train = ["train", "--config", str(config), "--data-root", str(data_root), "--run-dir", str(run), "--device", "cpu"]
    assert main(train) == 130
    assert "Interrupted before the training began." in capsys.readouterr().err and not (run / "loss.csv").exists()
    assert main(["sample", "--model", model, "--labels", "1", "--out", str(out)]) == 130
    assert "Interrupted; nothing was written." in capsys.readouterr().err and not out.exists()


def test_a_run_that_cannot_write_goes_on_where_one_says(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, asked, told = tmp_path / "run", list[Path](), list[Path | None]()

    def answered(_failed: object, folder: Path, _line: object) -> Path:
        asked.append(folder)
        return tmp_path / f"place-{len(asked)}"

    def training(*_: object, control: RunControl, **__: object) -> Iterator[TrainEvent]:
        yield WriteFailed(3, 2, "Cannot write.")
        told.append(control.take_folder())
        yield Resumed(3, tmp_path / "place-1")
        yield WriteFailed(5, 4, "Cannot write.")
        told.append(control.take_folder())
        yield RunFinished(9, 1.5, tmp_path / "place-2" / "model.safetensors", completed=True)

    monkeypatch.setattr("ml.training.trainer.train", training)
    monkeypatch.setattr("ml.cli.train.where_else", answered)
    assert main(["train", "--config", str(config), "--run-dir", str(run)]) == 0
    assert asked == [run, tmp_path / "place-1"] and told == [tmp_path / "place-1", tmp_path / "place-2"]
    assert "model.safetensors: 9 steps in 1.5 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Progress("Reading MNIST", 1, 2), "Reading MNIST 1/2"),
        (Progress("Looking", 5, 0), "Looking"),
        (
            SteppedBack(40, "It diverged.", 0.0005, 1),
            "It diverged. Back to step 40, with a learning rate of 0.0005 at most.",
        ),
        (BatchSplit(7, 4), "step 7  the batch does not fit into memory: 4 parts, same result"),
    ],
)
def test_what_happens_in_a_training_is_said_in_a_line(event: TrainEvent, words: str) -> None:
    assert event_in_words(event) == words


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a console's Ctrl-C cannot be sent to one process")
def test_a_whole_program_that_is_told_to_end_saves(config: Path, data_root: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "ml", "train", "--data-root", str(data_root), "--run-dir", str(run)]
    process = subprocess.Popen(
        [*command, "--config", str(config), "--steps", "1000000"],
        cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + WAIT_S
        while not (run / "loss.csv").exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=WAIT_S)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err and "--resume" in err and str(run / "model.safetensors") in out


def test_models_and_doctor_speak_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), list)
    assert main(["doctor", "--json"]) == 0
    findings = {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert {"device", "torch", "model digits", "model judge", "MNIST", "window", "own files"} <= findings.keys()
    assert all(finding["ok"] or finding["what_to_do"] for finding in findings.values())
    assert main(["doctor"]) == 0
    assert main(["models"]) == 0


def test_doctor_finds_data_and_says_which_folder_cannot_be_written(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NOISELOOM_DATA", str(data_root))
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path / "file" / "home"))
    assert main(["doctor", "--json"]) == 0
    findings = {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["MNIST"]["found"] == str(data_root)
    assert not findings["own files"]["ok"]
    assert "NOISELOOM_HOME" in findings["own files"]["what_to_do"]


def test_doctor_names_what_is_missing_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path / "new" / "home"))
    monkeypatch.delenv("NOISELOOM_DATA", raising=False)
    monkeypatch.setattr("ml.cli.health_checks.find_spec", lambda name: None if name == "pyqtgraph" else name)
    monkeypatch.setattr("ml.cli.health_checks.mp4.encoder", lambda: ("mpeg4", "There is no H.264."))
    monkeypatch.setattr("ml.cli.health_checks.versions", lambda: {"torch": "2.11", "pillow": "missing"})
    monkeypatch.setattr("ml.registry.model_cards.bundled_folder", lambda: tmp_path)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    window = lines.index("LACK window          pyqtgraph missing")
    assert "-> Install what the window needs: pip install pyqtgraph" in lines[window + 1]
    assert {
        "LACK MP4 films       mpeg4",
        "ok   torch           2.11",
        "LACK pillow          missing",
        "LACK MNIST           not on this machine yet",
        f"ok   own files       {tmp_path / 'new' / 'home'}",
    } <= set(lines)
    assert sum(line.startswith("LACK model ") for line in lines) == 2


def test_an_unexpected_failure_is_one_line_and_with_debug_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.registry.model_cards.cards", lambda: 1 / 0)
    assert main(["models"]) == 1
    assert capsys.readouterr().err == (
        "Unexpected failure: ZeroDivisionError: division by zero. Add --debug to see where.\n"
    )
    assert main(["models", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_help_comes_without_torch() -> None:
    asked = [[], ["--help"], ["sample", "--help"], ["train", "--set", "x"]]
    code = f"import sys; from ml.cli.app import main; print([main(each) for each in {asked}], 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, timeout=WAIT_S, check=True
    )
    assert done.stdout.endswith("[0, 0, 0, 2] False\n") and done.stdout.count("Usage") == 3
