"""The command line does what it says, and ends with the promised exit code and one line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from ml import checkpoint, export, synthetic
from ml.cli import main
from ml.config import ModelConfig, SampleSettings, TrainConfig
from ml.models import build

REPO = Path(__file__).resolve().parents[2]
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
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred synthetic digits in the files of MNIST."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    digits = synthetic.digits(200, seed=0)
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
    request, layout = export.read_request(out)
    assert request.labels == (*range(10), *range(10))
    assert (request.steps, layout.columns, len(request.model_hash)) == (3, 10, 64)
    assert main(["verify", str(out)]) == 0
    assert main(["export", "--from-image", str(out)]) == 0
    assert np.array_equal(export.read_pixels(tmp_path / "digits-again.png"), export.read_pixels(out))
    assert main(["export", "--from-image", str(out), "--out", str(tmp_path / "film.gif")]) == 0
    assert main(["verify", str(tmp_path / "film.gif")]) == 0


def test_other_pixels_do_not_verify(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.npz"
    assert main(["sample", "--model", model, "--labels", "7", "--out", str(out)]) == 0
    request, layout = export.read_request(out)
    images = export.read_pixels(out)
    images[0, 3, 4] ^= 2
    export.save_png(tmp_path / "x.png", images, request, layout)
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
        drawn.append(export.read_pixels(out))
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
    request, _ = export.read_request(out)
    assert {name: str(getattr(request, name)) for name in options} == options


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["sample", "--labels", "1"], "Missing option '--out'"),
        (["sample", "--out", "x.png"], "Give one of --labels"),
        (["sample", "--labels", "1", "--prompt", "2", "--out", "x.png"], "Give one of --labels"),
        (["sample", "--labels", "1,x", "--out", "x.png"], "no number"),
        (["sample", "--labels", "10", "--out", "x.png"], "labels from 0 to 9"),
        (["sample", "--prompt", "dog", "--out", "x.png"], "no digit in"),
        (["sample", "--labels", "1", "--out", "x.avi"], "Use one of .png"),
        (["sample", "--labels", "1", "--out", "x.gif", "--sheet"], "ends in .png or .svg"),
        (["sample", "--labels", "1", "--out", "no/such/folder/x.png"], "the folder does not exist"),
        (["sample", "--labels", "1", "--out", "x.png", "--trajectory"], "shows no trajectory"),
        (["sample", "--labels", "1", "--out", "x.png", "--steps", "0"], "steps"),
        (["sample", "--labels", "1", "--out", "x.png", "--steps", "many"], "integer"),
        (["sample", "--labels", "1", "--out", "x.png", "--eta", "nan"], "eta"),
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
        (["--steps", "1", "--epochs", "1"], "More than one budget"),
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
    assert main([*resume, "--steps", "6"]) == 0
    assert checkpoint.load_header(run / "model.safetensors").steps == 6
    assert main(["sample", "--model", str(run), "--labels", "3", "--out", str(tmp_path / "x.png")]) == 0


def test_a_new_run_without_a_folder_gets_a_name_that_is_free(config: Path, data_root: Path, tmp_path: Path) -> None:
    home = Path(os.environ["NOISELOOM_HOME"]) / "runs"
    for _ in range(2):
        assert main(["train", "--config", str(config), "--data-root", str(data_root), "--steps", "1"]) == 0
    assert {"tiny", "tiny-2"} <= {path.name for path in home.iterdir()}


@pytest.mark.skipif(sys.platform == "win32", reason="a console's Ctrl-C cannot be sent to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_the_run_goes_on(
    number: signal.Signals, config: Path, data_root: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train = [sys.executable, "-m", "ml", "train", "--data-root", str(data_root), "--run-dir", str(run)]
    process = subprocess.Popen(
        [*train, "--config", str(config), "--minutes", "5"],
        cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (run / "loss.csv").exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "--resume" in err
    assert str(run / "model.safetensors") in out
    steps = checkpoint.load_header(run / "model.safetensors").steps
    done = subprocess.run(
        [*train, "--resume", "--steps", str(steps + 2)],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"{steps + 2} steps" in done.stdout


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


def test_an_unexpected_failure_is_one_line_and_with_debug_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.library.cards", lambda: 1 / 0)
    assert main(["models"]) == 1
    assert capsys.readouterr().err == (
        "Unexpected failure: ZeroDivisionError: division by zero. Add --debug to see where.\n"
    )
    assert main(["models", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_help_comes_without_torch() -> None:
    code = "import sys; from ml.cli import main; main(sys.argv[1:]); print('torch' in sys.modules)"
    for arguments in ([], ["--help"], ["sample", "--help"], ["train", "--set", "x"]):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.endswith("False\n")
