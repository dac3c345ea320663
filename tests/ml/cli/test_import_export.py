"""`ml models import` and `ml export MODEL`: from diffusers and back, and to ONNX."""

from pathlib import Path

import pytest
import torch

from ml.cli.app import main
from ml.registry import diffusers_folder, model_cards
from ml.registry.checkpoint import load_model
from tests.support.tiny_pipeline import make_scheduler, make_unet, save_pipeline


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def test_a_pipeline_is_imported_drawn_with_and_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_pipeline(tmp_path / "tiny", make_unet(), make_scheduler("DDIMScheduler"))
    assert main(["models", "import", str(folder)]) == 0
    assert capsys.readouterr().out == "tiny\n"
    assert main(["sample", "--model", "tiny", "--unconditional", "--steps", "2", "--out", "x.png"]) == 0
    assert main(["verify", "x.png"]) == 0
    assert main(["export", "tiny", "--diffusers", "back"]) == 0
    back = diffusers_folder.read(Path("back"))
    weights = load_model(model_cards.find("tiny"))[1]
    assert all(torch.equal(back.weights[name], weights[name]) for name in weights)
    assert main(["models"]) == 0
    assert "tiny" in capsys.readouterr().out


def test_a_model_is_exported_as_onnx(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    assert main(["export", "shuffle-flow", "--onnx", "x.onnx"]) == 0
    said = capsys.readouterr().out
    assert "x (N, 1, 28, 28), float32" in said and "x.py draws with it" in said
    assert Path("x.onnx").stat().st_size > 100_000 and Path("x.py").is_file()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["models", "import"], "What to import?"),
        (["models", "import", "nowhere"], "There is no file"),
        (["models", "import", "."], "has no model_index.json"),
        (["models", "bogus"], "is not"),
        (["export"], "What to export?"),
        (["export", "digits"], "Export it as what?"),
        (["export", "digits", "--onnx", "x.onnx", "--diffusers", "x"], "Export it as what?"),
        (["export", "digits", "--from-image", "x.png"], "What to export?"),
        (["export", "digits", "--diffusers", "x"], "isn't a UNet2DModel"),
        (["export", "judge", "--onnx", "x.onnx"], "is not a diffusion model"),
        (["export", "digits", "--onnx", "x.txt"], "not a name of an ONNX file"),
        (["export", "digits", "--onnx", "nowhere/x.onnx"], "does not exist"),
    ],
)
def test_bad_input_is_refused_with_one_line(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert why in said and "Traceback" not in said
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
